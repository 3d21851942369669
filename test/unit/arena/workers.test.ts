/** Who is attached: by what name, in which thread, watched by whom, for how long. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { reapSlot } from '#src/arena/reap.ts'
import { threadId, UNKNOWN_THREAD } from '#src/base/host.ts'
import { Arena, Misuse } from '#src/index.ts'
import { WorkerSlot } from '#src/memory/layout.ts'

const BYTES = 2 ** 18
let arena: Arena
beforeEach(() => {
  arena = Arena.create({ bytes: BYTES, maxWorkers: 4, label: 'main' })
})
afterEach(() => {
  vi.restoreAllMocks()
})
const labels = (): string[] => arena.workers().map(({ label }) => label)

it('says id, label and thread', () => {
  const other = Arena.attach(arena.handle, { label: 'reader 1' })
  const thread = threadId() === UNKNOWN_THREAD ? {} : { threadId: threadId() }
  const about = { supervised: false, forMs: expect.any(Number), ...thread }
  const all = [
    { workerId: arena.workerId, label: 'main', ...about },
    { workerId: other.workerId, label: 'reader 1', ...about },
  ]
  expect(arena.workers()).toEqual(all)
  expect(other.workers()).toEqual(all)
})

it('counts the time since it attached, across the wrap of the word', () => {
  let time = 2 ** 32 - 500
  vi.spyOn(arena.memory, 'now').mockImplementation(() => time)
  arena.space.workers.introduce(arena.space.slot, 'main')
  time += 1200
  expect(arena.workers()[0]?.forMs).toBe(1200)
})

it('forgets who has left or was reaped; a successor has its own label', () => {
  const a = Arena.attach(arena.handle, { label: 'a' })
  const b = Arena.attach(arena.handle, { label: 'b' })
  expect(labels()).toEqual(['main', 'a', 'b'])
  a.detach()
  reapSlot(arena.space, b.space.slot)
  expect(labels()).toEqual(['main'])
  Arena.attach(arena.handle)
  expect(labels()).toEqual(['main', ''])
})

it('leaves out the dead, also before they are reaped', () => {
  const { slot, workers } = Arena.attach(arena.handle, { label: 'a' }).space
  workers.bury({ slot, generation: workers.generation(slot) })
  expect(labels()).toEqual(['main'])
})

describe('a label', () => {
  it.each([
    ['', ''],
    ['ä€😀', 'ä€😀'],
    ['x'.repeat(100), 'x'.repeat(40)],
    [`${'x'.repeat(39)}€`, 'x'.repeat(39)],
  ])('%s', (given, shown) => {
    Arena.attach(arena.handle, { label: given })
    expect(labels()[1]).toBe(shown)
  })

  it('that is no string is refused, and takes no slot', () => {
    for (const label of [1, null, {}] as never[]) {
      expect(() => Arena.attach(arena.handle, { label })).toThrow(Misuse)
      expect(() => Arena.create({ bytes: BYTES, label })).toThrow(/^Arena\.create: label is /)
    }
    expect(arena.workers()).toHaveLength(1)
  })

  it('that is being written is not told [N]', () => {
    const { memory, space } = Arena.attach(arena.handle, { label: 'a' })
    const at = space.workers as unknown as { address(slot: number): number }
    memory.store(at.address(space.slot) + WorkerSlot.told, 0)
    expect(labels()).toEqual(['main'])
  })
})

it('a thread that a living worker supervises is supervised', () => {
  const { signature } = arena.space.locks
  if (threadId() === UNKNOWN_THREAD) return
  arena.space.workers.watch(signature, threadId())
  expect(arena.workers()[0]?.supervised).toBe(true)
  arena.space.workers.unwatch(signature, threadId())
  expect(arena.workers()[0]?.supervised).toBe(false)
})

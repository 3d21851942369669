/**
 * A thread that has nothing left but callbacks stays until they have run, while a section of another
 * worker holds them back. (That it does not stay for ever: test/unit/smr/call.test.ts.) One that is
 * ended from outside takes its callbacks along and leaves its async sections behind; when it has been
 * reaped nobody waits for either.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Arena, type ReapReport } from 'uma-smr'
import { expect, it } from 'vitest'
import { built } from '../helpers/built.ts'
import type { Task } from './exit.worker.ts'

const HELD_MS = 150
const CALLS = 300

it.each([false, true])(
  'the end of a thread waits for its callbacks; expedite: %s',
  async (expedite) => {
    const arena = Arena.create({ bytes: 2 ** 18, maxWorkers: 4 })
    const smr = arena.smr('exit')
    const { words } = arena
    const [ran, queued] = [arena.root('ran'), arena.root('queued')]
    smr.enter()
    const task: Task = { handle: arena.handle, calls: CALLS, expedite, sections: 0 }
    const worker = new Worker(built('torture/exit.worker.ts'), { workerData: task })
    let over = false
    const exit = new Promise<number>((resolve, reject) => {
      worker.once('error', reject)
      worker.once('exit', (code) => {
        over = true
        resolve(code)
      })
    })
    while (Atomics.load(words, queued) === 0) await sleep(1)
    await sleep(HELD_MS)
    expect([over, Atomics.load(words, ran)]).toEqual([false, 0])
    smr.exit()
    expect([await exit, Atomics.load(words, ran)]).toEqual([0, CALLS])
    arena.detach()
  },
)

it('whoever is ended in async sections, with callbacks, is reaped of both', async () => {
  const arena = Arena.create({ bytes: 2 ** 18, maxWorkers: 4 })
  const smr = arena.smr('exit', { sleepable: true })
  const other = Arena.attach(arena.handle)
  const reader = other.smr('exit')
  reader.enter() // Holds the callbacks back while the thread lives.
  const queued = arena.root('queued')
  const task: Task = { handle: arena.handle, calls: CALLS, expedite: false, sections: 100 }
  const worker = new Worker(built('torture/exit.worker.ts'), { workerData: task })
  const reaped = new Promise<ReapReport>((resolve) => arena.supervise(worker, resolve))
  while (Atomics.load(arena.words, queued) === 0) await sleep(1)
  reader.exit()
  reader.enter()
  const goal = smr.advance()
  expect(smr.poll(goal)).toBe(false)
  expect(await smr.barrier({ timeoutMs: 20 })).toBe(false)
  expect(smr.stalled(0)).toContainEqual(
    expect.objectContaining({ kind: 'async', label: 'section 0' }),
  )
  const barrier = smr.barrier()
  await worker.terminate()
  const { calls, sections } = await reaped
  reader.exit()
  expect(sections).toEqual(['exit'])
  const lost = calls[0]?.lost ?? 0
  expect(smr.stats()).toMatchObject({ calls: CALLS, callsPending: 0, callsLost: lost })
  expect([await barrier, smr.poll(goal), smr.stalled(0)]).toEqual([true, true, []])
  other.detach()
  arena.detach()
})

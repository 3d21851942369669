/**
 * A worker that leaves, and cannot: a lock is another's, or its call ends early. Either it has left, or
 * its slot is as a dead worker's, and the next to attach or to reap takes over; or it has not, and may
 * try again. Nothing is lost in any case.
 */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Arena, type Item, type Zone } from '#src/index.ts'
import { DepotWords, Header, WorkerSlot, zoneParts } from '#src/memory/layout.ts'
import { checkPages } from '#src/space/pages.ts'
import { ownerOf } from '#src/space/workers.ts'
import { trio } from '../../helpers/company.ts'
import { interrupt, MANNERS } from '../../helpers/interrupt.ts'
import { misuse } from '../../helpers/refusals.ts'

const NAMES = ['one', 'two'] as const

let a: Arena
let b: Arena
let rival: Arena
/** What is allocated when the worker leaves. */
let held: Set<Item>
const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})

/** Two zones; in each the worker has a part-filled bucket of either kind, and one is pending. */
beforeEach(() => {
  ;[a, b, rival] = trio()
  const smr = a.smr('d')
  held = new Set()
  for (const name of NAMES) {
    a.zone(name, { bytes: 8, bucket: 4, smr })
    const zone = b.zone(name)
    const items = Array.from({ length: 10 }, () => zone.zallocSmr())
    for (const item of items.slice(0, 6)) zone.zfreeSmr(item)
    for (const item of items.slice(6)) held.add(item)
  }
})

afterEach(() => warned.mockClear())

/** The `n`-th lock that the worker wants, and those behind it, are another's. Answers how many it wanted. */
function denyFrom({ space }: Arena, n: number): () => number {
  const { locks } = space
  const acquire = locks.acquire.bind(locks)
  locks.patienceMs = 0
  let wanted = 0
  locks.acquire = (at, what) => {
    const denied = wanted++ >= n && rival.space.locks.tryLock(at) === 'ok'
    try {
      return acquire(at, what)
    } finally {
      if (denied) rival.space.locks.unlock(at)
    }
  }
  return () => wanted
}

function zones(arena: Arena): Zone[] {
  return NAMES.map((name) => arena.zone(name))
}

/** Every item is live or free, in one place; the slot is nobody's. */
function allIsThere(slot: number): void {
  const leaked = zones(a).flatMap((zone) => {
    zone.check()
    return zone.audit([]).leaked
  })
  expect(new Set(leaked)).toEqual(held)
  expect(a.stats().zones.map(({ cached, pending, safe }) => [cached, pending + safe])).toEqual(
    NAMES.map(() => [0, expect.any(Number)]),
  )
  expect(a.space.workers.isClaimed(slot)).toBe(false)
  expect(a.space.workers.unreaped()).toEqual([])
  checkPages(a.memory, a.space.pages)
}

/** Who takes over what an abandoned slot has. */
const HEIRS: readonly (readonly [string, (left: Arena) => void])[] = [
  ['the next to attach', () => Arena.attach(a.handle).detach()],
  ['who reaps it', (left) => expect(a.reap(left.workerId).reaped).toBe(true)],
]

describe.each(HEIRS)('a lock is not to be had, and %s takes over', (_, inherit) => {
  it('whichever of its locks it is', () => {
    const { slot } = b.space
    const mine = zones(b)
    const count = (() => {
      const other = Arena.attach(a.handle)
      for (const zone of zones(other)) zone.zfreeSmr(zone.zallocSmr())
      const wanted = denyFrom(other, Number.POSITIVE_INFINITY)
      other.detach()
      return wanted()
    })()
    expect(count).toBeGreaterThan(3)
    for (let n = 0; n < count; n++) {
      const leaver = n === 0 ? b : Arena.attach(a.handle)
      const wares = n === 0 ? mine : zones(leaver)
      for (const zone of wares) {
        const [keep, drop] = [zone.zallocSmr(), zone.zallocSmr()]
        held.add(keep)
        zone.zfreeSmr(drop)
      }
      denyFrom(leaver, n)
      leaver.detach()
      expect(warned).toHaveBeenCalledTimes(1)
      expect(String(warned.mock.calls[0]?.[0])).toMatch(
        /arena\.detach: zone "(one|two)" .*worker 2 has held the lock.*whoever attaches next takes over/,
      )
      warned.mockClear()
      expect(misuse(() => leaver.detach()).message).toMatch(/^arena\.detach: .*was detached/)
      for (const zone of wares) misuse(() => zone.zallocSmr())
      inherit(leaver)
      allIsThere(leaver.space.slot)
    }
    expect(slot).toBe(1)
  })
})

describe.each(MANNERS)('a detach that is %s', (manner) => {
  it('has left, leaves the slot to others, or can be called again', () => {
    let [left, again, abandoned] = [0, 0, 0]
    for (let step = 0, on = true; on; step++) {
      const leaver = step === 0 ? b : Arena.attach(a.handle)
      for (const zone of zones(leaver)) {
        const [keep, drop] = [zone.zallocSmr(), zone.zallocSmr()]
        zone.zfreeSmr(keep)
        zone.zfreeSmr(drop)
      }
      const { space } = leaver
      on = interrupt(leaver, step, manner, () => leaver.detach()).interrupted
      if (leaver.space.isOpen && space.isOurs) {
        again++
        leaver.detach()
      } else if (a.space.workers.unreaped().length > 0) abandoned++
      else left++
      expect(space.isOpen && space.isOurs).toBe(false)
      Arena.attach(a.handle).detach()
      allIsThere(space.slot)
    }
    expect(left).toBeGreaterThan(0)
    expect(again + abandoned).toBeGreaterThan(20)
  })
})

it('whom a worker supervises that cannot leave in order is not taken for dead with it', () => {
  const THREAD = 4711
  const { workers, locks } = b.space
  b.supervise({ threadId: THREAD, once: () => {} })
  // Makes believe that this one is that thread's.
  const { slot, generation, memory } = rival.space
  const at = memory.peek(Header.workersAt) + slot * WorkerSlot.WORDS + WorkerSlot.owner
  memory.store(at, ownerOf(generation, THREAD))
  denyFrom(b, 0)
  b.detach()
  expect(workers.wardsOf(locks.signature)).toEqual([])
  expect(a.reap(b.workerId).reaped).toBe(true)
  expect(rival.space.isOurs).toBe(true)
})

it('an abandoned slot is reaped when any supervised thread exits', () => {
  let exit = (): void => {}
  a.supervise({
    threadId: 4712,
    once: (_: string, listener: () => void) => {
      exit = listener
    },
  })
  const { slot } = b.space
  denyFrom(b, 0)
  b.detach()
  exit()
  allIsThere(slot)
})

describe('all slots are taken, and one of them was left by a worker that could not leave in order', () => {
  const crowded = () => {
    const arena = Arena.create({ bytes: 2 ** 16, maxWorkers: 2 })
    const leaver = Arena.attach(arena.handle)
    const zone = arena.zone('z', { bytes: 8, bucket: 4, smr: arena.smr('d') })
    leaver.zone('z').zfreeSmr(leaver.zone('z').zallocSmr())
    leaver.space.abandon()
    return { arena, leaver, zone }
  }

  it('who attaches has it, if this thread has an attachment that can reap', () => {
    const { arena, leaver, zone } = crowded()
    const next = Arena.attach(arena.handle)
    expect(next.space.slot).toBe(leaver.space.slot)
    expect(next.space.workers.unreaped()).toEqual([])
    expect(next.zone('z').reclaim('all').remaining).toBe(0)
    zone.check()
    expect(misuse(() => Arena.attach(arena.handle)).message).toMatch(/slots are taken; detach/)
  })

  it('else the error says which', () => {
    const { arena } = crowded()
    arena.space.abandon()
    const { message } = misuse(() => Arena.attach(arena.handle))
    expect(message).toMatch(
      /all 2 worker slots are taken \(workers 0, 1 are gone and not reaped\); detach or reap/,
    )
  })
})

it('who leaves waits for one lock that he cannot have, and not for each, and empties the others', () => {
  const third = b.zone('three', { bytes: 8, bucket: 4 })
  for (const item of [third.zalloc(), third.zalloc()]) third.zfree(item)
  const { locks } = b.space
  locks.patienceMs = 20
  const depots = NAMES.map((name) => zoneParts(a.zone(name).parts.at, b.space.maxWorkers).depot)
  for (const at of depots) expect(rival.space.locks.tryLock(at + DepotWords.lock)).toBe('ok')
  const wait = vi.spyOn(b.memory, 'wait').mockImplementation(() => 'timed-out')
  let time = 1_000_000
  vi.spyOn(b.memory, 'now').mockImplementation(() => time++)
  b.detach()
  expect(new Set(wait.mock.calls.map(([at]) => at))).toEqual(
    new Set([(depots[0] as number) + DepotWords.lock]),
  )
  for (const at of depots) rival.space.locks.unlock(at + DepotWords.lock)
  expect(a.zone('three').stats()).toMatchObject({ cached: 0 })
})

/**
 * The heart of the design: one step of the clock per bucket of frees, one poll long after, and no
 * item in anybody's hands while a reader may still look at it.
 *
 * In the configurations with giant steps sixteen steps are as far as the hands may part, so while a
 * reader is parked the wrap guard turns further advances into `advanceWaits`. Nothing else does.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { delta, type Seq } from '#src/base/seq.ts'
import type { Item } from '#src/index.ts'
import { BucketWords, DepotWords, zoneParts } from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import {
  allocAll,
  allocMany,
  bury,
  freeMany,
  join,
  outside,
  plainStage,
  smrStage,
} from './stage.ts'

/** Where the wrap guard stands, in giant steps. */
const GUARD_STEPS = 16

describe.each(CONFIGS)('batching, sequences $name', (config) => {
  it('retires k buckets and advances k times for k * B frees', () => {
    const sizes = fc.record({
      bucket: fc.integer({ min: 1, max: 48 }),
      buckets: fc.integer({ min: 1, max: 40 }),
    })
    fc.assert(
      fc.property(sizes, ({ bucket, buckets }) => {
        const { a } = smrStage(config, { bucket })
        freeMany(a, allocMany(a, bucket * buckets))
        // The last full bucket leaves when something comes that it has no room for, or on demand.
        expect(a.zone.stats()).toMatchObject({ retired: buckets - 1, advances: buckets - 1 })
        a.zone.seal()
        const { retired, advances, frees } = a.zone.stats()
        expect({ retired, advances, frees }).toEqual({
          retired: buckets,
          advances: buckets,
          frees: bucket * buckets,
        })
        expect(a.smr.stats()).toMatchObject({ advances: buckets, advanceWaits: 0 })
        a.zone.check()
      }),
      { numRuns: 40 },
    )
  })

  it('retires the k-th bucket at the first free that finds it full', () => {
    const { a } = smrStage(config, { bucket: 4 })
    const items = allocMany(a, 13)
    const retired: number[] = []
    for (const item of items) {
      a.zone.zfreeSmr(item)
      retired.push(a.zone.stats().retired)
    }
    expect(retired).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3])
  })

  it('advances as often when every free is followed by an allocation', () => {
    const sizes = fc.record({
      bucket: fc.integer({ min: 1, max: 32 }),
      frees: fc.integer({ min: 1, max: 600 }),
    })
    fc.assert(
      fc.property(sizes, ({ bucket, frees }) => {
        const { a } = smrStage(config, { bucket })
        for (let i = 0; i < frees; i++) a.zone.zfreeSmr(a.zone.zallocSmr())
        const whole = Math.ceil(frees / bucket) - 1
        expect(a.zone.stats()).toMatchObject({ retired: whole, advances: whole })
        expect(a.smr.stats()).toMatchObject({ advances: whole, advanceWaits: 0 })
        a.zone.check()
      }),
      { numRuns: 40 },
    )
  })

  it('adds up over workers and over the zones of one domain', () => {
    const { a, b } = smrStage(config, { bucket: 3 })
    const second = a.arena.zone('more things', { bytes: 24, bucket: 5, smr: a.smr })
    freeMany(a, allocMany(a, 9))
    freeMany(b, allocMany(b, 6))
    freeMany({ arena: a.arena, zone: second }, allocMany({ arena: a.arena, zone: second }, 20))
    for (const zone of [a.zone, b.zone, second]) zone.seal()
    expect(a.zone.stats()).toMatchObject({ retired: 5, advances: 5 })
    expect(second.stats()).toMatchObject({ retired: 4, advances: 4 })
    expect(a.smr.stats()).toMatchObject({ advances: 9, advanceWaits: 0 })
  })

  it('lets the wrap guard hold advances back only while a reader is parked', () => {
    const { a, b } = smrStage(config, { bucket: 2 })
    const items = allocMany(a, 240)
    b.smr.enter()
    freeMany(a, items.slice(0, 120))
    a.zone.seal()
    const guarded = config.sequence.step > 2
    const parked = a.smr.stats()
    expect(parked.advances).toBe(guarded ? GUARD_STEPS : 60)
    expect(parked.advances + parked.advanceWaits).toBe(60)
    expect(a.zone.stats()).toMatchObject({ retired: 60, advances: parked.advances, pending: 120 })
    b.smr.exit()
    freeMany(a, items.slice(120))
    a.zone.seal()
    const after = a.smr.stats()
    expect(after.advances - parked.advances).toBe(60)
    expect(after.advanceWaits).toBe(parked.advanceWaits)
    expect(a.zone.stats()).toMatchObject({ retired: 120, advances: after.advances })
  })

  it('touches no shared word between two full buckets', () => {
    const { a } = smrStage(config, { bucket: 8 })
    const items = allocMany(a, 16)
    a.zone.zfreeSmr(items[0] as Item)
    const atomics = watchAtomics(a.arena.memory)
    for (const item of items.slice(1, 8)) a.zone.zfreeSmr(item)
    expect(atomics()).toBe(0)
    a.zone.zfreeSmr(items[8] as Item)
    expect(atomics()).toBeGreaterThan(0)
  })

  it('asks no reader on a steady path more than once per bucket', () => {
    const { a } = smrStage(config, { bucket: 16 })
    for (let i = 0; i < 16 * 1000; i++) a.zone.zfreeSmr(a.zone.zallocSmr())
    const { polls, pollFails } = a.smr.stats()
    // One look before the lock of the depot and one under it.
    expect(polls).toBeLessThanOrEqual(2 * 1000)
    expect(pollFails).toBe(0)
  })
})

describe.each(CONFIGS)('readers, sequences $name', (config) => {
  it('never hands out what was freed after a parked reader entered', () => {
    const { a, b } = smrStage(config, { bucket: 4 }, { bytes: 2 ** 20 })
    const before = allocMany(a, 32)
    const after = allocMany(a, 301)
    freeMany(a, before)
    a.zone.seal()
    b.smr.enter()
    freeMany(a, after)
    a.zone.seal()
    // Far more than go around the circle of sequences.
    const handed = new Set(allocMany(a, 3000))
    expect(after.filter((item) => handed.has(item))).toEqual([])
    // Whoever was freed and retired before the reader came is not its business.
    expect(before.filter((item) => handed.has(item))).toEqual(before)
    a.zone.check()
    b.smr.exit()
    const created = a.zone.stats().created
    const again = new Set(allocMany(a, after.length))
    // The guard's goals lie a step ahead: the first look after the exit only moves the hands.
    expect(after.filter((item) => again.has(item)).length).toBeGreaterThanOrEqual(300 - 4)
    expect(a.zone.stats().created).toBeLessThanOrEqual(created + 4)
    a.zone.check()
  })

  it('holds what is freed in the hands of every worker back, not only in one', () => {
    const { a, b } = smrStage(config, { bucket: 2 })
    const c = join(a.arena)
    const mine = allocMany(a, 9)
    const theirs = allocMany(b, 9)
    c.smr.enter()
    freeMany(a, theirs)
    freeMany(b, mine)
    const handed = new Set([...allocMany(a, 200), ...allocMany(b, 200)])
    expect([...mine, ...theirs].filter((item) => handed.has(item))).toEqual([])
    c.smr.exit()
    a.zone.check()
  })

  it('holds back for the oldest reader, whichever leaves first', () => {
    const { a, b } = smrStage(config, { bucket: 2 })
    const c = join(a.arena)
    const [early, late] = [allocMany(a, 4), allocMany(a, 4)]
    b.smr.enter()
    freeMany(a, early)
    a.zone.seal()
    c.smr.enter()
    freeMany(a, late)
    a.zone.seal()
    b.smr.exit()
    const handed = new Set(allocMany(a, 40))
    expect(late.filter((item) => handed.has(item))).toEqual([])
    expect(early.filter((item) => handed.has(item))).toEqual(early)
    c.smr.exit()
    const more = new Set(allocMany(a, 40))
    expect(late.filter((item) => more.has(item))).toEqual(late)
  })

  it('lets a worker that is itself inside allocate, but not what came later', () => {
    const { a, b } = smrStage(config, { bucket: 2 })
    const items = allocMany(a, 6)
    b.smr.enter()
    freeMany(a, items)
    a.zone.seal()
    const handed = new Set(allocMany(b, 30))
    expect(items.filter((item) => handed.has(item))).toEqual([])
    b.smr.exit()
  })

  it('leaves the words of a freed item alone until the reader has left', () => {
    const { a, b } = smrStage(config, { bucket: 2 }, { checks: true })
    const items = allocMany(a, 8)
    for (const item of items) a.arena.words[item + 2] = item
    b.smr.enter()
    freeMany(a, items)
    a.zone.seal()
    allocMany(a, 20)
    a.zone.reclaim('drain', { timeoutMs: 0 })
    expect(items.map((item) => b.arena.words[item + 2])).toEqual(items)
    b.smr.exit()
  })
})

describe.each(CONFIGS)('a steady loop of one worker, sequences $name', (config) => {
  const ROUNDS = 100_000
  const LOOK_EVERY = 500
  const cases = [1, 2, 7, 32, 128].flatMap((bucket) =>
    [1, 5, 100].map((live) => ({ bucket, live })),
  )

  it.each(cases)('keeps at most 3 buckets of $bucket beyond $live live', ({ bucket, live }) => {
    const { a } = smrStage(config, { bucket })
    const items = allocMany(a, live)
    let most = 0
    for (let i = 0; i < ROUNDS; i++) {
      const at = i % live
      a.zone.zfreeSmr(items[at] as Item)
      items[at] = a.zone.zallocSmr()
      if (i % LOOK_EVERY === 0) most = Math.max(most, outside(a) - live)
    }
    expect(most).toBeLessThanOrEqual(3 * bucket)
    expect(a.zone.stats()).toMatchObject({ live, allocs: ROUNDS + live, frees: ROUNDS })
    a.zone.check()
  })

  it('keeps at most 2 buckets beyond the live ones in a zone without smr', () => {
    const { a } = plainStage(config, { bucket: 8 })
    const items = allocMany(a, 20)
    let most = 0
    for (let i = 0; i < ROUNDS; i++) {
      a.zone.zfree(items[i % 20] as Item)
      items[i % 20] = a.zone.zalloc()
      if (i % LOOK_EVERY === 0) most = Math.max(most, outside(a) - 20)
    }
    expect(most).toBeLessThanOrEqual(2 * 8)
    a.zone.check()
  })
})

/** Counts the atomic accesses that this worker makes from here on. */
function watchAtomics(memory: Memory): () => number {
  let count = 0
  for (const verb of ['load', 'store', 'add', 'swap', 'cas', 'or', 'and'] as const) {
    const real = memory[verb] as (...args: number[]) => number
    Object.assign(memory, {
      [verb]: (...args: number[]) => {
        count++
        return real.apply(memory, args)
      },
    })
  }
  return () => count
}

// `advanceEvery`: one step of the clock in so many full buckets, exactly; nothing is reused before its
// goal is met; and whoever needs memory gets the step that is missing.

describe.each(CONFIGS)('advanceEvery, sequences $name', (config) => {
  const sizes = fc.record({
    bucket: fc.integer({ min: 1, max: 24 }),
    advanceEvery: fc.integer({ min: 1, max: 9 }),
    steps: fc.integer({ min: 1, max: 12 }),
  })

  it('frees B x advanceEvery items per step of the clock', () => {
    fc.assert(
      fc.property(sizes, ({ bucket, advanceEvery, steps }) => {
        const { a } = smrStage(config, { bucket, advanceEvery })
        const items = allocMany(a, bucket * advanceEvery * steps + 1)
        freeMany(a, items)
        expect(a.zone.stats()).toMatchObject({ retired: advanceEvery * steps, advances: steps })
        expect(a.smr.stats()).toMatchObject({ advances: steps, advanceWaits: 0 })
        a.zone.check()
      }),
      { numRuns: 40 },
    )
  })

  it('moves the clock at the n-th bucket, whoever retires it', () => {
    const { a, b } = smrStage(config, { bucket: 2, advanceEvery: 3 })
    const mine = allocMany(a, 13)
    const theirs = allocMany(b, 13)
    const steps: number[] = []
    for (let i = 0; i < 13; i++) {
      a.zone.zfreeSmr(mine[i] as Item)
      b.zone.zfreeSmr(theirs[i] as Item)
      steps.push(a.zone.stats().advances)
    }
    // At every second free from the third on each of the two retires a bucket.
    expect(steps).toEqual([0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 4])
    expect(a.smr.stats().advances).toBe(4)
  })

  it('advances as often in a steady loop, and the loop stays bounded', () => {
    fc.assert(
      fc.property(sizes, ({ bucket, advanceEvery }) => {
        const { a } = smrStage(config, { bucket, advanceEvery })
        const frees = 40 * bucket * advanceEvery + 1
        for (let i = 0; i < frees; i++) a.zone.zfreeSmr(a.zone.zallocSmr())
        expect(a.zone.stats()).toMatchObject({ retired: 40 * advanceEvery, advances: 40 })
        expect(a.smr.stats().advances).toBe(40)
        const { created, inSlabs } = a.zone.stats()
        expect(created - inSlabs).toBeLessThanOrEqual((advanceEvery + 3) * bucket)
      }),
      { numRuns: 20 },
    )
  })

  it('keeps the goals of the queue in order', () => {
    const { a, b } = smrStage(config, { bucket: 1, advanceEvery: 3 })
    const { memory } = a.arena
    b.smr.enter()
    const c = join(a.arena)
    for (let i = 0; i < 30; i++) {
      freeMany(i % 2 === 0 ? a : c, allocMany(a, 2))
      if (i % 7 === 0) a.zone.seal()
      if (i % 5 === 0) a.smr.advance()
    }
    freeMany(a, allocMany(a, 60))
    const at = zoneParts(a.zone.parts.at, a.arena.space.maxWorkers).depot
    let last: Seq | undefined
    let bucket = memory.peek(at + DepotWords.pendingHead)
    for (; bucket !== 0; bucket = memory.peek(bucket + BucketWords.next)) {
      const goal = memory.peek(bucket + BucketWords.goal) as Seq
      if (last !== undefined) expect(delta(goal, last)).toBeGreaterThanOrEqual(0)
      last = goal
    }
    expect(last).toBeDefined()
    b.smr.exit()
    a.zone.check()
  })

  it('reuses nothing that a parked reader may see', () => {
    const { a, b } = smrStage(config, { bucket: 2, advanceEvery: 4 })
    const items = allocMany(a, 40)
    freeMany(a, items.slice(0, 3))
    b.smr.enter()
    const late = items.slice(3)
    freeMany(a, late)
    a.zone.seal()
    const handed = new Set(allocMany(a, 300))
    expect(late.filter((item) => handed.has(item))).toEqual([])
    b.smr.exit()
    const again = new Set(allocMany(a, 300))
    expect(late.filter((item) => again.has(item))).toEqual(late)
  })

  it('does not hold items back at a limit', () => {
    const { a, b } = smrStage(config, { bucket: 2, advanceEvery: 4096, limit: 20 })
    for (let round = 0; round < 20; round++) {
      const all = allocAll(a)
      // What the other worker has cached is out of reach until it comes by.
      expect(all.length).toBeGreaterThanOrEqual(18)
      freeMany(round % 2 === 0 ? a : b, all)
    }
    a.zone.check()
  })

  it.each(['drain', 'all'] as const)('%s needs no step of anybody else', (level) => {
    const { a } = smrStage(config, { bucket: 2, advanceEvery: 4096 })
    freeMany(a, allocMany(a, 50))
    const { remaining } = a.zone.reclaim(level)
    expect(a.zone.stats().pending).toBe(0)
    if (level === 'all') expect(remaining).toBe(0)
  })

  it('a trim gets what is idle, whole', () => {
    const { a } = smrStage(config, { bucket: 2, advanceEvery: 4096 })
    freeMany(a, allocMany(a, 51))
    a.zone.reclaim('trim')
    expect(a.zone.reclaim('trim').released).toBe(50)
  })

  it('a seal moves the clock for all that were waiting', () => {
    const { a } = smrStage(config, { bucket: 2, advanceEvery: 100 })
    freeMany(a, allocMany(a, 51))
    expect(a.zone.stats().advances).toBe(0)
    a.zone.seal()
    expect(a.zone.stats()).toMatchObject({ retired: 26, advances: 1 })
    const { created } = a.zone.stats()
    allocMany(a, 51)
    expect(a.zone.stats().created).toBe(created)
  })

  it('a zone can be destroyed, and a reap leaves nothing that waits for the dead', () => {
    const { a, b } = smrStage(config, { bucket: 2, advanceEvery: 100 })
    freeMany(b, allocMany(b, 9))
    bury(a.arena, b.arena)
    const { created } = a.zone.stats()
    freeMany(a, allocMany(a, 9))
    expect(a.zone.stats().created).toBe(created)
    a.zone.destroy()
  })

  it('can be turned while goals lie ahead', () => {
    const { a } = smrStage(config, { bucket: 2, advanceEvery: 100 })
    freeMany(a, allocMany(a, 51))
    a.zone.tune({ advanceEvery: 1 })
    const { created } = a.zone.stats()
    allocMany(a, 50)
    expect(a.zone.stats().created).toBe(created)
  })
})

describe.each(['deferred', 'lazy'] as const)('advanceEvery under a %s clock', (clock) => {
  it('still gives everything back', () => {
    const { a } = smrStage(CONFIGS[0] ?? { name: '', sequence: { first: 1, step: 2 } })
    const smr = a.arena.smr('other', { clock })
    const zone = a.arena.zone('paced', { bytes: 16, smr, bucket: 2, advanceEvery: 3 })
    const actor = { arena: a.arena, zone }
    for (let i = 0; i < 20; i++) freeMany(actor, allocMany(actor, 13))
    expect(zone.reclaim('all')).toMatchObject({ remaining: 0 })
    zone.check()
  })
})

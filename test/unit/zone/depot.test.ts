/**
 * A depot by itself: first in, first out by goal; nothing comes out before its own goal is met; and
 * lists that can be made anew from the owners of the buckets.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { delta, type Seq } from '#src/base/seq.ts'
import { Corruption, type Goal } from '#src/index.ts'
import { BucketWords, DepotWords, Owner, zoneParts } from '#src/memory/layout.ts'
import { allocOwner, freeOwner } from '#src/zone/bucket.ts'
import { dieAfter } from '../../helpers/death.ts'
import { CONFIGS, type Config } from '../../helpers/tiny.ts'
import { bury, type SmrActor, smrStage, thrown } from './stage.ts'

function setUp(config: Config) {
  const { a, b } = smrStage(config, { bucket: 4, limit: 1000 })
  const { memory } = a.arena
  const { buckets, depot, at, keg: records } = a.zone.parts
  const words = zoneParts(at, a.arena.space.maxWorkers).depot
  const oldest = (): number => memory.load(words + DepotWords.oldest)
  /** A bucket in a worker's free hand with so many items in it. */
  const filled = (items: number, actor: SmrActor = a): number => {
    const bucket = buckets.make(freeOwner(actor.arena.workerId))
    records.take(bucket, items)
    return bucket
  }
  const retire = (bucket: number, actor: SmrActor = a, wanted = 0): number =>
    actor.zone.parts.depot.retire(bucket, actor.smr, wanted)
  const goals = (): number[] => {
    const all: number[] = []
    let bucket = memory.peek(words + DepotWords.pendingHead)
    for (; bucket !== 0; bucket = memory.peek(bucket + BucketWords.next)) {
      all.push(memory.peek(bucket + BucketWords.goal))
    }
    return all
  }
  const owner = (bucket: number): number => memory.peek(bucket + BucketWords.owner)
  return { a, b, memory, buckets, depot, words, oldest, filled, retire, goals, owner }
}

describe.each(CONFIGS)('a depot, sequences $name', (config) => {
  it('stamps each bucket with a goal of its own and keeps them in order', () => {
    const { a, b, depot, filled, retire, goals, oldest } = setUp(config)
    b.smr.enter()
    for (let i = 0; i < 30; i++) {
      retire(filled(1 + (i % 4)), i % 3 === 0 ? b : a)
      depot.check()
    }
    const all = goals()
    expect(all.length).toBe(30)
    expect(oldest()).toBe(all[0])
    for (const [i, goal] of all.entries()) {
      expect(goal & 1).toBe(1)
      // Equal only where the wrap guard hands out the step ahead more than once.
      if (i > 0) expect(delta(goal as Seq, all[i - 1] as Seq)).toBeGreaterThanOrEqual(0)
    }
    const { pendingBuckets, retired, pending } = depot.counts()
    expect({ pendingBuckets, retired, pending }).toEqual({
      pendingBuckets: 30,
      retired: 30,
      pending: 73,
    })
    b.smr.exit()
  })

  it('gives nothing before its goal is met, and then the oldest first', () => {
    const { b, depot, filled, retire, owner, a } = setUp(config)
    const early = [filled(2), filled(3)]
    for (const bucket of early) retire(bucket)
    b.smr.enter()
    const late = [filled(1), filled(2)]
    for (const bucket of late) retire(bucket)
    expect(depot.isPromising()).toBe(true)
    expect(depot.fetch(0)).toBe(early[0])
    expect(depot.fetch(0)).toBe(early[1])
    expect(owner(early[0] as number)).toBe(allocOwner(a.arena.workerId))
    expect(depot.isPromising()).toBe(false)
    expect(depot.hasPending()).toBe(true)
    expect(depot.fetch(0)).toBe(0)
    depot.check()
    b.smr.exit()
    expect(depot.isPromising()).toBe(true)
    expect([depot.fetch(0), depot.fetch(0), depot.fetch(0)]).toEqual([...late, 0])
    expect(depot.hasPending()).toBe(false)
    expect(depot.counts()).toMatchObject({ pending: 0, pendingBuckets: 0, peakPending: 8 })
    depot.check()
  })

  it('clears the goal of what it gives, so that it cannot be met twice', () => {
    const { depot, filled, retire, memory } = setUp(config)
    const bucket = filled(2)
    retire(bucket)
    expect(memory.peek(bucket + BucketWords.goal)).not.toBe(0)
    depot.fetch(0)
    expect(memory.peek(bucket + BucketWords.goal)).toBe(0)
  })

  it('gives safe buckets first, the hottest first, and never mixes them with pending ones', () => {
    const { b, depot, filled, retire, owner } = setUp(config)
    b.smr.enter()
    retire(filled(4))
    const safe = [filled(1), filled(2), filled(3)]
    for (const bucket of safe) depot.putSafe(bucket, 0)
    expect(depot.counts()).toMatchObject({ safe: 6, safeBuckets: 3, pending: 4, pendingBuckets: 1 })
    expect(safe.map(owner)).toEqual([Owner.safe, Owner.safe, Owner.safe])
    depot.check()
    expect([1, 2, 3, 4].map(() => depot.fetch(0))).toEqual([...safe.reverse(), 0])
    b.smr.exit()
  })

  it('exchanges a full bucket for an empty one, if it has one and one is wanted', () => {
    const { a, depot, filled, retire, buckets, owner } = setUp(config)
    const wanted = freeOwner(a.arena.workerId)
    expect(retire(filled(4), a, wanted)).toBe(0)
    const empty = buckets.make(allocOwner(0))
    depot.putEmpty(empty)
    expect(owner(empty)).toBe(Owner.empty)
    expect(retire(filled(4), a, 0)).toBe(0)
    expect(depot.counts().emptyBuckets).toBe(1)
    expect(retire(filled(4), a, wanted)).toBe(empty)
    expect(owner(empty)).toBe(wanted)
    // Whoever fetches leaves his empty one here, but only if he gets something for it.
    const full = depot.fetch(empty)
    expect(full).toBeGreaterThan(0)
    expect(owner(empty)).toBe(Owner.empty)
    depot.fetch(0)
    depot.fetch(0)
    const other = buckets.make(allocOwner(0))
    expect(depot.fetch(other)).toBe(0)
    expect(owner(other)).toBe(allocOwner(0))
    depot.check()
  })

  it('makes an empty bucket where it has none, and gives all spare ones’ memory back', () => {
    const { depot, buckets } = setUp(config)
    const made = Array.from({ length: 5 }, () => depot.takeEmpty(allocOwner(1)))
    expect(new Set(made).size).toBe(5)
    for (const bucket of made) depot.putEmpty(bucket)
    expect(made).toContain(depot.takeEmpty(allocOwner(1)))
    expect(depot.counts().emptyBuckets).toBe(4)
    depot.discardEmpties()
    expect(depot.counts().emptyBuckets).toBe(0)
    expect(buckets.all().length).toBe(1)
    depot.check()
  })

  it('notes what nobody needed since it was last asked', () => {
    const { depot, filled } = setUp(config)
    for (const items of [4, 4, 4]) depot.putSafe(filled(items), 0)
    expect(depot.takeIdleCount()).toBe(0)
    expect(depot.takeIdleCount()).toBe(12)
    const bucket = depot.fetch(0)
    depot.putSafe(bucket, 0)
    expect(depot.takeIdleCount()).toBe(8)
    expect(depot.takeIdleCount()).toBe(12)
  })

  it('takes the stamp under its lock, and moves the clock once', () => {
    const { a, filled, retire, words, memory } = setUp(config)
    let under = 0
    const { stamp } = a.smr
    a.smr.stamp = () => {
      under = memory.load(words + DepotWords.lock)
      return stamp.call(a.smr)
    }
    const before = a.smr.stats().wr
    retire(filled(2))
    expect(under).not.toBe(0)
    expect(memory.load(words + DepotWords.lock)).toBe(0)
    expect(delta(a.smr.stats().wr as Seq, before as Seq)).toBe(config.sequence.step)
  })

  it('polls the bucket that it takes, not one that it saw before it locked', () => {
    const { a, b, depot, filled, retire } = setUp(config)
    retire(filled(2))
    expect(depot.isPromising()).toBe(true)
    // Another worker takes the head in between; behind it comes what a reader may still see.
    expect(b.zone.parts.depot.fetch(0)).toBeGreaterThan(0)
    b.smr.enter()
    retire(filled(2), a)
    expect(depot.fetch(0)).toBe(0)
    b.smr.exit()
    expect(depot.fetch(0)).toBeGreaterThan(0)
  })

  it('knows a goal that was met, however far the hands have wrapped since', () => {
    const { a, b, depot, filled, retire } = setUp(config)
    retire(filled(3))
    const goal = a.smr.advance()
    expect(a.smr.poll(goal)).toBe(true)
    for (let steps = 0; steps < 150; steps++) {
      const next: Goal = a.smr.advance()
      expect(a.smr.poll(next)).toBe(true)
      expect(b.zone.parts.depot.isPromising()).toBe(true)
    }
    expect(depot.fetch(0)).toBeGreaterThan(0)
  })

  it('agrees with an oracle, whatever comes and goes', () => {
    const step = fc.record({
      verb: fc.constantFrom('retire', 'safe', 'empty', 'fetch', 'takeEmpty', 'enter', 'exit'),
      items: fc.integer({ min: 1, max: 4 }),
    })
    fc.assert(
      fc.property(fc.array(step, { size: 'medium' }), (steps) => {
        const { a, b, depot, filled, retire, buckets } = setUp(config)
        const model = { pending: [] as number[], safe: [] as number[], empty: [] as number[] }
        /** How many of the pending were retired before the reader came; all, when there is none. */
        let open = Number.POSITIVE_INFINITY
        for (const { verb, items } of steps) {
          if (verb === 'retire') {
            const bucket = filled(items)
            retire(bucket)
            model.pending.push(bucket)
          } else if (verb === 'safe') {
            const bucket = filled(items)
            depot.putSafe(bucket, 0)
            model.safe.push(bucket)
          } else if (verb === 'empty') {
            const bucket = buckets.make(allocOwner(0))
            depot.putEmpty(bucket)
            model.empty.push(bucket)
          } else if (verb === 'takeEmpty') {
            const expected = model.empty.pop()
            const bucket = depot.takeEmpty(allocOwner(0))
            if (expected !== undefined) expect(bucket).toBe(expected)
          } else if (verb === 'fetch') {
            const safe = model.safe.pop()
            const expected = safe ?? (open > 0 ? model.pending.shift() : undefined) ?? 0
            if (safe === undefined && expected !== 0) open--
            // The wrap guard's goals may want a second look.
            expect(depot.fetch(0) || depot.fetch(0)).toBe(expected)
          } else if (verb === 'enter' && !b.smr.entered) {
            b.smr.enter()
            open = model.pending.length
          } else if (verb === 'exit' && b.smr.entered) {
            b.smr.exit()
            open = Number.POSITIVE_INFINITY
          }
          depot.check()
          const { pendingBuckets, safeBuckets, emptyBuckets } = depot.counts()
          expect({ pendingBuckets, safeBuckets, emptyBuckets }).toEqual({
            pendingBuckets: model.pending.length,
            safeBuckets: model.safe.length,
            emptyBuckets: model.empty.length,
          })
        }
        expect(a.arena.space.locks).toBeDefined()
      }),
      { numRuns: 40 },
    )
  })

  describe('after a death under its lock', () => {
    const actions = ['retire', 'putSafe', 'putEmpty', 'takeEmpty', 'fetch', 'idle'] as const

    it.each(actions)('makes its lists anew: %s, after any write', (action) => {
      let deaths = 0
      for (let writes = 0, died = true; died; writes++) {
        const { a, b, depot, filled, retire, buckets, goals, oldest } = setUp(config)
        for (const items of [4, 3]) retire(filled(items))
        for (const items of [2, 1]) depot.putSafe(filled(items), 0)
        for (let i = 0; i < 2; i++) depot.putEmpty(buckets.make(allocOwner(0)))
        const mine = filled(4, b)
        const empty = buckets.make(allocOwner(b.arena.workerId))
        const all = buckets.all().length
        const theirs = b.zone.parts.depot
        died = dieAfter(b.arena, writes, () => {
          if (action === 'retire') theirs.retire(mine, b.smr, freeOwner(b.arena.workerId))
          else if (action === 'putSafe') theirs.putSafe(mine, freeOwner(b.arena.workerId))
          else if (action === 'putEmpty') theirs.putEmpty(empty)
          else if (action === 'takeEmpty') theirs.takeEmpty(allocOwner(b.arena.workerId))
          else if (action === 'fetch') theirs.fetch(empty)
          else theirs.takeIdleCount()
        })
        if (!died) break
        deaths++
        bury(a.arena, b.arena)
        depot.check()
        // Every bucket is still somewhere, every item too, and the queue is in order.
        expect(buckets.all().length).toBe(all)
        const { pending, safe } = depot.counts()
        expect(pending + safe).toBe(4 + 3 + 2 + 1 + 4)
        const queue = goals()
        for (const [i, goal] of queue.entries()) {
          if (i > 0) expect(delta(goal as Seq, queue[i - 1] as Seq)).toBeGreaterThanOrEqual(0)
        }
        expect(oldest()).toBe(queue[0] ?? 0)
        // And it works on.
        let got = 0
        for (let i = 0; i < 10; i++) got += depot.fetch(0) === 0 ? 0 : 1
        expect(got).toBe(5)
        depot.check()
      }
      expect(deaths).toBeGreaterThan(1)
    })
  })

  const damage = [
    'oldest',
    'pendingHead',
    'pendingTail',
    'pendingBuckets',
    'pendingItems',
    'safeHead',
    'safeBuckets',
    'safeItems',
    'emptyHead',
    'emptyBuckets',
  ] as const

  it.each(damage)('finds a damaged %s', (word) => {
    const { depot, filled, retire, buckets, memory, words } = setUp(config)
    retire(filled(2))
    depot.putSafe(filled(3), 0)
    depot.putEmpty(buckets.make(allocOwner(0)))
    depot.check()
    const at = words + DepotWords[word]
    memory.poke(at, /Head|Tail/.test(word) ? 0 : memory.peek(at) + 2)
    thrown(Corruption, () => depot.check(), 'zone "things" depot')
  })

  it('finds buckets out of order, in a circle, and of another list', () => {
    const { depot, filled, retire, memory, words } = setUp(config)
    for (const items of [1, 2, 3]) retire(filled(items))
    for (const items of [1, 2]) depot.putSafe(filled(items), 0)
    depot.check()
    const damaged = (at: number, value: number): void => {
      const before = memory.peek(at)
      memory.poke(at, value)
      thrown(Corruption, () => depot.check(), 'zone "things" depot')
      memory.poke(at, before)
      depot.check()
    }
    const first = memory.peek(words + DepotWords.pendingHead)
    const second = memory.peek(first + BucketWords.next)
    const safe = memory.peek(words + DepotWords.safeHead)
    damaged(second + BucketWords.goal, memory.peek(first + BucketWords.goal) - 2)
    damaged(memory.peek(second + BucketWords.next) + BucketWords.next, first)
    damaged(second + BucketWords.owner, Owner.safe)
    damaged(safe + BucketWords.next, second)
  })
})

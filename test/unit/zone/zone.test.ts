/**
 * The door: limits and who gets what near them, refusals and their words, waiting for memory, and
 * the promise of `makeRoom`.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Exhausted, type Item, NULL_ITEM } from '#src/index.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import {
  type Actor,
  alloc,
  allocAll,
  allocMany,
  free,
  freeMany,
  impatient,
  join,
  KINDS,
  outside,
  pagesInUse,
  rejected,
  smrStage,
  thrown,
  tryAlloc,
} from './stage.ts'

const allocAsync = ({ zone }: Actor, options?: { timeoutMs?: number; signal?: AbortSignal }) =>
  zone.parts.domain === undefined ? zone.zallocAsync(options) : zone.zallocSmrAsync(options)

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe.each(CONFIGS)('zones, sequences $name', (config) => {
  describe.each(KINDS)('$kind', ({ kind, stage }) => {
    const verb = kind === 'smr' ? 'zallocSmr' : 'zalloc'

    it('hands out items that are distinct, aligned, in bounds, and nobody else’s', () => {
      const { a, b } = stage(config, { bytes: 20, bucket: 5 })
      const items = [...allocMany(a, 200), ...allocMany(b, 200), ...allocMany(a, 200)]
      const sorted = [...items].sort((x, y) => x - y)
      for (const [i, item] of sorted.entries()) {
        expect(item % 2).toBe(0)
        expect(a.zone.owns(item) && b.zone.owns(item)).toBe(true)
        expect((sorted[i + 1] ?? Number.POSITIVE_INFINITY) - item).toBeGreaterThanOrEqual(5)
      }
      a.zone.check()
    })

    it('is never wiped, and never written to, while it is live', () => {
      const { a, b } = stage(config, { bucket: 3 })
      const kept = allocMany(a, 40)
      for (const item of kept) a.arena.words.fill(item, item, item + 4)
      for (let i = 0; i < 500; i++) freeMany(b, allocMany(b, 7))
      a.zone.reclaim('all')
      const intact = (item: Item) =>
        a.arena.words.subarray(item, item + 4).every((word) => word === item)
      expect(kept.every(intact)).toBe(true)
    })

    it('lets exactly `limit` items be live, whatever the bucket', () => {
      const sizes = fc.record({
        limit: fc.integer({ min: 1, max: 120 }),
        bucket: fc.integer({ min: 1, max: 50 }),
        rounds: fc.integer({ min: 1, max: 3 }),
      })
      fc.assert(
        fc.property(sizes, ({ limit, bucket, rounds }) => {
          const { a, b } = stage(config, { limit, bucket })
          b.arena.detach()
          for (let round = 0; round < rounds; round++) {
            const items = allocAll(a)
            expect(items.length).toBe(limit)
            expect(new Set(items).size).toBe(limit)
            expect(outside(a)).toBe(limit)
            a.zone.check()
            freeMany(a, items)
            a.zone.check()
          }
        }),
        { numRuns: 30 },
      )
    })

    it('says why it refuses, how many are where, and counts the refusal', () => {
      const { a } = stage(config, { limit: 5, bucket: 2 })
      allocMany(a, 5)
      const words = [`zone.${verb}`, 'zone "things"', 'limit of 5 is reached']
      const error = thrown(Exhausted, () => alloc(a), ...words)
      expect(error.message).toContain('5 live, 0 cached, 0 pending, 0 safe')
      expect(error.message).not.toContain('come back')
      expect(error.facts).toMatchObject({
        zone: 'things',
        live: 5,
        cached: 0,
        pending: 0,
        limit: 5,
      })
      expect(a.zone.stats().fails).toBe(1)
      expect(tryAlloc(a)).toBe(NULL_ITEM)
      expect(a.zone.stats()).toMatchObject({ fails: 2, live: 5, allocs: 5 })
      a.zone.check()
    })

    it('says so when the arena is exhausted, and goes on when something is freed', () => {
      const { a } = stage(config, { bytes: 1000, bucket: 2 }, { bytes: 2 ** 16 })
      const items = allocAll(a)
      expect(items.length).toBeGreaterThan(20)
      const words = [`zone.${verb}`, 'nothing is left', `${items.length} live`]
      thrown(Exhausted, () => alloc(a), ...words)
      a.zone.check()
      const one = items.pop() as Item
      free(a, one)
      expect(alloc(a)).toBe(one)
      a.zone.check()
    })

    it('reuses its own part-filled free bucket at the limit', () => {
      const { a } = stage(config, { limit: 8, bucket: 8 })
      const items = allocMany(a, 8)
      const back = items.splice(2, 3)
      freeMany(a, back)
      expect(new Set(allocMany(a, 3))).toEqual(new Set(back))
      expect(tryAlloc(a)).toBe(NULL_ITEM)
      a.zone.check()
    })

    it('leaves the second worker at least one while the first has less than the limit', () => {
      const sizes = fc.record({
        limit: fc.integer({ min: 2, max: 80 }),
        bucket: fc.integer({ min: 1, max: 100 }),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      })
      fc.assert(
        fc.property(sizes, ({ limit, bucket, share }) => {
          const { a, b } = stage(config, { limit, bucket })
          allocMany(a, 1 + Math.floor(share * (limit - 2)))
          expect(tryAlloc(b)).not.toBe(NULL_ITEM)
          a.zone.check()
        }),
        { numRuns: 50 },
      )
    })

    it('passes what one worker caches on to another at its next slow path', () => {
      const { a, b } = stage(config, { limit: 6, bucket: 3 })
      freeMany(a, allocMany(a, 6))
      const got = allocAll(b).length
      expect(got).toBeLessThan(6)
      // `a` has been asked to give up what it caches, and does so when its free bucket is full.
      for (let i = 0; i < 4 && tryAlloc(a) !== 0; i++);
      a.zone.seal()
      expect(a.zone.stats().live).toBe(6)
      b.zone.check()
    })

    it('waits for what another worker frees', async () => {
      const { a, b } = stage(config, { limit: 3, bucket: 1 })
      const items = allocMany(a, 3)
      const promise = allocAsync(b, { timeoutMs: 10_000 })
      await sleep(5)
      free(a, items[1] as Item)
      a.zone.seal()
      expect(await promise).toBe(items[1])
      expect(a.zone.stats()).toMatchObject({ live: 3, fails: 0 })
      a.zone.check()
    })

    it('takes at once what is there, without a turn of the event loop', async () => {
      const { a } = stage(config)
      expect(a.zone.owns(await allocAsync(a, { timeoutMs: 0 }))).toBe(true)
      expect(a.zone.stats().live).toBe(1)
    })

    it('gives up after the time-out, and counts one refusal', async () => {
      const { a } = stage(config, { limit: 1 })
      alloc(a)
      const start = performance.now()
      const words = [`zone.${verb}Async`, 'zone "things"', 'limit of 1 is reached', '1 live']
      await rejected(Exhausted, allocAsync(a, { timeoutMs: 25 }), ...words)
      expect(performance.now() - start).toBeGreaterThanOrEqual(20)
      await rejected(Exhausted, allocAsync(a, { timeoutMs: 0 }), ...words)
      expect(a.zone.stats()).toMatchObject({ fails: 2, live: 1 })
    })

    it('stops waiting when the signal aborts, with its reason', async () => {
      const { a } = stage(config, { limit: 1 })
      const item = alloc(a)
      const controller = new AbortController()
      const promise = allocAsync(a, { signal: controller.signal })
      await sleep(3)
      const reason = new Error('enough')
      controller.abort(reason)
      await expect(promise).rejects.toBe(reason)
      await expect(allocAsync(a, { signal: controller.signal })).rejects.toBe(reason)
      free(a, item)
      // An aborted signal is no reason to take an item and lose it.
      await expect(allocAsync(a, { signal: controller.signal })).rejects.toBe(reason)
      expect(a.zone.stats().live).toBe(0)
      a.zone.check()
    })

    it('keeps the promise of makeRoom in an exhausted arena', () => {
      const { a, b } = stage(config, { bytes: 64, bucket: 2 })
      const items = allocAll(a)
      while (a.arena.space.pages.reserve(1) !== 0);
      for (const actor of [a, b]) impatient(actor.arena)
      for (const [i, item] of items.entries()) {
        const actor = i % 3 === 0 ? b : a
        actor.zone.makeRoom()
        free(actor, item)
      }
      expect(a.zone.stats()).toMatchObject({ live: 0, frees: items.length })
      a.zone.check()
    })

    it('does nothing more for a second makeRoom', () => {
      const { a } = stage(config, { bucket: 2 })
      freeMany(a, allocMany(a, 2))
      a.zone.makeRoom()
      const before = a.zone.stats()
      a.zone.makeRoom()
      expect(a.zone.stats()).toEqual(before)
    })

    it('owns its items whether they are live, cached, pending or in their slab', () => {
      const { a, b } = stage(config, { bucket: 4 })
      const items = allocMany(a, 9)
      const owned = () => items.every((item) => a.zone.owns(item) && b.zone.owns(item))
      expect(owned()).toBe(true)
      freeMany(a, items)
      expect(owned()).toBe(true)
      a.zone.seal()
      expect(owned()).toBe(true)
      a.zone.prealloc(a.zone.stats().created)
      alloc(b)
      a.zone.reclaim('drain')
      expect(items.some((item) => a.zone.owns(item))).toBe(true)
    })

    it('makes slabs ahead with prealloc, to the limit and no further', () => {
      const { a } = stage(config, { bytes: 100, limit: 50 })
      a.zone.prealloc(0)
      expect(a.zone.stats()).toMatchObject({ created: 0, slabs: 0 })
      a.zone.prealloc(50)
      const { created, inSlabs, slabs } = a.zone.stats()
      expect(created).toBeGreaterThanOrEqual(50)
      expect(inSlabs).toBe(created)
      const { pages } = a.arena.stats()
      a.zone.prealloc(20)
      expect(a.zone.stats()).toMatchObject({ created, slabs })
      expect(allocAll(a).length).toBe(50)
      expect(a.zone.stats().created).toBe(created)
      expect(pages.total).toBe(a.arena.stats().pages.total)
    })

    it('says so when prealloc asks for more than there is', () => {
      const { a } = stage(config, { bytes: 512 })
      const words = ['zone.prealloc', 'zone "things"', 'no memory for 5000 items']
      for (const already of [0, 50]) {
        a.zone.prealloc(already)
        const [before, inUse] = [a.zone.stats(), pagesInUse(a.arena)]
        thrown(Exhausted, () => a.zone.prealloc(5000), ...words)
        expect(a.zone.stats()).toEqual(before)
        expect(pagesInUse(a.arena)).toBe(inUse)
        a.zone.check()
      }
      expect(allocAll(a).length).toBeGreaterThan(100)
    })
  })

  it('says that pending items come back, and they do', () => {
    const { a, b } = smrStage(config, { limit: 6, bucket: 3 })
    const items = allocMany(a, 6)
    b.smr.enter()
    freeMany(a, items.slice(0, 4))
    const words = [
      'limit of 6 is reached',
      '2 live, 0 cached, 4 pending',
      'pending items come back',
    ]
    const error = thrown(Exhausted, () => a.zone.zallocSmr(), ...words)
    expect(error.facts).toMatchObject({ live: 2, pending: 4 })
    b.smr.exit()
    expect(new Set(allocMany(a, 4))).toEqual(new Set(items.slice(0, 4)))
    a.zone.check()
  })

  it('waits for readers to leave', async () => {
    const { a, b } = smrStage(config, { limit: 4, bucket: 2 })
    const items = allocMany(a, 4)
    b.smr.enter()
    freeMany(a, items)
    let done = false
    const promise = a.zone.zallocSmrAsync({ timeoutMs: 10_000 }).then((item) => {
      done = true
      return item
    })
    await sleep(20)
    expect(done).toBe(false)
    b.smr.exit()
    expect(items).toContain(await promise)
    a.zone.check()
  })

  it('wakes every waiter in turn when three wait for one item', async () => {
    const { a, b } = smrStage(config, { limit: 1, bucket: 1 })
    const c = join(a.arena)
    const item = alloc(a)
    const waiting = [b, c, b].map((actor) =>
      actor.zone.zallocSmrAsync({ timeoutMs: 10_000 }).then((got) => {
        free(actor, got)
        actor.zone.seal()
        return got
      }),
    )
    await sleep(3)
    free(a, item)
    a.zone.seal()
    expect(await Promise.all(waiting)).toEqual([item, item, item])
    expect(a.zone.stats()).toMatchObject({ live: 0, allocs: 4, frees: 4 })
    a.zone.check()
  })

  it('does not take fresh memory while too much is pending, and says who holds it back', () => {
    const { a, b } = smrStage(config, { bytes: 16, bucket: 2, pendingBytes: 160 })
    const items = allocMany(a, 40)
    b.smr.enter()
    freeMany(a, items)
    a.zone.seal()
    const words = ['pendingBytes limit is reached', `worker ${b.arena.workerId}`, '40 pending']
    thrown(Exhausted, () => allocMany(a, 10), ...words)
    a.zone.check()
    b.smr.exit()
    expect(allocMany(a, 40).length).toBe(40)
    a.zone.check()
  })

  it('goes on with the smr verbs of a worker that opened the zone by name alone', () => {
    const { a } = smrStage(config)
    const c = join(a.arena)
    const item = c.zone.zallocSmr()
    a.smr.enter()
    c.zone.zfreeSmr(item)
    c.zone.seal()
    expect(c.smr.stats().advances).toBe(1)
    a.smr.exit()
    expect(c.zone.parts.domain).toBe(c.smr)
  })

  it('keeps plain and smr zones of one arena apart', () => {
    const { a } = smrStage(config, { bucket: 2 })
    const plain = a.arena.zone('plain', { bytes: 16, bucket: 2 })
    const items = new Set<Item>()
    for (let i = 0; i < 50; i++) items.add(plain.zalloc()).add(a.zone.zallocSmr())
    expect(items.size).toBe(100)
    expect([...items].filter((item) => plain.owns(item)).length).toBe(50)
    expect([...items].filter((item) => a.zone.owns(item)).length).toBe(50)
  })
})

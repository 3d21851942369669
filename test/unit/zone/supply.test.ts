/**
 * The slow paths behind a cache: where a refill looks and in which order, what a full bucket is
 * exchanged for, and how a worker follows when it is asked to empty its cache.
 */

import { describe, expect, it } from 'vitest'
import { Exhausted, type Item } from '#src/index.ts'
import { exhausted } from '../../helpers/refusals.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import {
  alloc,
  allocAll,
  allocMany,
  free,
  freeMany,
  impatient,
  join,
  KINDS,
  Ledger,
  plainStage,
  smrStage,
  thrown,
  tryAlloc,
} from './stage.ts'

describe.each(CONFIGS)('a refill, sequences $name', (config) => {
  it('is one per bucketful', () => {
    const { a } = plainStage(config, { bucket: 8 })
    allocMany(a, 80)
    expect(a.zone.stats()).toMatchObject({ refills: 10, imports: 10, allocs: 80, cached: 0 })
    alloc(a)
    expect(a.zone.stats()).toMatchObject({ refills: 11, imports: 11, cached: 7 })
  })

  it('prefers what has expired to fresh memory, the oldest first', () => {
    const { a } = smrStage(config, { bucket: 4 })
    const items = allocMany(a, 12)
    freeMany(a, items)
    a.zone.seal()
    const { imports } = a.zone.stats()
    const again = allocMany(a, 12)
    expect(a.zone.stats()).toMatchObject({ imports, pollHits: 3, pollFails: 0, pending: 0 })
    expect(new Set(again.slice(0, 4))).toEqual(new Set(items.slice(0, 4)))
    expect(new Set(again.slice(8))).toEqual(new Set(items.slice(8)))
  })

  it('takes fresh memory when the oldest goal is not met, and says how often', () => {
    const { a, b } = smrStage(config, { bucket: 4 })
    const items = allocMany(a, 8)
    b.smr.enter()
    freeMany(a, items)
    a.zone.seal()
    const before = a.zone.stats()
    allocMany(a, 12)
    const { imports, pollFails, pollHits } = a.zone.stats()
    expect(imports - before.imports).toBe(3)
    expect(pollFails - before.pollFails).toBe(3)
    expect(pollHits).toBe(before.pollHits)
    b.smr.exit()
  })

  it('never makes an smr zone’s free bucket its alloc bucket', () => {
    const { a, b } = smrStage(config, { bucket: 4 })
    const items = allocMany(a, 7)
    b.smr.enter()
    // Part-filled: no goal, and so nobody may have them, however dry the alloc bucket runs.
    freeMany(a, items.slice(0, 3))
    const more = new Set(allocMany(a, 40))
    expect(items.filter((item) => more.has(item))).toEqual([])
    expect(a.zone.stats()).toMatchObject({ retired: 0, pending: 3 })
    b.smr.exit()
  })

  it('swaps the two buckets of a plain zone without asking anybody', () => {
    const { a, b } = plainStage(config, { bucket: 4 })
    const items = allocMany(a, 4)
    freeMany(a, items.slice(0, 3))
    const before = a.zone.stats()
    expect(new Set(allocMany(a, 3))).toEqual(new Set(items.slice(0, 3)))
    const { imports, safe, slabs } = a.zone.stats()
    expect({ imports, safe, slabs }).toEqual({
      imports: before.imports,
      safe: 0,
      slabs: before.slabs,
    })
    b.zone.check()
  })

  it('takes at most its part of what is left under a limit, down to one', () => {
    const { a } = plainStage(config, { bucket: 100, limit: 64 })
    const held: number[] = []
    const items: Item[] = []
    for (let item = tryAlloc(a); item !== 0; item = tryAlloc(a)) {
      items.push(item)
      const { created, inSlabs } = a.zone.stats()
      if (created - inSlabs !== held.at(-1)) held.push(created - inSlabs)
    }
    const imports = held.map((all, i) => all - (held[i - 1] ?? 0))
    // A quarter each time, for two workers are attached.
    expect(imports.slice(0, 4)).toEqual([16, 12, 9, 6])
    expect(imports).toEqual([...imports].sort((x, y) => y - x))
    expect(imports.at(-1)).toBe(1)
    expect(items.length).toBe(64)
  })

  it('takes a smaller part the more workers are attached', () => {
    const { a, b } = plainStage(config, { bucket: 100, limit: 96 })
    b.arena.detach()
    alloc(a)
    expect(a.zone.stats().cached).toBe(47)
    const crowd = plainStage(config, { bucket: 100, limit: 96 }, { maxWorkers: 8 })
    for (let i = 0; i < 6; i++) plainJoin(crowd.a)
    alloc(crowd.a)
    expect(crowd.a.zone.stats().cached).toBe(5)
  })

  it('leaves everything as it was when nothing can be had', () => {
    const { a } = smrStage(config, { bucket: 4, limit: 6 })
    allocAll(a)
    const { live, cached, pending, safe, created, retired } = a.zone.stats()
    for (let i = 0; i < 20; i++) expect(tryAlloc(a)).toBe(0)
    expect(a.zone.stats()).toMatchObject({
      live,
      cached,
      pending,
      safe,
      created,
      retired,
      fails: 21,
    })
    a.zone.check()
  })

  it('asks the others for what they have retired, at the limit', () => {
    const { a, b } = smrStage(config, { bucket: 4, limit: 12 })
    const items = allocMany(a, 12)
    freeMany(b, items.slice(0, 8))
    b.zone.seal()
    expect(new Set(allocMany(a, 8))).toEqual(new Set(items.slice(0, 8)))
    a.zone.check()
  })
})

const plainJoin = ({ arena }: { arena: Parameters<typeof join>[0] }) => join(arena)

describe.each(CONFIGS)('a full bucket, sequences $name', (config) => {
  it('is exchanged for an empty one that the depot has, else for a new one', () => {
    const { a } = smrStage(config, { bucket: 2 })
    const { buckets } = a.zone.parts
    freeMany(a, allocMany(a, 8))
    const before = buckets.all().length
    // Each refill brings an empty bucket back, each retire takes one out.
    for (let i = 0; i < 100; i++) free(a, alloc(a))
    expect(buckets.all().length).toBe(before)
    a.zone.check()
  })

  it('is the alloc bucket in its turn, when there is no memory for an empty one', () => {
    for (const { stage } of KINDS) {
      const { a } = stage(config, { bytes: 512, bucket: 2 })
      const items = allocAll(a)
      while (a.arena.space.pages.reserve(1) !== 0);
      freeMany(a, items)
      expect(a.zone.stats().live).toBe(0)
      a.zone.check()
    }
  })
})

describe.each(CONFIGS)('no memory for any bucket, sequences $name', (config) => {
  const starve = ({ arena }: { arena: Parameters<typeof join>[0] }) => {
    while (arena.space.pages.reserve(1) !== 0);
  }

  it('keeps a thread that supervises from hearing of a death for as long as it may be deaf, no more', () => {
    const { a, b } = smrStage(config, { bytes: 600, bucket: 2 })
    const items = allocMany(a, 4)
    a.zone.reclaim('all')
    starve(a)
    b.smr.enter()
    // With the usual 30 s this test would not end in time.
    a.arena.space.locks.patienceMs = 20
    exhausted(() => free(a, items[0] as Item))
    expect(a.zone.stats()).toMatchObject({ live: 4, frees: 0 })
    b.smr.exit()
    free(a, items[0] as Item)
    expect(a.zone.stats()).toMatchObject({ live: 3, frees: 1 })
    a.zone.check()
  })

  describe.each(KINDS)('$kind zone', ({ stage }) => {
    it('does not keep an item from being freed: unused slabs make room for one', () => {
      const { a } = stage(config, { bytes: 600, bucket: 2 })
      const item = alloc(a)
      a.zone.reclaim('all')
      a.zone.prealloc(50)
      starve(a)
      free(a, item)
      expect(a.zone.stats()).toMatchObject({ live: 0, frees: 1 })
      a.zone.check()
    })

    it('does not keep an item from being freed: it goes owner by itself', () => {
      const ledger = new Ledger()
      const { a } = stage(config, { bytes: 600, bucket: 2, ...ledger.hooks })
      // All in one slab, which the last of them keeps in use.
      const items = allocMany(a, 4)
      a.zone.reclaim('all')
      expect(a.zone.stats().slabs).toBe(1)
      expect(a.zone.parts.buckets.all()).toEqual([])
      starve(a)
      for (const [i, item] of items.slice(0, 3).entries()) {
        free(a, item)
        const left = { live: 3 - i, frees: i + 1, pending: 0, cached: 0 }
        expect(a.zone.stats()).toMatchObject(left)
        expect(ledger.counts.dtor).toBe(i + 1)
        a.zone.check()
      }
      free(a, items[3] as Item)
      a.zone.destroy()
      ledger.expectBalanced()
    })

    it('does not lose the item when its hooks throw on the way owner', () => {
      const ledger = new Ledger()
      const dtor = (item: Item) => {
        ledger.hooks.dtor(item)
        throw new Error('dtor')
      }
      const checks = { checks: true }
      const { a } = stage(config, { bytes: 600, bucket: 2, ...ledger.hooks, dtor }, checks)
      const [item, other] = [alloc(a), alloc(a)]
      a.zone.reclaim('all')
      starve(a)
      for (const each of [item, other]) {
        expect(() => free(a, each)).toThrow('dtor')
        expect(() => free(a, each)).toThrow('free already')
        a.zone.check()
      }
      a.zone.destroy()
      ledger.expectBalanced()
    })
  })

  it('is no reason to wait for readers where unused slabs make room for a bucket', () => {
    const { a, b } = smrStage(config, { bytes: 600, bucket: 2 })
    const item = alloc(a)
    a.zone.reclaim('all')
    a.zone.prealloc(50)
    starve(a)
    b.smr.enter()
    free(a, item)
    expect(a.zone.stats()).toMatchObject({ live: 0, pending: 1 })
    b.smr.exit()
    a.zone.check()
  })

  it('leaves an item to its owner while readers stay, and only then', () => {
    const { a, b } = smrStage(config, { bytes: 600, bucket: 2 }, { checks: true })
    impatient(a.arena)
    const items = allocMany(a, 3)
    a.zone.reclaim('all')
    starve(a)
    b.smr.enter()
    for (const item of items) {
      thrown(Exhausted, () => free(a, item), 'zone.zfreeSmr', `item ${item} in; it is still yours`)
      thrown(Exhausted, () => a.zone.makeRoom(), 'zone.makeRoom')
      a.zone.check()
    }
    expect(a.zone.stats()).toMatchObject({ live: 3, frees: 0 })
    b.smr.exit()
    freeMany(a, items)
    expect(a.zone.stats()).toMatchObject({ live: 0, frees: 3 })
    a.zone.check()
  })
})

describe.each(CONFIGS)('a flush, sequences $name', (config) => {
  describe.each(KINDS)('$kind zone', ({ stage }) => {
    it('is followed at the next refill and at the next full bucket, once', () => {
      for (const way of ['refill', 'full bucket'] as const) {
        const { a, b } = stage(config, { bucket: 4 })
        const items = allocMany(b, 9)
        free(b, items.pop() as Item)
        const live = items.length
        a.zone.reclaim('all', { timeoutMs: 0 })
        const { cached } = a.zone.stats()
        expect(cached).toBeGreaterThan(0)
        if (way === 'refill') items.push(...allocMany(b, 4))
        else for (let i = 0; i < 4; i++) free(b, items.pop() as Item)
        a.zone.check()
        // Its cache was emptied on the way, and is in use again.
        const before = a.zone.stats()
        items.push(alloc(b))
        free(b, items.pop() as Item)
        expect(a.zone.stats().live).toBe(before.live)
        expect(before.live).toBe(way === 'refill' ? live + 4 : live - 4)
        a.zone.check()
      }
    })

    it('is followed once, not at every slow path from then on', () => {
      const { a, b } = stage(config, { bucket: 4 })
      const items = allocMany(b, 20)
      a.zone.reclaim('all', { timeoutMs: 0 })
      // Follows, and comes out of it with an alloc bucket of which one item is used.
      items.push(alloc(b))
      const { inAlloc } = b.zone.parts.cache.counts()
      expect(inAlloc).toBe(3)
      freeMany(b, items.slice(0, 12))
      expect(b.zone.parts.cache.counts().inAlloc).toBe(inAlloc)
    })

    it('does not touch what other workers have on their fast path', () => {
      const { a, b } = stage(config, { bucket: 8 })
      alloc(b)
      const before = b.zone.parts.cache.counts()
      a.zone.reclaim('all', { timeoutMs: 0 })
      expect(b.zone.parts.cache.counts()).toEqual(before)
      const items = allocMany(b, 7)
      expect(new Set(items).size).toBe(7)
    })
  })
})

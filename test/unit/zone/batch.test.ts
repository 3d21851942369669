/**
 * Many records at once: what comes is what as many single calls would have brought, all or nothing;
 * what goes is retired as ever; and what is refused has changed no word of the arena.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Arena,
  Corruption,
  Exhausted,
  type Item,
  Misuse,
  NULL_ITEM,
  type Zone,
} from '#src/index.ts'
import { BucketWords } from '#src/memory/layout.ts'
import { Memory } from '#src/memory/memory.ts'
import { Cache } from '#src/zone/cache.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import {
  allocAll,
  allocMany,
  freeMany,
  impatient,
  join,
  Ledger,
  plainStage,
  type SmrActor,
  smrStage,
  thrown,
} from './stage.ts'

const B = 4
const COUNTS = [0, 1, B - 1, B, B + 1, 2 * B, 3 * B + 5]

/** `thrown`, and every word of the arena is what it was. */
function untouched(arena: Arena, act: () => unknown, ...words: string[]): Misuse {
  const before = arena.words.slice()
  const error = thrown(Misuse, act, ...words)
  expect(arena.words.every((word, at) => word === before[at])).toBe(true)
  return error
}

/** What a caller may rely on: where the items are, not by how many slow paths they got there. */
function balance(zone: Zone): object {
  const { live, allocs, frees, retired, advances } = zone.stats()
  return { live, allocs, frees, retired, advances }
}

describe('a cache, many at once', () => {
  const [AT, ALLOC, FREE] = [256, 512, 640]
  const setUp = (capacity: number, held: number) => {
    const memory = new Memory(new SharedArrayBuffer(4096))
    for (const at of [ALLOC, FREE]) memory.poke(at + BucketWords.capacity, capacity)
    for (let i = 0; i < held; i++) memory.poke(ALLOC + BucketWords.entries + i, 100 + i)
    memory.poke(ALLOC + BucketWords.count, held)
    const cache = new Cache(memory, AT)
    return { memory, cache }
  }

  it('pops and pushes what single pops and pushes would, as far as it goes', () => {
    const shape = fc.record({
      capacity: fc.integer({ min: 1, max: 9 }),
      held: fc.nat(9),
      wanted: fc.nat(20),
      from: fc.nat(5),
    })
    fc.assert(
      fc.property(shape, ({ capacity, held, wanted, from }) => {
        const [one, many] = [
          setUp(capacity, Math.min(held, capacity)),
          setUp(capacity, Math.min(held, capacity)),
        ]
        for (const { cache } of [one, many]) {
          cache.loadAlloc(ALLOC)
          cache.loadFree(FREE)
        }
        const into = new Array<number>(from + wanted).fill(-1)
        const got = many.cache.popMany(into, from, into.length)
        const singly: number[] = []
        for (let item = -1; singly.length < wanted; singly.push(item)) {
          item = one.cache.pop()
          if (item === 0) break
        }
        expect(got).toBe(singly.length)
        expect(into).toEqual([
          ...new Array<number>(from).fill(-1),
          ...singly,
          ...new Array<number>(wanted - got).fill(-1),
        ])
        expect([...many.memory.words]).toEqual([...one.memory.words])
        const items = Array.from({ length: from + wanted }, (_, i) => 200 + i)
        const put = many.cache.pushMany(items, from)
        expect(put).toBe(items.slice(from).filter((item) => one.cache.push(item)).length)
        expect([...many.memory.words]).toEqual([...one.memory.words])
        expect(many.cache.counts()).toEqual(one.cache.counts())
      }),
    )
  })

  it('without buckets gives nothing, takes nothing, and stores nothing', () => {
    const { memory, cache } = setUp(3, 3)
    const before = [...memory.words]
    expect(cache.popMany([0, 0], 0, 2)).toBe(0)
    expect(cache.pushMany([1, 2], 0)).toBe(0)
    expect([...memory.words]).toEqual(before)
  })

  it('is committed by one store: stopped anywhere, it has moved all or nothing', () => {
    for (let stores = 0; stores < 6; stores++) {
      const { memory, cache } = setUp(4, 4)
      cache.loadAlloc(ALLOC)
      cache.loadFree(FREE)
      const poke = memory.poke.bind(memory)
      let left = stores
      memory.poke = (at, value) => {
        if (left-- <= 0) throw new Error('stopped')
        poke(at, value)
      }
      expect(() => {
        cache.popMany([0, 0, 0], 0, 3)
        cache.pushMany([7, 8, 9], 0)
        throw new Error('stopped')
      }).toThrow('stopped')
      const { inAlloc, inFree } = cache.counts()
      expect(inAlloc).toBe(stores < 1 ? 4 : 1)
      expect(inFree).toBe(stores < 5 ? 0 : 3)
      const entries = memory.words.slice(FREE + BucketWords.entries).slice(0, inFree)
      expect([...entries]).toEqual([7, 8, 9].slice(0, inFree))
    }
  })
})

describe.each(CONFIGS)('batches, sequences $name', (config) => {
  describe.each([{ checks: false }, { checks: true }])('checks $checks', ({ checks }) => {
    it.each(COUNTS)('brings %i records that are nobody else’s, and takes them', (count) => {
      const { a, b } = smrStage(config, { bucket: B }, { checks })
      const kept = allocMany(b, 7)
      for (const item of kept) a.arena.words.fill(item, item, item + 4)
      const items = a.zone.zallocSmrBatch(count)
      expect(items.length).toBe(count)
      expect(new Set([...items, ...kept]).size).toBe(count + 7)
      expect(items.every((item) => a.zone.owns(item))).toBe(true)
      expect(a.zone.stats()).toMatchObject({ live: count + 7, allocs: count + 7, fails: 0 })
      expect(a.zone.audit([...items, ...kept]).leaked).toEqual([])
      a.zone.check()
      for (const item of items) a.arena.words.fill(item, item, item + 4)
      const before = [...items]
      a.zone.zfreeSmrBatch(items)
      expect(items).toEqual(before)
      expect(a.zone.stats()).toMatchObject({ live: 7, frees: count })
      expect(a.zone.audit(kept).leaked).toEqual([])
      a.zone.check()
      expect(kept.every((item) => a.arena.words[item + 3] === item)).toBe(true)
    })

    it('brings exactly the limit, and nothing when one more is asked for', () => {
      const { a, b } = smrStage(config, { bucket: B, limit: 15 }, { checks })
      b.arena.detach()
      for (let round = 0; round < 3; round++) {
        const before = balance(a.zone)
        const { fails } = a.zone.stats()
        const words = ['zone.zallocSmrBatch', 'zone "things"', 'its limit of 15 is reached']
        const error = thrown(Exhausted, () => a.zone.zallocSmrBatch(16), ...words, '16 were asked')
        expect(error.facts).toMatchObject({ zone: 'things', asked: 16, limit: 15, live: 0 })
        expect(balance(a.zone)).toMatchObject(before)
        expect(a.zone.stats().fails).toBe(fails + 1)
        a.zone.check()
        const items = a.zone.zallocSmrBatch(15)
        expect(new Set(items).size).toBe(15)
        expect(a.zone.tryZallocSmr()).toBe(NULL_ITEM)
        expect(a.zone.zallocSmrBatch(0)).toEqual([])
        thrown(Exhausted, () => a.zone.zallocSmrBatch(1), '15 live', '0 could be had')
        a.zone.zfreeSmrBatch(items)
        a.zone.seal()
        a.zone.check()
      }
    })

    it('leaves to others what it could not use when the arena is exhausted', () => {
      const { a } = smrStage(config, { bytes: 1000, bucket: 2 }, { bytes: 2 ** 16, checks })
      const some = a.zone.zallocSmrBatch(5)
      const error = thrown(
        Exhausted,
        () => a.zone.zallocSmrBatch(1000),
        'nothing is left',
        '5 live',
      )
      expect(error.facts).toMatchObject({ asked: 1000, live: 5 })
      a.zone.check()
      const rest = allocAll(a)
      expect(rest.length).toBeGreaterThan(10)
      expect(a.zone.audit([...some, ...rest]).leaked).toEqual([])
      freeMany(a, rest)
      expect(a.zone.zallocSmrBatch(rest.length).length).toBe(rest.length)
      a.zone.check()
    })

    it('runs constructors, and gives all back when one throws', () => {
      const ledger = new Ledger()
      let left = Number.POSITIVE_INFINITY
      const ctor = (item: Item): void => {
        if (left-- <= 0) throw new Error('no record today')
        ledger.hooks.ctor(item)
      }
      const { a } = smrStage(config, { bucket: B, ...ledger.hooks, ctor }, { checks })
      const items = a.zone.zallocSmrBatch(6)
      expect(ledger.live.sort()).toEqual([...items].sort())
      const before = balance(a.zone)
      for (left = 0; left < 11; ) {
        const stop = left
        expect(() => a.zone.zallocSmrBatch(11)).toThrow('no record today')
        expect(balance(a.zone)).toEqual(before)
        expect(ledger.live.length).toBe(6)
        a.zone.check()
        left = stop + 1
      }
      left = Number.POSITIVE_INFINITY
      a.zone.zfreeSmrBatch([...a.zone.zallocSmrBatch(11), ...items])
      a.zone.destroy()
      ledger.expectBalanced()
    })

    it('lets a constructor allocate from the same zone', () => {
      const owned: Item[] = []
      let deep = false
      const ctor = (): void => {
        if (deep) return
        deep = true
        owned.push(zone.zallocSmr())
        deep = false
      }
      const { a } = smrStage(config, { bucket: B, ctor }, { checks })
      const { zone } = a
      const items = zone.zallocSmrBatch(11)
      expect(new Set([...items, ...owned]).size).toBe(22)
      zone.zfreeSmrBatch([...items, ...owned])
      expect(zone.stats().live).toBe(0)
      zone.check()
    })
  })

  it('surfaces the error of a destructor at a refused batch, with nothing lost', () => {
    const dtor = (): void => {
      throw new Error('a bad destructor')
    }
    const { a } = smrStage(config, { bucket: B, limit: 10, ctor: () => {}, dtor })
    expect(() => a.zone.zallocSmrBatch(11)).toThrow('a bad destructor')
    expect(a.zone.stats()).toMatchObject({ live: 0, allocs: 0, fails: 1 })
    a.zone.check()
    expect(a.zone.zallocSmrBatch(10).length).toBe(10)
  })

  describe.each([{ checks: false }, { checks: true }])(
    'a refused batch, checks $checks',
    (each) => {
      it('destroys nothing where nobody has constructed: no child is freed twice', () => {
        const children = new Set<number>()
        const twice: number[] = []
        // As of a parent that owns the child of which it has the number.
        const dtor = (item: Item): void => {
          const child = a.arena.words[item + 1] as number
          if (child !== 0 && !children.delete(child)) twice.push(child)
        }
        const { a } = smrStage(config, { bucket: B, limit: 10, dtor }, each)
        for (let child = 100; child < 120; ) {
          const items = a.zone.zallocSmrBatch(10)
          for (const item of items) {
            children.add(child)
            a.arena.words[item + 1] = child++
          }
          a.zone.zfreeSmrBatch(items)
          a.zone.reclaim('drain')
          expect(children.size).toBe(0)
          for (let round = 0; round < 2; round++) {
            thrown(Exhausted, () => a.zone.zallocSmrBatch(11), '10 could be had and went back')
          }
          a.zone.check()
        }
        expect(twice).toEqual([])
      })

      it('destroys what was constructed to the end, once, and nothing else', () => {
        const made: Item[] = []
        const destroyed: Item[] = []
        let left = 10
        const ctor = (item: Item): void => {
          if (left-- === 0) throw new Error('no record today')
          made.push(item)
        }
        const dtor = (item: Item): void => void destroyed.push(item)
        const { a } = smrStage(config, { bucket: B, limit: 10, ctor, dtor }, each)
        for (const [good, error] of [
          [7, 'no record today'],
          [10, 'its limit of 10'],
          [0, 'no record today'],
        ] as const) {
          left = good
          expect(() => a.zone.zallocSmrBatch(11)).toThrow(error)
          expect(made.length).toBe(good)
          expect(destroyed.splice(0).sort()).toEqual(made.splice(0).sort())
          expect(a.zone.stats().live).toBe(0)
          a.zone.check()
        }
      })

      it('does not destroy the one whose constructor threw, though it cannot go back at once', () => {
        const made: Item[] = []
        const destroyed: Item[] = []
        let bad = true
        const ctor = (item: Item): void => {
          if (bad && made.length === B + 1) {
            stuck()
            throw new Error('no record today')
          }
          made.push(item)
        }
        const dtor = (item: Item): void => void destroyed.push(item)
        const { a } = smrStage(config, { bucket: B, limit: 3 * B, ctor, dtor }, each)
        const { cache } = a.zone.parts
        const finishMove = cache.finishMove.bind(cache)
        // Putting the item back is cut short, once.
        const stuck = (): void => {
          cache.finishMove = () => {
            cache.finishMove = finishMove
            throw new Error('cut short')
          }
        }
        expect(() => a.zone.zallocSmrBatch(2 * B)).toThrow('cut short')
        bad = false
        expect(destroyed.sort()).toEqual(made.splice(0).sort())
        destroyed.length = 0
        const items = a.zone.zallocSmrBatch(3 * B)
        expect(new Set(items).size).toBe(3 * B)
        expect(destroyed).toEqual([])
        a.zone.check()
      })
    },
  )

  it('finds a write to freed memory, and keeps the others', () => {
    const { a } = smrStage(config, { bucket: B, limit: B }, { checks: true })
    const items = a.zone.zallocSmrBatch(B)
    a.zone.zfreeSmrBatch(items)
    // Fetches the bucket, whose items are filled then.
    const first = a.zone.zallocSmr()
    const [, bad = NULL_ITEM] = items.filter((item) => item !== first)
    a.arena.words[bad + 1] = 7
    thrown(Corruption, () => a.zone.zallocSmrBatch(B - 1), 'zone.zallocSmrBatch', `item ${bad}`)
    // As with a single allocation: the damaged item stays out of circulation.
    expect(a.zone.audit([first]).leaked).toEqual([bad])
    a.zone.check()
    expect(a.zone.zallocSmrBatch(B - 2).length).toBe(B - 2)
  })

  it('is legal inside a section for allocations only', () => {
    const { a } = smrStage(config, { bucket: B })
    a.smr.enter()
    const items = a.zone.zallocSmrBatch(3 * B)
    const words = ['zone.zfreeSmrBatch', 'domain "clock"', 'exit first']
    untouched(a.arena, () => a.zone.zfreeSmrBatch(items), ...words)
    untouched(a.arena, () => a.zone.zfreeSmrBatch([]), ...words)
    a.smr.exit()
    a.zone.zfreeSmrBatch(items)
    a.zone.check()
  })
})

describe.each(CONFIGS)('bad batches, sequences $name', (config) => {
  const counts: readonly unknown[] = [
    -1,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 20 + 1,
    2 ** 32,
    '3',
    undefined,
    null,
    [3],
  ]

  it.each(counts)('refuses to allocate %s', (count) => {
    const { a } = smrStage(config, { bucket: B })
    const words = ['zone.zallocSmrBatch', 'zone "things"', 'count is', 'give an integer from 0 to']
    untouched(a.arena, () => a.zone.zallocSmrBatch(count as number), ...words)
  })

  const lists: readonly unknown[] = [
    undefined,
    null,
    7,
    'items',
    {},
    new Set([1]),
    new Int32Array(2),
  ]

  it.each(lists.map((list) => [list]))('refuses to free %s', (list) => {
    const { a } = smrStage(config, { bucket: B })
    const words = ['zone.zfreeSmrBatch', 'zone "things"', 'items are', 'give an array']
    untouched(a.arena, () => a.zone.zfreeSmrBatch(list as Item[]), ...words)
  })

  describe.each([{ checks: false }, { checks: true }])('checks $checks', ({ checks }) => {
    it('refuses all for one that is foreign, wherever it stands', () => {
      const { a } = smrStage(config, { bucket: B }, { checks })
      const twin = a.arena.zone('twin', { bytes: 16, smr: a.smr })
      const items = a.zone.zallocSmrBatch(2 * B + 1)
      const [item = 0] = items
      const bads = [twin.zallocSmr(), 0, item + 1, -1, 1.5, Number.NaN, '1', undefined, null, {}]
      for (const bad of bads as Item[]) {
        for (const place of [0, B, 2 * B + 1]) {
          const batch = items.toSpliced(place, 0, bad)
          const words = ['zone.zfreeSmrBatch', '"things"', 'is not from this zone']
          const error = untouched(a.arena, () => a.zone.zfreeSmrBatch(batch), ...words)
          expect(error.facts).toMatchObject({ item: bad })
        }
      }
      // What would be a place if there were a slab at address 0.
      const { itemsAt, stride } = a.zone.parts.keg.shape
      const low = [(itemsAt + stride) as Item, ...items]
      untouched(a.arena, () => a.zone.zfreeSmrBatch(low), `item ${low[0]} is not from this zone`)
      // An array with a hole.
      const holed = [...items]
      delete holed[3]
      untouched(a.arena, () => a.zone.zfreeSmrBatch(holed), 'item undefined')
      a.zone.zfreeSmrBatch(items)
      a.zone.check()
    })

    it('refuses both in a zone without smr, and through a closed handle', () => {
      const plain = plainStage(config, { bucket: B }, { checks }).a
      const item = plain.zone.zalloc()
      const remedy = 'use zalloc and zfree'
      untouched(plain.arena, () => plain.zone.zallocSmrBatch(1), 'zone.zallocSmrBatch', remedy)
      untouched(plain.arena, () => plain.zone.zfreeSmrBatch([item]), 'zone.zfreeSmrBatch', remedy)
      const { a, b } = smrStage(config, { bucket: B }, { checks })
      const items = a.zone.zallocSmrBatch(2)
      a.arena.detach()
      untouched(b.arena, () => a.zone.zallocSmrBatch(1), 'zone.zallocSmrBatch', 'closed')
      untouched(b.arena, () => a.zone.zallocSmrBatch(0), 'zone.zallocSmrBatch', 'closed')
      untouched(b.arena, () => a.zone.zfreeSmrBatch(items), 'zone.zfreeSmrBatch', 'closed')
      b.zone.zfreeSmrBatch(items)
      b.zone.check()
    })
  })

  it('detects a double free in a checked arena, and leaves all as it was', () => {
    const { a, b } = smrStage(config, { bucket: B }, { checks: true })
    const items = a.zone.zallocSmrBatch(3 * B)
    const gone = items.splice(3, 1)[0] as Item
    a.zone.zfreeSmr(gone)
    for (const place of [0, 1, B, 3 * B - 1]) {
      const batch = items.toSpliced(place, 0, gone)
      const words = ['zone.zfreeSmrBatch', `item ${gone} is free already (double free)`]
      untouched(a.arena, () => a.zone.zfreeSmrBatch(batch), ...words)
      untouched(a.arena, () => b.zone.zfreeSmrBatch(batch), ...words)
    }
    // The others are the user's still, each of them.
    b.zone.zfreeSmrBatch(items)
    expect(a.zone.stats()).toMatchObject({ live: 0, frees: 3 * B })
    untouched(a.arena, () => a.zone.zfreeSmrBatch(items), 'double free')
    a.zone.check()
  })

  it('detects an item that is in the batch twice', () => {
    const { a } = smrStage(config, { bucket: B }, { checks: true })
    const items = a.zone.zallocSmrBatch(2 * B)
    const batch = [...items, items[2] as Item]
    const words = [`item ${items[2]} is in the batch twice`, `items[2] and items[${2 * B}]`]
    const error = untouched(a.arena, () => a.zone.zfreeSmrBatch(batch), ...words)
    expect(error.facts).toMatchObject({ zone: 'things', item: items[2] })
    a.zone.zfreeSmrBatch(items)
    a.zone.check()
  })
})

describe.each(CONFIGS)('batches and the clock, sequences $name', (config) => {
  it('advances once per bucket, whatever the batches', () => {
    const shape = fc.record({
      bucket: fc.integer({ min: 1, max: 24 }),
      sizes: fc.array(fc.nat(60), { minLength: 1, maxLength: 12 }),
    })
    fc.assert(
      fc.property(shape, ({ bucket, sizes }) => {
        const { a } = smrStage(config, { bucket })
        const batches = sizes.map((size) => a.zone.zallocSmrBatch(size))
        let frees = 0
        for (const batch of batches) {
          a.zone.zfreeSmrBatch(batch)
          frees += batch.length
          // As with single frees: a full bucket leaves at the first free that finds it full.
          const retired = Math.max(0, Math.ceil(frees / bucket) - 1)
          expect(a.zone.stats()).toMatchObject({ retired, advances: retired, frees })
        }
        a.zone.seal()
        const whole = Math.ceil(frees / bucket)
        expect(a.zone.stats()).toMatchObject({ retired: whole, advances: whole })
        expect(a.smr.stats()).toMatchObject({ advances: whole, advanceWaits: 0 })
        a.zone.check()
      }),
      { numRuns: 40 },
    )
  })

  it('gives all back when fini throws on the way, and says what it threw', () => {
    let bad = true
    const fini = (): void => {
      if (bad) throw new Error('a bad fini')
    }
    const hooks = { init: () => {}, ctor: () => {}, fini }
    const { a } = smrStage(config, { bucket: 4, limit: 20, ...hooks })
    expect(() => a.zone.zallocSmrBatch(30)).toThrow('a bad fini')
    expect(a.zone.stats().live).toBe(0)
    a.zone.check()
    bad = false
    a.zone.zfreeSmrBatch(a.zone.zallocSmrBatch(20))
    a.zone.destroy()
  })

  it('hands nothing out again, and destroys nothing, while a reader may look', () => {
    const destroyed: Item[] = []
    const dtor = (item: Item): void => void destroyed.push(item)
    const { a, b } = smrStage(config, { bucket: B, dtor })
    const items = a.zone.zallocSmrBatch(5 * B)
    b.smr.enter()
    a.zone.zfreeSmrBatch(items)
    a.zone.seal()
    const more = new Set(a.zone.zallocSmrBatch(40))
    expect(items.filter((item) => more.has(item))).toEqual([])
    expect(destroyed).toEqual([])
    b.smr.exit()
    a.zone.reclaim('drain')
    expect([...destroyed].sort()).toEqual([...items].sort())
    a.zone.zfreeSmrBatch([...more])
    a.zone.check()
  })

  it('works with seal and every level of reclaim', () => {
    const { a, b } = smrStage(config, { bucket: B })
    for (const level of ['trim', 'drain', 'all'] as const) {
      const items = a.zone.zallocSmrBatch(3 * B + 1)
      b.zone.zfreeSmrBatch(items)
      b.zone.seal()
      expect(b.zone.stats()).toMatchObject({ live: 0 })
      b.zone.reclaim(level)
      a.zone.check()
    }
    a.zone.reclaim('all')
    b.zone.reclaim('all')
    expect(a.zone.stats()).toMatchObject({ live: 0, cached: 0, pending: 0, safe: 0 })
  })

  it('finds room where makeRoom has made it, for as many', () => {
    const { a } = smrStage(config, { bucket: B })
    const items = a.zone.zallocSmrBatch(2 * B)
    a.zone.makeRoom()
    const { retired } = a.zone.stats()
    a.zone.zfreeSmrBatch(items.slice(0, B))
    expect(a.zone.stats().retired).toBe(retired)
    a.zone.zfreeSmrBatch(items.slice(B))
    expect(a.zone.stats().retired).toBe(retired + 1)
  })
})

describe.each(CONFIGS)('a batch that cannot go, sequences $name', (config) => {
  /** All memory is in records, and a reader is parked: there is no bucket for more than a few. */
  function full(checks: boolean): { a: SmrActor; b: SmrActor; items: Item[] } {
    const { a, b } = smrStage(config, { bytes: 600, bucket: 2 }, { bytes: 2 ** 16, checks })
    impatient(a.arena)
    const items = allocAll(a)
    while (a.arena.space.pages.reserve(1) !== 0);
    // What is left of the slab of buckets.
    while (a.zone.parts.buckets.make(0) !== 0);
    return { a, b, items }
  }

  it.each([{ checks: false }, { checks: true }])(
    'says how many went, checks $checks',
    ({ checks }) => {
      const { a, b, items } = full(checks)
      b.smr.enter()
      const call = () => a.zone.zfreeSmrBatch(items)
      const words = ['zone.zfreeSmrBatch', 'zone "things"', 'no memory for a bucket', 'still yours']
      const error = thrown(Exhausted, call, ...words)
      const { freed } = error.facts as { freed: number }
      expect(error.facts).toMatchObject({ freed, items: items.length })
      expect(error.message).toContain(`${freed} of ${items.length} items were freed`)
      expect(freed).toBeLessThan(items.length)
      expect(freed).toBeGreaterThan(0)
      const rest = items.slice(freed)
      expect(a.zone.stats()).toMatchObject({ live: rest.length, frees: freed })
      if (checks) {
        thrown(Misuse, () => a.zone.zfreeSmrBatch(items.slice(0, 1)), 'double free')
      }
      b.smr.exit()
      a.zone.zfreeSmrBatch(rest)
      expect(a.zone.stats()).toMatchObject({ live: 0, frees: items.length })
    },
  )

  it('frees one by one, into the slabs, where a worker gets no bucket at all', () => {
    const { a, b, items } = full(false)
    b.zone.zfreeSmrBatch(items)
    expect(a.zone.stats()).toMatchObject({ live: 0, frees: items.length })
    a.zone.parts.keg.check()
    // A slab that became empty has made way for buckets.
    const again = allocAll(b)
    expect(new Set(again).size).toBe(again.length)
    expect(again.length).toBeGreaterThan(items.length / 2)
  })

  it('gives all back when a destructor throws at a refill', () => {
    let bad = 1
    const dtor = (): void => {
      if (bad-- > 0) throw new Error('a bad destructor')
    }
    const { a } = smrStage(config, { bucket: 2, limit: 12, dtor })
    const kept = a.zone.zallocSmrBatch(4)
    a.zone.zfreeSmrBatch(a.zone.zallocSmrBatch(8))
    expect(() => a.zone.zallocSmrBatch(8)).toThrow('a bad destructor')
    expect(a.zone.stats()).toMatchObject({ live: 4, frees: 8 })
    a.zone.check()
    expect(new Set([...kept, ...a.zone.zallocSmrBatch(8)]).size).toBe(12)
  })

  it('frees all the same when a destructor throws on the way', () => {
    let bad = 0
    const dtor = (): void => {
      bad++
      throw new Error('a bad destructor')
    }
    const { a } = smrStage(config, { bucket: 2, depot: 0, dtor })
    const items = a.zone.zallocSmrBatch(21)
    expect(() => a.zone.zfreeSmrBatch(items)).toThrow('a bad destructor')
    expect(bad).toBeGreaterThan(0)
    expect(a.zone.stats()).toMatchObject({ live: 0, frees: 21 })
    a.zone.check()
  })

  it('frees what it was given, whatever a destructor does to the array', () => {
    const batches: Item[][] = []
    const dtor = (): void => {
      for (const batch of batches) batch.length = 0
    }
    const { a } = smrStage(config, { bucket: 2, depot: 0, dtor })
    for (let i = 0; i < 5; i++) batches.push(a.zone.zallocSmrBatch(9))
    for (const batch of [...batches]) {
      const frees = a.zone.stats().frees + batch.length
      a.zone.zfreeSmrBatch(batch)
      expect(a.zone.stats().frees).toBe(frees)
      a.zone.check()
    }
  })
})

describe.each(CONFIGS)('single and batched verbs of two workers, sequences $name', (config) => {
  const step = fc.record({
    who: fc.nat(1),
    verb: fc.constantFrom('alloc', 'free', 'allocBatch', 'freeBatch', 'seal', 'enter', 'exit'),
    n: fc.nat(14),
  })
  const worlds = fc.record({
    bucket: fc.integer({ min: 1, max: 6 }),
    limit: fc.integer({ min: 1, max: 40 }),
    checks: fc.boolean(),
    script: fc.array(step, { maxLength: 120, size: 'max' }),
  })

  it('conserve every item', () => {
    fc.assert(
      fc.property(worlds, ({ bucket, limit, checks, script }) => {
        const { a } = smrStage(config, { bucket, limit }, { checks })
        const c = join(a.arena)
        const live = new Map<Item, number>()
        /** What was freed since each of them entered its section. */
        const seen = new Map<SmrActor, Set<Item>>()
        let mark = 0
        const taken = (items: readonly Item[]): void => {
          for (const item of items) {
            expect(live.has(item), 'it is somebody’s').toBe(false)
            for (const set of seen.values()) expect(set.has(item), 'it is seen').toBe(false)
            mark++
            live.set(item, mark)
            a.arena.words.fill(mark, item, item + 4)
          }
        }
        const given = (items: readonly Item[]): void => {
          for (const item of items) {
            expect([...a.arena.words.subarray(item, item + 4)]).toEqual(
              Array(4).fill(live.get(item)),
            )
            live.delete(item)
            for (const set of seen.values()) set.add(item)
          }
        }
        for (const { who, verb, n } of script) {
          const actor = who === 0 ? a : c
          const { zone, smr } = actor
          const some = [...live.keys()].filter((_, i) => i % 3 !== n % 3).slice(0, n)
          if (verb === 'alloc') {
            const item = zone.tryZallocSmr()
            if (item !== NULL_ITEM) taken([item])
          } else if (verb === 'allocBatch') {
            try {
              taken(zone.zallocSmrBatch(n))
            } catch (error) {
              expect(error).toBeInstanceOf(Exhausted)
              expect(zone.stats().live).toBe(live.size)
            }
          } else if (verb === 'enter') {
            if (!smr.inside) seen.set(actor, new Set())
            if (!smr.inside) smr.enter()
          } else if (verb === 'exit') {
            if (smr.inside) smr.exit()
            seen.delete(actor)
          } else if (smr.inside) {
            thrown(Misuse, () => (verb === 'seal' ? zone.seal() : zone.zfreeSmrBatch(some)))
          } else if (verb === 'seal') zone.seal()
          else {
            if (verb === 'free') for (const item of some) zone.zfreeSmr(item)
            else zone.zfreeSmrBatch(some)
            given(some)
          }
          a.zone.check()
          expect(a.zone.stats().live).toBe(live.size)
        }
        expect(a.zone.audit(live.keys()).leaked).toEqual([])
        for (const { smr } of [a, c]) if (smr.inside) smr.exit()
        c.zone.zfreeSmrBatch([...live.keys()])
        a.zone.destroy()
      }),
      { numRuns: 40 },
    )
  })
})

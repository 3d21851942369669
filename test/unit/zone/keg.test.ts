/**
 * A keg by itself: batches between slabs and buckets, the limit, growing and shrinking, and the
 * repair after a death under its lock.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Corruption } from '#src/index.ts'
import { BucketWords, KegWords, SlabWords } from '#src/memory/layout.ts'
import { allocOwner } from '#src/zone/bucket.ts'
import type { Keg } from '#src/zone/keg.ts'
import { dieAfter } from '../../helpers/death.ts'
import { CONFIGS, tinyArena } from '../../helpers/tiny.ts'
import { type Actor, allocMany, bury, pagesInUse, plainStage, thrown } from './stage.ts'

const config = CONFIGS[0] as (typeof CONFIGS)[number]

/** A zone of which only the kegs are used, and some buckets to use them with. */
function setUp(options: { bytes?: number; limit?: number; capacity?: number } = {}): {
  a: Actor
  b: Actor
  keg: Keg
  bucket: () => number
  items: (bucket: number) => number[]
} {
  const { bytes = 100, capacity = 20 } = options
  const limit = options.limit === undefined ? {} : { limit: options.limit }
  const { a, b } = plainStage(config, { bytes, bucket: capacity, ...limit })
  const { buckets, keg } = a.zone.parts
  const bucket = (): number => buckets.make(allocOwner(a.arena.workerId))
  return { a, b, keg, bucket, items: (at) => [...buckets.items(at)] }
}

describe('batches', () => {
  it('move items from slabs to buckets and back, as an oracle has it', () => {
    const step = fc.record({
      verb: fc.constantFrom('take', 'give', 'takeOne', 'giveOne', 'shrink'),
      n: fc.integer({ min: 1, max: 20 }),
    })
    fc.assert(
      fc.property(fc.constantFrom(8, 100, 3000), fc.array(step), (bytes, steps) => {
        const { keg, bucket, items } = setUp({ bytes })
        const out = new Set<number>()
        const singles: number[] = []
        const full: number[] = []
        for (const { verb, n } of steps) {
          if (verb === 'take') {
            const into = bucket()
            const taken = keg.take(into, n)
            const got = items(into)
            expect(got.length).toBe(taken)
            for (const item of got) {
              expect(out.has(item)).toBe(false)
              expect(keg.addresses.slabOf(item)).toBeGreaterThan(0)
              out.add(item)
            }
            full.push(into)
          } else if (verb === 'give') {
            const from = full.splice(n % (full.length || 1), 1)[0]
            if (from === undefined) continue
            for (const item of items(from)) out.delete(item)
            keg.give(from)
            expect(items(from)).toEqual([])
          } else if (verb === 'takeOne') {
            const item = keg.takeOne((at) => expect(out.has(at)).toBe(false))
            if (item === 0) continue
            out.add(item)
            singles.push(item)
          } else if (verb === 'giveOne') {
            const item = singles.pop()
            if (item === undefined) continue
            out.delete(item)
            keg.giveOne(item)
          } else keg.shrink(0)
          keg.check()
          const { created, inSlabs } = keg.counts()
          expect(created - inSlabs).toBe(out.size)
          // In the order of the lists, which is nobody's business.
          const inOrder = (some: Iterable<number>) => [...some].sort((x, y) => x - y)
          expect(inOrder(keg.itemsOut())).toEqual(inOrder(out))
        }
      }),
      { numRuns: 60 },
    )
  })

  it('fill a bucket beyond what it holds already', () => {
    const { keg, bucket, items } = setUp()
    const into = bucket()
    expect(keg.take(into, 3)).toBe(3)
    expect(keg.take(into, 4)).toBe(4)
    expect(new Set(items(into)).size).toBe(7)
    keg.check()
  })

  it('cross from slab to slab', () => {
    const { keg, bucket, items } = setUp({ bytes: 3000, capacity: 50 })
    const into = bucket()
    expect(keg.take(into, 50)).toBe(50)
    expect(keg.counts().slabs).toBeGreaterThan(1)
    expect(new Set(items(into)).size).toBe(50)
    keg.check()
  })

  it('take from slabs in part use first, so that others become empty', () => {
    const { keg } = setUp({ bytes: 1000 })
    const { perSlab } = keg.shape
    const taken = Array.from({ length: 3 * perSlab }, () => keg.takeOne(() => {}))
    expect(keg.counts().slabs).toBe(3)
    // One slab stays full, one becomes empty, one has a single item left.
    const [, middle = 0, last = 0] = [0, 1, 2].map((i) => taken[i * perSlab] as number)
    for (const item of taken.slice(perSlab)) if (item !== middle) keg.giveOne(item)
    for (let i = 1; i < perSlab; i++) {
      expect(keg.addresses.slabOf(keg.takeOne(() => {}))).toBe(keg.addresses.slabOf(middle))
    }
    expect(keg.addresses.slabOf(keg.takeOne(() => {}))).toBe(keg.addresses.slabOf(last))
    keg.check()
  })

  it('give what there is when memory ends, and nothing afterwards', () => {
    const { a, keg, bucket } = setUp({ bytes: 3000, capacity: 100 })
    const into = bucket()
    const spare = bucket()
    const most = keg.take(into, 100)
    expect(most).toBeLessThan(100)
    expect(keg.take(spare, 1)).toBe(0)
    expect(keg.takeOne(() => {})).toBe(0)
    a.zone.parts.keg.check()
    keg.give(into)
    expect(keg.take(spare, 1)).toBe(1)
  })

  it('stop at the limit', () => {
    const { keg, bucket } = setUp({ limit: 7 })
    const [one, two] = [bucket(), bucket()]
    expect(keg.take(one, 5)).toBe(5)
    expect(keg.takeOne(() => {})).toBeGreaterThan(0)
    expect(keg.take(two, 5)).toBe(1)
    expect(keg.takeOne(() => {})).toBe(0)
    keg.give(one)
    expect(keg.take(two, 10)).toBe(5)
    keg.check()
  })
})

describe('growing and shrinking', () => {
  it('reaches what it is asked for, or adds nothing', () => {
    const { a, keg } = setUp({ limit: 4000 })
    expect(keg.reach(0)).toBe(true)
    expect(keg.counts().slabs).toBe(0)
    expect(keg.reach(30)).toBe(true)
    const before = keg.counts()
    expect(before.created).toBeGreaterThanOrEqual(30)
    expect(before.inSlabs).toBe(before.created)
    const inUse = pagesInUse(a.arena)
    expect(keg.reach(3900)).toBe(false)
    expect(keg.reach(4001)).toBe(false)
    expect(keg.counts()).toEqual(before)
    expect(pagesInUse(a.arena)).toBe(inUse)
    keg.check()
  })

  it('gives back every empty slab but what it is to keep', () => {
    const { a, keg } = setUp()
    const { perSlab, slabOrder } = keg.shape
    const inUse = pagesInUse(a.arena)
    keg.reach(perSlab * 4)
    const item = keg.takeOne(() => {})
    expect(keg.shrink(perSlab * 2)).toBe(2 * 2 ** slabOrder)
    expect(keg.counts()).toMatchObject({ slabs: 2, created: 2 * perSlab })
    expect(keg.shrink(perSlab + 1)).toBe(0)
    expect(keg.shrink(0)).toBe(2 ** slabOrder)
    expect(keg.shrink(0)).toBe(0)
    keg.giveOne(item)
    keg.shrink(0)
    expect(keg.counts()).toEqual({ slabs: 0, created: 0, inSlabs: 0, bytes: 0 })
    expect(pagesInUse(a.arena)).toBe(inUse)
    keg.check()
  })

  it.each([8, 16, 24, 40, 64, 72, 88, 120, 136, 1000, 3000])(
    'knows the items of %i bytes among all addresses, and those between them for none',
    (bytes) => {
      const { a, keg } = setUp({ bytes })
      for (let i = 0; i < 40; i++) keg.takeOne(() => {})
      const { itemsAt, perSlab, stride } = keg.shape
      const items = new Map<number, number>()
      for (const slab of keg.slabs()) {
        for (let i = 0; i < perSlab; i++) items.set(slab + itemsAt + i * stride, slab)
      }
      const { length } = a.arena.words
      for (let at = -length; at < 2 * length; at++) {
        if (keg.addresses.slabOf(at) !== (items.get(at) ?? 0)) throw new Error(`address ${at}`)
      }
      expect(items.size).toBe(keg.counts().created)
      for (const [item] of items) {
        expect(keg.addresses.findForeign([item, item + 2 ** 32])).toBe(1)
        for (const odd of [item + 0.5, -item, `${item}`, undefined]) {
          expect(keg.addresses.slabOf(odd as number)).toBe(0)
        }
      }
    },
  )

  it('does not know items of slabs that are gone', () => {
    const { keg } = setUp()
    const item = keg.takeOne(() => {})
    expect(keg.addresses.slabOf(item)).toBeGreaterThan(0)
    keg.giveOne(item)
    keg.shrink(0)
    expect(keg.addresses.slabOf(item)).toBe(0)
  })

  it('keeps what one keg’s slab was from looking like another’s', () => {
    const { a, keg } = setUp({ bytes: 64 })
    const other = a.arena.zone('other', { bytes: 64 }).parts.keg
    const item = keg.takeOne(() => {})
    keg.giveOne(item)
    keg.shrink(0)
    const theirs = other.takeOne(() => {})
    expect(theirs).toBe(item)
    expect(keg.addresses.slabOf(item)).toBe(0)
    expect(other.addresses.slabOf(item)).toBeGreaterThan(0)
  })
})

describe('repair', () => {
  const actions: [string, (keg: Keg, bucket: number, full: number) => unknown][] = [
    ['a take', (keg, bucket) => keg.take(bucket, 9)],
    ['a give', (keg, _, full) => keg.give(full)],
    ['taking one', (keg) => keg.takeOne(() => {})],
    ['a reach', (keg) => keg.reach(100)],
    ['a shrink', (keg) => keg.shrink(0)],
  ]

  it.each(actions)(
    'finishes or forgets %s that its worker died of, after any write',
    (_, action) => {
      let deaths = 0
      for (let writes = 0, died = true; died; writes++) {
        const { a, b, keg, bucket, items } = setUp({ bytes: 1000, capacity: 16 })
        const [into, full] = [bucket(), bucket()]
        keg.take(full, 10)
        keg.reach(30)
        const all = new Set(items(full))
        died = dieAfter(b.arena, writes, () => action(b.zone.parts.keg, into, full))
        if (!died) break
        deaths++
        bury(a.arena, b.arena)
        keg.check()
        // The part of a batch that is in one slab is done or not done; what is in a bucket is not in
        // its slab.
        const held = [...items(into), ...items(full)]
        expect(new Set(held).size).toBe(held.length)
        const out = new Set(keg.itemsOut())
        expect(held.every((item) => out.has(item))).toBe(true)
        expect(out.size - held.length).toBeLessThanOrEqual(1)
        if (items(full).length > 0) expect(new Set(items(full))).toEqual(all)
        // And it works on.
        expect(keg.takeOne(() => {})).toBeGreaterThan(0)
        keg.check()
      }
      expect(deaths).toBeGreaterThan(3)
    },
  )
})

describe('check', () => {
  const damage: [string, (a: Actor, keg: Keg) => void][] = [
    ['a lost item', (a, keg) => bump(a, keg.at + KegWords.inSlabs, -1)],
    ['an item too many', (a, keg) => bump(a, keg.at + KegWords.created, 1)],
    ['a lost slab', (a, keg) => bump(a, keg.at + KegWords.slabs, -1)],
    ['a miscounted slab', (a, keg) => bump(a, slabOf(keg) + SlabWords.freeItems, 1)],
    ['a slab out of its list', (a, keg) => a.arena.memory.poke(keg.at + KegWords.partial, 0)],
    ['a flipped free bit', (a, keg) => bump(a, slabOf(keg) + SlabWords.WORDS, 1)],
  ]

  it.each(damage)('finds %s', (_, hurt) => {
    const { a, b, keg, bucket } = setUp()
    keg.take(bucket(), 5)
    keg.check()
    hurt(a, keg)
    thrown(Corruption, () => keg.check(), 'zone "things"', 'keg')
    thrown(Corruption, () => b.zone.check(), 'zone "things"')
  })

  it('finds an item in a bucket that is not the keg’s', () => {
    const { a, keg, bucket } = setUp()
    const into = bucket()
    keg.take(into, 2)
    a.arena.memory.poke(into + BucketWords.entries, 12)
    thrown(Corruption, () => keg.give(into), 'zone "things"', 'item 12')
  })

  const slabOf = (keg: Keg): number => [...keg.slabs()][0] as number
  const bump = (a: Actor, at: number, by: number): void =>
    a.arena.memory.poke(at, a.arena.memory.peek(at) + by)
})

describe('two kegs', () => {
  it('of two arenas in one thread know nothing of each other', () => {
    const [one, two] = [tinyArena(config), tinyArena(config)]
    const [mine, theirs] = [one, two].map((arena) => ({
      arena,
      zone: arena.zone('things', { bytes: 16 }),
    })) as [Actor, Actor]
    const items = allocMany(mine, 30)
    expect(allocMany(theirs, 30)).toEqual(items)
    mine.zone.check()
    theirs.zone.check()
  })
})

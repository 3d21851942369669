/**
 * Opening by name: one zone for all workers, one handle per worker, and a reserve that is either
 * had or leaves no zone behind.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Arena, Exhausted, f64, Misuse, NULL_ITEM, record, u32, utf8 } from '#src/index.ts'
import { ZoneWords } from '#src/memory/layout.ts'
import { CONFIGS, tinyArena } from '../../helpers/tiny.ts'
import { allocMany, freeMany, pagesInUse, refused, thrown } from './stage.ts'

describe.each(CONFIGS)('opening zones, sequences $name', (config) => {
  it('gives one worker one handle, and each worker its own', () => {
    const arena = tinyArena(config)
    const zone = arena.zone('things', { bytes: 16 })
    expect(arena.zone('things')).toBe(zone)
    expect(arena.zone('things', { bytes: 16 })).toBe(zone)
    const other = Arena.attach(arena.handle).zone('things')
    expect(other === zone).toBe(false)
    expect(other.name).toBe('things')
    expect(other.serial).toBe(zone.serial)
    expect(other.owns(zone.zalloc())).toBe(true)
  })

  it('keeps the cache of a worker that looks its zone up again', () => {
    const arena = tinyArena(config)
    const zone = arena.zone('things', { bytes: 16, bucket: 8 })
    zone.zfree(zone.zalloc())
    const before = zone.stats()
    arena.zone('things', { bucket: 8 })
    arena.zone('things')
    expect(zone.stats()).toEqual(before)
    zone.check()
  })

  it('lets a zone, a domain, a lock and a table have one name', () => {
    const arena = tinyArena(config)
    const smr = arena.smr('x')
    const zone = arena.zone('x', { bytes: 16, smr })
    arena.lock('x')
    expect(arena.zone('x')).toBe(zone)
    expect(arena.smr('x')).toBe(smr)
  })

  it('takes names of up to 64 bytes of UTF-8, and tells all of them apart', () => {
    const arena = tinyArena(config)
    const names = [
      'a',
      'A',
      'ä',
      'a ',
      ' a',
      'x'.repeat(64),
      `${'x'.repeat(63)}y`,
      '\u{1F418}'.repeat(16),
    ]
    const zones = names.map((name) => arena.zone(name, { bytes: 16 }))
    expect(new Set(zones).size).toBe(names.length)
    expect(arena.stats().zones.map(({ name }) => name)).toEqual(names)
  })

  it('finds the domain for an opener that did not name it', () => {
    const arena = tinyArena(config)
    const smr = arena.smr('clock')
    const zone = arena.zone('things', { bytes: 16, smr })
    const other = Arena.attach(arena.handle)
    const theirs = other.zone('things')
    expect(theirs.parts.domain).toBe(other.smr('clock'))
    expect(zone.parts.domain).toBe(smr)
    theirs.zfreeSmr(theirs.zallocSmr())
  })

  it('says that there is no such zone when nothing says how to make one', () => {
    const arena = tinyArena(config)
    refused(arena, Misuse, () => arena.zone('nowhere'), 'zone "nowhere"', 'give bytes or record')
    refused(arena, Misuse, () => arena.zone('nowhere', { bucket: 4 }), 'zone "nowhere"')
  })

  it('makes records of a schema, and opens them by size too', () => {
    const arena = tinyArena(config)
    const Point = record({ x: u32, y: u32, z: u32 })
    const zone = arena.zone('points', { record: Point })
    expect(zone.stats().itemBytes).toBe(Point.bytes)
    const item = zone.zalloc()
    Point.set.y(arena, item, 7)
    const other = Arena.attach(arena.handle)
    other.zone('points', { bytes: Point.bytes })
    expect(Point.get.y(other, item)).toBe(7)
  })

  it('says when all names are taken', () => {
    const arena = tinyArena(config, { bytes: 2 ** 19 })
    for (let i = 0; i < 32; i++) arena.zone(`zone ${i}`, { bytes: 8 })
    const inUse = pagesInUse(arena)
    const words = ['arena.zone', 'all 32 names', 'are taken']
    thrown(Exhausted, () => arena.zone('one more', { bytes: 8 }), ...words)
    expect(pagesInUse(arena)).toBe(inUse)
    arena.zone('zone 5').destroy()
    arena.zone('one more', { bytes: 8 }).check()
  })
})

describe.each(CONFIGS)('reserve, sequences $name', (config) => {
  it('is there from the first moment and stays through every reclaim', () => {
    const arena = tinyArena(config)
    const smr = arena.smr('clock')
    const zone = arena.zone('things', { bytes: 100, bucket: 4, reserve: 60, smr })
    const { created, inSlabs } = zone.stats()
    expect(created).toBeGreaterThanOrEqual(60)
    expect(inSlabs).toBe(created)
    freeMany({ arena, zone }, allocMany({ arena, zone }, 300))
    for (const level of ['trim', 'trim', 'drain', 'all'] as const) {
      zone.reclaim(level)
      expect(zone.stats().created).toBeGreaterThanOrEqual(60)
      zone.check()
    }
    // And no more of it than a slab's worth too much.
    expect(zone.stats().created).toBe(created)
  })

  it('can be allocated when the rest of the arena is gone, also after a reclaim', () => {
    for (const reclaim of [false, true]) {
      const arena = tinyArena(config)
      const smr = arena.smr('clock')
      const zone = arena.zone('things', { bytes: 100, bucket: 4, reserve: 60, smr })
      const actor = { arena, zone }
      if (reclaim) {
        freeMany(actor, allocMany(actor, 100))
        zone.reclaim('all')
      }
      while (arena.space.pages.reserve(1) !== 0);
      const items = allocMany(actor, 60)
      for (let i = 0; i < 20; i++) {
        freeMany(actor, items)
        items.splice(0, 60, ...allocMany(actor, 60))
      }
      zone.check()
    }
  })

  it('throws Exhausted when it cannot be had, and leaves no zone behind', () => {
    const arena = tinyArena(config)
    const smr = arena.smr('clock')
    const inUse = pagesInUse(arena)
    const make = () => arena.zone('things', { bytes: 100, reserve: 10_000, smr })
    thrown(Exhausted, make, 'zone "things"', 'no memory for 10000 items')
    expect(arena.stats().zones).toEqual([])
    expect(pagesInUse(arena)).toBe(inUse)
    thrown(Misuse, () => arena.zone('things'), 'no such zone yet')
    // The domain is not bound to it, and the name is free.
    const zone = arena.zone('things', { bytes: 100, reserve: 100, smr })
    zone.check()
    zone.destroy()
    smr.destroy()
    expect(pagesInUse(arena)).toBe(inUse - 1)
  })

  it('that its maker has not come to have is had by who opens it next, or it is not opened', () => {
    const shape = { bytes: 100, bucket: 4 }
    for (const more of [200, 10_000]) {
      const arena = tinyArena(config)
      const other = Arena.attach(arena.handle)
      const { parts } = arena.zone('things', shape)
      // As a death in the middle of creation leaves it.
      arena.memory.poke(parts.at + ZoneWords.reserve, more)
      if (more === 200) {
        expect(
          other.zone('things', { ...shape, reserve: more }).stats().created,
        ).toBeGreaterThanOrEqual(200)
        other.zone('things').destroy()
        continue
      }
      thrown(Exhausted, () => other.zone('things'), 'zone "things"', 'no memory for 10000 items')
      // Its maker has it open, and may use it.
      expect(arena.zone('things').zalloc()).not.toBe(NULL_ITEM)
      const inUse = parts.space.directory.list().length
      // Who has it no more leaves nothing behind but what is live.
      arena.detach()
      thrown(Exhausted, () => other.zone('things'), 'no memory for 10000 items')
      expect(other.space.directory.list()).toHaveLength(inUse)
    }
  })

  it('that cannot be had, in a zone that nobody has open, takes the zone along', () => {
    const arena = tinyArena(config)
    const other = Arena.attach(arena.handle)
    const { parts } = arena.zone('things', { bytes: 100, bucket: 4 })
    arena.memory.poke(parts.at + ZoneWords.reserve, 10_000)
    arena.detach()
    thrown(Exhausted, () => other.zone('things'), 'no memory for 10000 items')
    expect(pagesInUse(other)).toBe(0)
    thrown(Misuse, () => other.zone('things'), 'no such zone yet')
  })

  it('may not be more than the limit', () => {
    const arena = tinyArena(config)
    const make = () => arena.zone('things', { bytes: 16, limit: 10, reserve: 11 })
    thrown(Misuse, make, 'zone "things"', '11')
    expect(arena.stats().zones).toEqual([])
    expect(pagesInUse(arena)).toBe(0)
    expect(arena.zone('things', { bytes: 16, limit: 10, reserve: 10 }).zalloc()).not.toBe(NULL_ITEM)
  })
})

// Any item that an arena has room for gets a layout, and every item of it is aligned and its own.

describe.each(CONFIGS)('a new zone, sequences $name', (config) => {
  it('gives aligned items of any size and alignment, that do not overlap', () => {
    const kinds = fc.record({
      bytes: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 9000 })),
      alignOrder: fc.integer({ min: 3, max: 12 }),
      checks: fc.boolean(),
    })
    fc.assert(
      fc.property(kinds, ({ bytes, alignOrder, checks }) => {
        const arena = tinyArena(config, { bytes: 2 ** 19, checks })
        const align = 2 ** alignOrder
        const zone = arena.zone('things', { bytes, align, bucket: 3 })
        const actor = { arena, zone }
        const items = allocMany(actor, 12)
        const words = Math.ceil(bytes / 4)
        for (const [i, item] of items.entries()) {
          expect((item * 4) % align).toBe(0)
          expect(zone.owns(item)).toBe(true)
          arena.words.fill(i + 1, item, item + words)
        }
        for (const [i, item] of items.entries()) {
          const own = arena.words.subarray(item, item + words)
          expect(own.every((word) => word === i + 1)).toBe(true)
        }
        zone.check()
        expect(zone.stats().itemBytes).toBe(bytes)
        freeMany(actor, items)
        zone.check()
      }),
      { numRuns: 60 },
    )
  })

  it('aligns to 8 bytes when nobody says, so that floats fit', () => {
    const arena = tinyArena(config)
    const Odd = record({ name: utf8(3), x: f64, tag: utf8(1) })
    const zone = arena.zone('odd', { record: Odd })
    for (const item of allocMany({ arena, zone }, 20)) {
      expect(item % 2).toBe(0)
      Odd.write(arena, item, { name: 'abc', x: Math.PI, tag: 'z' })
      expect(Odd.read(arena, item)).toEqual({ name: 'abc', x: Math.PI, tag: 'z' })
    }
  })

  it('takes an item that fills a quarter of the arena', () => {
    const arena = tinyArena(config, { bytes: 2 ** 20 })
    const zone = arena.zone('huge', { bytes: 2 ** 18 - 1024, bucket: 1 })
    const item = zone.zalloc()
    arena.words.fill(7, item, item + 2 ** 16 - 256)
    zone.zfree(item)
    zone.check()
    zone.destroy()
    expect(pagesInUse(arena)).toBe(0)
  })

  it('says that an item does not fit, where it never could', () => {
    const arena = tinyArena(config)
    const make = () => arena.zone('huge', { bytes: 2 ** 18 - 4096 })
    refused(arena, Misuse, make, 'zone "huge"', 'does not fit into the arena')
  })

  it('can be made in the smallest arenas, with any size that fits beside it', () => {
    for (const bytes of [8, 100, 600, 1500, 4000]) {
      const arena = tinyArena(config, { bytes: 2 ** 16 })
      const zone = arena.zone('things', { bytes, bucket: 2 })
      const items = allocMany({ arena, zone }, 3)
      expect(new Set(items).size).toBe(3)
      zone.check()
    }
  })

  it('has a cache for each possible worker', () => {
    const arena = tinyArena(config, { bytes: 2 ** 20, maxWorkers: 9 })
    const zone = arena.zone('things', { bytes: 16, bucket: 2 })
    const actors = [{ arena, zone }]
    while (actors.length < 9) {
      const other = Arena.attach(arena.handle)
      actors.push({ arena: other, zone: other.zone('things') })
    }
    const all = actors.flatMap((actor) => allocMany(actor, 5))
    expect(new Set(all).size).toBe(45)
    zone.check()
    for (const [i, actor] of actors.entries()) freeMany(actor, all.slice(i * 5, i * 5 + 5))
    zone.check()
    zone.destroy()
  })
})

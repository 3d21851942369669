/**
 * What a zone is made of: sizes and alignments of every kind, and what becomes of them.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Arena, f64, Misuse, record, utf8 } from '#src/index.ts'
import { CONFIGS, tinyArena } from '../../helpers/tiny.ts'
import { allocMany, freeMany, pagesInUse, refused } from './stage.ts'

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

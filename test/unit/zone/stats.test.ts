/**
 * A zone in numbers: each says what a bystander would have counted, for all workers together, and
 * they add up.
 */

import { describe, expect, it } from 'vitest'
import { formatZones } from '#src/index.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import { alloc, allocMany, free, freeMany, KINDS, plainStage, smrStage, tryAlloc } from './stage.ts'

describe.each(CONFIGS)('stats, sequences $name', (config) => {
  it('start from nothing', () => {
    const { a } = smrStage(config, { bytes: 20, bucket: 6, limit: 40 })
    expect(a.zone.stats()).toEqual({
      name: 'things',
      itemBytes: 20,
      live: 0,
      cached: 0,
      pending: 0,
      safe: 0,
      inSlabs: 0,
      created: 0,
      limit: 40,
      allocs: 0,
      frees: 0,
      fails: 0,
      retired: 0,
      advances: 0,
      refills: 0,
      pollHits: 0,
      pollFails: 0,
      imports: 0,
      peakPending: 0,
      bucket: 6,
      contended: 0,
      knobs: {
        bucketMin: 6,
        bucketMax: 6,
        advanceEvery: 1,
        sealAfterMs: 1000,
        trimEveryMs: 5000,
        depot: -1,
        pendingLimit: 0,
      },
      slabs: 0,
      bytes: 0,
    })
  })

  describe.each(KINDS)('$kind zone', ({ kind, stage }) => {
    it('say where each item is, through a whole life', () => {
      const { a } = stage(config, { bucket: 4 })
      const { perSlab } = a.zone.parts.keg.shape
      const where = () => {
        const { live, cached, pending, safe, inSlabs, created } = a.zone.stats()
        expect(live + cached + pending + safe + inSlabs).toBe(created)
        return { live, cached, pending, safe, inSlabs }
      }
      const items = allocMany(a, 6)
      expect(where()).toEqual({ live: 6, cached: 2, pending: 0, safe: 0, inSlabs: perSlab - 8 })
      freeMany(a, items)
      const freed =
        kind === 'smr'
          ? { live: 0, cached: 2, pending: 6, safe: 0 }
          : { live: 0, cached: 4, pending: 0, safe: 4 }
      expect(where()).toMatchObject(freed)
      a.zone.seal()
      const sealed =
        kind === 'smr' ? { cached: 2, pending: 6, safe: 0 } : { cached: 2, pending: 0, safe: 6 }
      expect(where()).toMatchObject(sealed)
      a.zone.reclaim('drain')
      expect(where()).toEqual({ live: 0, cached: 2, pending: 0, safe: 0, inSlabs: perSlab - 2 })
      a.zone.reclaim('all')
      expect(where()).toEqual({ live: 0, cached: 0, pending: 0, safe: 0, inSlabs: 0 })
    })

    it('add up what all workers do, and are the same whoever asks', () => {
      const { a, b } = stage(config, { bucket: 3, limit: 20 })
      const items = [...allocMany(a, 5), ...allocMany(b, 6)]
      freeMany(a, items.slice(4, 8))
      freeMany(b, items.slice(0, 3))
      while (tryAlloc(a) !== 0);
      const stats = a.zone.stats()
      expect(b.zone.stats()).toEqual(stats)
      expect(a.arena.stats().zones).toEqual([stats])
      expect(stats).toMatchObject({ frees: 7, fails: 1 })
      expect(stats.live).toBe(stats.allocs - stats.frees)
    })

    it('keep the actions of workers that have left', () => {
      const { a, b } = stage(config, { bucket: 3 })
      freeMany(b, allocMany(b, 10))
      const { allocs, frees, refills, imports } = a.zone.stats()
      b.arena.detach()
      expect(a.zone.stats()).toMatchObject({ allocs, frees, refills, imports, live: 0 })
    })

    it('are plain JSON, and change nothing', () => {
      const { a } = stage(config)
      free(a, alloc(a))
      const stats = a.zone.stats()
      expect(JSON.parse(JSON.stringify(stats))).toEqual(stats)
      expect(a.zone.stats()).toEqual(stats)
    })

    it('count bytes of slabs as the arena loses them', () => {
      const { a } = stage(config, { bytes: 100, bucket: 4 })
      const bytes = () => {
        const { total, untouched, free } = a.arena.stats().pages
        return (total - untouched - free) * 4096
      }
      const before = bytes()
      allocMany(a, 300)
      expect(a.zone.stats().bytes).toBe(bytes() - before)
    })
  })

  it('count retired buckets and the steps of the clock alike, and the most ever pending', () => {
    const { a, b } = smrStage(config, { bucket: 4 })
    const items = allocMany(a, 20)
    b.smr.enter()
    freeMany(a, items)
    a.zone.seal()
    b.smr.exit()
    a.zone.reclaim('drain')
    expect(a.zone.stats()).toMatchObject({ retired: 5, advances: 5, peakPending: 20, pending: 0 })
  })

  it('never advance, poll or wait in a plain zone', () => {
    const { a } = plainStage(config, { bucket: 4 })
    for (let i = 0; i < 100; i++) freeMany(a, allocMany(a, 7))
    a.zone.reclaim('all')
    expect(a.zone.stats()).toMatchObject({
      retired: 0,
      advances: 0,
      pollHits: 0,
      pollFails: 0,
      pending: 0,
      peakPending: 0,
    })
  })

  it('make a line each in a table', () => {
    const { a } = smrStage(config, { bucket: 4 })
    freeMany(a, allocMany(a, 1234))
    const [head = '', line = '', ...rest] = formatZones(a.arena.stats().zones).split('\n')
    expect(rest).toEqual([])
    expect(head).toMatch(/^ZONE +SIZE +LIMIT +LIVE/)
    expect(line).toMatch(/^things +16 +0 +0/)
    expect(line).toContain('1,234')
  })
})

/**
 * Giving memory back: what each level releases, what it says remains, and that it waits for readers
 * no longer than it was told.
 */

import { describe, expect, it } from 'vitest'
import { Exhausted, type Item, type Smr, type WaitOptions } from '#src/index.ts'
import { Stage } from '../../helpers/combos.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import {
  alloc,
  allocMany,
  free,
  freeMany,
  KINDS,
  outside,
  pagesInUse,
  smrStage,
  thrown,
  tryAlloc,
} from './stage.ts'

describe.each(CONFIGS)('reclaim, sequences $name', (config) => {
  describe.each(KINDS)('$kind zone', ({ kind, stage }) => {
    it('has nothing to do in an unused zone', () => {
      const { a } = stage(config)
      for (const level of ['trim', 'drain', 'all'] as const) {
        expect(a.zone.reclaim(level)).toEqual({ released: 0, pages: 0, remaining: 0 })
      }
    })

    it('`all` gives back every free item and every page, and counts both', () => {
      const { a } = stage(config, { bucket: 8 })
      const before = pagesInUse(a.arena)
      freeMany(a, allocMany(a, 500))
      const grown = pagesInUse(a.arena)
      const items = outside(a)
      const { released, pages, remaining } = a.zone.reclaim('all')
      expect({ released, remaining }).toEqual({ released: items, remaining: 0 })
      expect(pages).toBe(grown - before)
      expect(pagesInUse(a.arena)).toBe(before)
      expect(a.zone.stats()).toMatchObject({ created: 0, slabs: 0, live: 0, frees: 500 })
      a.zone.check()
    })

    it('`all` leaves live items and their slabs where they are', () => {
      const { a } = stage(config, { bucket: 4 })
      const items = allocMany(a, 900)
      const kept = items.filter((_, i) => i % 300 === 0)
      for (const item of kept) a.arena.words.fill(item, item, item + 4)
      freeMany(
        a,
        items.filter((_, i) => i % 300 !== 0),
      )
      expect(a.zone.reclaim('all').remaining).toBe(0)
      const { live, created, inSlabs } = a.zone.stats()
      expect(live).toBe(3)
      expect(created - inSlabs).toBe(3)
      expect(kept.every((item) => a.arena.words[item] === item)).toBe(true)
      a.zone.check()
      freeMany(a, kept)
      a.zone.reclaim('all')
      expect(a.zone.stats().created).toBe(0)
    })

    it('`drain` leaves the alloc buckets in the workers’ hands', () => {
      const { a, b } = stage(config, { bucket: 8 })
      alloc(b)
      freeMany(a, allocMany(a, 41))
      const { remaining } = a.zone.reclaim('drain')
      const { cached, pending, safe } = a.zone.stats()
      expect({ cached, pending, safe }).toEqual({ cached: remaining, pending: 0, safe: 0 })
      // What this worker and the other have ready to hand out.
      expect(remaining).toBe(7 + 7)
      a.zone.check()
    })

    it('`all` asks the other workers, who give theirs at their next slow path', () => {
      const { a, b } = stage(config, { bucket: 4 })
      freeMany(b, allocMany(b, 11))
      const theirs = a.zone.reclaim('all').remaining
      expect(theirs).toBeGreaterThan(0)
      a.zone.check()
      // Whatever `b` does next that is not on its fast path.
      if (kind === 'smr') b.zone.makeRoom()
      else b.zone.makeRoom()
      expect(a.zone.stats().cached).toBe(0)
      const { remaining } = a.zone.reclaim('all')
      expect(remaining).toBe(0)
      expect(a.zone.stats()).toMatchObject({ created: 0, live: 0 })
      a.zone.check()
    })

    it('lets the other worker go on as if nothing had happened', () => {
      const { a, b } = stage(config, { bucket: 4 })
      const mine: Item[] = []
      for (let round = 0; round < 50; round++) {
        mine.push(...allocMany(b, 5))
        freeMany(b, mine.splice(0, 4))
        a.zone.reclaim(round % 2 === 0 ? 'all' : 'drain')
        a.zone.check()
      }
      expect(new Set(mine).size).toBe(mine.length)
      expect(b.zone.stats()).toMatchObject({ live: 50, allocs: 250, frees: 200 })
    })

    it('`trim` gives back what nobody needed since the last trim, and only that', () => {
      const { a } = stage(config, { bucket: 4 })
      freeMany(a, allocMany(a, 100))
      a.zone.seal()
      const held = () => a.zone.stats().pending + a.zone.stats().safe
      expect(a.zone.reclaim('trim').released).toBe(0)
      expect(held()).toBe(100)
      // Since then twenty were needed for a moment.
      freeMany(a, allocMany(a, 20))
      a.zone.seal()
      expect(a.zone.reclaim('trim').released).toBe(80)
      expect(a.zone.reclaim('trim').released).toBe(20)
      expect(a.zone.reclaim('trim').released).toBe(0)
      a.zone.check()
    })

    it('gives nothing of the reserve and nothing of a noFree zone to the arena', () => {
      const { a } = stage(config, { bytes: 100, bucket: 4, noFree: true })
      freeMany(a, allocMany(a, 200))
      const inUse = pagesInUse(a.arena)
      const { created } = a.zone.stats()
      const { pages, remaining } = a.zone.reclaim('all')
      expect({ pages, remaining }).toEqual({ pages: 0, remaining: 0 })
      expect(a.zone.stats()).toMatchObject({ created, inSlabs: created })
      expect(pagesInUse(a.arena)).toBe(inUse)
      a.zone.check()
    })

    it('lets an exhausted arena be used by another zone again', () => {
      const { a } = stage(config, { bytes: 64, bucket: 4 }, { bytes: 2 ** 16 })
      const items: Item[] = []
      for (let item = tryAlloc(a); item !== 0; item = tryAlloc(a)) items.push(item)
      freeMany(a, items)
      a.zone.reclaim('all')
      const other = a.arena.zone('others', { bytes: 200, bucket: 2 })
      expect(allocMany({ arena: a.arena, zone: other }, 20).length).toBe(20)
    })
  })

  it('does not wait for readers with trim, and says what remains', () => {
    const { a, b } = smrStage(config, { bucket: 4 })
    const items = allocMany(a, 16)
    b.smr.enter()
    freeMany(a, items)
    a.zone.seal()
    a.zone.reclaim('trim')
    const { released, remaining } = a.zone.reclaim('trim')
    expect({ released, remaining }).toEqual({ released: 0, remaining: 16 })
    b.smr.exit()
    // Once they have left, trim need not be told twice that nobody wanted these.
    let sum = 0
    for (let i = 0; i < 3; i++) sum += a.zone.reclaim('trim').released
    expect(sum).toBe(16)
  })

  it.each(['drain', 'all'] as const)('ends %s in time while a reader is parked', (level) => {
    const { a, b } = smrStage(config, { bucket: 4 })
    const early = allocMany(a, 12)
    const items = allocMany(a, 10)
    freeMany(a, early)
    a.zone.seal()
    b.smr.enter()
    freeMany(a, items)
    const start = performance.now()
    const { released, remaining } = a.zone.reclaim(level, { timeoutMs: 20 })
    const took = performance.now() - start
    expect(took).toBeGreaterThanOrEqual(15)
    expect(took).toBeLessThan(5_000)
    expect(remaining).toBeGreaterThanOrEqual(10)
    expect(a.zone.stats().pending).toBe(10)
    // What no reader can see has gone nevertheless.
    expect(released).toBeGreaterThan(0)
    a.zone.check()
    b.smr.exit()
    expect(a.zone.reclaim('all')).toMatchObject({ remaining: 0 })
    expect(a.zone.stats().created).toBe(0)
  })

  it('does not wait at all with a time-out of 0', () => {
    const { a, b } = smrStage(config, { bucket: 2 })
    const items = allocMany(a, 4)
    b.smr.enter()
    freeMany(a, items)
    const start = performance.now()
    for (let i = 0; i < 50; i++) a.zone.reclaim('drain', { timeoutMs: 0 })
    expect(performance.now() - start).toBeLessThan(1_000)
    b.smr.exit()
  })

  it('looks at the time also where destructors free into their own zone, which brings no end nearer', () => {
    let destroyed = 0
    const owned: Item[] = []
    const dtor = (): void => {
      destroyed++
      for (const item of owned.splice(-2)) free(a, item)
    }
    const { a } = smrStage(config, { bucket: 2, dtor })
    owned.push(...allocMany(a, 400))
    const first = owned.splice(-4)
    freeMany(a, first)
    for (const level of ['drain', 'all'] as const) {
      const before = { destroyed, left: owned.length }
      a.zone.reclaim(level, { timeoutMs: 0 })
      expect(destroyed).toBeGreaterThan(before.destroyed)
      expect(destroyed).toBeLessThan(before.destroyed + 50)
      expect(owned.length).toBeLessThan(before.left)
    }
    // With time it gets to the end: the last of them are in this worker's bucket then.
    for (let i = 0; i < 2; i++) a.zone.reclaim('all')
    expect([owned.length, a.zone.stats().live, destroyed]).toEqual([0, 0, 400])
    a.zone.check()
  })

  it('retires what is part-filled before it waits, so that one drain is enough', () => {
    const { a } = smrStage(config, { bucket: 64 })
    free(a, alloc(a))
    expect(a.zone.stats().retired).toBe(0)
    a.zone.reclaim('drain')
    expect(a.zone.stats()).toMatchObject({ retired: 1, pending: 0 })
  })
})

describe.each(CONFIGS)('zones of a slow lazy domain, sequences $name', (config) => {
  const TICK = 20_000
  const USUAL = 30_000 + 3 * TICK

  /** Three workers, a zone in which all is freed and sealed, and naps that take half a second. */
  function slow() {
    const options = { clock: 'lazy', sections: 'fenced', tickMs: TICK } as const
    const combo = { name: 'slow', clock: 'lazy', sections: 'fenced', options } as const
    const stage = new Stage({ combo, config })
    const [{ arena, smr }, reader] = stage.workers
    const zone = arena.zone('things', { bytes: 16, smr, bucket: 2 })
    stage.onNap = () => {
      stage.time += 500
    }
    zone.zfreeSmrBatch(zone.zallocSmrBatch(7))
    /** How long it takes, in whole seconds: the last nap ends up to half a second late. */
    const took = (act: () => void): number => {
      const begun = stage.time
      act()
      return Math.floor((stage.time - begun) / 1000)
    }
    return { arena, zone, reader: reader.smr, took }
  }

  it('`drain` and `all` wait for the ticks that the clock needs', () => {
    for (const level of ['drain', 'all'] as const) {
      const { zone, took } = slow()
      const seconds = took(() => zone.reclaim(level))
      expect(zone.stats()).toMatchObject({ pending: 0, safe: 0 })
      expect(seconds).toBeGreaterThanOrEqual(TICK / 1000)
      expect(seconds).toBeLessThan(USUAL / 1000)
    }
  })

  it('so does destroy', () => {
    const { arena, zone } = slow()
    zone.destroy()
    expect(arena.stats().zones).toEqual([])
  })

  it('with a reader they end after 30 s and three ticks; after the time that is named, if one is', () => {
    const { zone, reader, took } = slow()
    reader.enter()
    const drain = (options?: WaitOptions) => () =>
      expect(zone.reclaim('drain', options).remaining).toBeGreaterThan(0)
    const destroy = (options?: WaitOptions) => () =>
      thrown(Exhausted, () => zone.destroy(options), 'are still pending after the wait')
    for (const verb of [drain, destroy]) {
      expect(took(verb())).toBe(USUAL / 1000)
      expect(took(verb({}))).toBe(USUAL / 1000)
      expect(took(verb({ timeoutMs: 7000 }))).toBe(7)
      expect(took(verb({ timeoutMs: 0 }))).toBe(0)
    }
    reader.exit()
    zone.destroy()
  })

  it('in a worker that supervises, after 1 s and three ticks', () => {
    const { arena, zone, reader, took } = slow()
    arena.supervise({ threadId: 4711, once: () => {} })
    reader.enter()
    const drain = (): void => void zone.reclaim('drain')
    expect(took(drain)).toBe(1 + (3 * TICK) / 1000)
    expect(zone.stats().pending).toBeGreaterThan(0)
    expect(took(() => arena.reclaim('drain'))).toBe(1 + (3 * TICK) / 1000)
    reader.exit()
  })

  it('arena.reclaim gives the clock its ticks, and readers no longer than all zones together may take', () => {
    const { arena, zone, reader, took } = slow()
    arena.reclaim('drain')
    expect(zone.stats()).toMatchObject({ pending: 0, safe: 0 })
    reader.enter()
    for (const name of ['one', 'two']) {
      const other = arena.zone(name, { bytes: 16, smr: zone.parts.domain as Smr, bucket: 2 })
      other.zfreeSmrBatch(other.zallocSmrBatch(7))
    }
    // The second has only its ticks left.
    expect(took(() => arena.reclaim('drain'))).toBeGreaterThanOrEqual((USUAL + 3 * TICK) / 1000)
    expect(took(() => arena.reclaim('drain', { timeoutMs: 7000 }))).toBe(7)
    expect(took(() => arena.reclaim('drain', { timeoutMs: 0 }))).toBe(0)
    reader.exit()
  })

  it('a free for which there is no bucket waits for the ticks as well', () => {
    const { arena, zone } = slow()
    const large = arena.zone('large', { bytes: 600, smr: zone.parts.domain as Smr, bucket: 2 })
    const items = large.zallocSmrBatch(4)
    arena.reclaim('all')
    while (arena.space.pages.reserve(1) !== 0);
    for (const item of items) large.zfreeSmr(item)
    expect(large.stats().live).toBe(0)
    large.check()
  })
})

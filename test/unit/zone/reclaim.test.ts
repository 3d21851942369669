/**
 * Giving memory back: what each level releases, what it says remains, and that it waits for readers
 * no longer than it was told.
 */

import { describe, expect, it } from 'vitest'
import { Arena, Exhausted, type Item, Misuse, type Smr, type WaitOptions } from '#src/index.ts'
import { Stage } from '../../helpers/combos.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import {
  alloc,
  allocMany,
  free,
  freeMany,
  join,
  KINDS,
  Ledger,
  outside,
  pagesInUse,
  refused,
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

  /** Three workers, a zone in which all is freed and sealed, and sleeps that take half a second. */
  function slow() {
    const options = { clock: 'lazy', sections: 'fenced', tickMs: TICK } as const
    const combo = { name: 'slow', clock: 'lazy', sections: 'fenced', options } as const
    const stage = new Stage({ combo, config })
    const [{ arena, smr }, reader] = stage.workers
    const zone = arena.zone('things', { bytes: 16, smr, bucket: 2 })
    stage.onSleep = () => {
      stage.time += 500
    }
    zone.zfreeSmrBatch(zone.zallocSmrBatch(7))
    /** How long it takes, in whole seconds: the last sleep ends up to half a second late. */
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

// The end of a zone, and the leaving of a worker: nothing is lost, and nothing stays.

describe.each(CONFIGS)('destroy, sequences $name', (config) => {
  describe.each(KINDS)('$kind zone', ({ kind, stage }) => {
    it('gives every page back, whoever cached what, and frees the name', () => {
      const { a, b } = stage(config, { bucket: 3 })
      const items = allocMany(a, 200)
      freeMany(b, items.splice(0, 77))
      allocMany(b, 20).forEach((item) => void items.push(item))
      freeMany(a, items)
      b.zone.seal()
      const others = kind === 'smr' ? 1 : 0
      a.zone.destroy()
      expect(pagesInUse(a.arena)).toBe(others)
      expect(a.arena.stats().zones).toEqual([])
      const again = b.arena.zone('things', { bytes: 400, bucket: 2, limit: 5 })
      expect(allocMany({ arena: b.arena, zone: again }, 5).length).toBe(5)
      again.check()
      again.stats()
    })

    it('works on a zone that was never used, and on one that only was preallocated', () => {
      const { a } = stage(config, { reserve: 100 })
      a.zone.prealloc(500)
      a.zone.destroy()
      expect(pagesInUse(a.arena)).toBe(kind === 'smr' ? 1 : 0)
    })

    it('gives the pages of a noFree zone back too', () => {
      const { a } = stage(config, { noFree: true })
      freeMany(a, allocMany(a, 100))
      a.zone.destroy()
      expect(pagesInUse(a.arena)).toBe(kind === 'smr' ? 1 : 0)
    })

    it('refuses while items are live, whoever has them', () => {
      const { a, b } = stage(config)
      const mine = alloc(a)
      const theirs = alloc(b)
      for (const zone of [a.zone, b.zone]) {
        const words = ['zone.destroy', 'zone "things"', '2 items are live']
        refused(a.arena, Misuse, () => zone.destroy(), ...words)
      }
      free(b, mine)
      refused(a.arena, Misuse, () => b.zone.destroy(), '1 items are live')
      free(a, theirs)
      b.zone.destroy()
    })

    it('can be done again and again with the same name', () => {
      const { a, b } = stage(config, { bucket: 2 })
      const smr = kind === 'smr' ? { smr: a.arena.smr('clock') } : {}
      a.zone.destroy()
      const inUse = pagesInUse(a.arena)
      for (let round = 0; round < 20; round++) {
        const zone = a.arena.zone('things', { bytes: 8 + round, bucket: 1 + (round % 5), ...smr })
        const other = b.arena.zone('things')
        expect(other.stats().itemBytes).toBe(8 + round)
        freeMany({ arena: a.arena, zone }, allocMany({ arena: b.arena, zone: other }, 30))
        zone.check()
        if (round % 2 === 0) zone.destroy()
        else other.destroy()
        expect(pagesInUse(a.arena)).toBe(inUse)
      }
    })

    it('runs dtor and fini for what every worker cached', () => {
      const ledger = new Ledger()
      const { a, b } = stage(config, { bucket: 4, ...ledger.hooks })
      freeMany(a, allocMany(b, 9))
      freeMany(b, allocMany(a, 9))
      a.zone.destroy()
      ledger.expectBalanced()
    })

    it('gives what a leaving worker cached to the others', () => {
      const { a, b } = stage(config, { bucket: 4 })
      freeMany(b, allocMany(b, 17))
      const { created } = a.zone.stats()
      b.arena.detach()
      const { cached, pending, safe, live } = a.zone.stats()
      expect({ cached, live }).toEqual({ cached: 0, live: 0 })
      const items = allocMany(a, pending + safe)
      expect(a.zone.stats()).toMatchObject({ created, pending: 0, safe: 0 })
      expect(new Set(items).size).toBe(items.length)
      a.zone.check()
    })

    it('leaves what a leaving worker had allocated to the others', () => {
      const { a, b } = stage(config, { bucket: 2 }, { checks: true })
      const items = allocMany(b, 5)
      b.arena.detach()
      expect(a.zone.stats().live).toBe(5)
      freeMany(a, items)
      a.zone.check()
      a.zone.destroy()
    })

    it('serves whoever comes next in the slot of a worker that left', () => {
      const { a, b } = stage(config, { bucket: 2 })
      for (let round = 0; round < 10; round++) {
        const arena = Arena.attach(a.arena.handle)
        const c = { arena, zone: arena.zone('things') }
        freeMany(c, allocMany(c, round))
        const kept = allocMany(c, 2)
        arena.detach()
        freeMany(b, kept)
        a.zone.check()
      }
      expect(a.zone.stats().live).toBe(0)
    })
  })

  it('throws Exhausted while a reader is parked, and the zone goes on', () => {
    const ledger = new Ledger()
    const { a, b } = smrStage(config, { bucket: 4, ...ledger.hooks })
    const items = allocMany(a, 10)
    b.smr.enter()
    freeMany(a, items)
    const start = performance.now()
    const words = ['zone.destroy', 'zone "things"', '10 items are still pending']
    const error = thrown(Exhausted, () => a.zone.destroy({ timeoutMs: 20 }), ...words)
    expect(performance.now() - start).toBeLessThan(5_000)
    expect(error.facts).toMatchObject({ zone: 'things', pending: 10 })
    a.zone.check()
    expect(ledger.live.sort()).toEqual([...items].sort())
    // Both workers go on with it.
    const more = [...allocMany(a, 6), ...allocMany(b, 6)]
    expect(more.filter((item) => items.includes(item))).toEqual([])
    b.smr.exit()
    freeMany(b, more)
    a.zone.check()
    a.zone.destroy()
    ledger.expectBalanced()
    b.smr.destroy()
    expect(pagesInUse(a.arena)).toBe(0)
  })

  it('waits for readers of what other workers have freed and not yet retired', () => {
    const ledger = new Ledger()
    const { a, b } = smrStage(config, { bucket: 8, ...ledger.hooks })
    const c = join(a.arena, ledger.hooks)
    const items = allocMany(a, 3)
    c.smr.enter()
    freeMany(b, items)
    thrown(Exhausted, () => a.zone.destroy({ timeoutMs: 5 }), '3 items are still pending')
    expect(ledger.counts.dtor).toBe(0)
    c.smr.exit()
    a.zone.check()
    b.zone.destroy()
    ledger.expectBalanced()
  })

  it('keeps its domain from being destroyed until it is gone', () => {
    const { a, b } = smrStage(config)
    const words = ['smr.destroy', 'domain "clock"', '1 zones are bound to it']
    refused(a.arena, Misuse, () => a.smr.destroy(), ...words)
    refused(a.arena, Misuse, () => b.smr.destroy(), ...words)
    b.zone.destroy()
    a.smr.destroy()
    expect(pagesInUse(a.arena)).toBe(0)
  })

  it('keeps what a leaving worker freed from readers that stay', () => {
    const { a, b } = smrStage(config, { bucket: 4 })
    const items = allocMany(b, 6)
    a.smr.enter()
    freeMany(b, items)
    b.arena.detach()
    const handed = new Set<Item>(allocMany(a, 40))
    expect(items.filter((item) => handed.has(item))).toEqual([])
    a.smr.exit()
    expect(a.zone.stats()).toMatchObject({ pending: 6, live: 40 })
    const later = new Set<Item>(allocMany(a, 20))
    expect(items.filter((item) => later.has(item))).toEqual(items)
    a.zone.check()
  })
})

describe('records of one zone that own each other', () => {
  /** A chain of records whose destructor frees the next. */
  const chain = (config: (typeof CONFIGS)[number], length: number, checks: boolean) => {
    const destroyed: Item[] = []
    const hook = (item: Item): void => {
      destroyed.push(item)
      const child = a.arena.memory.peek(item) as Item
      if (child !== 0) a.zone.zfreeSmr(child)
    }
    const knobs = { bucket: 2, ctor: () => {}, dtor: hook }
    const { a, b } = smrStage(config, knobs, { checks })
    const items: Item[] = []
    for (let i = 0; i < length; i++) {
      const item = a.zone.zallocSmr()
      a.arena.memory.poke(item, items.at(-1) ?? 0)
      items.push(item)
    }
    return { a, b, destroyed, items, root: items.at(-1) as Item }
  }

  describe.each(CONFIGS)('sequences $name', (config) => {
    it.each([
      [1, false],
      [2, false],
      [7, false],
      [7, true],
    ])('destroy frees all of %s, each once; checks: %s', (length, checks) => {
      const { a, destroyed, items, root } = chain(config, length, checks)
      a.zone.zfreeSmr(root)
      a.zone.destroy()
      expect(destroyed).toEqual(items.reverse())
      expect(pagesInUse(a.arena)).toBe(1)
    })

    it('destroy refuses while one is live that none of those freed owns', () => {
      const { a, destroyed, items, root } = chain(config, 4, false)
      const mine = a.zone.zallocSmr()
      a.zone.zfreeSmr(root)
      thrown(Misuse, () => a.zone.destroy(), 'zone.destroy', '1 items are live')
      expect(destroyed).toEqual(items.reverse())
      a.zone.check()
      a.arena.memory.poke(mine, 0)
      a.zone.zfreeSmr(mine)
      a.zone.destroy()
    })

    it('destroy says so when readers stay, and can be called again', () => {
      const { a, b, root } = chain(config, 4, false)
      b.smr.enter()
      a.zone.zfreeSmr(root)
      const destroy = () => a.zone.destroy({ timeoutMs: 5 })
      thrown(Exhausted, destroy, 'zone.destroy', '1 items are still pending')
      a.zone.check()
      b.smr.exit()
      a.zone.destroy()
    })
  })
})

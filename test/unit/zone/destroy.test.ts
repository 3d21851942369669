/**
 * The end of a zone, and the leaving of a worker: nothing is lost, and nothing stays.
 */

import { describe, expect, it } from 'vitest'
import { Arena, Exhausted, type Item, Misuse } from '#src/index.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import {
  alloc,
  allocMany,
  free,
  freeMany,
  join,
  KINDS,
  Ledger,
  pagesInUse,
  refused,
  smrStage,
  thrown,
} from './stage.ts'

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

  it('lets nobody leave from inside a section', () => {
    const { a, b } = smrStage(config)
    free(b, alloc(b))
    b.smr.enter()
    refused(a.arena, Misuse, () => b.arena.detach(), 'arena.detach', 'domain "clock"', 'exit first')
    b.smr.exit()
    b.arena.detach()
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

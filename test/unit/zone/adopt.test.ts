/**
 * What a worker leaves when it stops for ever: it is killed after every single write to shared
 * memory of every verb, another worker takes over, and the laws hold.
 */

import { describe, expect, it } from 'vitest'
import type { Item } from '#src/index.ts'
import { DepotWords, KegWords, zoneParts } from '#src/memory/layout.ts'
import { dieAfter } from '../../helpers/death.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import {
  type Actor,
  alloc,
  allocMany,
  bury,
  free,
  freeMany,
  KINDS,
  Ledger,
  pagesInUse,
  smrStage,
} from './stage.ts'

interface Last {
  readonly verb: string
  /** What the worker does before. */
  readonly before: (b: Actor, items: Item[]) => void
  /** What it dies of. */
  readonly act: (b: Actor, items: Item[]) => void
}

const nothing = () => {}

const lasts: readonly Last[] = [
  { verb: 'its first allocation', before: nothing, act: (b) => void alloc(b) },
  { verb: 'an allocation', before: (b) => void alloc(b), act: (b) => void alloc(b) },
  {
    verb: 'a refill from the depot',
    before: (b, items) => {
      freeMany(b, items.splice(0, 6))
      b.zone.seal()
      b.zone.reclaim('trim')
    },
    act: (b) => void allocMany(b, 4),
  },
  { verb: 'a free', before: nothing, act: (b, items) => free(b, items[0] as Item) },
  {
    verb: 'the free that retires a bucket',
    before: (b, items) => freeMany(b, items.splice(0, 3)),
    act: (b, items) => free(b, items[0] as Item),
  },
  {
    verb: 'seal',
    before: (b, items) => freeMany(b, items.splice(0, 2)),
    act: (b) => b.zone.seal(),
  },
  { verb: 'makeRoom', before: nothing, act: (b) => b.zone.makeRoom() },
  { verb: 'prealloc', before: nothing, act: (b) => b.zone.prealloc(40) },
  {
    verb: 'drain',
    before: (b, items) => freeMany(b, items.splice(0, 8)),
    act: (b) => void b.zone.reclaim('drain', { timeoutMs: 0 }),
  },
  {
    verb: 'all',
    before: (b, items) => freeMany(b, items.splice(0, 12)),
    act: (b) => void b.zone.reclaim('all', { timeoutMs: 0 }),
  },
  {
    verb: 'leaving',
    before: (b, items) => freeMany(b, items.splice(0, 5)),
    act: (b) => b.arena.detach(),
  },
]

/** Locks of the zone that a worker which is gone still holds. */
function orphaned({ arena, zone }: Actor): string[] {
  const parts = zoneParts(zone.parts.at, arena.space.maxWorkers)
  const locks = {
    records: parts.keg + KegWords.lock,
    buckets: parts.buckets + KegWords.lock,
    depot: parts.depot + DepotWords.lock,
  }
  return Object.entries(locks).flatMap(([name, at]) =>
    arena.space.locks.isOrphaned(at) ? [name] : [],
  )
}

describe.each(CONFIGS)('a worker that dies, sequences $name', (config) => {
  describe.each(KINDS)('$kind zone', ({ stage }) => {
    it.each(lasts)('in $verb, at whatever write, loses nothing', ({ before, act }) => {
      for (let writes = 0, died = true; died; writes++) {
        const { a, b } = stage(config, { bytes: 200, bucket: 3 })
        const mine = allocMany(a, 7)
        const items = allocMany(b, 20)
        before(b, items)
        const lasting = new Set([...mine, ...items])
        died = dieAfter(b.arena, writes, () => act(b, items))
        if (!died) break
        bury(a.arena, b.arena)
        // Before anybody takes these locks: what they guard is looked at without them too.
        expect(orphaned(a)).toEqual([])
        a.zone.check()
        const { live, cached, pending, safe } = a.zone.stats()
        // Only the item that was in its hands can be in doubt, and `audit` finds it.
        expect(Math.abs(live - lasting.size)).toBeLessThanOrEqual(4)
        const { leaked } = a.zone.audit(lasting)
        expect(leaked.length).toBeLessThanOrEqual(4)
        // All that is free can be had again, and nothing that somebody has.
        const again = allocMany(a, cached + pending + safe + 30)
        expect(again.filter((item) => mine.includes(item))).toEqual([])
        expect(new Set(again).size).toBe(again.length)
        a.zone.check()
      }
    })
  })

  it('keeps what it had freed from readers, and its destructors for later', () => {
    for (let writes = 0, died = true; died; writes++) {
      const ledger = new Ledger()
      const { a, b } = smrStage(config, { bytes: 200, bucket: 3, ...ledger.hooks })
      const items = allocMany(b, 8)
      a.smr.enter()
      let freed = 0
      died = dieAfter(b.arena, writes, () => {
        for (const item of items) {
          b.zone.zfreeSmr(item)
          freed++
        }
      })
      if (died) bury(a.arena, b.arena)
      a.zone.check()
      const handed = new Set<Item>(allocMany(a, 30))
      expect(items.filter((item) => handed.has(item))).toEqual([])
      expect(ledger.counts.dtor).toBe(0)
      a.smr.exit()
      // What it had not freed, somebody who knows frees in its stead.
      const { leaked } = a.zone.audit(handed)
      expect(Math.abs(leaked.length - (items.length - freed))).toBeLessThanOrEqual(1)
      freeMany(a, leaked)
      freeMany(a, handed)
      a.zone.destroy()
      ledger.expectBalanced()
    }
  })

  it('runs each destructor once, whoever dies in the middle of running them', () => {
    for (let writes = 0, died = true; died; writes++) {
      const ledger = new Ledger()
      const { a, b } = smrStage(config, { bytes: 200, bucket: 4, ...ledger.hooks })
      freeMany(a, allocMany(a, 8))
      a.zone.seal()
      died = dieAfter(b.arena, writes, () => void b.zone.reclaim('drain', { timeoutMs: 0 }))
      if (died) bury(a.arena, b.arena)
      a.zone.check()
      a.zone.reclaim('all')
      expect(ledger.counts.ctor).toBe(8)
      // The one that it died in is not run again.
      expect(ledger.counts.dtor).toBeGreaterThanOrEqual(7)
      expect(ledger.counts.dtor).toBeLessThanOrEqual(8)
      expect(ledger.wrong.filter((each) => each.startsWith('dtor'))).toEqual([])
      a.zone.destroy()
      expect(pagesInUse(a.arena)).toBe(1)
    }
  })
})

/**
 * Words of a zone that somebody else has written to: the verb that meets them says Corruption, keeps
 * no lock, and ends. One table, a line for each sort of word; test/torture/damage.ts does it at random.
 */

import { beforeEach, describe, expect, it } from 'vitest'
import { UNKNOWN_THREAD } from '#src/base/host.ts'
import type { Arena, Item, Zone } from '#src/index.ts'
import {
  BucketWords,
  CacheMove,
  CacheWords,
  DepotWords,
  Header,
  KegWords,
  SlabWords,
  WorkerSlot,
  zoneParts,
} from '#src/memory/layout.ts'
import { ownerOf } from '#src/space/workers.ts'
import { pair } from '../../helpers/company.ts'
import { corruption } from '../../helpers/refusals.ts'

const BUCKET = 4

let a: Arena
let b: Arena
let zone: Zone
let items: Item[]
let records: number
let buckets: number
let depot: number
let cache: number

const peek = (at: number): number => a.memory.peek(at)

beforeEach(() => {
  ;[a, b] = pair()
  zone = a.zone('z', {
    smr: a.smr('d'),
    bytes: 256,
    bucket: BUCKET,
    sealAfterMs: 0,
    trimEveryMs: 0,
  })
  // Slabs of all three sorts, buckets in all three lists of the depot.
  items = Array.from({ length: 40 }, () => zone.zallocSmr())
  for (const item of items.splice(0, 4 * BUCKET)) zone.zfreeSmr(item)
  const parts = zoneParts(zone.parts.at, a.space.maxWorkers)
  ;({ keg: records, buckets, depot } = parts)
  cache = parts.caches + a.space.slot * CacheWords.WORDS
  zone.prealloc(200)
})

/** A slab with some items free. */
const partial = (): number => peek(records + KegWords.partial)
const free = (): number => peek(records + KegWords.free)
const pending = (): number => peek(depot + DepotWords.pendingHead)

/** Allocates until something has to come from the slabs. */
function drain(): void {
  for (let n = 0; n < 100; n++) zone.zallocSmr()
}

function freeAll(): void {
  for (const item of items) zone.zfreeSmr(item)
}

type Damage = () => [at: number, value: number]

describe('a word that cannot be right is Corruption, and no lock stays', () => {
  it.each<[string, Damage, () => unknown]>([
    ['a list of slabs begins elsewhere', () => [records + KegWords.partial, 4711], drain],
    ['a full slab is listed as partial', () => [partial() + SlabWords.freeItems, 0], drain],
    ['a slab says more than it has', () => [partial() + SlabWords.freeItems, 999], drain],
    ['a slab says that it is in no list', () => [partial() + SlabWords.list, 5], drain],
    ['slabs run in a circle', () => [free() + SlabWords.next, free()], drain],
    ['a slab leads out of the arena', () => [free() + SlabWords.next, 2 ** 31 - 1], drain],
    [
      'free slabs run in a circle',
      () => [free() + SlabWords.next, free()],
      () => zone.reclaim('trim'),
    ],
    ['a pending bucket is none', () => [depot + DepotWords.pendingHead, 4711], drain],
    ['a pending bucket says that it is safe', () => [pending() + BucketWords.owner, -2], drain],
    ['a pending bucket leads to itself', () => [pending() + BucketWords.next, pending()], drain],
    ['a bucket has more than it holds', () => [pending() + BucketWords.count, 4000], drain],
    ['a bucket has less than nothing', () => [pending() + BucketWords.count, -1], drain],
    ['a bucket has begun before its first', () => [pending() + BucketWords.destroyed, -9], drain],
    ['the last pending bucket is none', () => [depot + DepotWords.pendingTail, 12], freeAll],
    ['the free bucket is none', () => [cache + CacheWords.free, 2 ** 20], freeAll],
    [
      'the free bucket is another’s',
      () => [peek(cache + CacheWords.free) + BucketWords.owner, 2],
      freeAll,
    ],
  ])('%s', (_, damage, verb) => {
    const [at, value] = damage()
    a.memory.poke(at, value)
    expect(corruption(verb).message).toMatch(/^zone "z" (?:keg|depot|cache): /)
    const locks = [Header.pageLock, records + KegWords.lock, buckets + KegWords.lock]
    for (const lock of [...locks, depot + DepotWords.lock])
      expect(a.space.locks.holds(lock)).toBe(false)
  })

  it.each<[string, Damage]>([
    ['the stride of a keg', () => [records + KegWords.stride, 0]],
    ['the number of items in a slab', () => [records + KegWords.perSlab, 2 ** 30]],
    ['the size of a slab', () => [buckets + KegWords.slabOrder, 31]],
    ['where items begin', () => [buckets + KegWords.itemsAt, -1]],
  ])('%s, for whoever opens the zone', (_, damage) => {
    const [at, value] = damage()
    a.memory.poke(at, value)
    expect(corruption(() => b.zone('z')).message).toMatch(/^zone "z" keg: no slab is cut like this/)
  })
})

describe('walks end', () => {
  it('the law of a keg with a circle of slabs', () => {
    a.memory.poke(free() + SlabWords.next, free())
    expect(corruption(() => zone.check()).message).toContain('not conserved')
  })

  it('the law of a depot with a circle of buckets', () => {
    a.memory.poke(pending() + BucketWords.next, pending())
    expect(corruption(() => zone.check()).message).toContain('pending')
  })
})

it('a dead worker’s last move with what is no bucket is Corruption for its reaper', () => {
  const dead = zoneParts(zone.parts.at, a.space.maxWorkers).caches + b.space.slot * CacheWords.WORDS
  // Where it has opened nothing there is nothing to look for.
  b.zone('z')
  a.memory.poke(dead + CacheWords.moved, 4711)
  a.memory.poke(dead + CacheWords.move, CacheMove.loadAlloc)
  // To its reaper it lives in another thread.
  const slot = peek(Header.workersAt) + b.space.slot * WorkerSlot.WORDS
  a.memory.store(slot + WorkerSlot.owner, ownerOf(b.space.generation, UNKNOWN_THREAD))
  expect(corruption(() => a.reap(b.workerId)).message).toMatch(/^zone "z" cache: /)
})

/**
 * A zone in numbers. Every item that was ever cut from a slab is in exactly one of these:
 *
 *     live + cached + pending + safe + inSlabs = created
 *
 * `live` is counted by itself, as allocations minus frees, so the equation can fail and is checked.
 * Numbers of other workers may be a moment old.
 */

import {
  BucketWords,
  CacheWords,
  KegWords,
  KnobWords,
  ZoneWords,
  zoneParts,
} from '../memory/layout.ts'
import type { Space } from '../space/space.ts'
import { Cache, type CacheCounts, sumCounts } from './cache.ts'
import { depotCounts } from './depot.ts'
import { kegCounts } from './keg.ts'
import { type KnobStats, knobStats } from './knobs.ts'

/** What `zone.stats()` returns. Counts are of items, of all workers, since the zone was created. */
export interface ZoneStats {
  /** The name of the zone. */
  readonly name: string
  /** Size of an item as it was asked for. */
  readonly itemBytes: number
  /** Allocated and not freed. */
  readonly live: number
  /** In workers' buckets, ready to be handed out. */
  readonly cached: number
  /** Freed, but readers may still see them. */
  readonly pending: number
  /** In the depot, ready to be handed out. */
  readonly safe: number
  /** Free in their slabs. */
  readonly inSlabs: number
  /** In all slabs. */
  readonly created: number
  /** Most items outside the slabs; 0 no limit. */
  readonly limit: number
  /** Allocations so far. */
  readonly allocs: number
  /** Frees so far. */
  readonly frees: number
  /** Allocations refused. */
  readonly fails: number
  /** Free buckets stamped. */
  readonly retired: number
  /** Steps of the domain's clock that this zone made: one per `advanceEvery` full buckets. */
  readonly advances: number
  /** Times an alloc bucket ran dry. */
  readonly refills: number
  /** Refills by an expired bucket. */
  readonly pollHits: number
  /** Refills that found the oldest goal not met. */
  readonly pollFails: number
  /** Refills by fresh items from the slabs. */
  readonly imports: number
  /** Most items ever pending in the depot at once. */
  readonly peakPending: number
  /** Items at which a bucket that is loaded now is full. */
  readonly bucket: number
  /** Times that a worker found the depot's lock taken, which makes buckets grow. */
  readonly contended: number
  /** Its knobs as they are now. */
  readonly knobs: KnobStats
  /** Slabs of records. */
  readonly slabs: number
  /** Bytes of slabs and of buckets. */
  readonly bytes: number
}

/** The cache of each possible worker. */
export function cachesOf(space: Space, zone: number): Cache[] {
  const first = zoneParts(zone, space.maxWorkers).caches
  return Array.from(
    { length: space.maxWorkers },
    (_, slot) => new Cache(space.memory, first + slot * CacheWords.WORDS),
  )
}

/** Items of the zone that are allocated and not freed. */
export function liveIn({ maxWorkers, memory }: Space, zone: number): number {
  const { caches } = zoneParts(zone, maxWorkers)
  let live = 0
  for (let cache = caches, end = caches + maxWorkers * CacheWords.WORDS; cache < end; ) {
    live += memory.tallied(cache + CacheWords.loaded) - memory.tallied(cache + CacheWords.freed)
    for (const bucket of [cache + CacheWords.alloc, cache + CacheWords.free])
      live -= memory.peekRacy(memory.peekRacy(bucket) + BucketWords.count)
    cache += CacheWords.WORDS
  }
  return live
}

/** Whether another living worker has opened the zone, or items of it are live. */
export function isUsed(space: Space, zone: number): boolean {
  const { memory, maxWorkers, slot, workers } = space
  const { caches } = zoneParts(zone, maxWorkers)
  const opened = (other: number): boolean =>
    other !== slot && memory.peekRacy(caches + other * CacheWords.WORDS + CacheWords.opened) !== 0
  return workers.living().some(opened) || liveIn(space, zone) !== 0
}

/** Numbers of the zone at `zone`; needs no handle. */
export function zoneStats(space: Space, zone: number, name: string): ZoneStats {
  const { memory } = space
  const parts = zoneParts(zone, space.maxWorkers)
  const sum: CacheCounts = sumCounts(cachesOf(space, zone).map((cache) => cache.counts()))
  const records = kegCounts(memory, parts.keg)
  const depot = depotCounts(memory, parts.depot)
  const smr = memory.peek(zone + ZoneWords.domain) !== 0
  return {
    name,
    itemBytes: memory.peek(zone + ZoneWords.recordBytes),
    live: sum.allocs - sum.frees,
    cached: sum.inAlloc + (smr ? 0 : sum.inFree),
    pending: depot.pending + (smr ? sum.inFree : 0),
    safe: depot.safe,
    inSlabs: records.inSlabs,
    created: records.created,
    limit: memory.load(parts.keg + KegWords.limit),
    allocs: sum.allocs,
    frees: sum.frees,
    fails: sum.fails,
    retired: depot.retired,
    advances: depot.advances,
    refills: sum.refills,
    pollHits: sum.pollHits,
    pollFails: sum.pollFails,
    imports: sum.imports,
    peakPending: depot.peakPending,
    bucket: memory.load(parts.knobs + KnobWords.bucketNow),
    contended: depot.contended,
    knobs: knobStats(memory, parts.knobs),
    slabs: records.slabs,
    bytes: records.bytes + kegCounts(memory, parts.buckets).bytes,
  }
}

/**
 * Taking over a dead worker's part of a zone.
 *
 * The last move of its cache is finished, then every bucket that it owns goes to the depot: what it
 * had freed is retired under a *new* goal - its unlinks happened before its death, its death before
 * this advance -, its alloc bucket is safe, empty ones are spares. A bucket whose destructors have
 * not all run is retired as well; the worker that takes it later runs the others.
 *
 * It walks the zone's buckets if the worker had opened the zone, and reads a few words if not. A
 * lock of the zone that the worker died under is taken and released, so that what it protects is
 * repaired now: words that are read without the lock (`oldest`) could stay wrong otherwise.
 *
 * No hook runs here, so any worker can do this for any zone, whether it has opened the zone or not.
 */

import { show } from '../base/errors.ts'
import {
  BucketWords,
  CacheWords,
  DepotWords,
  KegWords,
  Owner,
  ZoneWords,
  zoneParts,
} from '../memory/layout.ts'
import type { Smr } from '../smr/domain.ts'
import type { Space } from '../space/space.ts'
import { allocOwner, Buckets, freeOwner } from './bucket.ts'
import { Cache } from './cache.ts'
import { Depot } from './depot.ts'
import { Keg } from './keg.ts'
import { Knobs } from './knobs.ts'
import type { Parts } from './parts.ts'
import { cachesOf } from './stats.ts'
import { fillTrash, isTrashing } from './trash.ts'

/** Items that were taken over. */
export interface Adopted {
  /** Freed by the dead worker; now pending under a new goal. */
  readonly pending: number
  /** In its alloc bucket; now safe in the depot, or in their slabs. */
  readonly safe: number
}

export function adoptCache(
  space: Space,
  zone: number,
  name: string,
  domain: Smr | undefined,
  slot: number,
): Adopted {
  const { memory, maxWorkers } = space
  const state = zoneStateOf(space, zone, name, domain)
  const { buckets, depot } = state
  const cache = new Cache(memory, zoneParts(zone, maxWorkers).caches + slot * CacheWords.WORDS)
  if (memory.load(zone + ZoneWords.state) === COLLECTING) {
    // We hold the directory's lock: the destroyer has died, or could not finish.
    collect(state)
    memory.store(zone + ZoneWords.state, 0)
  }
  recoverLocks(state)
  const adopted = { pending: 0, safe: 0 }
  if (memory.peek(cache.at + CacheWords.opened) === 0) return adopted
  empty(cache, buckets, name)
  for (const { bucket, owner } of buckets.all()) {
    if (owner !== allocOwner(slot) && owner !== freeOwner(slot)) continue
    const { pending, safe } = takeOver(state, bucket, owner)
    adopted.pending += pending
    adopted.safe += safe
  }
  // Its last retired buckets may have a deferred goal, for which it would have moved the clock. A
  // worker that runs out of memory would do that, but the zone would grow before.
  depot.urge()
  memory.poke(cache.at + CacheWords.opened, 0)
  return adopted
}

export function zoneStateOf(
  space: Space,
  zone: number,
  name: string,
  domain: Smr | undefined,
): ZoneState {
  const { memory, maxWorkers } = space
  const parts = zoneParts(zone, maxWorkers)
  const keg = new Keg(space, parts.keg, name, 0)
  const capacity = memory.peek(zone + ZoneWords.capacity)
  const buckets = new Buckets(memory, new Keg(space, parts.buckets, name, 0), capacity)
  const knobs = new Knobs(memory, parts.made, parts.knobs)
  const depot = new Depot(space, parts.depot, name, buckets, domain, knobs)
  const recordWords = memory.peek(zone + ZoneWords.recordWords)
  const trashing = isTrashing(space, zone)
  return { at: zone, name, space, keg, buckets, depot, domain, recordWords, trashing, knobs }
}

/**
 * Repairs what a worker that died under a lock of the zone left torn: finishes a batch, rebuilds
 * lists and counts. The reaper need not have opened the zone.
 */
function recoverLocks({ at, buckets, depot, keg, space }: ZoneState): void {
  const { locks, maxWorkers } = space
  for (const each of [keg, buckets.keg])
    if (locks.isOrphaned(each.at + KegWords.lock)) each.recover()
  if (locks.isOrphaned(zoneParts(at, maxWorkers).depot + DepotWords.lock)) depot.recover()
}

/** The parts of a zone that are needed to take over what a worker had of it. */
export type ZoneState = Pick<
  Parts,
  | 'at'
  | 'name'
  | 'space'
  | 'keg'
  | 'buckets'
  | 'depot'
  | 'domain'
  | 'recordWords'
  | 'trashing'
  | 'knobs'
>

/**
 * Puts a bucket that has lost its worker into the depot, and its items where they belong. Returns
 * where.
 */
export function takeOver(state: ZoneState, bucket: number, owner: number): Adopted {
  const { buckets, depot, domain, keg, recordWords, space, trashing } = state
  const { memory } = space
  const count = buckets.count(bucket)
  if (memory.peek(bucket + BucketWords.raw) !== 0) {
    keg.give(bucket)
    memory.poke(bucket + BucketWords.raw, 0)
  } else if (count > 0) {
    const destroyed = memory.peek(bucket + BucketWords.destroyed)
    if (domain !== undefined && (owner >= Owner.free || destroyed < count)) {
      depot.retire(bucket, domain, 0)
      return { pending: count, safe: 0 }
    }
    // The worker may have died between the last destructor and the fill.
    if (trashing) for (const item of buckets.items(bucket)) fillTrash(memory, item, recordWords)
    depot.putSafe(bucket, 0)
    return { pending: 0, safe: count }
  }
  depot.putEmpty(bucket)
  return { pending: 0, safe: 0 }
}

/**
 * Finishes a cache's last move, and takes both buckets out of it. Corruption if one is no bucket.
 */
function empty(cache: Cache, buckets: Buckets, name: string): void {
  finishMove(cache, buckets, name)
  cache.unloadAlloc()
  cache.unloadFree()
}

/** Finishes a cache's last move. Corruption if one of its buckets is none. */
export function finishMove(cache: Cache, buckets: Buckets, name: string): void {
  for (const bucket of [cache.moving, cache.alloc, cache.free]) {
    if (bucket !== 0) buckets.assertBucket(bucket, `zone ${show(name)} cache`)
  }
  cache.finishMove()
}

/** `ZoneWords.state` while a destroyer empties all caches, with the directory's lock held. */
export const COLLECTING = 2

/** Moves every worker's buckets into the depot: by their owners, so that it can be done twice. */
export function collect(state: ZoneState): void {
  const { buckets, keg, space } = state
  keg.recover()
  for (const cache of cachesOf(space, state.at)) empty(cache, buckets, state.name)
  for (const { bucket, owner } of buckets.all()) if (owner > 0) takeOver(state, bucket, owner)
}

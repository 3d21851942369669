/**
 * What becomes of a dead worker's share of a zone.
 *
 * Its cache's last move is finished, then every bucket that calls the worker its owner goes to the
 * depot: what it had freed is retired under a *new* goal - the old owner's unlinks happened before
 * its death, its death before this advance -, what it had ready to allocate is safe, empty ones are
 * spares. A bucket whose destructors had not all been called is retired as well, and the next to
 * take it goes on with the first item that has not seen its own.
 *
 * It costs what the zone has of buckets where the worker had opened it, and a look at a few words
 * where it had not. A lock of the zone that it died under is taken and given back, so that what it
 * protects is whole: readers of words that are looked at without the lock (`oldest`) would wait for
 * nobody.
 *
 * No hook is needed here, so any worker can do this for any zone, whether it has opened it or not.
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

/** Items that changed hands. */
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
  const parts = zoneParts(zone, maxWorkers)
  const keg = new Keg(space, parts.keg, name, 0)
  const capacity = memory.peek(zone + ZoneWords.capacity)
  const buckets = new Buckets(memory, new Keg(space, parts.buckets, name, 0), capacity)
  const knobs = new Knobs(memory, parts.made, parts.knobs)
  const depot = new Depot(space, parts.depot, name, buckets, domain, knobs)
  const cache = new Cache(memory, parts.caches + slot * CacheWords.WORDS)
  const recordWords = memory.peek(zone + ZoneWords.recordWords)
  const trashing = isTrashing(space, zone)
  const state = { at: zone, name, space, keg, buckets, depot, domain, recordWords, trashing }
  if (memory.load(zone + ZoneWords.state) === COLLECTING) {
    // We hold the directory's lock: so did its destroyer, and died.
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
  // The last full bucket it retired may be waiting for a step that it would have made. Nobody waits
  // in vain without this: who finds nothing makes that step himself. But the zone would grow before
  // that.
  depot.urge()
  memory.poke(cache.at + CacheWords.opened, 0)
  return adopted
}

/**
 * What a worker that died under a lock of the zone left torn is mended now, also by a reaper that
 * had not opened the zone: a batch is finished, lists and what they show are made again.
 */
function recoverLocks({ at, buckets, depot, keg, space }: ZoneState): void {
  const { locks, maxWorkers } = space
  for (const each of [keg, buckets.keg])
    if (locks.isOrphaned(each.at + KegWords.lock)) each.recover()
  if (locks.isOrphaned(zoneParts(at, maxWorkers).depot + DepotWords.lock)) depot.recover()
}

/** What taking over a bucket needs to know of its zone. */
type ZoneState = Pick<
  Parts,
  'at' | 'name' | 'space' | 'keg' | 'buckets' | 'depot' | 'domain' | 'recordWords' | 'trashing'
>

/** Puts a bucket that has lost its worker where its items belong, and says where that was. */
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
    // Its worker may have died between the last destructor and this.
    if (trashing) for (const item of buckets.items(bucket)) fillTrash(memory, item, recordWords)
    depot.putSafe(bucket, 0)
    return { pending: 0, safe: count }
  }
  depot.putEmpty(bucket)
  return { pending: 0, safe: 0 }
}

/** Finishes a cache's last move, and takes both buckets out of it. Corruption where one is none. */
function empty(cache: Cache, buckets: Buckets, name: string): void {
  for (const bucket of [cache.moving, cache.alloc, cache.free]) {
    if (bucket !== 0) buckets.assertBucket(bucket, `zone ${show(name)} cache`)
  }
  cache.finishMove()
  cache.unloadAlloc()
  cache.unloadFree()
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

/**
 * The parts of a zone that one worker holds: kegs, buckets, depot, cache, knobs, and the hooks that
 * its opener gave.
 */

import { BucketWords, CacheWords, ZoneWords, zoneParts } from '../memory/layout.ts'
import type { Smr } from '../smr/domain.ts'
import type { Listing } from '../space/directory.ts'
import type { Space } from '../space/space.ts'
import { allocOwner, Buckets } from './bucket.ts'
import { Cache } from './cache.ts'
import { Depot } from './depot.ts'
import { Frames } from './frames.ts'
import { type Guards, guardsOf } from './guard.ts'
import { Hands } from './hands.ts'
import { Keg } from './keg.ts'
import { Knobs } from './knobs.ts'
import type { Hooks } from './options.ts'
import { isTrashing, TRASH } from './trash.ts'

export interface Parts {
  readonly space: Space
  readonly at: number
  readonly name: string
  readonly serial: number
  readonly recordWords: number
  readonly hooks: Hooks
  readonly trashing: boolean
  /** In checked arenas. */
  readonly guards: Guards | undefined
  readonly domain: Smr | undefined
  readonly keg: Keg
  readonly buckets: Buckets
  readonly depot: Depot
  readonly cache: Cache
  readonly knobs: Knobs
  /** The calls of this worker that have not ended. */
  readonly frames: Frames
  /** What this worker has in its hands for a table. */
  readonly hands: Hands
}

/**
 * Marks that this worker may hold buckets of the zone: its reaper looks for them only where it is
 * marked. The caller makes sure that the zone is not destroyed meanwhile. False if it was marked
 * before.
 */
export function markOpened({ cache, space }: Pick<Parts, 'cache' | 'space'>): boolean {
  const at = cache.at + CacheWords.opened
  if (space.memory.peek(at) !== 0) return false
  space.memory.poke(at, 1)
  return true
}

/** Takes the mark back. This worker holds nothing of the zone any more. */
export function unmarkOpened({ cache, space }: Pick<Parts, 'cache' | 'space'>): void {
  space.memory.poke(cache.at + CacheWords.opened, 0)
}

export function partsOf(
  space: Space,
  { address: at, name, serial }: Pick<Listing, 'address' | 'name' | 'serial'>,
  hooks: Hooks,
  domain: Smr | undefined,
): Parts {
  const { memory, maxWorkers, slot } = space
  const words = zoneParts(at, maxWorkers)
  const trashing = isTrashing(space, at)
  const keg = new Keg(space, words.keg, name, trashing ? TRASH : 0)
  const bucketKeg = new Keg(space, words.buckets, name, 0)
  const buckets = new Buckets(memory, bucketKeg, memory.peek(at + ZoneWords.capacity))
  const knobs = new Knobs(memory, words.made, words.knobs)
  const cache = new Cache(memory, words.caches + slot * CacheWords.WORDS)
  const frames = new Frames()
  return {
    space,
    at,
    name,
    serial,
    recordWords: memory.peek(at + ZoneWords.recordWords),
    hooks,
    trashing,
    guards: guardsOf(space, words.keg, name),
    domain,
    keg,
    buckets,
    depot: new Depot(space, words.depot, name, buckets, domain, knobs),
    cache,
    knobs,
    frames,
    hands: new Hands(memory, cache, keg, frames),
  }
}

/**
 * Takes back the mark of a destructor that was not called because of an exception: see `marked` in
 * frames.ts.
 */
export function unmark({ frames, space }: Parts): void {
  const { marked } = frames
  if (marked === 0) return
  const { memory, slot } = space
  // With another owner it is no longer ours: the zone was being destroyed.
  if (memory.peek(marked + BucketWords.owner) === allocOwner(slot))
    memory.poke(marked + BucketWords.destroyed, frames.begun)
  frames.marked = 0
}

/**
 * A call was cut off inside a hook, and the calls around it go on: completes what is half done in
 * shared words. Lost buckets and items wait for `recover`, when no call is running. Throws
 * Exhausted when a lock cannot be had in time.
 */
export function mend(parts: Parts): void {
  const { buckets, cache, depot, frames, keg } = parts
  frames.lost = true
  for (const each of [keg, buckets.keg]) each.recover()
  depot.recover()
  cache.finishMove()
  unmark(parts)
}

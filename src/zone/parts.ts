/**
 * What a zone is made of, as one worker holds it: its words, kegs, buckets, depot and cache, and what
 * its opener brought along.
 */

import { BucketWords, CacheWords, ZoneWords, zoneParts } from '../memory/layout.ts'
import type { Smr } from '../smr/domain.ts'
import type { Listing } from '../space/directory.ts'
import type { Space } from '../space/space.ts'
import { allocOwner, Buckets } from './bucket.ts'
import { Cache } from './cache.ts'
import { Depot } from './depot.ts'
import { Frames } from './frames.ts'
import { Keg } from './keg.ts'
import { Knobs } from './knobs.ts'
import type { Hooks } from './options.ts'
import { isTrashing, TRASH } from './trash.ts'

/** The parts of a zone, as one worker holds them. */
export interface Parts {
  readonly space: Space
  readonly at: number
  readonly name: string
  readonly serial: number
  readonly recordWords: number
  readonly hooks: Hooks
  readonly trashing: boolean
  readonly domain: Smr | undefined
  readonly keg: Keg
  readonly buckets: Buckets
  readonly depot: Depot
  readonly cache: Cache
  readonly knobs: Knobs
  /** What this worker's calls are in the middle of. */
  readonly frames: Frames
}

/**
 * Says that this worker may have buckets of the zone in hand: its reaper looks for them only where it
 * did. The zone cannot end meanwhile.
 */
export function markOpened({ cache, space }: Pick<Parts, 'cache' | 'space'>): void {
  space.memory.poke(cache.at + CacheWords.opened, 1)
}

/** Puts together the parts of a zone, for the worker that `space` is of. */
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
  return {
    space,
    at,
    name,
    serial,
    recordWords: memory.peek(at + ZoneWords.recordWords),
    hooks,
    trashing,
    domain,
    keg,
    buckets,
    depot: new Depot(space, words.depot, name, buckets, domain, knobs),
    cache: new Cache(memory, words.caches + slot * CacheWords.WORDS),
    knobs,
    frames: new Frames(),
  }
}

/** Takes back the mark of a destructor that an exception has kept from being called: see `marked`. */
export function unmark({ frames, space }: Parts): void {
  const { marked } = frames
  if (marked === 0) return
  const { memory, slot } = space
  // With another owner it is not in our hands any more: the zone was being ended.
  if (memory.peek(marked + BucketWords.owner) === allocOwner(slot))
    memory.poke(marked + BucketWords.destroyed, frames.begun)
  frames.marked = 0
}

/**
 * While calls of this worker are running that have buckets and items of their own, and one that they
 * have called was cut off: what they, and the next, must not meet half done. The rest is for when all
 * have ended. Throws Exhausted when a lock is not to be had.
 */
export function mend(parts: Parts): void {
  const { buckets, cache, depot, frames, keg } = parts
  frames.lost = true
  for (const each of [keg, buckets.keg]) each.recover()
  depot.recover()
  cache.finishMove()
  unmark(parts)
}

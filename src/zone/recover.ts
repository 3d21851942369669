/**
 * What a worker does for itself when an earlier call of its own was cut off: see frames.ts.
 */

import { ZoneWords } from '../memory/layout.ts'
import { COLLECTING, collect, takeOver } from './adopt.ts'
import { allocOwner, freeOwner } from './bucket.ts'
import { putHeldBack } from './hooks.ts'
import { type Parts, unmark } from './parts.ts'

/**
 * Puts everything into its place that calls of this worker have left lying about. None of them may
 * be running. Throws Exhausted when a lock is not to be had, and may be called again. False: the
 * zone is gone, with all that was lost.
 */
export function recover(parts: Parts): boolean {
  const { at, buckets, cache, depot, frames, keg, serial, space } = parts
  const { directory, memory, slot } = space
  if (!directory.list().some((each) => each.serial === serial)) {
    // It was being destroyed. Nothing leads to what is left of it.
    space.sweep()
    frames.reset()
    return false
  }
  if (memory.load(at + ZoneWords.state) === COLLECTING) {
    directory.whileLocked(() => {
      // Whoever else was at it has come to an end meanwhile, or died.
      if (memory.load(at + ZoneWords.state) === COLLECTING) collect(parts)
      memory.store(at + ZoneWords.state, 0)
    })
  }
  // First of all what others may have to finish in our name: it moves tallies of ours.
  for (const each of [keg, buckets.keg]) each.recover()
  depot.recover()
  cache.finishMove()
  unmark(parts)
  while (frames.held > 0) putHeldBack(parts, frames.held - 1, undefined)
  for (const { bucket, owner } of buckets.all()) {
    if (owner !== allocOwner(slot) && owner !== freeOwner(slot)) continue
    if (bucket !== cache.alloc && bucket !== cache.free) takeOver(parts, bucket, owner)
  }
  frames.reset()
  return true
}

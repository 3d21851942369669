/**
 * What a worker does when an earlier call of its own was cut off: see frames.ts.
 */

import { ZoneWords } from '../memory/layout.ts'
import { COLLECTING, collect, takeOver } from './adopt.ts'
import { allocOwner, freeOwner } from './bucket.ts'
import { putHeldBack } from './hooks.ts'
import { type Parts, unmark } from './parts.ts'

/**
 * Recovers the buckets and items that cut-off calls of this worker have left. No call may be
 * running. Throws Exhausted when a lock cannot be had in time, and may be called again. False if
 * the zone was destroyed.
 */
export function recover(parts: Parts): boolean {
  const { at, buckets, cache, depot, frames, keg, serial, space } = parts
  const { directory, memory, slot } = space
  if (!directory.list().some((each) => each.serial === serial)) {
    // It was being destroyed; its remaining pages are orphans.
    space.sweep()
    frames.reset()
    return false
  }
  if (memory.load(at + ZoneWords.state) === COLLECTING) {
    directory.whileLocked(() => {
      // Another worker may have finished this meanwhile.
      if (memory.load(at + ZoneWords.state) === COLLECTING) collect(parts)
      memory.store(at + ZoneWords.state, 0)
    })
  }
  // First the redo records in shared words: they change tallies of ours.
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

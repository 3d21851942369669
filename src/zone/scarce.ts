/**
 * When memory is scarce: giving up what a zone has and does not need, and freeing without a bucket.
 */

import { ZoneWords } from '../memory/layout.ts'
import type { Item } from '../words.ts'
import { bucketsFor } from './bucket.ts'
import type { Failure } from './failure.ts'
import { settle } from './handover.ts'
import type { Parts } from './parts.ts'
import { fillTrash } from './trash.ts'

/** Empty slabs go back to the arena, but for what the zone reserves or must keep. Returns pages. */
export function shrink({ at, buckets, depot, knobs, records, space }: Parts): number {
  const { memory } = space
  if (memory.peek(at + ZoneWords.noFree) !== 0) return 0
  depot.discardEmpties()
  const reserve = memory.peek(at + ZoneWords.reserve)
  const spare = bucketsFor(reserve, knobs.leastBucket, space.maxWorkers)
  return records.shrink(reserve) + buckets.keg.shrink(spare)
}

/**
 * No bucket is to be had, now or later: frees one item by itself, into its slab, when no reader can
 * see it. False, and nothing has changed, when readers do not leave within the default time-out. What
 * hooks throw is in `failure`. (UMA: zone_free_item.)
 */
export function freeAlone(parts: Parts, item: Item, failure: Failure): boolean {
  const { depot, domain, frames, hooks, recordWords, space, trashing } = parts
  if (domain !== undefined) {
    // Where something is pending still, we have waited for its readers already.
    // In a thread that supervises the reader may be one whose death it has to hear of first.
    const timeoutMs = domain.patience(undefined)
    if (depot.hasPending() || timeoutMs === 0 || !domain.synchronize({ timeoutMs })) return false
    failure.run(parts, hooks.dtor, item)
    if (trashing) fillTrash(space.memory, item, recordWords)
  }
  failure.run(parts, hooks.fini, item)
  const { open } = frames
  const held = frames.hold(item, true)
  frames.open++
  try {
    settle(parts, held, failure)
    frames.open = open
  } catch {
    // It is freed: what its hooks may do is done, and it is in our hand until the slab can have it.
  }
  return true
}

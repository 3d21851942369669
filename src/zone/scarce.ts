/**
 * When memory is scarce: giving up what a zone has and does not need, and freeing without a bucket.
 */

import { CacheWords, ZoneWords } from '../memory/layout.ts'
import { DEFAULT_TIMEOUT_MS } from '../memory/patience.ts'
import type { Item } from '../words.ts'
import { bucketsFor } from './bucket.ts'
import { Failure } from './failure.ts'
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
 * see it, then runs `finish`. Does nothing when readers do not leave within the default time-out.
 * (UMA: zone_free_item.)
 */
export function freeAlone(parts: Parts, item: Item, finish: () => void): void {
  const { cache, depot, domain, hooks, recordWords, records, space, trashing } = parts
  const failure = new Failure()
  if (domain !== undefined) {
    // Where something is pending still, we have waited for its readers already.
    const timeoutMs = domain.patience(DEFAULT_TIMEOUT_MS)
    if (depot.hasPending() || timeoutMs === 0 || !domain.synchronize({ timeoutMs })) return
    failure.run(hooks.dtor, item)
    if (trashing) fillTrash(space.memory, item, recordWords)
  }
  failure.run(hooks.fini, item)
  cache.count(CacheWords.freed, 1)
  records.giveOne(item)
  finish()
  failure.surface()
}

/**
 * The end of a zone. All workers have stopped using it; their caches are emptied from here, which
 * is the one time that a worker touches another's words.
 */

import { DomainWords, ZoneWords } from '../memory/layout.ts'
import { timeoutOf, until, type WaitOptions } from '../memory/patience.ts'
import { cachesOf } from './stats.ts'
import type { Parts, Supply } from './supply.ts'

/** Returns how many items could not be reclaimed in time: 0, and the zone is gone. */
export function destroyZone(
  parts: Parts,
  supply: Supply,
  options: WaitOptions | undefined,
): number {
  const { at, depot, domain, buckets, records, serial, space } = parts
  const { directory, memory, pages } = space
  const timeoutMs = timeoutOf('zone.destroy', options)
  collect(parts, supply)
  until(memory, timeoutMs, () => {
    for (let bucket = depot.fetch(0); bucket !== 0; bucket = depot.fetch(0)) {
      const empty = bucket
      supply.release(empty, () => depot.putEmpty(empty))
    }
    return !depot.hasPending()
  })
  const left = depot.counts().pending
  if (left > 0) return left
  memory.store(at + ZoneWords.state, 1)
  directory.remove(serial, () => {
    depot.discardEmpties()
    records.shrink(0)
    buckets.keg.shrink(0)
    pages.release(at)
  })
  if (domain !== undefined) memory.add(domain.address + DomainWords.users, -1)
  return 0
}

/** Moves every worker's buckets into the depot. */
function collect(parts: Parts, supply: Supply): void {
  const { buckets, cache: own, depot, domain } = parts
  supply.flush()
  for (const cache of cachesOf(parts.space, parts.at)) {
    if (cache.at === own.at) continue
    const alloc = cache.unloadAlloc()
    const free = cache.unloadFree()
    for (const bucket of [alloc, free]) {
      if (bucket === 0) continue
      if (buckets.count(bucket) === 0) depot.putEmpty(bucket)
      else if (bucket === free && domain !== undefined) depot.retire(bucket, domain, 0)
      else depot.putSafe(bucket, 0)
    }
  }
}

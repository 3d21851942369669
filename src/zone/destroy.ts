/**
 * The end of a zone. All workers have stopped using it; their caches are emptied from here, which
 * is the one time that a worker touches another's words.
 */

import { DomainWords, ZoneWords } from '../memory/layout.ts'
import { timeoutOf, type WaitOptions } from '../memory/patience.ts'
import { COLLECTING, collect } from './adopt.ts'
import type { Parts } from './parts.ts'
import { drain } from './reclaim.ts'
import { isUsed } from './stats.ts'
import type { Supply } from './supply.ts'

/**
 * Runs the destructors of what waits in the depot and in this worker's cache: each may free what its
 * record owns, also in this zone, so level by level, as long as each leaves less live: a hook that
 * frees what it has itself allocated brings no end nearer. What other workers have freed and not sealed
 * stays where it is: what is live could be in use by them. False when readers did not leave in time.
 */
export function freeOwned(
  parts: Parts,
  supply: Supply,
  options: WaitOptions | undefined,
  live: () => number,
): boolean {
  const { depot, space } = parts
  const { memory } = space
  const deadline = memory.now() + timeoutOf('zone.destroy', options)
  const left = (): number | undefined =>
    options?.timeoutMs === undefined ? undefined : Math.max(0, deadline - memory.now())
  return supply.run((failure) => {
    let before = Number.POSITIVE_INFINITY
    for (let now = live(); now > 0 && now < before && !failure.any; now = live()) {
      before = now
      supply.flush()
      drain(parts, supply, left(), failure)
    }
    return !depot.hasPending()
  })
}

/**
 * Ends a zone that its maker, or who was to finish it, has no use for: unless another worker has it open,
 * or there is, or was, an item of it about. So there is nothing in it for a hook or a reader. Whether it
 * is gone.
 */
export function endUnused(parts: Parts): boolean {
  const { at, depot, serial, space } = parts
  // With the directory locked nobody opens it. Who does so before has it marked by the same lock, and who
  // comes later does not find it. Otherwise it would go while another fills it, and his words in it would
  // be of whatever comes to lie there.
  const isUnused = (): boolean => {
    const { pending, safe } = depot.counts()
    return pending + safe === 0 && !isUsed(space, at)
  }
  return space.directory.remove(serial, () => dismantle(parts), isUnused)
}

/** Its memory goes back. Its name is gone, and the directory locked. */
function dismantle({ at, buckets, domain, records, space }: Parts): void {
  if (domain !== undefined) space.memory.add(domain.address + DomainWords.users, -1)
  // Whatever is out of them: no slab may outlive the zone, or a successor at its address has it.
  records.abolish()
  buckets.keg.abolish()
  space.pages.release(at)
}

/** Returns how many items could not be reclaimed in time: 0, and the zone is gone. */
export function destroyZone(
  parts: Parts,
  supply: Supply,
  options: WaitOptions | undefined,
): number {
  const { at, depot, serial, space } = parts
  const { directory, memory } = space
  timeoutOf('zone.destroy', options)
  return supply.run((failure) => {
    supply.flush()
    // A reaper may be visiting the zone for a dead worker: one of us at a time.
    directory.whileLocked(() => {
      memory.store(at + ZoneWords.state, COLLECTING)
      collect(parts)
      memory.store(at + ZoneWords.state, 0)
    })
    drain(parts, supply, options?.timeoutMs, failure)
    if (failure.any) return 1
    const left = depot.counts().pending
    if (left > 0) return left
    const idle = (): boolean => !depot.hasPending() && depot.counts().safe === 0
    const gone = directory.remove(serial, () => dismantle(parts), idle)
    return gone ? 0 : Math.max(1, depot.counts().pending)
  })
}

/**
 * Giving memory back: from the depot to the slabs, from empty slabs to the arena; and destroying a
 * zone.
 *
 *   trim    what the depot has not used since the last trim; does not wait
 *   drain   everything in the depot, and this worker's own frees; waits for readers
 *   all     also this worker's caches; the other workers are asked to empty theirs, and do so at
 *           their next refill or full bucket
 *
 * UMA's drain silently stops at the first bucket that readers still hold, and never sees the frees
 * in other CPUs' buckets. Here every level reports what remains, and waiting has a time-out. Misuse
 * while this worker has an async section of the domain open: it would wait for itself.
 */

import { Misuse, show } from '../base/errors.ts'
import { CacheWords, DomainWords, ZoneWords } from '../memory/layout.ts'
import { timeoutOf, until, type WaitOptions } from '../space/wait.ts'
import { COLLECTING, collect } from './adopt.ts'
import type { Failure } from './hooks.ts'
import type { Parts } from './parts.ts'
import { shrink } from './pressure.ts'
import { isUsed } from './stats.ts'
import type { Supply } from './supply.ts'

/** How much `zone.reclaim` gives back: see above. */
export type ReclaimLevel = 'trim' | 'drain' | 'all'

/** Misuse for an unknown level. `call` names the verb and the zone. */
export function assertLevel(call: string, level: unknown): void {
  if (level === 'trim' || level === 'drain' || level === 'all') return
  throw new Misuse(`${call}: level is ${show(level)}; give 'trim', 'drain' or 'all'`)
}

/** What `zone.reclaim` did. */
export interface Reclaimed {
  /** Items given back to their slabs. */
  readonly released: number
  /** Pages given back to the arena. */
  readonly pages: number
  /** Items that are free but still cached, pending or safe. */
  readonly remaining: number
}

export function reclaim(
  parts: Parts,
  supply: Supply,
  level: ReclaimLevel,
  options: WaitOptions | undefined,
  remaining: () => number,
): Reclaimed {
  timeoutOf('zone.reclaim', options)
  const timeoutMs = options?.timeoutMs
  const done = supply.run((failure) => reclaimNow(parts, supply, level, timeoutMs, failure))
  return { ...done, remaining: remaining() }
}

function reclaimNow(
  parts: Parts,
  supply: Supply,
  level: ReclaimLevel,
  timeoutMs: number | undefined,
  failure: Failure,
): Omit<Reclaimed, 'remaining'> {
  if (level === 'all') {
    const { memory } = parts.space
    memory.add(parts.at + ZoneWords.flush, 1)
    memory.poke(parts.cache.at + CacheWords.flushed, memory.load(parts.at + ZoneWords.flush))
    supply.flush()
  } else if (level === 'drain') supply.seal()
  const released =
    level === 'trim' ? trim(parts, supply, failure) : drain(parts, supply, timeoutMs, failure)
  return { released, pages: shrink(parts) }
}

/** Gives what the depot has not used since the last trim to the slabs, as far as goals are met. */
export function trim(parts: Parts, supply: Supply, failure: Failure): number {
  const { depot } = parts
  const idle = depot.takeIdleCount()
  if (idle > 0) depot.urge()
  let released = 0
  while (released < idle) {
    const bucket = depot.fetch(0)
    if (bucket === 0) break
    released += supply.release(bucket, failure)
    depot.putEmpty(bucket)
    if (failure.any) break
  }
  return released
}

/**
 * Gives everything in the depot to the slabs, as readers leave. Ends after the first bucket in
 * which a hook throws. Without `timeoutMs` it waits as long as `smr.wait` does.
 */
export function drain(
  parts: Parts,
  supply: Supply,
  timeoutMs: number | undefined,
  failure: Failure,
): number {
  const { depot, domain, space } = parts
  // Without readers there is nothing to wait for.
  const patienceMs = domain?.patience(timeoutMs) ?? 0
  let released = 0
  const takeAll = (): boolean => {
    depot.urge()
    // Destructors may free into this zone. What they add waits for the next round, and each round
    // checks the time: a destructor that allocates what it frees would not end.
    for (let most = depot.size(); most > 0; most--) {
      const bucket = depot.fetch(0)
      if (bucket === 0) break
      released += supply.release(bucket, failure)
      depot.putEmpty(bucket)
      if (failure.any) return true
    }
    return !depot.hasPending()
  }
  until(space, patienceMs, takeAll)
  return released
}

// ---- the end of a zone -----------------------------------------------------------------------

/**
 * Runs the destructors of what waits in the depot and in this worker's cache. Each may free other
 * records of this zone: so in rounds, as long as each round leaves fewer items live. What other
 * workers have freed and not sealed stays: live items could be in use by them. False when readers
 * did not leave in time.
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
 * Destroys a zone that was never used, unless another worker has it open or it has live, pending or
 * safe items. So no hook needs to run and no reader can see it. Returns whether it is gone.
 */
export function endUnused(parts: Parts): boolean {
  const { at, depot, serial, space } = parts
  // While the directory is locked nobody opens it. A worker that opened it before has marked it
  // under the same lock; one that comes later does not find it. Otherwise another worker could
  // still use its words after the pages have become something else.
  const isUnused = (): boolean => {
    const { pending, safe } = depot.counts()
    return pending + safe === 0 && !isUsed(space, at)
  }
  return space.directory.remove(serial, () => dismantle(parts), isUnused)
}

/** Gives its memory back. Its name is gone, and the directory is locked. */
function dismantle({ at, buckets, domain, keg, space }: Parts): void {
  if (domain !== undefined) space.memory.add(domain.address + DomainWords.users, -1)
  // All slabs, even with items out: a later keg at this address would take a slab left behind for
  // its own.
  keg.abolish()
  buckets.keg.abolish()
  space.pages.release(at)
}

/**
 * Destroys the zone. All workers have stopped using it; their caches are emptied from here, the one
 * time that a worker touches the words of another that lives. Returns how many items could not be
 * reclaimed in time; 0: the zone is gone.
 */
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
    // Excludes a reaper that is in this zone for a dead worker.
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

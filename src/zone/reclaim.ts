/**
 * Giving memory back: from the depot to the slabs, from empty slabs to the arena.
 *
 *   trim    what the depot held all the time since the last trim, and nobody needed; does not wait
 *   drain   everything in the depot, and this worker's own frees; waits for readers
 *   all     also this worker's caches; the other workers are asked to empty theirs, and do so at
 *           their next refill or full bucket
 *
 * UMA's drain silently stops at the first bucket that readers still hold, and never sees the frees
 * in other CPUs' buckets. Here every level says what remains, and waiting has a time-out. Nobody waits
 * while this worker has an async section of the domain open: it could be waiting for that.
 */

import { Misuse, show } from '../errors.ts'
import { CacheWords, ZoneWords } from '../memory/layout.ts'
import { timeoutOf, until, type WaitOptions } from '../memory/patience.ts'
import type { Failure } from './failure.ts'
import type { Parts } from './parts.ts'
import { shrink } from './scarce.ts'
import type { Supply } from './supply.ts'

/** How much `zone.reclaim` gives back: see above. */
export type ReclaimLevel = 'trim' | 'drain' | 'all'

/** Misuse for what is no level. `call` names the verb and the thing. */
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

/** What the depot never had to give since the last trim goes, as far as its goals are met. */
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
 * Everything in the depot goes to the slabs, as its readers leave; also for the end of a zone. It ends
 * with the first bucket in which a hook throws. Without a time it waits as long as `smr.wait` does: a
 * lazy clock needs its ticks besides.
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
    // Destructors may free, into this zone too. What they add is for the next round, and between two
    // rounds the time is looked at: one that allocates what it frees brings no end nearer.
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

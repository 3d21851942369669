/**
 * Memory pressure: the arena has no pages left for one zone, and other zones may hold pages that
 * they do not need. Those go back to the arena before any call throws Exhausted.
 *
 *   first    large blocks of heaps whose readers have left, and slabs of every zone with all items
 *            free
 *   then     zone by zone, safe items of the depot, given to their slabs
 *   last     what zones that this worker has open itself cache, and what has to see a hook first
 *
 * It ends as soon as the pages suffice. It does not wait for readers. Other workers are asked to
 * empty their caches, as in `lookHarder` of supply.ts: they do so at their next slow path or, idle,
 * within half a second, and then run the hooks that only they have.
 *
 * Until the last step no hook runs: this worker may not have the hooks of a zone, and the directory
 * is locked. The last step calls hooks, so it is left out under any lock of the library and in a
 * section; a zone in which a call of this worker is running is passed over; and the zone that asks
 * counts the step as one of its own hooks (frames.ts), because a destructor may free into it. What
 * a hook throws there is a warning: it belongs to a call of another zone.
 *
 * The directory is locked in the first two, so no zone can be destroyed. A worker that dies here holds at
 * most one bucket, whose owner is this worker's slot: reaping finds it. A worker that survives an
 * exception here may never call that zone again. So each zone is noted in `space.visits` before it
 * is touched, and its depot knows which bucket is out. Two cases when a visit is ended later: that
 * bucket is not in use, or its owner is the depot, then it was given back, or never left; or its
 * owner is our slot, then it is the one that the visit held, because every slow path ends the
 * visits before it takes a bucket itself. Otherwise (by the owner alone) a bucket would be taken
 * away from a call of ours that runs in this zone.
 *
 * A visit marks a zone as opened, and removes that mark when it has ended, with the directory still
 * locked: otherwise the sweep, which asks whether anybody has the zone open, would keep a zone that
 * nobody uses. Two cases for the reaper of a worker that dies here: the mark is there, and it looks
 * for a bucket; or it is removed, and then every bucket was back before. Otherwise (removed
 * earlier) that bucket would be lost. A visit that was cut off leaves the mark: the worker may open
 * the zone before the visit is ended.
 *
 * UMA: uma_reclaim(9), on the page daemon's low-memory event. Here the worker that is short of
 * pages does it.
 */

import { Named, ZoneWords } from '../memory/layout.ts'
import { Smr } from '../smr/domain.ts'
import type { Listing } from '../space/directory.ts'
import { isTimeOut } from '../space/lock.ts'
import type { Space, Visit } from '../space/space.ts'
import { takeOver } from './adopt.ts'
import { allocOwner, bucketsFor } from './bucket.ts'
import { destroyItems, Failure } from './hooks.ts'
import type { Keg } from './keg.ts'
import { NO_HOOKS, needsHooksToLeave } from './options.ts'
import { markOpened, mend, type Parts, partsOf, unmarkOpened } from './parts.ts'

/** More than any arena has: gives up everything. */
const ALL: readonly number[] = [Number.POSITIVE_INFINITY]

/** `keg.reach`; if there are no pages, once more with those of other zones. */
export function reachUnderPressure(parts: Parts, keg: Keg, items: number): boolean {
  if (keg.reach(items)) return true
  if (!keg.mayHave(items)) return false
  relieve(parts.space, ALL, parts)
  return keg.reach(items)
}

/**
 * Frees pages of other zones than `asking`, until runs of these sizes, in words, fit all at once.
 * False when they do not, or when the directory's lock cannot be had in time. Legal inside a
 * section.
 */
export function relieve(space: Space, runs: readonly number[], asking?: Parts): boolean {
  return relieveUnopened(space, runs, asking?.at) || relieveOpened(space, runs, asking)
}

/** The first two steps: any zone, no hooks. */
function relieveUnopened(space: Space, runs: readonly number[], asking = 0): boolean {
  const suffices = (): boolean => hasRoom(space, runs)
  space.endVisits()
  const before = space.visits.length
  try {
    const enough = space.directory.whileLocked((names) => {
      const zones = names
        .filter(({ address, kind }) => kind === Named.zone && address !== asking)
        .map((each) => visit(space, each, domainOf(space, names, each.address)))
      const isEnough =
        (space.collectRuns(names) > 0 && suffices()) ||
        zones.some(({ parts }) => shrink(parts) > 0 && suffices()) ||
        zones.some(({ parts }) => emptyDepot(parts) && shrink(parts) > 0 && suffices())
      for (const each of zones) leave(each)
      return isEnough
    })
    space.visits.length = before
    return enough
  } catch (error) {
    if (isTimeOut(error)) return false
    throw error
  }
}

/** The last step: zones that this worker has open, with their hooks. */
function relieveOpened(space: Space, runs: readonly number[], asking: Parts | undefined): boolean {
  if (space.givers.size === 0 || space.locks.isBusy || space.isInside) return false
  const base = asking?.frames.enter()
  try {
    // A copy: a hook may open zones, and close them.
    return [...space.givers].some((each) => each.giveUp() && hasRoom(space, runs))
  } finally {
    if (asking !== undefined && !asking.frames.leave(base as number)) mend(asking)
  }
}

/** Whether all these runs fit: reserves them and releases them. */
function hasRoom({ pages }: Space, runs: readonly number[]): boolean {
  const taken = runs.map((words) => pages.reserve(words)).filter((run) => run !== 0)
  for (const run of taken) pages.release(run)
  return taken.length === runs.length
}

/** Gives back the empty slabs of a zone that this worker has not opened. Returns pages. */
export function shrinkUnopened(space: Space, zone: Listing): number {
  space.endVisits()
  const before = space.visits.length
  const pages = space.directory.whileLocked((names) => {
    if (!names.some((each) => each.serial === zone.serial)) return 0
    const visited = visit(space, zone, undefined)
    const given = shrink(visited.parts)
    leave(visited)
    return given
  })
  space.visits.length = before
  return pages
}

/** A visited zone, and whether the visit has set its mark. */
interface Visited {
  readonly parts: Parts
  readonly marked: boolean
}

/** The parts of a zone, which this worker may not have opened. The directory is locked. */
function visit(space: Space, zone: Listing, domain: Smr | undefined): Visited {
  const parts = partsOf(space, zone, NO_HOOKS, domain)
  space.visits.push(visitOf(parts))
  return { parts, marked: markOpened(parts) }
}

/** The visit has ended and holds nothing. The directory is still locked. */
function leave({ marked, parts }: Visited): void {
  if (marked) unmarkOpened(parts)
}

/** How to end a visit that was cut off. */
function visitOf(parts: Parts): Visit {
  const { buckets, cache, depot, keg, serial, space } = parts
  const end = (): void => {
    for (const each of [keg, buckets.keg]) each.recover()
    depot.recover()
    const { taken } = depot
    if (taken === 0 || taken === cache.alloc || taken === cache.free) return
    const owner = allocOwner(space.slot)
    const isOurs = buckets.all().some((each) => each.bucket === taken && each.owner === owner)
    if (isOurs) takeOver(parts, taken, owner)
  }
  return { serial, end }
}

function domainOf(space: Space, names: readonly Listing[], zone: number): Smr | undefined {
  const at = space.memory.peek(zone + ZoneWords.domain)
  const found = names.find(({ address, kind }) => kind === Named.domain && address === at)
  return found && new Smr(space, found.name, found.address, found.serial)
}

/** Gives the safe and expired items of the depot to their slabs. Returns whether there were any. */
function emptyDepot(parts: Parts): boolean {
  const { at, buckets, depot, space } = parts
  const { memory } = space
  // Also where hooks are in the way: workers that have them give up what they can when they are idle.
  memory.add(at + ZoneWords.flush, 1)
  const isPlain = memory.peek(at + ZoneWords.domain) === 0
  if (needsHooksToLeave(memory.peek(at + ZoneWords.hooks), isPlain)) return false
  depot.urge()
  let any = false
  for (let bucket = depot.fetch(0); bucket !== 0; bucket = depot.fetch(0)) {
    any = true
    giveItemsBack(parts, bucket)
    if (buckets.count(bucket) > 0) return any
  }
  return any
}

function giveItemsBack(parts: Parts, bucket: number): void {
  const { depot, keg } = parts
  // Runs no destructor, there is none: only fills in checked arenas.
  destroyItems(parts, bucket, new Failure())
  try {
    keg.give(bucket)
  } catch (error) {
    if (!isTimeOut(error)) throw error
    depot.putSafe(bucket, 0)
    return
  }
  depot.putEmpty(bucket)
}

/** Gives empty slabs back to the arena, except those of the reserve. Returns pages. */
export function shrink({ at, buckets, depot, knobs, keg, space }: Parts): number {
  const { memory } = space
  if (memory.peek(at + ZoneWords.noFree) !== 0) return 0
  depot.discardEmpties()
  const reserve = memory.peek(at + ZoneWords.reserve)
  const spare = bucketsFor(reserve, knobs.leastBucket, space.maxWorkers)
  const areFree = memory.peek(at + ZoneWords.keepReserve) !== 0
  return keg.shrink(reserve, areFree) + buckets.keg.shrink(spare)
}

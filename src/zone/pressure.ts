/**
 * Pressure: the arena has no pages left for what one zone wants, and other zones may hold pages
 * that they do not need. Before anybody hears Exhausted, those go back to the arena.
 *
 *   first    slabs that are wholly free, of every zone
 *   then     zone by zone, items that lie in the depot and may be used again: to their slabs
 *
 * It ends as soon as the pages suffice. Nobody waits for readers, and no hook runs: an item that
 * wants a destructor or `fini` before it goes back stays where it is, since only a worker that has
 * brought these hooks can do that, and not in the middle of another zone's allocation. Other
 * workers are asked to empty their caches, as `lookHarder` in supply.ts asks, and do so at their
 * next slow path.
 *
 * The directory is locked meanwhile, so no zone can end under our hands. A worker that dies here
 * has at most one bucket in hand, whose owner is this worker's slot: reaping finds it there. A
 * worker that an exception throws out of here lives on, and no call of its own ever comes by that
 * zone again: so each zone is noted in `space.visits` before it is touched, and its depot knows
 * which bucket is out. Two cases for whoever finds such a note: that bucket is not in use, or its
 * owner is the depot, then it was given back, or never left; or its owner is our slot, then it is
 * the one that we had, for every slow path ends the visits before it takes a bucket itself.
 * Otherwise (by the owner alone) a bucket would be taken away from a call of ours that runs in the
 * very zone.
 *
 * A visit marks a zone as opened, and takes that back when it has ended, the directory still locked: or
 * the sweep, which asks whether anybody has the zone open, would keep one that nobody uses. Two cases for
 * the reaper of who dies here: the mark stands, and it looks for a bucket in hand; or it is taken back, and
 * then every bucket was in its place before. Otherwise (taken back earlier) that bucket would be lost. A
 * visit that was cut off leaves the mark: the worker may have opened the zone before it is ended.
 *
 * UMA: uma_reclaim(9) from the page daemon's low-memory event. There is no page daemon here: the
 * worker that is short of pages does it.
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
import { markOpened, type Parts, partsOf, unmarkOpened } from './parts.ts'

/** Room for more than any arena has: all that can be given up is. */
const ALL: readonly number[] = [Number.POSITIVE_INFINITY]

/**
 * `keg.reach` for a keg of the zone: if there are no pages for it, once more with those of others.
 */
export function reachUnderPressure({ at, space }: Parts, keg: Keg, items: number): boolean {
  if (keg.reach(items)) return true
  if (!keg.mayHave(items)) return false
  relieve(space, ALL, at)
  return keg.reach(items)
}

/**
 * Makes room for runs of so many words each, all at once, out of what other zones than `asking` do
 * not need. False when there is none, or when the directory's lock is not to be had. Legal inside a
 * section.
 */
export function relieve(space: Space, runs: readonly number[], asking = 0): boolean {
  const suffices = (): boolean => hasRoom(space, runs)
  space.endVisits()
  const before = space.visits.length
  try {
    const enough = space.directory.whileLocked((names) => {
      const zones = names
        .filter(({ address, kind }) => kind === Named.zone && address !== asking)
        .map((each) => visit(space, each, domainOf(space, names, each.address)))
      const isEnough =
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

/** Whether all these runs could be had: takes them, and gives them back. */
function hasRoom({ pages }: Space, runs: readonly number[]): boolean {
  const taken = runs.map((words) => pages.reserve(words)).filter((run) => run !== 0)
  for (const run of taken) pages.release(run)
  return taken.length === runs.length
}

/** Gives the empty slabs of a zone that this worker has not opened back. Returns pages. */
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

/** A zone that is visited, and whether only the visit has marked it. */
interface Visited {
  readonly parts: Parts
  readonly marked: boolean
}

/** The parts of a zone that this worker may not have opened. The directory is locked. */
function visit(space: Space, zone: Listing, domain: Smr | undefined): Visited {
  const parts = partsOf(space, zone, NO_HOOKS, domain)
  space.visits.push(visitOf(parts))
  return { parts, marked: markOpened(parts) }
}

/** The visit has come to its end, with nothing in hand. The directory is still locked. */
function leave({ marked, parts }: Visited): void {
  if (marked) unmarkOpened(parts)
}

/** What ends a visit that was cut off. */
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

/** Items that nobody can see go back to their slabs. Whether there were any. */
function emptyDepot(parts: Parts): boolean {
  const { at, buckets, depot, space } = parts
  const { memory } = space
  if (needsHooksToLeave(memory.peek(at + ZoneWords.hooks))) return false
  memory.add(at + ZoneWords.flush, 1)
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
  // No destructor: only the fill of checked arenas.
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

// When memory is scarce: giving up what a zone has and does not need, and freeing without a bucket.

/** Empty slabs go back to the arena, but for what the zone reserves or must keep. Returns pages. */
export function shrink({ at, buckets, depot, knobs, keg, space }: Parts): number {
  const { memory } = space
  if (memory.peek(at + ZoneWords.noFree) !== 0) return 0
  depot.discardEmpties()
  const reserve = memory.peek(at + ZoneWords.reserve)
  const spare = bucketsFor(reserve, knobs.leastBucket, space.maxWorkers)
  return keg.shrink(reserve) + buckets.keg.shrink(spare)
}

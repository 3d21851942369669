/**
 * The verbs of many records: what the verbs of one do so many times, with less to do each time.
 *
 * Items are moved between an array and a bucket as many at a time as the bucket has, or has room
 * for; between buckets it is the way of a single item. So buckets are filled and retired as ever,
 * and hold back what they hold back as ever: a batch is no unit to anybody but its caller.
 */

import type { Item } from '../base/brands.ts'
import { show } from '../base/errors.ts'
import { CacheWords } from '../memory/layout.ts'
import { isTimeOut } from '../space/lock.ts'
import { doubleFree, exhausted, foreign, insideSection, misuse, whyEmpty } from './errors.ts'
import { construct, Failure, putHeldBack, setBusy, setIdle } from './hooks.ts'
import { mend, type Parts } from './parts.ts'
import { zoneStats } from './stats.ts'
import { freeAlone, type Supply } from './supply.ts'

/** More in one call would be a slip: the result is an array in private memory. */
const MOST_ITEMS = 2 ** 20

/** So many in hand are worth forgetting. */
const MANY_ITEMS = 2 ** 12

const ALLOC = 'zallocSmrBatch'
const FREE = 'zfreeSmrBatch'

// ---- allocation ----------------------------------------------------------------------------

/** So many items, or none. */
export function allocBatch(parts: Parts, supply: Supply, count: number): Item[] {
  if (!Number.isInteger(count) || count < 0 || count > MOST_ITEMS) {
    const what = `count is ${show(count)}; give an integer from 0 to ${MOST_ITEMS}`
    throw misuse(parts, ALLOC, what, { count: show(count) })
  }
  const { at, cache, frames, hooks, name, space } = parts
  const careful = space.checks || hooks.ctor !== undefined
  // Until the batch is whole its items are held: whatever ends this call, they go back.
  supply.begin()
  const first = frames.held
  const end = first + count
  const { open } = frames
  // Of these the constructor came to its end: the only ones that a destructor may hear of.
  let made = 0
  let why = ''
  try {
    for (;;) {
      // With a constructor one at a time: it may throw, and may allocate from this zone itself.
      if (!careful) frames.held += cache.popMany(frames.items, frames.held, end)
      if (frames.held === end) break
      const item = cache.pop() || supply.refillWithin()
      if (item === 0) break
      frames.hold(careful ? construct(parts, ALLOC, item as Item) : item)
      made++
    }
    if (frames.held < end)
      why = whyEmpty(parts, supply.pendingTooMuch(), zoneStats(space, at, name))
  } catch (error) {
    if (frames.open !== open) mend(parts)
    giveAllBack(parts, first, made)
    frames.open = open - 1
    throw error
  }
  const have = frames.held - first
  if (have === count) {
    const items = frames.items.slice(first, end) as Item[]
    frames.held = first
    if (count > MANY_ITEMS) frames.items.length = first
    frames.open--
    return items
  }
  const failure = giveAllBack(parts, first, made)
  cache.count(CacheWords.fails, 1)
  frames.open--
  failure.surface()
  const what = `${why}: ${count} were asked for, ${have} could be had and went back`
  throw exhausted(parts, ALLOC, what, { asked: count })
}

/**
 * Each that is held from `first` on goes back. The first `made` of them are records if the zone has
 * a constructor: those are destroyed. Without one nobody has made a record of them: what they say
 * is what the last owner left, and a destructor would free that owner's children once more. What a
 * destructor throws is for the caller to surface.
 */
function giveAllBack(parts: Parts, first: number, made: number): Failure {
  const { frames, hooks, keg, space } = parts
  const failure = new Failure()
  const dtor = hooks.ctor === undefined ? undefined : hooks.dtor
  const end = first + made
  for (let i = first; i < end; i++) {
    const item = frames.items[i] as Item
    if (space.checks) setIdle(parts, keg.addresses.slabOf(item), item)
    failure.run(parts, dtor, item)
  }
  while (frames.held > first) putHeldBack(parts, frames.held - 1, failure)
  return failure
}

// ---- free ----------------------------------------------------------------------------------

/** All items, or none where one of them is refused; fewer only when memory is gone. */
export function freeBatch(parts: Parts, supply: Supply, items: readonly Item[]): void {
  if (!Array.isArray(items)) {
    throw misuse(parts, FREE, `items are ${show(items)}; give an array of items`)
  }
  const { cache, domain, keg, space } = parts
  // A copy: what the caller has may be more than an array, and hooks run from here on.
  const own = items.slice() as readonly Item[]
  const bad = keg.addresses.findForeign(own)
  if (bad >= 0) throw foreign(parts, FREE, own[bad] as Item)
  if (domain?.inside) throw insideSection(parts, FREE)
  if (space.checks) releaseAll(parts, own)
  const moved = cache.pushMany(own, 0)
  if (moved < own.length) pushSlowly(parts, supply, own, moved)
}

/** Checked arenas: all of them must be the user's until now. */
function releaseAll(parts: Parts, items: readonly Item[]): void {
  let idle = 0
  let whole = false
  try {
    for (; idle < items.length; idle++) {
      const item = items[idle] as Item
      if (setIdle(parts, parts.keg.addresses.slabOf(item), item)) continue
      const first = items.indexOf(item)
      if (first === idle) throw doubleFree(parts, FREE, item)
      const what = `item ${item} is in the batch twice, as items[${first}] and items[${idle}] (double free)`
      throw misuse(parts, FREE, what, { item })
    }
    whole = true
  } finally {
    if (!whole) keepAll(parts, items, 0, idle)
  }
}

/** Checked arenas: those from `begin` to `end` stay the user's. */
function keepAll(parts: Parts, items: readonly Item[], begin: number, end: number): void {
  for (let i = begin; i < end; i++) {
    const item = items[i] as Item
    setBusy(parts, parts.keg.addresses.slabOf(item), item)
  }
}

/**
 * The items from index `begun` on, bucket by bucket. A destructor may throw when a bucket is
 * exchanged for one that expired: as with a single item the free goes on where there is room, and
 * the error surfaces at the end. When a lock is not to be had, the caller hears how many were
 * freed.
 */
function pushSlowly(parts: Parts, supply: Supply, items: readonly Item[], begun: number): void {
  const { cache, space } = parts
  const failure = new Failure()
  let freed = begun
  let why = 'no memory for a bucket'
  let late: unknown
  try {
    while (freed < items.length) {
      if (supply.makeRoom(failure)) freed += cache.pushMany(items, freed)
      else if (freeAlone(parts, items[freed] as Item, failure)) freed++
      else break
    }
  } catch (error) {
    if (!isTimeOut(error)) throw error
    why = (error as Error).message
    late = error
  } finally {
    if (space.checks) keepAll(parts, items, freed, items.length)
  }
  if (freed === items.length) {
    failure.surface()
    return
  }
  const what = `${why}: ${freed} of ${items.length} items were freed; items[${freed}] and all behind it are still yours`
  const error = exhausted(parts, FREE, what, { freed, items: items.length })
  // How many were freed is what the caller has to know first.
  error.cause = failure.error ?? late
  throw error
}

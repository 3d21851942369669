/**
 * Batch verbs. Equivalent to calling the single verb N times, but items move a bucketful at a time.
 * Not atomic to other workers.
 *
 * Between buckets the slow paths are those of a single item: buckets are filled and retired as
 * usual.
 */

import type { Item } from '../base/brands.ts'
import { show } from '../base/errors.ts'
import { CacheWords } from '../memory/layout.ts'
import { BYTES_PER_WORD } from '../memory/memory.ts'
import { isTimeOut } from '../space/lock.ts'
import { doubleFree, foreign, insideSection, misuse, outOfMemory, whyEmpty } from './errors.ts'
import { construct, Failure, putHeldBack, setBusy, setIdle } from './hooks.ts'
import { mend, type Parts } from './parts.ts'
import { zoneStats } from './stats.ts'
import { freeAlone, type Supply } from './supply.ts'

/** More in one call is surely a mistake: the result is an array in private memory. */
const MOST_ITEMS = 2 ** 20

/** After a batch larger than this the array of held items is cut. */
const MANY_ITEMS = 2 ** 12

const ALLOC = 'zallocSmrBatch'
const FREE = 'zfreeSmrBatch'

// ---- allocation ----------------------------------------------------------------------------

/** Allocates `count` items, or none. */
export function allocBatch(parts: Parts, supply: Supply, count: number): Item[] {
  if (!Number.isInteger(count) || count < 0 || count > MOST_ITEMS) {
    const what = `count is ${show(count)}; give an integer from 0 to ${MOST_ITEMS}`
    throw misuse(parts, ALLOC, what, { count: show(count) })
  }
  const { at, cache, frames, hooks, name, space } = parts
  const careful = space.checks || hooks.ctor !== undefined
  // Until the batch is complete its items are held: whatever ends this call, they go back.
  supply.begin()
  const first = frames.held
  const end = first + count
  const { open } = frames
  // Items whose constructor has returned: only for those a destructor may run.
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
  const wanted = (count - have) * parts.keg.shape.stride * BYTES_PER_WORD
  throw outOfMemory(parts, ALLOC, what, wanted, { asked: count })
}

/**
 * Gives back the items held from `first` on. If the zone has a constructor, the first `made` of
 * them are records, and the destructor runs for them. Without a constructor their words are those
 * of the last record, and a destructor would free what that record owned once more. The caller
 * throws the error of a destructor.
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

/** Frees all items, or none if one is refused; fewer only when there is no memory. */
export function freeBatch(parts: Parts, supply: Supply, items: readonly Item[]): void {
  if (!Array.isArray(items)) {
    throw misuse(parts, FREE, `items are ${show(items)}; give an array of items`)
  }
  const { cache, domain, keg, space } = parts
  // A copy: hooks run from here on, and could change the caller's array.
  const own = items.slice() as readonly Item[]
  const bad = keg.addresses.findForeign(own)
  if (bad >= 0) throw foreign(parts, FREE, own[bad] as Item)
  if (domain?.inside) throw insideSection(parts, FREE)
  if (space.checks) releaseAll(parts, own)
  const moved = cache.pushMany(own, 0)
  if (moved < own.length) pushSlowly(parts, supply, own, moved)
}

/** Checked arenas: Misuse unless all of them are in use. */
function releaseAll(parts: Parts, items: readonly Item[]): void {
  let idle = 0
  let whole = false
  try {
    for (; idle < items.length; idle++) {
      const item = items[idle] as Item
      if (setIdle(parts, parts.keg.addresses.slabOf(item), item)) {
        idle++
        parts.guards?.verify(`zone.${FREE}`, item)
        idle--
        continue
      }
      const first = items.indexOf(item)
      if (first === idle) throw doubleFree(parts, FREE, item)
      const what = `item ${item} is in the batch twice, as items[${first}] and items[${idle}] (double free)`
      throw misuse(parts, FREE, what, { item })
    }
    whole = true
    for (const item of items) parts.guards?.forget(item)
  } finally {
    if (!whole) keepAll(parts, items, 0, idle)
  }
}

/** Checked arenas: marks those from `begin` to `end` as in use again. */
function keepAll(parts: Parts, items: readonly Item[], begin: number, end: number): void {
  for (let i = begin; i < end; i++) {
    const item = items[i] as Item
    setBusy(parts, parts.keg.addresses.slabOf(item), item)
  }
}

/**
 * Frees the items from index `begun` on, bucket by bucket. A destructor may throw when a bucket is
 * exchanged for one that expired: as with a single item, the free goes on, and the error is thrown
 * at the end. When a lock cannot be had in time, the error says how many were freed.
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
  const wanted = parts.buckets.keg.slabWords * BYTES_PER_WORD
  const error = outOfMemory(parts, FREE, what, wanted, { freed, items: items.length })
  // The caller has to know first how many were freed.
  error.cause = failure.error ?? late
  throw error
}

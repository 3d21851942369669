/**
 * The verbs of many records: what the verbs of one do so many times, with less to do each time.
 *
 * Items are moved between an array and a bucket as many at a time as the bucket has, or has room
 * for; between buckets it is the way of a single item. So buckets are filled and retired as ever,
 * and hold back what they hold back as ever: a batch is no unit to anybody but its caller.
 */

import { show } from '../errors.ts'
import { CacheWords } from '../memory/layout.ts'
import type { Item } from '../words.ts'
import { Failure } from './failure.ts'
import { construct, giveBack, setBusy, setIdle } from './handover.ts'
import type { Parts } from './parts.ts'
import { doubleFree, exhausted, foreign, insideSection, misuse } from './refuse.ts'
import { freeAlone } from './scarce.ts'
import { zoneStats } from './stats.ts'
import type { Supply } from './supply.ts'
import { whyEmpty } from './why.ts'

/** More in one call would be a slip: the result is an array in private memory. */
const MOST_ITEMS = 2 ** 20

const ALLOC = 'zallocSmrBatch'
const FREE = 'zfreeSmrBatch'

// ---- allocation ----------------------------------------------------------------------------

/** So many items, or none. */
export function allocBatch(parts: Parts, supply: Supply, count: number): Item[] {
  if (!Number.isInteger(count) || count < 0 || count > MOST_ITEMS) {
    const what = `count is ${show(count)}; give an integer from 0 to ${MOST_ITEMS}`
    throw misuse(parts, ALLOC, what, { count: show(count) })
  }
  const { at, cache, hooks, name, space } = parts
  const careful = space.checks || hooks.ctor !== undefined
  const items = new Array<Item>(count)
  let have = 0
  let why = ''
  try {
    for (;;) {
      // With a constructor one at a time: it may throw, and may allocate from this zone itself.
      if (!careful) have += cache.popMany(items, have)
      if (have === count) return items
      const item = (cache.pop() || supply.refill()) as Item
      if (item === 0) break
      items[have] = careful ? construct(parts, ALLOC, item) : item
      have++
    }
    why = whyEmpty(parts, supply, zoneStats(space, at, name))
  } catch (error) {
    items.length = have
    giveAllBack(parts, items)
    throw error
  }
  items.length = have
  const failure = giveAllBack(parts, items)
  cache.count(CacheWords.fails, 1)
  failure.surface()
  const what = `${why}: ${count} were asked for, ${have} could be had and went back`
  throw exhausted(parts, ALLOC, what, { asked: count })
}

/** Each is destroyed and goes back; what a destructor throws is for the caller to surface. */
function giveAllBack(parts: Parts, items: readonly Item[]): Failure {
  const failure = new Failure()
  const back = (item: Item): void => giveBack(parts, ALLOC, item)
  for (const item of items) failure.run(back, item)
  return failure
}

// ---- free ----------------------------------------------------------------------------------

/** All items, or none where one of them is refused; fewer only when memory is gone. */
export function freeBatch(parts: Parts, supply: Supply, items: readonly Item[]): void {
  if (!Array.isArray(items)) {
    throw misuse(parts, FREE, `items are ${show(items)}; give an array of items`)
  }
  const { cache, domain, records, space } = parts
  const bad = records.addresses.findForeign(items)
  if (bad >= 0) throw foreign(parts, FREE, items[bad] as Item)
  if (domain?.inside) throw insideSection(parts, FREE)
  if (space.checks) releaseAll(parts, items)
  const moved = cache.pushMany(items, 0)
  // Hooks run from here on, and may change the caller's array.
  if (moved < items.length) pushSlowly(parts, supply, items.slice(), moved)
}

/** Checked arenas: all of them must be the user's until now. */
function releaseAll(parts: Parts, items: readonly Item[]): void {
  for (const [i, item] of items.entries()) {
    if (setIdle(parts, parts.records.addresses.slabOf(item), item)) continue
    keepAll(parts, items.slice(0, i))
    const first = items.indexOf(item)
    if (first === i) throw doubleFree(parts, FREE, item)
    const what = `item ${item} is in the batch twice, as items[${first}] and items[${i}] (double free)`
    throw misuse(parts, FREE, what, { item })
  }
}

/** Checked arenas: these stay the user's. */
function keepAll(parts: Parts, items: readonly Item[]): void {
  for (const item of items) setBusy(parts, parts.records.addresses.slabOf(item), item)
}

/**
 * The items from index `begun` on, bucket by bucket. A destructor may throw when a bucket is
 * exchanged for one that expired: as with a single item the free goes on where there is room, and
 * the error surfaces at the end.
 */
function pushSlowly(parts: Parts, supply: Supply, items: readonly Item[], begun: number): void {
  const { cache, space } = parts
  const failure = new Failure()
  let freed = begun
  let stuck = false
  const goOn = (item: Item): void => {
    stuck = true
    if (supply.makeRoom()) stuck = false
    else {
      freeAlone(parts, item, () => {
        stuck = false
        freed++
      })
    }
  }
  while (freed < items.length) {
    failure.run(goOn, items[freed] as Item)
    const moved = cache.pushMany(items, freed)
    freed += moved
    if (stuck && moved === 0) break
  }
  if (freed === items.length) {
    failure.surface()
    return
  }
  if (space.checks) keepAll(parts, items.slice(freed))
  const what = `no memory for a bucket: ${freed} of ${items.length} items were freed; items[${freed}] and all behind it are still yours`
  const error = exhausted(parts, FREE, what, { freed, items: items.length })
  // How many were freed is what the caller has to know first.
  error.cause = failure.error
  throw error
}

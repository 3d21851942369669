/**
 * The invariants of a zone, checked by walks: for tests, and for an operator after a death.
 */

import type { Item } from '../base/brands.ts'
import { Corruption, show } from '../base/errors.ts'
import { BucketWords } from '../memory/layout.ts'
import { misuse } from './errors.ts'
import type { Parts } from './parts.ts'
import { markBusy } from './slab.ts'
import { zoneStats } from './stats.ts'

/** Every item in a bucket, with its bucket. */
function itemsInBuckets(parts: Parts): Map<number, number> {
  const where = new Map<number, number>()
  const { memory } = parts.space
  for (const { bucket } of parts.buckets.all()) {
    const count = parts.buckets.count(bucket)
    const full = memory.peek(bucket + BucketWords.capacity)
    if (count > full || full > parts.buckets.capacity) {
      throw new Corruption(
        `zone ${show(parts.name)}: bucket ${bucket} has ${count} items, is full at ${full} and has room for ${parts.buckets.capacity}`,
        { zone: parts.name, bucket, count },
      )
    }
    for (const item of parts.buckets.items(bucket)) {
      const other = where.get(item)
      if (other !== undefined) {
        throw new Corruption(
          `zone ${show(parts.name)}: item ${item} is in bucket ${other} and in bucket ${bucket}`,
          { zone: parts.name, item },
        )
      }
      where.set(item, bucket)
    }
  }
  return where
}

/**
 * Throws Corruption unless every item is in exactly one place. Only while no other worker uses the
 * zone.
 */
export function checkZone(parts: Parts): void {
  parts.keg.check()
  parts.buckets.keg.check()
  parts.depot.check()
  const inBuckets = itemsInBuckets(parts)
  let out = 0
  for (const item of parts.keg.itemsOut()) if (!inBuckets.delete(item)) out++
  if (inBuckets.size > 0) {
    const [item] = inBuckets.keys()
    throw new Corruption(
      `zone ${show(parts.name)}: item ${item} is in a bucket and free in its slab`,
    )
  }
  const { live, cached, pending, safe, inSlabs, created } = zoneStats(
    parts.space,
    parts.at,
    parts.name,
  )
  if (live === out && live + cached + pending + safe + inSlabs === created) return
  throw new Corruption(
    `zone ${show(parts.name)}: ${live} live by count, ${out} by walk; ${cached} cached + ${pending} pending + ${safe} safe + ${inSlabs} in slabs + live is not ${created} created`,
    { zone: parts.name, live, out, cached, pending, safe, inSlabs, created },
  )
}

/**
 * Items that are in use: not free in their slab, and in no bucket. Buckets of others are read by
 * racy peeks, after the slabs. Any value that these words ever had will do for what is promised: an
 * item is left out if some bucket has it, or had it, and is there if none has.
 */
export function liveItems(parts: Parts): Item[] {
  const { buckets, keg, space } = parts
  const { memory } = space
  const out = keg.itemsOut()
  const idle = new Set<number>()
  for (const { bucket } of buckets.all()) {
    const count = memory.peekRacy(bucket + BucketWords.count)
    const most = Math.min(count, buckets.capacity)
    for (let i = 0; i < most; i++) idle.add(memory.peekRacy(bucket + BucketWords.entries + i))
  }
  return out.filter((item) => !idle.has(item)) as Item[]
}

/**
 * Items that are allocated but not in `reachable`. Only while no other worker uses the zone. In a
 * checked arena they are marked as in use, so that the caller may free them: a worker may have died
 * between popping or pushing an item and marking it.
 */
export function auditZone(parts: Parts, reachable: Iterable<Item>): Item[] {
  if (typeof reachable?.[Symbol.iterator] !== 'function') {
    const what = `reachable is ${show(reachable)}; give the items that you can reach`
    throw misuse(parts, 'audit', what)
  }
  const { keg, space } = parts
  const known = new Set<number>(reachable)
  const inBuckets = itemsInBuckets(parts)
  const leaked: Item[] = []
  for (const item of keg.itemsOut()) {
    if (known.has(item) || inBuckets.has(item)) continue
    leaked.push(item as Item)
    const slab = keg.addresses.slabOf(item)
    if (space.checks) markBusy(space.memory, slab, keg.shape, keg.addresses.indexOf(slab, item))
  }
  return leaked
}

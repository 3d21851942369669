/**
 * The errors of a zone's verbs: the call, the zone, the number, what to do.
 */

import type { Item } from '../base/brands.ts'
import { Exhausted, type Facts, Misuse, show } from '../base/errors.ts'
import { ZoneWords } from '../memory/layout.ts'
import { BYTES_PER_WORD } from '../memory/memory.ts'
import type { Parts } from './parts.ts'
import { noMemory } from './shortage.ts'
import { type ZoneStats, zoneStats } from './stats.ts'

export function misuse({ name }: Parts, verb: string, what: string, facts: Facts = {}): Misuse {
  return new Misuse(`zone.${verb}: zone ${show(name)}: ${what}`, { zone: name, ...facts })
}

export function foreign(parts: Parts, verb: string, item: Item): Misuse {
  return misuse(parts, verb, `item ${show(item)} is not from this zone`, { item })
}

export function doubleFree(parts: Parts, verb: string, item: Item): Misuse {
  return misuse(parts, verb, `item ${item} is free already (double free)`, { item })
}

export function insideSection(parts: Parts, verb: string): Misuse {
  const { domain } = parts
  return misuse(parts, verb, `a section of domain ${show(domain?.name)} is open; exit first`)
}

/** Says where all items are; the caller may add facts. */
export function exhausted(parts: Parts, verb: string, why: string, more: Facts = {}): Exhausted {
  const { at, name, space } = parts
  const { live, cached, pending, safe, limit } = zoneStats(space, at, name)
  const expiring = pending > 0 ? '; pending items come back when readers leave' : ''
  return new Exhausted(
    `zone.${verb}: zone ${show(name)}: ${why}: ${live} live, ${cached} cached, ${pending} pending, ${safe} safe${expiring}`,
    { zone: name, live, cached, pending, safe, limit, ...more },
  )
}

/**
 * The same where memory, or the zone's limit, has run out for `wanted` bytes: says also who has
 * what could come back, and tells listeners of 'exhausted'.
 */
export function outOfMemory(
  parts: Parts,
  verb: string,
  why: string,
  wanted: number,
  more: Facts = {},
): Exhausted {
  const { depot, keg, knobs, space } = parts
  const { facts, message } = exhausted(parts, verb, why, more)
  const isPending = depot.counts().pending >= knobs.pendingItems
  const lack = isPending ? 'pending' : keg.isAtLimit ? 'limit' : 'memory'
  return noMemory(space, message, wanted, facts, lack)
}

/** Tells listeners what the call does not: `tryZalloc` has found nothing. */
export function tellRefused(parts: Parts, verb: string, pendingTooMuch: boolean): void {
  const { at, name, space } = parts
  if (!space.events.has('exhausted')) return
  const why = whyEmpty(parts, pendingTooMuch, zoneStats(space, at, name))
  outOfMemory(parts, verb, why, slabBytes(parts))
}

/** What an allocation wants when the zone has nothing: one slab. */
export function slabBytes({ keg }: Parts): number {
  return keg.slabWords * BYTES_PER_WORD
}

/** Bytes that are missing to `items` in all. */
export function bytesTo({ keg }: Parts, items: number): number {
  return Math.max(0, items - keg.counts().created) * keg.shape.stride * BYTES_PER_WORD
}

/** Why an allocation found nothing: the first half of the message of Exhausted. */
export function whyEmpty(
  { at, domain, space }: Parts,
  pendingTooMuch: boolean,
  stats: ZoneStats,
): string {
  const { created, inSlabs, limit } = stats
  if (pendingTooMuch) {
    const [stall] = domain?.stalled(0) ?? []
    const who = stall ? `worker ${stall.workerId} for ${Math.round(stall.forMs)} ms` : 'readers'
    return `its pendingBytes limit is reached: held back by ${who}`
  }
  const isFull = limit > 0 && created - inSlabs >= limit
  if (isFull) return `its limit of ${limit} is reached`
  const { memory } = space
  const reserve = memory.peek(at + ZoneWords.reserve)
  const isKept = memory.peek(at + ZoneWords.keepReserve) !== 0 && inSlabs > 0
  return isKept ? `only its reserve of ${reserve} is left, for zone.useReserve` : 'nothing is left'
}

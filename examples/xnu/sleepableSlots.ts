/**
 * What the two threads of sleepable.ts share: a few slots, each of them an SMR pointer to an entry.
 *
 * An entry does not change once it is published. The writer publishes another one in its place, and
 * retires it by smr_call: entries come from a zone without SMR here, as most of XNU's do, so what frees
 * them is a callback.
 */

import { type Arena, type Item, pointer, record, type Smr, type SmrPointer, u32 } from 'uma-smr'
import { SMR_SLEEPABLE, smr_domain_create } from 'uma-smr/xnu'

const SLOTS = 8
const BYTES_PER_WORD = 4
const FREED = 0xdead_beef

export const Entry = record({ version: u32, sum: u32 })

/** The domain. Each worker opens it with the same flags. */
export function domainOf(arena: Arena): Smr {
  return smr_domain_create(arena, SMR_SLEEPABLE, 'slots')
}

/** The slots; makes them when `at` is not given. */
export function slotsOf(arena: Arena, at?: Item): readonly SmrPointer[] {
  const first = at ?? arena.zone('slots', { bytes: SLOTS * BYTES_PER_WORD }).zalloc()
  return Array.from({ length: SLOTS }, (_, i) => pointer(arena, first + i))
}

export function fill(arena: Arena, entry: Item, version: number): void {
  Entry.write(arena, entry, { version, sum: sumOf(version) })
}

/** Nobody looks at it any more. Whoever did all the same would read nonsense. */
export function scribble(arena: Arena, entry: Item): void {
  Entry.write(arena, entry, { version: FREED, sum: FREED })
}

/** The version of an entry, or undefined if it is not in one piece. */
export function versionOf(arena: Arena, entry: Item): number | undefined {
  const { version, sum } = Entry.read(arena, entry)
  return sum === sumOf(version) ? version : undefined
}

function sumOf(version: number): number {
  return (Math.imul(version, 0x9e3779b1) ^ 0x5bd1e995) >>> 0
}

/** What the writer is told, and what it reports. */
export interface Order {
  readonly arena: Arena['handle']
  readonly slots: Item
}

export const READY = 'ready'
export const STOP = 'stop'

export interface Report {
  readonly replaced: number
  readonly retired: number
  /** Most callbacks that were ever waiting for readers. */
  readonly mostPending: number
}

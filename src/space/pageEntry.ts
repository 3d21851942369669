/**
 * The words of the page table: what one says of the run of pages that starts there.
 *
 *   used       base | kind | order: positive, since a page's address leaves ten low bits to spare
 *   free       the complement of the order: negative
 *   reserved   the complement of slot + 1 and order: negative too
 *   0          inside a run that is not used
 */

import { Corruption } from '../base/errors.ts'
import { ORDERS, PAGE_WORDS, type RunKind } from '../memory/layout.ts'

const ORDER_BITS = 5
const ORDER_MASK = (1 << ORDER_BITS) - 1
const KIND_MASK = 15
const SIGN_AND_KIND = (1 << 31) | (KIND_MASK << ORDER_BITS)
const BASE_MASK = -PAGE_WORDS

export type RunKindValue = (typeof RunKind)[keyof typeof RunKind]

/** A run of 2^order pages. */
export interface Run {
  readonly base: number
  readonly order: number
  readonly state: 'free' | 'reserved' | 'used'
  /** Of a reserved run: the worker's slot. Of a used run: its kind. */
  readonly who: number
}

export function used(base: number, kind: RunKindValue, order: number): number {
  return base | (kind << ORDER_BITS) | order
}

export function free(order: number): number {
  return ~order
}

export function reserved(order: number, slot: number): number {
  return ~(((slot + 1) << ORDER_BITS) | order)
}

export function orderOf(entry: number): number {
  return (entry < 0 ? ~entry : entry) & ORDER_MASK
}

/** Kind of a used run, 0 of any other. */
export function kindOf(entry: number): number {
  return entry > 0 ? (entry >> ORDER_BITS) & KIND_MASK : 0
}

/** `kindOf(entry) === kind`, in one comparison: what is not used is negative, or has no kind. */
export function isOfKind(entry: number, kind: RunKindValue): boolean {
  return (entry & SIGN_AND_KIND) === kind << ORDER_BITS
}

/** Address of a used run. */
export function baseOf(entry: number): number {
  return entry & BASE_MASK
}

/** Pages in a run of this order. */
export function sizeOf(order: number): number {
  return 2 ** order
}

/** The smallest order whose run holds so many words. */
export function orderFor(words: number): number {
  return Math.max(0, Math.ceil(Math.log2(words / PAGE_WORDS)))
}

/**
 * The run whose first page is `page`, at `base`. Corruption unless a run starts there and ends at
 * `end` or before: a run of 2^order pages starts at a multiple of that.
 */
export function decode(entry: number, page: number, base: number, end: number): Run {
  const order = orderOf(entry)
  const size = sizeOf(order)
  const fits = order < ORDERS && page % size === 0 && page + size <= end
  if (fits && entry > 0 && baseOf(entry) === base)
    return { base, order, state: 'used', who: kindOf(entry) }
  if (!fits || entry >= 0) {
    throw new Corruption(
      `page table: no run starts at page ${page}, its entry is ${entry}; pages are used up to ${end}`,
      { page, entry, end },
    )
  }
  const slot = (~entry >> ORDER_BITS) - 1
  return { base, order, state: slot < 0 ? 'free' : 'reserved', who: slot }
}

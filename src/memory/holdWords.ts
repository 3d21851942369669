/**
 * The map of records that can be held, a part of that in layout.ts: see table/holds.ts.
 */

import { tableParts } from './layout.ts'
import { line, roundUp, shared, struct } from './struct.ts'
import { LINE_WORDS } from './units.ts'

/** Follows the node words of a record that can be held: see table/holds.ts. */
export const HeldWords = struct(
  'held record',
  line({
    held: shared('0, or bits: 1 taken out of the table, 2 may be held; more: see freedBy'),
  }),
)
/** Words behind the node words: not padded to a line. */
export const HELD_WORDS = HeldWords.held + 1

/** One per possible worker, behind the stripes of a table whose records can be held. */
export const HolderWords = struct(
  'holder',
  line({
    owner: shared('token of the worker that holds what follows, 0 nobody'),
    items: shared('a record that it holds, 0 none; with bit 0 while that is not sure', 2),
  }),
)
/** Values of `HeldWords.held`. */
export const ENDED = 1
export const HELD = 2
export const BOTH = 3
const SLOT_SHIFT = 3
const FREED = 7

/** The worker in this slot was the last to let go, and frees it. */
export function freedBy(slot: number): number {
  return (slot << SLOT_SHIFT) | FREED
}

export function isFreed(held: number): boolean {
  return (held & FREED) === FREED
}

/** In a place that is being written. Items lie at even addresses. */
export const UNSURE = 1

/** Places beyond what a worker may hold: for records that it is taking out of the table. */
export const SPARE_HOLDS = 2

/** Where the holders of a table begin, behind its versions. */
export function holdersAt(table: number, stripeBits: number, versionBits: number): number {
  return roundUp(tableParts(table, stripeBits).versions + 2 ** versionBits, LINE_WORDS)
}

/** Words of one holder, with so many records. */
export function holderWords(most: number): number {
  return roundUp(HolderWords.items + most + SPARE_HOLDS, LINE_WORDS)
}

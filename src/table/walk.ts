/**
 * Walks over all records of a table, in the order of their hashes, while others write.
 *
 * A step visits some chains of one stripe in one section and notes the hash to go on from. The order of
 * hashes is the same in every array of chains, so a walk goes on in the array that a resize has
 * published meanwhile: what is there from beginning to end is seen exactly once.
 */

import type { Item } from '../base/brands.ts'
import { chainBits } from '../memory/arrays.ts'
import type { TableParts } from './parts.ts'

const CHAINS_PER_SECTION = 64
const CIRCLE = 2 ** 32

/** What `read` returns for each record. No section is open between two steps but the caller's own. */
export function* walk<T>(
  parts: TableParts,
  read: (item: Item) => T,
): Generator<T, void, undefined> {
  for (let from = 0; from < CIRCLE; ) {
    const batch: T[] = []
    from = inside(parts, () => visit(parts, from, (item) => batch.push(read(item))))
    yield* batch
  }
}

/** Runs `fn` in a section: the caller's, if one is open. */
export function inside<T>({ smr }: Pick<TableParts, 'smr'>, fn: () => T): T {
  return smr.entered ? smr.within(fn) : smr.read(fn)
}

/** In a section: calls `fn` for records from this hash on; returns where to go on. */
function visit({ chains }: TableParts, from: number, fn: (item: Item) => void): number {
  const stripe = chains.stripeOf(from)
  const now = chains.current(stripe)
  const span = CIRCLE / 2 ** chainBits(now)
  const first = Math.floor(from / span)
  const end = Math.min(first + CHAINS_PER_SECTION, chains.firstIn(now, stripe + 1))
  for (const node of chains.nodes(now, first, end)) {
    if (chains.hashOf(node) >>> 0 >= from) fn(node as Item)
  }
  return end * span
}

/**
 * Walks over a range of an ordered table, while others write.
 *
 * A step reads some records in one section, and notes the key to go on from: no node is remembered, so
 * between two steps nothing is held. The order of keys never changes, so what is there from beginning to
 * end is seen exactly once, and in order.
 */

import type { Item } from '../base/brands.ts'
import { inside } from '../table/walk.ts'
import type { OrderParts } from './parts.ts'
import { TORN } from './trie.ts'

const RECORDS_PER_SECTION = 64

/** Keys from `from` to `to`, both included, and how many of them at most. */
export interface Span<V> {
  readonly from: V | undefined
  readonly to: V | undefined
  readonly reverse: boolean
  readonly limit: number
}

/** Reads the key of a record. */
export type KeyOf<V> = (item: Item) => V

/** Where a walk goes on: at this key, or beyond it. */
interface Mark<V> {
  readonly key: V | undefined
  readonly beyond: boolean
}

/** What `read` returns for each record. No section is open between two steps but the caller's own. */
export function* walkRange<V, T>(
  parts: OrderParts,
  span: Span<V>,
  keyOf: KeyOf<V>,
  read: (item: Item) => T,
): Generator<T, void, undefined> {
  let left = span.limit
  let mark: Mark<V> | undefined = { key: span.reverse ? span.to : span.from, beyond: false }
  while (mark !== undefined && left > 0) {
    const batch: T[] = []
    mark = inside(parts, () =>
      visit(parts, span, mark as Mark<V>, left, keyOf, (item) => batch.push(read(item))),
    )
    left -= batch.length
    yield* batch
  }
}

/** Calls `fn` for each record, in sections. */
export function readRange<V>(
  parts: OrderParts,
  span: Span<V>,
  keyOf: KeyOf<V>,
  fn: (item: Item) => void,
): void {
  let left = span.limit
  let mark: Mark<V> | undefined = { key: span.reverse ? span.to : span.from, beyond: false }
  while (mark !== undefined && left > 0) {
    mark = inside(parts, () =>
      visit(parts, span, mark as Mark<V>, left, keyOf, (item) => {
        left--
        fn(item)
      }),
    )
  }
}

/** In a section: calls `fn` for some records; returns where to go on, undefined at the end. */
function visit<V>(
  parts: OrderParts,
  span: Span<V>,
  mark: Mark<V>,
  left: number,
  keyOf: KeyOf<V>,
  fn: (item: Item) => void,
): Mark<V> | undefined {
  const { trie } = parts
  const most = Math.min(left, RECORDS_PER_SECTION)
  const items: Item[] = []
  let isEnd = false
  try {
    isEnd = gather(parts, span, mark, most, items)
  } catch (error) {
    throw trie.explain(error)
  }
  const last = items.at(-1)
  const next = isEnd || last === undefined ? undefined : { key: keyOf(last), beyond: true }
  // Last, since `fn` may look up other keys.
  for (const item of items) fn(item)
  return next
}

/** Finds up to `most` records; whether they are the last ones. */
function gather<V>(
  { guard, trie }: OrderParts,
  { from, reverse, to }: Span<V>,
  { beyond, key }: Mark<V>,
  most: number,
  items: Item[],
): boolean {
  const up = !reverse
  if (key !== undefined) trie.key.aim('table.range', key)
  const begin = (): number => (key === undefined ? trie.outer(up) : trie.near(up, beyond))
  const collect = (first: number): boolean => {
    for (let item = first; item !== 0; item = trie.onward(up)) {
      if (items.length === most) return false
      items.push(item as Item)
    }
    return true
  }
  const first = begin()
  let isEnd =
    first !== TORN ? collect(first) : guard.whileLocked(() => collect(trie.whole(begin())))
  const last = items.at(-1)
  // Or the walk would begin again with what it has seen.
  if (beyond && last !== undefined && !trie.isBeyond(last, up)) throw trie.damaged(last)
  const bound = reverse ? from : to
  if (bound === undefined) return isEnd
  trie.key.aim('table.range', bound)
  while (items.length > 0 && trie.isBeyond(items.at(-1) as Item, up)) {
    items.pop()
    isEnd = true
  }
  return isEnd
}

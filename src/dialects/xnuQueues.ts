/**
 * The XNU dialect's SMR queues. XNU's macros choose by the type of the head, so that one of the
 * four types can replace another; here the head is one of the core's queues, which also knows where
 * in an item its link is.
 *
 *     const chain = new smrq_list_head(arena, { head, link })      // smrq_list_head and smrq_link
 *     smrq_serialized_insert_head(chain, item)
 *
 * Different:
 *   - What a C macro needs for want of types is gone: `type_t`, and a loop's variable. Where the
 *     kernel takes a `field` and no head, `next` and the cursor, it takes the head: that knows the
 *     field.
 *   - `foreach` and `iter` give what a `for ... of` loop wants. A cursor's two verbs take the
 *     cursor.
 *   - An element is an item, not a link in one; head and elements are checked, and nothing has
 *     changed when one of these throws. A singly linked queue notices that what is removed is not
 *     in it.
 *   - _relaxed stores as the others do. `append` is right for every pair of queues, also doubly
 *     linked ones without a tail and empty ones; erasing the last element moves a tail queue's
 *     tail.
 *   - `smrq_serialized_replace` and `remove` leave the old element its way onward, as in the
 *     kernel; what is behind a death, `repair` and `check`, are methods of the head.
 */

import type { Item } from '../base/brands.ts'
import { SmrCursor } from '../lists/cursor.ts'
import { SmrQueue, type SmrStailQ, type SmrTailQ, SmrTailQueue } from '../lists/queue.ts'
import { assertIs } from './cold.ts'

export {
  SmrList as smrq_list_head,
  SmrSList as smrq_slist_head,
  SmrStailQ as smrq_stailq_head,
  SmrTailQ as smrq_tailq_head,
} from '../lists/queue.ts'

type Walk = Generator<Item, void, void>
/** A head with two words. */
type HasTail = SmrStailQ | SmrTailQ

/** Makes the queue empty: once, by its creator, and after it was appended to another. */
export function smrq_init(head: SmrQueue): void {
  assertIs('smrq_init', 'head', head, SmrQueue, 'a queue')
  head.init()
}

/** Legal anywhere. */
export function smrq_empty(head: SmrQueue): boolean {
  assertIs('smrq_empty', 'head', head, SmrQueue, 'a queue')
  return head.empty
}

// ---- readers, in a section ----------------------------------------------------------------------

/** The first element, or 0. */
export function smrq_entered_first(head: SmrQueue): Item {
  assertIs('smrq_entered_first', 'head', head, SmrQueue, 'a queue')
  return head.enteredFirst()
}

/** The element behind `elem`, or 0. */
export function smrq_entered_next(elem: Item, head: SmrQueue): Item {
  assertIs('smrq_entered_next', 'head', head, SmrQueue, 'a queue')
  return head.enteredNext(elem)
}

/** The elements, inside one section. */
export function smrq_entered_foreach(head: SmrQueue): Walk {
  assertIs('smrq_entered_foreach', 'head', head, SmrQueue, 'a queue')
  return head.entered()
}

// ---- the writer that holds the lock ------------------------------------------------------------

/** The first element, or 0. */
export function smrq_serialized_first(head: SmrQueue): Item {
  assertIs('smrq_serialized_first', 'head', head, SmrQueue, 'a queue')
  return head.serializedFirst()
}

/** The element behind `elem`, or 0. */
export function smrq_serialized_next(elem: Item, head: SmrQueue): Item {
  assertIs('smrq_serialized_next', 'head', head, SmrQueue, 'a queue')
  return head.serializedNext(elem)
}

/** The elements; the current one must not be removed. */
export function smrq_serialized_foreach(head: SmrQueue): Walk {
  assertIs('smrq_serialized_foreach', 'head', head, SmrQueue, 'a queue')
  return head.serialized()
}

/** The elements; the current one may be removed. */
export function smrq_serialized_foreach_safe(head: SmrQueue): Walk {
  assertIs('smrq_serialized_foreach_safe', 'head', head, SmrQueue, 'a queue')
  return head.serializedSafe()
}

/**
 * Puts an item before all others and publishes it. Never blocks; Misuse and Corruption as the core.
 */
export function smrq_serialized_insert_head(head: SmrQueue, elem: Item): void {
  assertIs('smrq_serialized_insert_head', 'head', head, SmrQueue, 'a queue')
  head.insertHead(elem)
}

/**
 * Puts an item behind all others and publishes it. Never blocks; Misuse and Corruption as the core.
 */
export function smrq_serialized_insert_tail(head: HasTail, elem: Item): void {
  assertIs('smrq_serialized_insert_tail', 'head', head, SmrTailQueue, 'a tail queue')
  head.insertTail(elem)
}

/** For an element that readers could reach before. */
export function smrq_serialized_insert_head_relaxed(head: SmrQueue, elem: Item): void {
  assertIs('smrq_serialized_insert_head_relaxed', 'head', head, SmrQueue, 'a queue')
  head.insertHead(elem)
}

/** For an element that readers could reach before. */
export function smrq_serialized_insert_tail_relaxed(head: HasTail, elem: Item): void {
  assertIs('smrq_serialized_insert_tail_relaxed', 'head', head, SmrTailQueue, 'a tail queue')
  head.insertTail(elem)
}

/** Removes `elem`. Free it by `zfree_smr`, or after `smr_call` or `smr_synchronize`. */
export function smrq_serialized_remove(head: SmrQueue, elem: Item): void {
  assertIs('smrq_serialized_remove', 'head', head, SmrQueue, 'a queue')
  head.remove(elem)
}

/** Puts `new_elem` in the place of `old_elem`, in one step for readers. */
export function smrq_serialized_replace(head: SmrQueue, old_elem: Item, new_elem: Item): void {
  assertIs('smrq_serialized_replace', 'head', head, SmrQueue, 'a queue')
  head.replace(old_elem, new_elem)
}

/** A walk: each turn must either go to the next element or erase this one, once. */
export function smrq_serialized_iter(head: SmrQueue): SmrCursor {
  assertIs('smrq_serialized_iter', 'head', head, SmrQueue, 'a queue')
  return head.iterate()
}

/** Goes to the next element. Misuse when this turn has ended. */
export function smrq_serialized_iter_next(it: SmrCursor): void {
  assertIs('smrq_serialized_iter_next', 'it', it, SmrCursor, 'what iterate() returned')
  it.next()
}

/** Erases this element, without a walk. Misuse when this turn has ended. */
export function smrq_serialized_iter_erase(it: SmrCursor): void {
  assertIs('smrq_serialized_iter_erase', 'it', it, SmrCursor, 'what iterate() returned')
  it.erase()
}

/**
 * Appends the elements of `src` to `dst`. `src` is not emptied, for its readers: call `smrq_init`
 * for it.
 */
export function smrq_serialized_append<Q extends SmrQueue>(dst: Q, src: Q): void {
  assertIs('smrq_serialized_append', 'dst', dst, SmrQueue, 'a queue')
  assertIs('smrq_serialized_append', 'src', src, SmrQueue, 'a queue')
  dst.append(src)
}

/**
 * The OpenBSD dialect's pointer lists: SMR_SLIST, SMR_LIST and SMR_TAILQ of the kernel's smr.h.
 *
 *                head          entry in an item    the core's
 *   SMR_SLIST    1 word        1 word              SmrSList
 *   SMR_LIST     1 word        2 words             SmrList
 *   SMR_TAILQ    2 words       2 words             SmrTailQ
 *
 * `head` is the address of the head, `elm` an item, `field` the number of words from an item's
 * beginning to its entry. Names with LOCKED are for the writer that holds the lock; the others are
 * for readers in a section, which only go forward. A removed element keeps its `next`: free it by
 * `smr_call`.
 *
 * As in BSD's queue.h, the word that points to an element may be a head or another element's entry.
 * So the rest of a list after an element is a list whose head is that element's entry, and
 * inserting after it is inserting at a head. Heads and entries are those of the core: queues of
 * queue.ts may be used on the same words.
 *
 * Different:
 *   - FOREACH gives what a `for ... of` loop wants, in place of a variable: `(head, field)` is
 *     left. So are FOREACH_LOCKED and FOREACH_SAFE_LOCKED, which needs no second variable.
 *   - What stands for a C type is gone: `type` of SMR_SLIST_REMOVE_LOCKED, `headname` of
 *     SMR_TAILQ_LAST_LOCKED; HEAD, ENTRY and HEAD_INITIALIZER declare nothing here, see INIT.
 *   - Every change is checked first, in every build: Misuse for an element that is not in the list,
 *     or is the first already; Corruption for words that are wrong. Then nothing has changed. The
 *     kernel walks off the end, or links what it was told. Only whether what a singly linked
 *     element is inserted after is in a list, nobody can see.
 */

import { type Item, NULL_ITEM } from '../base/brands.ts'
import { Misuse, show } from '../base/errors.ts'
import { pointer } from '../lists/pointer.ts'
import { SmrList, SmrSList, SmrTailQ } from '../lists/queue.ts'
import type { HasMemory } from '../memory/memory.ts'

type Walk = Generator<Item, void, void>

/** From a head's first word to its second, and from an entry's. */
const SECOND = 1

/** The macros, for one worker in one arena. Get them with `smr_startup(arena)`. */
export class OpenBsdLists {
  protected readonly arena: HasMemory

  /** @internal */
  constructor(arena: HasMemory) {
    this.arena = arena
  }

  // ---- the same for all three: the first word of a head, and of an entry ---------------------

  private readonly end = (_head: number): Item => NULL_ITEM
  private readonly first = (head: number): Item => pointer(this.arena, head).enteredLoad()
  private readonly next = (elm: Item, field: number): Item => this.first(behind(elm, field))
  private readonly firstLocked = (head: number): Item => pointer(this.arena, head).serializedLoad()
  private readonly nextLocked = (elm: Item, field: number): Item =>
    this.firstLocked(behind(elm, field))
  private readonly emptyLocked = (head: number): boolean => this.firstLocked(head) === 0

  // ---- singly linked -----------------------------------------------------------------------

  readonly SMR_SLIST_END = this.end
  readonly SMR_SLIST_FIRST = this.first
  readonly SMR_SLIST_NEXT = this.next
  readonly SMR_SLIST_FIRST_LOCKED = this.firstLocked
  readonly SMR_SLIST_NEXT_LOCKED = this.nextLocked
  readonly SMR_SLIST_EMPTY_LOCKED = this.emptyLocked

  /** The elements, inside one section. */
  readonly SMR_SLIST_FOREACH = (head: number, field: number): Walk =>
    this.slist(head, field).entered()
  /** The elements; the current one must not be removed. */
  readonly SMR_SLIST_FOREACH_LOCKED = (head: number, field: number): Walk =>
    this.slist(head, field).serialized()
  /** The elements; the current one may be removed. */
  readonly SMR_SLIST_FOREACH_SAFE_LOCKED = (head: number, field: number): Walk =>
    this.slist(head, field).serializedSafe()

  /** Makes the list empty: called once, by its creator. */
  readonly SMR_SLIST_INIT = (head: number): void => this.slist(head, 0).init()

  readonly SMR_SLIST_INSERT_AFTER_LOCKED = (slistelm: Item, elm: Item, field: number): void =>
    this.slist(behind(slistelm, field), field).insertHead(elm)

  readonly SMR_SLIST_INSERT_HEAD_LOCKED = (head: number, elm: Item, field: number): void =>
    this.slist(head, field).insertHead(elm)

  /** Removes the element after `elm`. */
  readonly SMR_SLIST_REMOVE_AFTER_LOCKED = (elm: Item, field: number): void =>
    this.SMR_SLIST_REMOVE_HEAD_LOCKED(behind(elm, field), field)

  /** Removes the first element. Misuse when there is none. */
  readonly SMR_SLIST_REMOVE_HEAD_LOCKED = (head: number, field: number): void => {
    const list = this.slist(head, field)
    list.remove(list.serializedFirst())
  }

  /** Removes `elm`; walks to it. */
  readonly SMR_SLIST_REMOVE_LOCKED = (head: number, elm: Item, field: number): void =>
    this.slist(head, field).remove(elm)

  // ---- doubly linked -----------------------------------------------------------------------

  readonly SMR_LIST_END = this.end
  readonly SMR_LIST_FIRST = this.first
  readonly SMR_LIST_NEXT = this.next
  readonly SMR_LIST_FIRST_LOCKED = this.firstLocked
  readonly SMR_LIST_NEXT_LOCKED = this.nextLocked
  readonly SMR_LIST_EMPTY_LOCKED = this.emptyLocked

  /** The elements, inside one section. */
  readonly SMR_LIST_FOREACH = (head: number, field: number): Walk =>
    this.list(head, field).entered()
  /** The elements; the current one must not be removed. */
  readonly SMR_LIST_FOREACH_LOCKED = (head: number, field: number): Walk =>
    this.list(head, field).serialized()
  /** The elements; the current one may be removed. */
  readonly SMR_LIST_FOREACH_SAFE_LOCKED = (head: number, field: number): Walk =>
    this.list(head, field).serializedSafe()

  /** Makes the list empty: called once, by its creator. */
  readonly SMR_LIST_INIT = (head: number): void => this.list(head, 0).init()

  readonly SMR_LIST_INSERT_AFTER_LOCKED = (listelm: Item, elm: Item, field: number): void => {
    this.before(listelm, field)
    this.list(behind(listelm, field), field).insertHead(elm)
  }

  readonly SMR_LIST_INSERT_BEFORE_LOCKED = (listelm: Item, elm: Item, field: number): void =>
    this.list(this.before(listelm, field), field).insertHead(elm)

  readonly SMR_LIST_INSERT_HEAD_LOCKED = (head: number, elm: Item, field: number): void =>
    this.list(head, field).insertHead(elm)

  /** Removes `elm`, without a walk. */
  readonly SMR_LIST_REMOVE_LOCKED = (elm: Item, field: number): void =>
    // The core takes a head, but does not use it for this type of queue.
    this.list(behind(elm, field), field).remove(elm)

  // ---- tail queues -------------------------------------------------------------------------

  readonly SMR_TAILQ_END = this.end
  readonly SMR_TAILQ_FIRST = this.first
  readonly SMR_TAILQ_NEXT = this.next
  readonly SMR_TAILQ_FIRST_LOCKED = this.firstLocked
  readonly SMR_TAILQ_NEXT_LOCKED = this.nextLocked
  readonly SMR_TAILQ_EMPTY_LOCKED = this.emptyLocked

  /** The last element, or 0, found by its `prev` word. */
  readonly SMR_TAILQ_LAST_LOCKED = (head: number): Item => {
    if (!Number.isInteger(head)) throw new Misuse(`SMR_TAILQ: head is ${show(head)}; give a word`)
    const last = this.firstLocked(head + SECOND)
    return this.firstLocked(this.firstLocked(last + SECOND))
  }

  /** The elements, inside one section. */
  readonly SMR_TAILQ_FOREACH = (head: number, field: number): Walk =>
    this.tailq(head, field).entered()
  /** The elements; the current one must not be removed. */
  readonly SMR_TAILQ_FOREACH_LOCKED = (head: number, field: number): Walk =>
    this.tailq(head, field).serialized()
  /** The elements; the current one may be removed. */
  readonly SMR_TAILQ_FOREACH_SAFE_LOCKED = (head: number, field: number): Walk =>
    this.tailq(head, field).serializedSafe()

  /** Makes the queue empty: called once, by its creator. */
  readonly SMR_TAILQ_INIT = (head: number): void => this.tailq(head, 0).init()

  readonly SMR_TAILQ_INSERT_AFTER_LOCKED = (
    head: number,
    listelm: Item,
    elm: Item,
    field: number,
  ): void => {
    this.before(listelm, field)
    if (this.nextLocked(listelm, field) === 0) this.tailq(head, field).insertTail(elm)
    else this.SMR_LIST_INSERT_AFTER_LOCKED(listelm, elm, field)
  }

  /** As in a list: an element inserted before another is not the last. */
  readonly SMR_TAILQ_INSERT_BEFORE_LOCKED = this.SMR_LIST_INSERT_BEFORE_LOCKED

  readonly SMR_TAILQ_INSERT_HEAD_LOCKED = (head: number, elm: Item, field: number): void =>
    this.tailq(head, field).insertHead(elm)

  readonly SMR_TAILQ_INSERT_TAIL_LOCKED = (head: number, elm: Item, field: number): void =>
    this.tailq(head, field).insertTail(elm)

  /** Removes `elm`, without a walk. */
  readonly SMR_TAILQ_REMOVE_LOCKED = (head: number, elm: Item, field: number): void =>
    this.tailq(head, field).remove(elm)

  // ---- the core's, made for one use ----------------------------------------------------------

  private slist(head: number, field: number): SmrSList {
    return new SmrSList(this.arena, { head, link: field })
  }

  private list(head: number, field: number): SmrList {
    return new SmrList(this.arena, { head, link: field })
  }

  private tailq(head: number, field: number): SmrTailQ {
    return new SmrTailQ(this.arena, { head, link: field })
  }

  /** The word that points to an element of a doubly linked list. Misuse if it has been removed. */
  private before(listelm: Item, field: number): number {
    const word = this.firstLocked(behind(listelm, field) + SECOND)
    if (word !== 0) return word
    throw new Misuse(`SMR_LIST: element ${listelm} is in no list`, { listelm })
  }
}

/** An element's entry, which is the head of the list after it. */
function behind(elm: Item, field: number): number {
  if (!Number.isInteger(field)) throw new Misuse(`SMR_LIST: field is ${show(field)}; give words`)
  if (Number.isInteger(elm) && elm > 0) return elm + field
  throw new Misuse(`SMR_LIST: ${show(elm)} is no element; give an item`)
}

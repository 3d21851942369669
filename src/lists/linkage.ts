/**
 * Linkage: how one atomic store at a time changes a queue while readers walk it.
 *
 *      word before        element             next               (the words are in queueWords.ts)
 *     +-----------+     +---------+        +---------+
 *     |   item    | --> | .. next | ---->  | .. next | --> ...
 *     +-----------+     +---------+        +---------+
 *
 * Each change is prepared where no reader can see it, and done by ONE atomic store to ONE pointer
 * word: a reader finds the queue before or after it, and nothing else. (A kernel has a relaxed
 * store in some places, where what it stores was published before. JavaScript has none.) The word
 * behind the pointer word - `prev` of the next element, or `last` - is corrected afterwards, for
 * the next writer. If a writer dies in between, the queue is right for readers, and `repair` does
 * the rest.
 *
 *   [Q1] publication: `next` of the new element, then the word before it.
 *        A reader that loads the word before the store does not meet the element; one that loads it
 *        afterwards gets the new element, with its fields and its `next`. Otherwise (the stores in
 *        the other order, or the word stored plainly) a reader gets an element that leads nowhere,
 *        or reads fields that are not there yet.
 *   [Q2] unlink: the word before gets `next` of the element, whose own `next` stays.
 *        A reader that loads the word before the store gets the element, and its `next` still leads
 *        on correctly; what the reader meets there may be unlinked later, but then for a goal that
 *        its section holds back. One that loads the word afterwards does not meet the element, and
 *        gets the next one from our store, which comes after that one's publication.
 *        Otherwise (`next` is cleared) the reader on the element takes it for the last one.
 *   [Q3] append: the word at dst's end gets src's first element.
 *        A reader that loads the word before the store ends where dst ended; one that loads it
 *        afterwards goes on to all of src. Readers of src are not affected: no word that they
 *        follow has changed. Otherwise (src is emptied) they would lose the elements that they came
 *        for.
 *   [Q4] replacement is [Q1] and [Q2] in one store: `next` of the new element is a copy of that of
 *        the old one, which stays. A reader finds one of the two, never both or neither.
 *
 * A reader may be on an unlinked element as long as a section is open that was open at the unlink:
 * as ever, it must not be freed before its goal is met. It may be inserted elsewhere before that,
 * since `next` of what is inserted is stored atomically too; readers on it then go on in the other
 * queue.
 *
 * Differences from XNU's __smrq_serialized_*: more is checked, and all of it before anything
 * changes; the element that is removed from a singly linked queue must be in it; append is right
 * for every pair of queues, empty ones too; erasing the last element of a tail queue moves `last`.
 */

import { type Item, NULL_ITEM } from '../base/brands.ts'
import { Misuse } from '../base/errors.ts'
import { QueueWords } from './queueWords.ts'

/** One queue, as its writers change it. */
export class Linkage extends QueueWords {
  /** Makes the queue empty. Atomic, since readers may be loading the head. */
  init(): void {
    this.memory.store(this.head, 0)
    this.setBehind(this.head, NULL_ITEM)
  }

  /** Inserts an element behind pointer word `at`. */
  insert(verb: string, at: number, item: Item): void {
    this.wordOf(verb, item)
    const next = this.follow(at)
    this.checkNew(verb, item, at, next)
    this.checkBehind(at, next)
    this.publish(at, item, next)
  }

  /** Takes out the element that pointer word `at` leads to. */
  unlink(at: number, item: Item): void {
    const { memory } = this
    const word = this.after(item)
    const next = this.follow(word)
    this.checkBehind(word, next)
    memory.store(at, next) // [Q2]
    this.setBehind(at, next)
    if (this.shape.doubly) memory.poke(this.prevOf(item), 0)
  }

  /** Puts `item` in the place of `old`. */
  replace(verb: string, old: Item, item: Item): void {
    this.wordOf(verb, item)
    const at = this.before(verb, old)
    const oldWord = this.after(old)
    const next = this.follow(oldWord)
    this.checkNew(verb, item, at, next)
    if (item === old) throw this.known(verb, item)
    this.checkBehind(oldWord, next)
    this.publish(at, item, next) // [Q4]
    if (this.shape.doubly) this.memory.poke(this.prevOf(old), 0)
  }

  /** Makes our last pointer word lead to the elements of `src`. */
  append(verb: string, src: Linkage): void {
    this.checkKind(verb, src)
    const { memory } = this
    const srcEnd = src.end()
    const at = this.end()
    if (at === srcEnd) {
      throw new Misuse(
        `${this.call(verb)}: the queue at ${src.head} has its end at word ${at}, as this one has; it was appended before`,
        { head: this.head, src: src.head, end: at },
      )
    }
    const first = src.follow(src.head)
    src.checkBehind(src.head, first)
    if (first === 0) return
    if (this.shape.doubly) memory.poke(this.prevOf(first), at)
    memory.store(at, first) // [Q3]
    this.setBehind(srcEnd, NULL_ITEM)
  }

  /** Makes pointer word `at` lead to `item`, and that to `next`. */
  private publish(at: number, item: Item, next: Item): void {
    const { memory } = this
    const word = this.after(item)
    // Atomic although it is not published yet: a reader may still be on it, see above.
    memory.store(word, next)
    if (this.shape.doubly) memory.poke(this.prevOf(item), at)
    memory.store(at, item) // [Q1]
    this.setBehind(word, next)
  }

  // ---- all of it ---------------------------------------------------------------------------

  /** Makes `prev` and `last` again from the pointer words. Returns the number of elements. */
  repair(): number {
    this.seek(() => false) // First check all pointer words: if one is wrong, nothing changes.
    let count = 0
    const end = this.seek((item, at) => {
      this.setBehind(at, item)
      count++
      return false
    })
    this.setBehind(end, NULL_ITEM)
    return count
  }

  /** The number of elements. Corruption unless all `prev` and `last` are right. */
  check(): number {
    let count = 0
    const end = this.seek((item, at) => {
      this.checkBehind(at, item)
      count++
      return false
    })
    this.checkBehind(end, NULL_ITEM)
    return count
  }

  // ---- refusals ----------------------------------------------------------------------------

  /** Misuse if the element is next to its new place already: it would lead to itself. */
  private checkNew(verb: string, item: Item, at: number, next: Item): void {
    if (item === next || this.after(item) === at) throw this.known(verb, item)
  }

  private checkKind(verb: string, src: Linkage): void {
    const buffer = this.memory.words.buffer
    const { name } = this.shape
    if (src.shape === this.shape && src.link === this.link && src.memory.words.buffer === buffer)
      return
    throw new Misuse(
      `${this.call(verb)}: the other queue is a ${src.shape.name} with link ${src.link}; give a ${name} with link ${this.link} in the same arena`,
      { head: this.head, src: src.head },
    )
  }

  private known(verb: string, item: Item): Misuse {
    return new Misuse(`${this.call(verb)}: item ${item} is in this queue; remove it first`, {
      head: this.head,
      item,
    })
  }
}

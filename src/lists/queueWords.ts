/**
 * The words of one queue: where they are, how to find them, and checks of them.
 *
 *      head        a             b             c
 *     first ---> next -------> next -------> next ---> 0         what readers follow
 *        ^------ prev    ^---- prev    ^---- prev                doubly linked queues only
 *      last -----------------------------------^                 tail queues only
 *
 * `first` and every `next` is a *pointer word*: it holds an element, or 0. `prev` and `last` hold
 * the address of a pointer word: the predecessor of an element is the word that leads to it, in a
 * head or in another element, so no operation has a special case for the first element. (As in
 * BSD's sys/queue.h.) There is one invariant, `checkBehind`: what stands behind a pointer word -
 * the next element or, behind the last word, the head - holds the address of this word.
 *
 * Any reader may load pointer words at any time. `prev` and `last` belong to writers, who take
 * turns. Everything in this file is for the writer whose turn it is, and so reads plainly: no other
 * worker stores to these words now.
 */

import type { Item } from '../base/brands.ts'
import { Corruption, integer, Misuse, onlyOptions, show } from '../base/errors.ts'
import type { Memory } from '../memory/memory.ts'

/** How the four types differ. */
export interface Shape {
  readonly name: string
  /** Elements know the word before them. */
  readonly doubly: boolean
  /** The head knows the last word. */
  readonly tail: boolean
}

/** Where a queue is, and where its elements keep their links. */
export interface QueueOptions {
  /** Address of the head: one word, two for a tail queue. */
  readonly head: number
  /** Words from the beginning of an item to its link: one word, two if it is linked both ways. */
  readonly link: number
}

/** The smallest item. */
const WORDS_PER_ITEM = 2

/** From a pointer word of an element to its `prev`, and from `first` to `last`. */
const SECOND = 1

/** The words of one queue, for the writer whose turn it is. */
export class QueueWords {
  readonly memory: Memory
  readonly shape: Shape
  readonly head: number
  readonly link: number
  private readonly lastAt: number
  private readonly mostItem: number

  constructor(memory: Memory, shape: Shape, options: QueueOptions) {
    const call = `new ${shape.name}`
    onlyOptions(call, options, ['head', 'link'])
    const words = memory.words.length
    const headWords = shape.tail ? 2 : 1
    const linkWords = shape.doubly ? 2 : 1
    this.memory = memory
    this.shape = shape
    this.head = integer(call, 'head', options.head, 1, words - headWords)
    this.link = integer(call, 'link', options.link, 0, words - linkWords - 1)
    this.lastAt = this.head + SECOND
    this.mostItem = words - linkWords - this.link
  }

  /** The pointer word of an element that the caller has named; Misuse unless it can be one. */
  wordOf(verb: string, item: Item): number {
    if (this.isItem(item)) return item + this.link
    throw new Misuse(
      `${this.call(verb)}: item is ${show(item)}; give an integer from 1 to ${this.mostItem}`,
      { item: show(item), max: this.mostItem },
    )
  }

  /** What a pointer word holds, for the writer. Corruption if that cannot be an element. */
  follow(at: number): Item {
    const item = this.memory.peek(at)
    if (item !== 0 && !this.isItem(item)) throw this.broken(at, item, 'an element or 0')
    return item as Item
  }

  /** The pointer word of what `follow` has found. */
  after(item: Item): number {
    return item + this.link
  }

  private isItem(item: number): boolean {
    return typeof item === 'number' && item > 0 && item <= this.mostItem && item >>> 0 === item
  }

  /** Where an element keeps the address of the word that leads to it. */
  protected prevOf(item: Item): number {
    return item + this.link + SECOND
  }

  // ---- finding words -----------------------------------------------------------------------

  /** The last pointer word. Corruption if it leads on. */
  end(): number {
    if (!this.shape.tail) return this.seek(() => false)
    const at = this.wordIn(this.lastAt)
    const item = this.memory.peek(at)
    if (item === 0) return at
    throw this.broken(at, item, `0, for word ${this.lastAt} says that it is the last`)
  }

  /** The pointer word that leads to an element. One load in doubly linked queues, else a walk. */
  before(verb: string, item: Item): number {
    const word = this.wordOf(verb, item)
    if (!this.shape.doubly) {
      const at = this.seek((each) => each === item)
      if (this.follow(at) === item) return at
      throw this.absent(verb, item)
    }
    if (this.memory.peek(word + SECOND) === 0) throw this.absent(verb, item)
    const at = this.wordIn(word + SECOND)
    const found = this.memory.peek(at)
    if (found === item) return at
    throw this.broken(at, found, `${item}, whose word ${word + SECOND} says so`)
  }

  /** The first pointer word that leads to what `found` accepts, or else the last one. */
  protected seek(found: (item: Item, at: number) => boolean): number {
    // Brent's cycle detection: nothing changes meanwhile, so an element that is met again is met
    // for ever. `mark` is the element to be met again; it moves after 1, 2, 4, ... steps.
    let steps = 0
    let mark: Item | 0 = 0
    let at = this.head
    for (let item = this.follow(at); item !== 0; item = this.follow(at)) {
      if (found(item, at)) break
      if (item === mark) throw this.circle(at, item)
      steps++
      if ((steps & (steps - 1)) === 0) mark = item
      at = this.after(item)
    }
    return at
  }

  /**
   * For walks during which others may change the queue: Corruption after more steps than the arena
   * has room for elements, since none is met twice.
   */
  assertStep(steps: number, item: Item): void {
    if (steps > this.memory.words.length / WORDS_PER_ITEM) throw this.circle(this.head, item)
  }

  private circle(at: number, item: Item): Corruption {
    return this.broken(at, item, '0 somewhere: this queue runs in a circle')
  }

  /** The address of a pointer word that stands in word `at`. */
  private wordIn(at: number): number {
    const word = this.memory.peek(at)
    if (word > 0 && word < this.memory.words.length) return word
    throw this.broken(at, word, 'the address of a word')
  }

  // ---- what stands behind a pointer word ---------------------------------------------------

  protected setBehind(at: number, next: Item): void {
    if (next !== 0) {
      if (this.shape.doubly) this.memory.poke(this.prevOf(next), at)
    } else if (this.shape.tail) this.memory.poke(this.lastAt, at)
  }

  protected checkBehind(at: number, next: Item): void {
    const { doubly, tail } = this.shape
    if (next === 0 ? !tail : !doubly) return
    const back = next === 0 ? this.lastAt : this.prevOf(next)
    const found = this.memory.peek(back)
    if (found !== at) throw this.broken(back, found, `${at}, the word that leads to ${next}`)
  }

  // ---- refusals ----------------------------------------------------------------------------

  private absent(verb: string, item: Item): Misuse {
    return new Misuse(`${this.call(verb)}: item ${item} is not in this queue`, {
      head: this.head,
      item,
    })
  }

  private broken(at: number, found: number, expected: string): Corruption {
    const { name } = this.shape
    return new Corruption(
      `${name} at ${this.head}: word ${at} holds ${found}; expected ${expected}. Writers must take turns, and what they link must be live`,
      { head: this.head, at, found, expected },
    )
  }

  protected call(verb: string): string {
    return `${this.shape.name}.${verb}`
  }
}

/**
 * The manual iterator: a walk by the writer, which keeps or erases each element.
 *
 *     const cursor = queue.iterate()
 *     for (const item of cursor) {
 *       if (isOld(item)) cursor.erase()
 *       else cursor.next()
 *     }
 *
 * Or, without an iterator object for each walk: `while ((item = cursor.advance()) !== 0)`.
 *
 * The cursor holds the pointer word that leads to the element, so erasing takes one load and one
 * store, also in singly linked queues, whose `remove` has to walk. Each step must call exactly one
 * of `next` and `erase`. No other call may change the queue around the element meanwhile.
 *
 * After XNU's smrq_serialized_iter, which asserts the same. Differences: erasing the last element
 * of a tail queue moves the queue's `last` (XNU leaves it on the erased element); a queue that was
 * changed during the step is Misuse.
 */

import { type Item, NULL_ITEM } from '../base/brands.ts'
import { Misuse } from '../base/errors.ts'
import { INSPECT, inOneLine, type Summary, summary } from '../base/inspect.ts'
import type { Linkage } from './linkage.ts'

/**
 * One walk of the writer whose turn it is. Get it with `queue.iterate()`. Never blocks; legal
 * inside a section.
 */
export class SmrCursor implements Iterable<Item> {
  private readonly links: Linkage
  /** The pointer word that leads to the current element, or to the next one. */
  private at: number
  private item: Item = NULL_ITEM
  /** Steps so far. More than there can be elements: the queue is a circle. */
  private steps = 0
  /** Whether `next` or `erase` has been called for it. */
  private decided = true

  /** @internal Use `queue.iterate()`. */
  constructor(links: Linkage) {
    this.links = links
    this.at = links.head
  }

  /** The current element; 0 before the first one and at the end. Never throws. */
  get current(): Item {
    return this.item
  }

  /** Goes to the next element; 0 at the end. Misuse if neither `next` nor `erase` was called. */
  advance(): Item {
    if (!this.decided) {
      throw this.misuse('advance', 'neither next nor erase was called for it; call one of them')
    }
    this.item = this.links.follow(this.at)
    this.links.assertStep(++this.steps, this.item)
    this.decided = this.item === 0
    return this.item
  }

  /** Keeps the element. Misuse without an element, or if it was kept or erased already. */
  next(): void {
    this.decide('next')
    this.at = this.links.after(this.item)
  }

  /**
   * Takes the element out, in a few steps for any queue; its `next` stays for readers [Q2]. Free it
   * as after `remove`. Misuse as `next`, Corruption as `remove`; then nothing has changed.
   */
  erase(): void {
    this.decide('erase', () => this.links.unlink(this.at, this.item))
  }

  /** The remaining elements, for a loop. Errors as `advance`. */
  *[Symbol.iterator](): Generator<Item, void, void> {
    for (let item = this.advance(); item !== 0; item = this.advance()) yield item
  }

  /** What `JSON.stringify` shows. @internal */
  toJSON(): Summary {
    return summary('SmrCursor', undefined, () => ({ current: this.item }))
  }

  /** What `console.log` shows. @internal */
  [INSPECT](): string {
    return inOneLine(this.toJSON())
  }

  private decide(verb: string, action?: () => void): void {
    if (this.item === 0) throw this.misuse(verb, 'there is no element; call advance first')
    if (this.decided) throw this.misuse(verb, 'its turn has been decided; call advance first')
    if (this.links.follow(this.at) !== this.item) {
      throw this.misuse(verb, 'the queue was changed under it; use erase, or begin a new walk')
    }
    action?.()
    this.decided = true
  }

  private misuse(verb: string, why: string): Misuse {
    const { item, links } = this
    return new Misuse(`cursor.${verb}: item ${item} of the queue at ${links.head}: ${why}`, {
      item,
      head: links.head,
    })
  }
}

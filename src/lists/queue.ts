/**
 * Queues that are read in sections while they are changed: four types, one contract.
 *
 *                 head                links in an item    inserts at       remove
 *   SmrSList      first               next                the head         walks
 *   SmrList       first               next, prev          the head         one load
 *   SmrStailQ     first, last         next                head and tail    walks
 *   SmrTailQ      first, last         next, prev          head and tail    one load
 *
 *     const zone = arena.zone('jobs', { bytes: 32, smr })        // items: key, link, link, ...
 *     const jobs = new SmrTailQ(arena, { head, link: 1 })        // in each worker; init in one
 *     lock.withLock(() => jobs.insertTail(item))                 // writers take turns
 *     smr.read(() => {                                           // readers just walk
 *       for (let it = jobs.enteredFirst(); it !== 0; it = jobs.enteredNext(it)) look(it)
 *     })
 *
 * Readers go forward only. They never wait and never retry, and they meet each element at most
 * once. What was in the queue during the whole walk is met; what was inserted, removed or replaced
 * meanwhile is met or not, whole and in its place. Readers cannot go backward: `prev` is written
 * after the store that readers see, and plainly.
 *
 * Verbs are named as in pointer.ts: *entered* ones for a reader with a section open, all others
 * *serialized*, for the one writer whose turn it is. The caller makes writers take turns, by a lock
 * or by using one thread. Queues joined by `append` must share the same lock or thread.
 *
 * A removed element keeps its `next`, since readers may be on it: free it with `zfreeSmr`, or after
 * `smr.synchronize()`. If it is inserted somewhere before that, a reader that is on it goes on in
 * the new place, and may miss what followed in the old one. Items must be live while they are
 * linked; no verb here allocates or frees one. The ordering arguments are in linkage.ts.
 *
 * The source is XNU's smrq_* (smr.h). Differences: every verb checks the words that it is about to
 * change, and changes nothing when they are wrong, in every build; `append` is right for all pairs;
 * `repair` and `check` are new; relaxed inserts would store as the others do, so there are none.
 */

import type { Item } from '../base/brands.ts'
import { Misuse, show } from '../base/errors.ts'
import { INSPECT, inOneLine, type Summary, summary } from '../base/inspect.ts'
import { type HasMemory, memoryOf } from '../memory/memory.ts'
import { SmrCursor } from './cursor.ts'
import { Linkage } from './linkage.ts'
import type { QueueOptions, Shape } from './queueWords.ts'

const SLIST: Shape = { name: 'SmrSList', doubly: false, tail: false }
const LIST: Shape = { name: 'SmrList', doubly: true, tail: false }
const STAILQ: Shape = { name: 'SmrStailQ', doubly: false, tail: true }
const TAILQ: Shape = { name: 'SmrTailQ', doubly: true, tail: true }

/**
 * What all four types can do. No verb blocks, or allocates in the arena; all are legal inside a
 * section and outside, as far as their names allow. An *entered* verb without a section is not
 * detected, and throws nothing.
 */
export abstract class SmrQueue {
  /** Which of the four it is. */
  abstract readonly kind: string
  /** @internal */
  readonly links: Linkage

  /** @internal */
  constructor(arena: HasMemory, shape: Shape, options: QueueOptions) {
    this.links = new Linkage(memoryOf(`new ${shape.name}`, arena), shape, options)
  }

  /**
   * Makes the queue empty, whatever its head held before: once, by its creator, and again before
   * writers use a queue that was appended to another. XNU smrq_init.
   */
  init(): void {
    this.links.init()
  }

  /** Whether there is no element right now. Legal anywhere. XNU smrq_empty. */
  get empty(): boolean {
    return this.links.memory.load(this.links.head) === 0
  }

  /** What `JSON.stringify` shows. @internal */
  toJSON(): Summary {
    return summary(this.kind, undefined, () => ({ head: this.links.head, empty: this.empty }))
  }

  /** What `console.log` shows. @internal */
  [INSPECT](): string {
    return inOneLine(this.toJSON())
  }

  // ---- readers, in a section ------------------------------------------------------------------

  /** The first element, or 0. With a section open. XNU smrq_entered_first. */
  enteredFirst(): Item {
    return this.links.memory.load(this.links.head) as Item
  }

  /**
   * The next element, or 0; also after an element that was removed since the section was opened.
   * With a section open. Misuse for what cannot be an item. XNU smrq_entered_next.
   */
  enteredNext(item: Item): Item {
    const { links } = this
    return links.memory.load(links.wordOf('enteredNext', item)) as Item
  }

  /**
   * The elements, for a loop inside one section. Each walk allocates; `enteredFirst` and
   * `enteredNext` do not. XNU smrq_entered_foreach.
   */
  *entered(): Generator<Item, void, void> {
    let steps = 0
    for (let item = this.enteredFirst(); item !== 0; item = this.enteredNext(item)) {
      this.links.assertStep(++steps, item)
      yield item
    }
  }

  // ---- the writer whose turn it is -------------------------------------------------------------

  /** The first element, or 0. Corruption if the head holds no item. XNU smrq_serialized_first. */
  serializedFirst(): Item {
    return this.links.follow(this.links.head)
  }

  /** The next element, or 0. Errors as `serializedFirst`. XNU smrq_serialized_next. */
  serializedNext(item: Item): Item {
    return this.links.follow(this.links.wordOf('serializedNext', item))
  }

  /** The elements. The current one must not be removed. XNU smrq_serialized_foreach. */
  *serialized(): Generator<Item, void, void> {
    let steps = 0
    for (let item = this.serializedFirst(); item !== 0; item = this.serializedNext(item)) {
      this.links.assertStep(++steps, item)
      yield item
    }
  }

  /**
   * The elements; the current one may be removed, and freed. To remove several, `iterate` is better
   * in singly linked queues. XNU smrq_serialized_foreach_safe.
   */
  *serializedSafe(): Generator<Item, void, void> {
    let item = this.serializedFirst()
    for (let steps = 1; item !== 0; steps++) {
      this.links.assertStep(steps, item)
      const next = this.serializedNext(item)
      yield item
      item = next
    }
  }

  /** A walk that keeps or erases each element. XNU smrq_serialized_iter; see cursor.ts. */
  iterate(): SmrCursor {
    return new SmrCursor(this.links)
  }

  /**
   * Puts an item before all others and publishes it, with all that was written to it [Q1]. It must
   * not be in any queue. Misuse if it cannot be an item, or is the first element already;
   * Corruption when the words here are wrong. Then nothing has changed.
   * XNU smrq_serialized_insert_head.
   */
  insertHead(item: Item): void {
    this.links.insert('insertHead', this.links.head, item)
  }

  /**
   * Takes an element out; its `next` stays for readers that are on it [Q2]. In doubly linked queues
   * it takes one load, in the others a walk. Misuse when it is not in the queue; Corruption when
   * the words around it are wrong. Then nothing has changed. A doubly linked queue goes by the
   * element's own words: it detects an element that was removed before, but takes one that is in
   * another queue out of that one. XNU smrq_serialized_remove.
   */
  remove(item: Item): void {
    this.links.unlink(this.links.before('remove', item), item)
  }

  /**
   * Puts `item` in the place of `old`, in one step for readers [Q4]. `old` is removed, as by
   * `remove`; for `item` see `insertHead`. Errors of both. XNU smrq_serialized_replace.
   */
  replace(old: Item, item: Item): void {
    this.links.replace('replace', old, item)
  }

  /**
   * Puts the elements of `src` behind ours, in one step for readers [Q3]. `src` is not emptied: its
   * readers still find them. Writers must not use it again before `init`. Tail queues take a few
   * steps, lists walk. Either may be empty. Misuse for a queue of another type, link or arena, for
   * this one itself and for one that was appended before; Corruption when the words at either end
   * are wrong. Then nothing has changed. XNU smrq_serialized_append, which breaks doubly linked
   * lists.
   */
  append(src: this): void {
    if (!(src instanceof SmrQueue)) {
      throw new Misuse(`${this.kind}.append: src is ${show(src)}; give a ${this.kind}`)
    }
    this.links.append('append', src.links)
  }

  // ---- after a death ---------------------------------------------------------------------------

  /**
   * Call it when the lock returns 'owner-died': makes `prev` and `last` again from the pointers
   * that readers follow, which are right at any time, and returns the number of elements. What the
   * dead worker was inserting or removing is in the queue or not. Corruption when the pointers
   * themselves lead out of the arena or into a circle.
   */
  repair(): number {
    return this.links.repair()
  }

  /**
   * Walks the queue and returns the number of elements. Corruption if any word of it is wrong.
   */
  check(): number {
    return this.links.check()
  }
}

/** Singly linked, head of one word: the smallest. Removing walks; `iterate().erase()` does not. */
export class SmrSList extends SmrQueue {
  readonly kind = 'SmrSList'

  /** Misuse for a head or link out of the arena. Touches nothing: see `init`. */
  constructor(arena: HasMemory, options: QueueOptions) {
    super(arena, SLIST, options)
  }
}

/** Doubly linked, head of one word: removing takes one load. */
export class SmrList extends SmrQueue {
  readonly kind = 'SmrList'

  /** Misuse for a head or link out of the arena. Touches nothing: see `init`. */
  constructor(arena: HasMemory, options: QueueOptions) {
    super(arena, LIST, options)
  }
}

/** What the two with a tail can do in addition. */
export abstract class SmrTailQueue extends SmrQueue {
  /**
   * Puts an item behind all others and publishes it [Q1]. Errors as `insertHead`. XNU
   * smrq_serialized_insert_tail.
   */
  insertTail(item: Item): void {
    this.links.insert('insertTail', this.links.end(), item)
  }
}

/** Singly linked, head of two words: a FIFO queue. */
export class SmrStailQ extends SmrTailQueue {
  readonly kind = 'SmrStailQ'

  /** Misuse for a head or link out of the arena. Touches nothing: see `init`. */
  constructor(arena: HasMemory, options: QueueOptions) {
    super(arena, STAILQ, options)
  }
}

/** Doubly linked, head of two words: everything in a few steps. */
export class SmrTailQ extends SmrTailQueue {
  readonly kind = 'SmrTailQ'

  /** Misuse for a head or link out of the arena. Touches nothing: see `init`. */
  constructor(arena: HasMemory, options: QueueOptions) {
    super(arena, TAILQ, options)
  }
}

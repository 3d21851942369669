/**
 * The tree of an ordered table: a trie of nodes with 17 slots, and no node with fewer than two links.
 *
 *   root -> [ level 3 | . . x . x ... ]          a node tells keys apart by their digit `level`;
 *                         |   |                  digits before that are the same in all keys below it,
 *                       rec  [ level 7 | x x ]   and are not stored: the record at the end has them
 *                                        | |
 *                                      rec rec
 *
 * After FreeBSD's pctrie (sys/kern/subr_pctrie.c), the path-compressed radix trie under its vm_radix.
 * Where we differ: its nodes hold the digits that they skip, which only keys of one word allow; ours
 * compare them in the end, as Morrison's PATRICIA did (1968). Its lookups without a lock are for exact
 * keys, or for ranges of neighbours; ours find the nearest key too. And ours have a slot for the end of
 * a key, see key.ts.
 *
 * Below a slot lie only keys that have the node's digits and then the slot's, at all times: what a
 * node leads to changes, what it stands for never does. So a walk that looks for one key needs no
 * more than its loads to be atomic, as in the chains of a hash table. Each load of a link has two cases:
 *   it returns a node or a record, then the worker that stored it had written it before;
 *   or what stood there before, then we do not meet the new one.
 *   Otherwise (a plain load) words could be read that are not written yet.
 * A node that is taken out while we stand on it keeps its links. They are as old as its removal, which
 * came after we loaded the way to it: so what it leads to was in the table at some time during the call.
 *
 * [V]  The nearest key needs more than one place of the tree at the same time. `changes` is odd while a
 *      writer changes what keys there are, and another even number afterwards. A walk loads it before
 *      and after. Two cases: it is even and the same both times, then no key has come or gone between
 *      these loads, and the answer was right at each moment of it; the record may have been replaced,
 *      and is the one that was there when its link was loaded. Or it is not, then the answer is thrown
 *      away, and the walk is repeated: a few times, then with the lock held. Otherwise (no second load)
 *      a walk could find no key on the left before one is put in there, and go right after another was
 *      taken out there.
 *
 * A walk over many keys is not repeated: a stack of nodes leads it on, in order, within one section.
 * A key that is there all the time is met: a link to its part of the tree never vanishes, and a bit
 * in a node's first word is set before its slot has a link and cleared after.
 *
 * Levels rise along a path, and a key has so many digits: no walk is endless. If they do not, or a
 * link leads out of the pages, memory was written to from outside.
 */

import { Corruption, show } from '../base/errors.ts'
import {
  DIGITS,
  Header,
  OrderWords,
  TRIE_WORDS,
  TrieHead,
  TrieLink,
  TrieWords,
} from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import { type OrderKey, SAME } from './key.ts'

/** What a walk returns that a writer was in the way of. */
export const TORN = -1
const TRIES = 8
/** There are fewer nodes than words divided by this power of two. */
const NODE_SHIFT = 4
/** Before the first slot, and above the first level. */
const BEFORE = -1
const NONE = -2
const LAST_BIT = 31

export class Trie<T = unknown> {
  readonly memory: Memory
  readonly key: OrderKey<T>
  readonly rootAt: number
  readonly changesAt: number
  private readonly name: string
  private readonly lowest: number
  private readonly highest: number
  /** Where a walk has come by: nodes, their levels, and the slot that it took of each. */
  private readonly path: number[] = []
  private readonly levels: number[] = []
  private readonly slots: number[] = []
  private depth = 0
  /** What `next` has found. */
  private link = 0

  constructor(memory: Memory, table: number, name: string, key: OrderKey<T>) {
    this.memory = memory
    this.key = key
    this.name = name
    this.rootAt = table + OrderWords.root
    this.changesAt = table + OrderWords.changes
    this.lowest = memory.peek(Header.pagesAt)
    this.highest = memory.words.length - TRIE_WORDS
  }

  /** In a section: the record with the key aimed at, 0 if there is none. */
  find(): number {
    const { key, memory } = this
    let above = -1
    let link = memory.load(this.rootAt)
    while ((link & TrieLink.record) === 0) {
      if (link === 0) return 0
      above = this.levelOf(link, above)
      link = memory.load(link + TrieWords.slots + key.digit(above))
    }
    const item = this.itemOf(link)
    return key.differ(memory, item) === SAME ? item : 0
  }

  /**
   * In a section: the record with the nearest key, upwards or downwards, at one moment of the call; 0
   * if there is none. The key aimed at counts itself, unless `beyond`. TORN: writers were there all
   * the time; ask `near` with the lock held.
   */
  nearest(up: boolean, beyond: boolean): number {
    return this.steady(() => this.near(up, beyond))
  }

  /**
   * `nearest` downwards, for keys of one word: one verb of memory. In a section. What it does not
   * answer, `nearest` does.
   */
  floor(beyond: boolean): number {
    const { key, memory } = this
    const { bits } = key
    if (beyond && bits === 0) return 0
    const below = beyond ? (bits - 1) | 0 : bits
    const item = memory.floorWord(this.changesAt, this.rootAt, key.word, key.flip, below)
    if (item === 0 || (item >= this.lowest && item <= this.highest)) return item
    return this.nearest(false, beyond)
  }

  /** `nearest` for the first record; with `up` false for the last. */
  outermost(up: boolean): number {
    return this.steady(() => this.outer(up))
  }

  private steady(walk: () => number): number {
    const { changesAt, memory } = this
    for (let left = TRIES; left > 0; left--) {
      const before = memory.load(changesAt)
      if ((before & 1) === 0) {
        const item = walk()
        if (memory.load(changesAt) === before) return this.whole(item) // [V]
      }
      memory.pause()
    }
    return TORN
  }

  /** The result of a walk while no key came or went. */
  whole(item: number): number {
    if (item === TORN) throw this.damaged(this.path[0] ?? 0)
    return item
  }

  /** In a section: the first record, or with `up` false the last; 0 for none. `onward` goes on. */
  outer(up: boolean): number {
    this.depth = 0
    const link = this.memory.load(this.rootAt)
    return link === 0 ? 0 : this.edge(link, up)
  }

  /**
   * In a section: one try of `nearest`, from where `onward` goes on. TORN if a writer was in its way.
   *
   * It goes down to where the key would be. The digits that were skipped are then compared with those
   * of any record there: all keys below a node have the same digits before its level. So if the key
   * differs from one of them in these, it lies on the same side of them all.
   */
  near(up: boolean, beyond: boolean): number {
    const { key, memory, slots } = this
    this.depth = 0
    let link = memory.load(this.rootAt)
    if (link === 0) return 0
    while ((link & TrieLink.record) === 0) {
      const level = this.enter(link)
      const digit = key.digit(level)
      slots[this.depth - 1] = digit
      link = memory.load(link + TrieWords.slots + digit)
      if (link === 0) return this.beside(up)
    }
    const item = this.itemOf(link)
    const level = key.differ(memory, item)
    if (level === SAME) return beyond ? this.onward(up) : item
    return this.around(item, level, link, up)
  }

  /** `near`, where the last node of the path has no link for the key. */
  private beside(up: boolean): number {
    const bottom = this.depth - 1
    const node = this.path[bottom] as number
    const own = this.levels[bottom] as number
    const isBeside = this.next(node, this.slots[bottom] as number, up) !== NONE
    const item = this.onward(isBeside === up)
    // Writers have taken out, one after the other, all records that this walk has looked for.
    if (item === 0 || this.depth <= bottom || this.path[bottom] !== node) return TORN
    const level = this.key.differ(this.memory, item)
    if (level === own) {
      if (isBeside) return item
      this.depth = bottom
      return this.onward(up)
    }
    if (level === SAME || level > own) return TORN
    this.depth = bottom + 1
    return this.around(item, level, 0, up)
  }

  /**
   * `near`, where a record below the last node of the path differs from the key in a digit that was
   * skipped. `link`: where that node has led to.
   */
  private around(item: number, level: number, link: number, up: boolean): number {
    const { key, levels, memory, path } = this
    let { depth } = this
    let part = link
    while (depth > 0 && (levels[depth - 1] as number) > level) part = path[--depth] as number
    this.depth = depth
    const isAbove = key.digitOf(memory, item, level) > key.digit(level)
    return isAbove === up ? this.edge(part, up) : this.onward(up)
  }

  /** The first record of this part of the tree; with `up` false the last. */
  private edge(link: number, up: boolean): number {
    if ((link & TrieLink.record) !== 0) return this.itemOf(link)
    this.enter(link)
    this.slots[this.depth - 1] = up ? BEFORE : DIGITS
    return this.onward(up)
  }

  /** In a section: the record that follows the place where the path ends; 0 if there is none. */
  onward(up: boolean): number {
    const { memory, path, slots } = this
    let left = memory.words.length >>> NODE_SHIFT
    while (this.depth > 0) {
      const last = this.depth - 1
      const node = path[last] as number
      const slot = this.next(node, slots[last] as number, up)
      if (slot === NONE) {
        this.depth = last
        continue
      }
      slots[last] = slot
      const { link } = this
      if ((link & TrieLink.record) !== 0) return this.itemOf(link)
      this.enter(link)
      slots[this.depth - 1] = up ? BEFORE : DIGITS
      if (--left === 0) throw this.damaged(node)
    }
    return 0
  }

  /** Whether the key of this record lies beyond the one aimed at, in that direction. */
  isBeyond(item: number, up: boolean): boolean {
    const { key, memory } = this
    const level = key.differ(memory, item)
    return level !== SAME && key.digitOf(memory, item, level) > key.digit(level) === up
  }

  /** The slot behind this one that has a link, which is left in `link`; NONE. */
  private next(node: number, slot: number, up: boolean): number {
    const { memory } = this
    const behind = up ? -1 << (slot + 1) : (1 << slot) - 1
    let bits = memory.load(node) & TrieHead.slotsMask & behind
    while (bits !== 0) {
      const found = LAST_BIT - Math.clz32(up ? bits & -bits : bits)
      this.link = memory.load(node + TrieWords.slots + found)
      if (this.link !== 0) return found
      bits &= ~(1 << found)
    }
    return NONE
  }

  /** Appends a node to the path, and returns its level. */
  private enter(node: number): number {
    const { depth, levels } = this
    const level = this.levelOf(node, depth === 0 ? BEFORE : (levels[depth - 1] as number))
    this.path[depth] = node
    levels[depth] = level
    this.depth = depth + 1
    return level
  }

  /** The level of a node below one of level `above`. */
  levelOf(node: number, above: number): number {
    const level = this.memory.load(node) >>> TrieHead.levelShift
    if (level > above && node >= this.lowest && node <= this.highest) return level
    throw this.damaged(node)
  }

  /** The record that this link leads to. */
  itemOf(link: number): number {
    const item = link - TrieLink.record
    if (item >= this.lowest && item <= this.highest) return item
    throw this.damaged(item)
  }

  /** Any record of this part of the tree. The lock is held. */
  anyIn(part: number): number {
    let link = part
    let above = BEFORE
    while ((link & TrieLink.record) === 0) {
      above = this.levelOf(link, above)
      if (this.next(link, BEFORE, true) === NONE) throw this.damaged(link)
      link = this.link
    }
    return this.itemOf(link)
  }

  /**
   * With the lock held: clears the bits of slots that have no link, which a death may have left, and
   * returns the number of records. Walks for the nearest key would stumble on them. `visit` is called
   * with each record and each node.
   */
  mend(visit: (item: number) => void): number {
    const { memory } = this
    const root = memory.load(this.rootAt)
    const todo = root === 0 ? [] : [{ link: root, above: BEFORE }]
    let left = memory.words.length >>> NODE_SHIFT
    let records = 0
    for (let each = todo.pop(); each !== undefined; each = todo.pop()) {
      const { above, link } = each
      visit(link & ~TrieLink.record)
      if ((link & TrieLink.record) !== 0) {
        records++
        continue
      }
      const level = this.levelOf(link, above)
      if (--left === 0) throw this.damaged(link)
      let bits = 0
      for (let slot = 0; slot < DIGITS; slot++) {
        const below = memory.load(link + TrieWords.slots + slot)
        if (below === 0) continue
        bits |= 1 << slot
        todo.push({ link: below, above: level })
      }
      const stale = memory.load(link) & TrieHead.slotsMask & ~bits
      if (stale !== 0) memory.and(link, ~stale)
    }
    return records
  }

  /** Every record and every node, by another way than `onward`. Only while nobody writes. */
  *everything(): Generator<{ link: number; node: number; level: number; slot: number }> {
    const todo = [{ link: this.memory.load(this.rootAt), node: 0, level: BEFORE, slot: 0 }]
    for (let each = todo.pop(); each !== undefined; each = todo.pop()) {
      if (each.link === 0) continue
      yield each
      if ((each.link & TrieLink.record) !== 0) continue
      const node = each.link
      const level = this.levelOf(node, each.level)
      for (let slot = 0; slot < DIGITS; slot++) {
        todo.push({ link: this.memory.load(node + TrieWords.slots + slot), node, level, slot })
      }
    }
  }

  /** The error to throw for `error`, which a damaged link may have caused. */
  explain(error: unknown): unknown {
    const isTrap =
      error instanceof Corruption
        ? !('table' in error.facts)
        : error instanceof Error && error.name === 'RuntimeError'
    return isTrap ? this.damaged(this.path[Math.max(0, this.depth - 1)] ?? 0) : error
  }

  damaged(at: number): Corruption {
    return new Corruption(
      `table ${show(this.name)}: its tree is damaged at ${at}; memory was written to from outside`,
      { table: this.name, at },
    )
  }
}

/**
 * Chains: the arrays of list heads behind a hash table, and walks along them.
 *
 * The top bits of a hash are the index of its chain, so chains are in the order of hashes: a range
 * of hashes is a range of the array, whatever its size. Stripes and iteration rely on that.
 *
 * Each stripe, a range of hashes, has a word (`ChainsWord`) that says where its heads are, how many
 * chains the table would have if all stripes were like it, and which of the two link words of each node
 * they use; a reader gets all of it with one atomic load. A small table has one array for all stripes.
 * When a stripe grows it gets an array of its own, of a page at least. (The address in its word is that
 * of the array that all hashes would index, of which only its part exists: so a lookup does the same in
 * both cases.)
 *
 * A resize links the nodes of a stripe through their *other* link word into a new array, and publishes
 * that array's word. Readers on the old array follow the old links, which are not changed until they
 * have left. (Herbert Xu's dynamic resizing for the Linux kernel, 2010; the second link costs one word
 * per record, and no reader sees a half-moved chain. There the whole table moves; here one stripe at a
 * time, under its own lock.)
 *
 * A walk meets each node once: a freed node is not linked again while we are in a section or hold
 * the lock. So a node met twice, or outside the pages, is damage, and the walk throws Corruption
 * instead of running for ever. It remembers the node of step 1, 2, 4, 8, ...: in a circle it meets
 * that node again before it remembers the next. (Brent, 1980.) The walks of memory/compound.ts
 * count steps instead, and `explain` finds out what stopped them.
 */

import { Corruption, show } from '../base/errors.ts'
import { arrayOf, chainBits, isSharedArray } from '../memory/arrays.ts'
import { headFor } from '../memory/compound.ts'
import {
  ChainsWord,
  Header,
  NODE_WORDS,
  NodeWords,
  TableWords,
  tableParts,
} from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Space } from '../space/space.ts'

const HASH_BITS = 32
/** Nodes that a resize links between two increments of `progress`: some milliseconds. */
const NODES_PER_SIGN = 2 ** 14
/** Chains of the largest table: as many heads as one run of pages can hold. */
export const MAX_CHAIN_BITS = 26

export class Chains {
  private readonly memory: Memory
  /** Address of the word of the first stripe. */
  readonly first: number
  /** What a hash is shifted by to the right to get its stripe. */
  readonly shift: number
  readonly stripeBits: number
  /** Words from a node to its `NodeWords`, behind the record. */
  readonly behind: number
  private readonly name: string
  private readonly progressAt: number
  /** Lowest and highest address that a node can have. */
  private readonly lowest: number
  private readonly highest: number

  constructor(space: Space, table: number, name: string) {
    this.memory = space.memory
    this.name = name
    this.stripeBits = space.memory.peek(table + TableWords.stripeBits)
    this.shift = HASH_BITS - this.stripeBits
    this.first = tableParts(table, this.stripeBits).chains
    this.progressAt = table + TableWords.progress
    this.behind = space.memory.peek(table + TableWords.recordWords)
    this.lowest = space.memory.peek(Header.pagesAt)
    this.highest = space.memory.words.length - this.behind - NODE_WORDS
  }

  /**
   * The chains of a stripe. In a section, or with the stripe locked, their array is not released.
   */
  current(stripe: number): number {
    return this.memory.load(this.first + stripe)
  }

  stripeOf(hash: number): number {
    return hash >>> this.shift
  }

  /** Index of a stripe's first chain in the array that all hashes would index. */
  firstIn(chains: number, stripe: number): number {
    return stripe << this.bitsIn(chains)
  }

  /** Chains of one stripe in this array: 2^bits. */
  bitsIn(chains: number): number {
    return chainBits(chains) - this.stripeBits
  }

  /** Whether stripes with so many chains in all share one array. */
  isShared(bits: number): boolean {
    return isSharedArray(bits, this.stripeBits)
  }

  /** The run of pages in which a stripe's chains lie. */
  runOf(chains: number, stripe: number): number {
    return arrayOf(chains, stripe, this.stripeBits)
  }

  /** The word for a stripe whose chains lie in the run at `base`. */
  wordFor(stripe: number, base: number, bits: number, link: number): number {
    const own = this.isShared(bits) ? 0 : stripe << (bits - this.stripeBits)
    return (base - own) | (bits << ChainsWord.bitsShift) | link
  }

  /** Address of the head for a hash. */
  headFor(chains: number, hash: number): number {
    return headFor(chains, hash)
  }

  /** Words from a node to its link in this array. */
  linkOffset(chains: number): number {
    return this.behind + NodeWords.links + (chains & ChainsWord.linkMask)
  }

  hashOf(node: number): number {
    return this.memory.peek(node + this.behind + NodeWords.hash)
  }

  /** Before publication. */
  setHash(node: number, hash: number): void {
    this.memory.poke(node + this.behind + NodeWords.hash, hash)
  }

  /**
   * Version of the record at `node`; 0 for no node. In a section, or with the stripe locked. Two cases
   * for a reader: it loaded the pointer to this node, then the version was written before; or it did
   * not, then it has no node to ask. Otherwise (written after publication) it could read an old one.
   * Atomic, because a record with atomic fields may get another: see seals.ts.
   */
  versionOf(node: number): number {
    return node === 0 ? 0 : this.memory.load(node + this.versionOffset)
  }

  /** Words from a node to its version. */
  get versionOffset(): number {
    return this.behind + NodeWords.version
  }

  /** Before publication. */
  setVersion(node: number, version: number): void {
    this.memory.poke(node + this.behind + NodeWords.version, version)
  }

  /** The nodes of a stripe's chains, under its lock. */
  nodesOf(chains: number, stripe: number): Generator<number> {
    return this.nodes(chains, this.firstIn(chains, stripe), this.firstIn(chains, stripe + 1), true)
  }

  /**
   * The nodes of the chains from index `from` up to `to`, which are in one stripe; in a section or under
   * its lock.
   */
  *nodes(chains: number, from: number, to: number, isLocked = false): Generator<number> {
    const { memory } = this
    const link = this.linkOffset(chains)
    const heads = chains & ChainsWord.pageMask
    this.assertArray(chains, heads + from, heads + to)
    for (let i = from; i < to; i++) {
      let steps = 0
      let mark = 0
      // Most heads of a large array are empty, and under the lock nobody changes them.
      let node = isLocked ? memory.peek(heads + i) : memory.load(heads + i)
      for (; node !== 0; node = memory.load(node + link)) {
        if (node === mark || !this.holds(node)) throw this.damage(i, node)
        steps++
        if ((steps & (steps - 1)) === 0) mark = node
        yield node
      }
    }
  }

  /** Whether a node can lie at this address. */
  holds(node: number): boolean {
    return node >= this.lowest && node <= this.highest
  }

  /** The error of a walk along the chain of this hash, damaged at `node`. */
  broken(chains: number, hash: number, node: number): Corruption {
    return this.damage(this.headFor(chains, hash) - this.headFor(chains, 0), node)
  }

  /**
   * The error to throw when `error` stopped a lookup or a write in the chain of this hash:
   * Corruption if the chain is damaged. In a section.
   */
  explain(error: unknown, hash: number): unknown {
    const now = this.current(this.stripeOf(hash))
    const chain = this.headFor(now, hash) - this.headFor(now, 0)
    try {
      for (const _ of this.nodes(now, chain, chain + 1));
    } catch (damage) {
      return damage
    }
    return error
  }

  private damage(chain: number, node: number): Corruption {
    const why = this.holds(node) ? 'is met twice' : 'lies outside the arena'
    return new Corruption(
      `table ${show(this.name)}: chain ${chain} is damaged: record ${node} ${why}; memory was written to from outside`,
      { table: this.name, chain, record: node },
    )
  }

  /** Corruption when the heads of a word do not lie in the arena. */
  private assertArray(chains: number, from: number, to: number): void {
    if (from >= this.lowest && to <= this.memory.words.length) return
    throw new Corruption(
      `table ${show(this.name)}: a word for its chains is ${chains}, which is no array; memory was written to from outside`,
      { table: this.name, chains },
    )
  }

  // ---- arrays come and go ------------------------------------------------------------------

  /**
   * Links every node of a stripe into `next`, whose chains use the link word that the current ones do
   * not. The stripe is locked. Plain stores: readers of the previous array, which used these words, have
   * left (its goal was met), and the new array is published by the atomic store that follows. The heads
   * are cleared first: a worker that died here may have left something in them.
   */
  thread(stripe: number, next: number): void {
    const { memory } = this
    const link = this.linkOffset(next)
    const first = (next & ChainsWord.pageMask) + this.firstIn(next, stripe)
    memory.fill(first, 2 ** this.bitsIn(next), 0)
    let steps = 0
    for (const node of this.nodesOf(this.current(stripe), stripe)) {
      const head = this.headFor(next, this.hashOf(node))
      memory.poke(node + link, memory.peek(head))
      memory.poke(head, node)
      if (++steps % NODES_PER_SIGN === 0) memory.add(this.progressAt, 1)
    }
  }

  /** Rises during a resize, for workers that wait for its locks. */
  get progress(): number {
    return this.memory.load(this.progressAt)
  }

  /**
   * Makes these the chains of a stripe. A reader that loads the word before this store walks the old
   * array, whose links stay as they are; one that loads it after sees all that `thread` stored.
   */
  publish(stripe: number, chains: number): void {
    this.memory.store(this.first + stripe, chains)
  }
}

/** Sizes of the runs of pages for 2^bits chains, in words: one that all stripes share, or one for each. */
export function arraysFor(stripeBits: number, bits: number): number[] {
  if (isSharedArray(bits, stripeBits)) return [2 ** bits]
  return new Array<number>(2 ** stripeBits).fill(2 ** (bits - stripeBits))
}

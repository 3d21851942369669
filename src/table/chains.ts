/**
 * Chains: the array of list heads behind a hash table, and walks along them.
 *
 * The top bits of a hash are the index of its chain, so chains are in the order of hashes: a range
 * of hashes is a range of the array, whatever its size. Stripes and iteration rely on that.
 *
 * One word (`ChainsWord`) holds the array's address, its size, and which of the two link words of
 * each node it uses; a reader gets all of it with one atomic load. A resize links the same nodes
 * through their *other* link word into a new array, and publishes that array's word. Readers on the
 * old array follow the old links, which are not changed until they have left. (Herbert Xu's dynamic
 * resizing for the Linux kernel, 2010; the second link costs one word per record, and no reader
 * sees a half-moved chain.)
 *
 * A walk meets each node once: a freed node is not linked again while we are in a section or hold
 * the lock. So a node met twice, or outside the pages, is damage, and the walk throws Corruption
 * instead of running for ever. It remembers the node of step 1, 2, 4, 8, ...: in a circle it meets
 * that node again before it remembers the next. (Brent, 1980.) The walks of memory/compound.ts
 * count steps instead, and `explain` finds out what stopped them.
 */

import { Corruption, show } from '../base/errors.ts'
import { headFor } from '../memory/compound.ts'
import { ChainsWord, Header, NODE_WORDS, NodeWords, RunKind, TableWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Space } from '../space/space.ts'

/** Nodes that a resize links between two increments of `progress`: some milliseconds. */
const NODES_PER_SIGN = 2 ** 14
/** As many heads as one run of pages can hold. */
export const MAX_CHAIN_BITS = 26

export class Chains {
  private readonly memory: Memory
  private readonly space: Space
  /** Address of the word that names the current array. */
  readonly wordAt: number
  /** Words from a node to its `NodeWords`, behind the record. */
  readonly behind: number
  private readonly name: string
  private readonly progressAt: number
  /** Lowest and highest address that a node can have. */
  private readonly lowest: number
  private readonly highest: number

  constructor(space: Space, table: number, name: string) {
    this.space = space
    this.memory = space.memory
    this.name = name
    this.progressAt = table + TableWords.progress
    this.wordAt = table + TableWords.chains
    this.behind = space.memory.peek(table + TableWords.recordWords)
    this.lowest = space.memory.peek(Header.pagesAt)
    this.highest = space.memory.words.length - this.behind - NODE_WORDS
  }

  /**
   * The word of the current array. In a section, or with a stripe locked, the array is not
   * released.
   */
  current(): number {
    return this.memory.load(this.wordAt)
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

  /** The nodes of all chains from index `from` up to `to`, in a section or under their lock. */
  *nodes(chains: number, from: number, to: number): Generator<number> {
    const { memory } = this
    const link = this.linkOffset(chains)
    const heads = chains & ChainsWord.pageMask
    this.assertArray(chains)
    for (let i = from; i < to; i++) {
      let steps = 0
      let mark = 0
      for (let node = memory.load(heads + i); node !== 0; node = memory.load(node + link)) {
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
    const now = this.current()
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

  /** Corruption when the word of the current array names no array. */
  private assertArray(chains: number): void {
    const heads = chains & ChainsWord.pageMask
    if (heads >= this.lowest && heads + sizeOf(chains) <= this.memory.words.length) return
    throw new Corruption(
      `table ${show(this.name)}: its word for the chains is ${chains}, which is no array; memory was written to from outside`,
      { table: this.name, chains },
    )
  }

  // ---- arrays come and go ------------------------------------------------------------------

  /** A new array of empty chains that uses link word `link`; 0: no memory. */
  make(bits: number, link: number): number {
    const heads = this.space.pages.reserve(2 ** bits)
    if (heads === 0) return 0
    this.memory.fill(heads, 2 ** bits, 0)
    return heads | (bits << ChainsWord.bitsShift) | link
  }

  /** `make`, and its address is written to the word at `target` in the same step. */
  makeInto(target: number, bits: number, link: number): number {
    const heads = this.space.pages.allocateInto(target, 2 ** bits, RunKind.chains)
    if (heads === 0) return 0
    this.memory.fill(heads, 2 ** bits, 0)
    return heads | (bits << ChainsWord.bitsShift) | link
  }

  /**
   * Links every node into `next`, through the link word that the current array does not use. Every
   * stripe is locked. Plain stores: readers of the previous array, which used these words, have
   * left (its goal was met), and the new array is published by the atomic store that follows.
   */
  thread(next: number): void {
    const { memory } = this
    const current = this.current()
    const link = this.linkOffset(next)
    let steps = 0
    for (const node of this.nodes(current, 0, sizeOf(current))) {
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
   * Makes an array the current one. A reader that loads the word before this store walks the old
   * array, whose links stay as they are; one that loads it after sees all that `thread` stored.
   */
  publish(chains: number): void {
    this.memory.store(this.wordAt, chains)
  }

  /** Releases the pages of the array named by the word at `target`, and clears that word. */
  releaseFrom(target: number): void {
    this.space.pages.releaseFrom(target, this.memory.peek(target) & ChainsWord.pageMask)
  }

  /** Marks the pages of a new array as used for chains. */
  recover(chains: number): void {
    this.space.pages.publish(chains & ChainsWord.pageMask, RunKind.chains)
  }
}

export function bitsOf(chains: number): number {
  return (chains >> ChainsWord.bitsShift) & ChainsWord.bitsMask
}

/** Number of chains in the array. */
export function sizeOf(chains: number): number {
  return 2 ** bitsOf(chains)
}

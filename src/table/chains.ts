/**
 * Chains: the array of list heads behind a hash table, and walks along them.
 *
 * The top bits of a hash pick its chain, so chains stand in the order of hashes: a part of the hash
 * circle is a part of the array, whatever the array's size. Stripes and iteration rely on that.
 *
 * One word (`ChainsWord`) says where the array is, how large, and which of the two link words of
 * each node its chains run through; one atomic load gives a reader all of it. A resize threads the
 * same nodes through their *other* link word into a new array, and publishes that array's word.
 * Readers on the old array go on along the old links, which nobody touches until they have left.
 * (Herbert Xu's dynamic resizing for the Linux kernel, 2010; two links cost one word per record,
 * and no reader ever meets a half-moved chain.)
 */

import { headFor } from '../memory/compound.ts'
import { ChainsWord, NodeWords, RunKind, TableWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Space } from '../memory/space.ts'

/** As many heads as one run of pages can hold. */
export const MAX_CHAIN_BITS = 26

export class Chains {
  private readonly memory: Memory
  private readonly space: Space
  /** Address of the word that names the current array. */
  readonly wordAt: number
  /** Words from a node to what is behind its record: `NodeWords`. */
  readonly behind: number

  constructor(space: Space, table: number) {
    this.space = space
    this.memory = space.memory
    this.wordAt = table + TableWords.chains
    this.behind = space.memory.peek(table + TableWords.recordWords)
  }

  /** The word of the array that is current: in a section, or with a stripe locked, it stays. */
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

  /** The nodes of all chains from index `from` up to `to`, in a section or under their lock. */
  *nodes(chains: number, from: number, to: number): Generator<number> {
    const { memory } = this
    const link = this.linkOffset(chains)
    const heads = chains & ChainsWord.pageMask
    for (let i = from; i < to; i++) {
      for (let node = memory.load(heads + i); node !== 0; node = memory.load(node + link))
        yield node
    }
  }

  // ---- arrays come and go ------------------------------------------------------------------

  /** A new array, all chains empty, through the link word that `link` names; 0: no memory. */
  make(bits: number, link: number): number {
    const heads = this.space.pages.reserve(2 ** bits)
    if (heads === 0) return 0
    this.memory.fill(heads, 2 ** bits, 0)
    return heads | (bits << ChainsWord.bitsShift) | link
  }

  /** `make`, and its address is written to the word at `receipt` in the same step. */
  makeInto(receipt: number, bits: number, link: number): number {
    const heads = this.space.pages.allocateInto(receipt, 2 ** bits, RunKind.chains)
    if (heads === 0) return 0
    this.memory.fill(heads, 2 ** bits, 0)
    return heads | (bits << ChainsWord.bitsShift) | link
  }

  /**
   * Threads every node into `next`, through the link word that the current array does not use.
   * Every stripe is locked. Plain stores, for nobody reads these words: readers of the array before
   * have left (its goal was met), and the new array is published by the atomic store that follows.
   */
  thread(next: number): void {
    const { memory } = this
    const current = this.current()
    const link = this.linkOffset(next)
    for (const node of this.nodes(current, 0, sizeOf(current))) {
      const head = this.headFor(next, this.hashOf(node))
      memory.poke(node + link, memory.peek(head))
      memory.poke(head, node)
    }
  }

  /**
   * Makes an array the current one. A reader that loads the word before this store walks the old
   * array, whose links stay as they are; one that loads it after sees all that `thread` stored.
   */
  publish(chains: number): void {
    this.memory.store(this.wordAt, chains)
  }

  /** Gives the pages of the array named by the word at `receipt` back, and clears that word. */
  releaseFrom(receipt: number): void {
    this.space.pages.releaseFrom(receipt, this.memory.peek(receipt) & ChainsWord.pageMask)
  }

  /** Marks a new array's pages as what they are. */
  settle(chains: number): void {
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

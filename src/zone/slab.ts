/**
 * A slab: one run of pages cut into items of one size; its bits, and the addresses of its items.
 *
 *   | slab words | free bits | busy bits (checked arenas) | item | item | item | ..... | tail |
 *
 * A free bit says that the item is here, and in no bucket and not in use; the keg's counts and
 * lists only index these bits. They are changed under the keg's lock. A busy bit says that the item
 * is in use; the worker that allocates or frees changes it with atomics, and so detects a double
 * free at the wrong call.
 */

import { PAGE_WORDS, RunKind, SlabWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import { roundUp } from '../memory/struct.ts'
import { orderFor } from '../space/pageEntry.ts'
import type { Pages } from '../space/pages.ts'
import type { Space } from '../space/space.ts'

const BITS = 32
/**
 * Slabs are made larger until header and tail waste at most this share, up to this order of pages.
 */
const WASTE = 1 / 50
const LARGEST_ORDER = 4
/** A slab is at most this part of the arena. */
const SLABS_PER_ARENA = 32

/** How a slab of one item size is cut. */
export interface SlabShape {
  readonly stride: number
  readonly perSlab: number
  readonly slabOrder: number
  readonly itemsAt: number
  /** 0 without busy bits. */
  readonly busyAt: number
}

export const FREE_BITS_AT = SlabWords.WORDS

/**
 * The smallest slab that wastes little, in an arena of `pages` pages. `align` is in words, a power
 * of two.
 */
export function slabShape(stride: number, align: number, busy: boolean, pages: number): SlabShape {
  let best: SlabShape | undefined
  let least = Number.POSITIVE_INFINITY
  const smallest = orderFor(FREE_BITS_AT + (busy ? 2 : 1) + align + stride)
  const largest = Math.min(LARGEST_ORDER, Math.floor(Math.log2(pages / SLABS_PER_ARENA)))
  for (let order = smallest; order <= Math.max(smallest, largest); order++) {
    const shape = cut(stride, align, busy, order)
    const waste = 1 - (shape.perSlab * stride) / (PAGE_WORDS * 2 ** order)
    if (waste < least) {
      best = shape
      least = waste
    }
    if (waste <= WASTE) break
  }
  return best ?? cut(stride, align, busy, smallest)
}

function cut(stride: number, align: number, busy: boolean, slabOrder: number): SlabShape {
  const words = PAGE_WORDS * 2 ** slabOrder
  for (let perSlab = Math.floor((words - FREE_BITS_AT) / stride); ; perSlab--) {
    const bits = Math.ceil(perSlab / BITS)
    const itemsAt = roundUp(FREE_BITS_AT + bits * (busy ? 2 : 1), align)
    if (itemsAt + perSlab * stride > words) continue
    return { stride, perSlab, slabOrder, itemsAt, busyAt: busy ? FREE_BITS_AT + bits : 0 }
  }
}

/** Sets every free bit of a new slab and clears its busy bits. */
export function initBits(memory: Memory, slab: number, shape: SlabShape): void {
  memory.fill(slab + FREE_BITS_AT, shape.itemsAt - FREE_BITS_AT, 0)
  for (let index = 0; index < shape.perSlab; index++) setFree(memory, slab, index)
}

export function setFree(memory: Memory, slab: number, index: number): void {
  const at = slab + FREE_BITS_AT + Math.floor(index / BITS)
  memory.poke(at, memory.peek(at) | (1 << (index % BITS)))
}

export function clearFree(memory: Memory, slab: number, index: number): void {
  const at = slab + FREE_BITS_AT + Math.floor(index / BITS)
  memory.poke(at, memory.peek(at) & ~(1 << (index % BITS)))
}

export function isFree(memory: Memory, slab: number, index: number): boolean {
  const at = slab + FREE_BITS_AT + Math.floor(index / BITS)
  return ((memory.peek(at) >>> (index % BITS)) & 1) === 1
}

/** The first free index from `from` on, -1 if there is none. */
export function nextFree(memory: Memory, slab: number, from: number, perSlab: number): number {
  for (let index = from; index < perSlab; ) {
    const word = memory.peek(slab + FREE_BITS_AT + Math.floor(index / BITS)) >>> (index % BITS)
    if (word !== 0) {
      const found = index + 31 - Math.clz32(word & -word)
      return found < perSlab ? found : -1
    }
    index += BITS - (index % BITS)
  }
  return -1
}

/** Counts the free bits. */
export function countFree(memory: Memory, slab: number, perSlab: number): number {
  let count = 0
  for (
    let i = nextFree(memory, slab, 0, perSlab);
    i >= 0;
    i = nextFree(memory, slab, i + 1, perSlab)
  ) {
    count++
  }
  return count
}

/** Marks the item as in use. False when it was already: it was handed out twice. */
export function markBusy(memory: Memory, slab: number, shape: SlabShape, index: number): boolean {
  const bit = 1 << (index % BITS)
  return (memory.or(slab + shape.busyAt + Math.floor(index / BITS), bit) & bit) === 0
}

/** Takes the mark away. False when there was none: a double free. */
export function markIdle(memory: Memory, slab: number, shape: SlabShape, index: number): boolean {
  const bit = 1 << (index % BITS)
  return (memory.and(slab + shape.busyAt + Math.floor(index / BITS), ~bit) & bit) !== 0
}

// ---- addresses -------------------------------------------------------------------------------

/** The exponent of 2 in `n`, which is not 0. */
export function twosOf(n: number): number {
  return BITS - 1 - Math.clz32(n & -n)
}

/**
 * The inverse of an odd number modulo 2^32: each step of Newton's doubles the bits that are right.
 */
export function inverseOf(odd: number): number {
  let inverse = odd
  for (let right = 3; right < BITS; right *= 2) {
    inverse = Math.imul(inverse, 2 - Math.imul(odd, inverse))
  }
  return inverse
}

// A constant of this module costs nothing; a field of an imported object costs two loads.
const SLAB = RunKind.slab
const KEG = SlabWords.keg

/**
 * Addresses of a keg's items: from an item to its slab and its index there, and back.
 *
 * Every free checks whether an address is that of an item of its zone. The page table names the
 * slab, the slab its keg, and one multiplication finds the index: the stride is 2^twos times an odd
 * number; multiplied by the inverse of that odd number modulo 2^32 and rotated by twos, a multiple
 * of the stride becomes its quotient. The map is one to one, so any other offset becomes a number
 * that is no index.
 *
 * Both reads, of the page's entry and of the slab's keg, race with workers that give pages back or
 * take them. Any value that these words ever had will do. Two cases: the caller holds the item
 * rightly, then its slab cannot be given back, entry and keg were written before the item was
 * handed out, and the reads find them; or it does not, then it is refused as well as two reads can
 * tell. A yes to such a caller was true at some time: the address was an item of this keg and has
 * been freed since, and this second free cannot be told from one in time. Otherwise (a lock, or an
 * ordered read) every free would pay for detecting wrong ones.
 */
export class Addresses {
  private readonly memory: Memory
  private readonly pages: Pages
  private readonly keg: number
  private readonly stride: number
  private readonly itemsAt: number
  private readonly perSlab: number
  private readonly twos: number
  private readonly inverse: number

  constructor({ memory, pages }: Space, keg: number, { itemsAt, perSlab, stride }: SlabShape) {
    this.memory = memory
    this.pages = pages
    this.keg = keg
    this.stride = stride
    this.itemsAt = itemsAt
    this.perSlab = perSlab
    this.twos = twosOf(stride)
    this.inverse = inverseOf(stride >> this.twos)
  }

  /** The slab of an item of this keg; 0 if `item` is none. */
  slabOf(item: number): number {
    // A check of the type would cost every free; a handler costs nothing.
    try {
      if ((item | 0) !== item) return 0
      const slab = this.pages.find(item, SLAB)
      if (slab === 0 || this.memory.peekRacy(slab + KEG) !== this.keg) return 0
      const { twos } = this
      const product = Math.imul(item - slab - this.itemsAt, this.inverse)
      const index = (product >>> twos) | (product << (BITS - twos))
      return index >>> 0 < this.perSlab ? slab : 0
    } catch (error) {
      if (typeof item === 'number') throw error
      return 0 // A bigint or a symbol: nothing can be computed with it.
    }
  }

  /**
   * The index of the first of `items` that is not of this keg, -1 if all are. Most are in the slab
   * of the item before, where no page needs to be looked up.
   */
  findForeign(items: readonly number[]): number {
    const { inverse, itemsAt, perSlab, twos } = this
    let slab = 0
    for (let i = 0; i < items.length; i++) {
      const item = items[i] as number
      if (slab !== 0 && typeof item === 'number' && (item | 0) === item) {
        const product = Math.imul(item - slab - itemsAt, inverse)
        if (((product >>> twos) | (product << (BITS - twos))) >>> 0 < perSlab) continue
      }
      slab = this.slabOf(item)
      if (slab === 0) return i
    }
    return -1
  }

  /** Whether `item` is one of `slab`, which is a slab of this keg. */
  isIn(slab: number, item: number): boolean {
    const { twos } = this
    const product = Math.imul(item - slab - this.itemsAt, this.inverse)
    return ((product >>> twos) | (product << (BITS - twos))) >>> 0 < this.perSlab
  }

  /** Whether a slab of this keg begins here. */
  isSlab(base: number): boolean {
    return this.pages.find(base, SLAB) === base && this.memory.peekRacy(base + KEG) === this.keg
  }

  /** The index of an item in its slab. */
  indexOf(slab: number, item: number): number {
    return (item - slab - this.itemsAt) / this.stride
  }

  itemAt(slab: number, index: number): number {
    return slab + this.itemsAt + index * this.stride
  }
}

/**
 * Where the items of a keg lie: from an address to its slab and its index there, and back.
 *
 * Every free asks whether an address is that of an item of its zone. The page table says what lies
 * there, the slab which keg's it is, and one product says the rest: the stride is 2^twos times an odd
 * number, and multiplied by the inverse of that modulo 2^32, and rotated by the rest, a multiple of
 * the stride becomes its quotient. An offset that is none, or lies in front of the items or behind
 * them, becomes a number that no index is. (The map is one to one, and sends index * stride to index.)
 *
 * Both looks, at the page's entry and at the slab's keg, race with whoever gives pages back or takes them.
 * Any value that these words ever had is fine. Two cases: the caller has the item by right, then its slab
 * cannot go, entry and keg were written before the item was handed out, and the looks find them; or it has
 * not, then it is refused as well as two looks can tell. A yes to such a caller is one that was true some
 * time: the address was an item of this keg and has been freed since (its slab went back, so all in it
 * were), and this free, a second one, cannot be told from one that came in time. Otherwise (a lock, or a
 * look that orders) every free would pay for the sake of those who are in error.
 */

import { RunKind, SlabWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Pages } from '../memory/pages.ts'
import type { Space } from '../memory/space.ts'
import { inverseOf, type SlabShape, twosOf } from './slab.ts'

// Names of this module are constants to the optimizer; a field of an imported object is two loads.
const SLAB = RunKind.slab
const KEG = SlabWords.keg
/** Bits of a word, in which a product wraps. */
const BITS = 32

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

  /** The slab of this keg that `item` lies in, at an item's place; 0 if it is not one of ours. */
  slabOf(item: number): number {
    // Asking for the type would cost every free; a handler costs nothing.
    try {
      if ((item | 0) !== item) return 0
      const slab = this.pages.find(item, SLAB)
      if (slab === 0 || this.memory.glance(slab + KEG) !== this.keg) return 0
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
   * The index of the first of `items` that is not one of ours, -1 where all are. Most lie in the
   * slab of the one before them: there the product alone tells, and no page is looked up.
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

  /** Whether a slab of this keg begins here. */
  isSlab(base: number): boolean {
    return this.pages.find(base, SLAB) === base && this.memory.glance(base + KEG) === this.keg
  }

  /** The index in its slab of an item of ours. */
  indexOf(slab: number, item: number): number {
    return (item - slab - this.itemsAt) / this.stride
  }

  itemAt(slab: number, index: number): number {
    return slab + this.itemsAt + index * this.stride
  }
}

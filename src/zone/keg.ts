/**
 * A keg: all slabs of one item size, under one lock.
 *
 * It hands out items in batches, a bucketful at a time, and takes them back the same way, so the
 * lock is rare. Slabs lie in three lists (all free, some free, none free); partial slabs are used
 * first, so that others become empty and their pages can be given back.
 *
 * A batch changes many free bits, and a worker may stop for ever between any two of them. So a
 * batch is first written down - in the bucket, beyond its count, and in three words of the keg -
 * and then done; each part of doing it can be done twice. Whoever takes the lock after a death does
 * the batch again from those words and makes counts and lists anew from the free bits (`repair`).
 */

import { Corruption } from '../errors.ts'
import { BucketWords, KegStep, KegWords, PAGE_WORDS, RunKind, SlabWords } from '../memory/layout.ts'
import { BYTES_PER_WORD, type Memory } from '../memory/memory.ts'
import type { Pages } from '../memory/pages.ts'
import type { Space } from '../memory/space.ts'
import {
  clearFree,
  countFree,
  initBits,
  inverseOf,
  isFree,
  nextFree,
  type SlabShape,
  setFree,
  twosOf,
} from './slab.ts'
import { SlabLists } from './slabLists.ts'

/** Counts of a keg; possibly a moment old. */
export interface KegCounts {
  readonly slabs: number
  readonly created: number
  readonly inSlabs: number
  /** Bytes in all slabs. */
  readonly bytes: number
}

export function kegCounts(memory: Memory, at: number): KegCounts {
  const slabs = memory.glance(at + KegWords.slabs)
  return {
    slabs,
    created: memory.glance(at + KegWords.created),
    inSlabs: memory.glance(at + KegWords.inSlabs),
    bytes: slabs * 2 ** memory.peek(at + KegWords.slabOrder) * PAGE_WORDS * BYTES_PER_WORD,
  }
}

// Names of this module are constants to the optimizer; a field of an imported object is two loads.
const SLAB = RunKind.slab
const KEG = SlabWords.keg
/** Bits of a word, in which a product wraps. */
const BITS = 32

export class Keg {
  readonly at: number
  readonly shape: SlabShape
  readonly limit: number
  private readonly space: Space
  private readonly memory: Memory
  private readonly pages: Pages
  private readonly lists: SlabLists
  private readonly name: string
  /** How the lock is called in errors, and what its next owner does after a death. */
  private readonly what: string
  private readonly whenDead = (): void => this.repair()
  // What `slabOf` needs of the shape, one load away.
  private readonly itemsAt: number
  private readonly perSlab: number
  /** The stride is 2^twos times an odd number, whose inverse modulo 2^32 this is. */
  private readonly twos: number
  private readonly inverse: number
  /** What new items are filled with, so that a first allocation can verify it too; 0 nothing. */
  private readonly filling: number

  constructor(space: Space, at: number, name: string, filling: number) {
    const { memory } = space
    this.space = space
    this.memory = memory
    this.at = at
    this.name = name
    this.what = `zone "${name}" keg`
    this.filling = filling
    this.limit = memory.peek(at + KegWords.limit)
    this.shape = {
      stride: memory.peek(at + KegWords.stride),
      perSlab: memory.peek(at + KegWords.perSlab),
      slabOrder: memory.peek(at + KegWords.slabOrder),
      itemsAt: memory.peek(at + KegWords.itemsAt),
      busyAt: memory.peek(at + KegWords.busyAt),
    }
    this.pages = space.pages
    this.lists = new SlabLists(memory, at, this.shape.perSlab)
    this.itemsAt = this.shape.itemsAt
    this.perSlab = this.shape.perSlab
    this.twos = twosOf(this.shape.stride)
    this.inverse = inverseOf(this.shape.stride >> this.twos)
  }

  /**
   * The slab of this keg that `item` lies in, at an item's place; 0 if it is not one of ours. Every
   * free asks, so one product tells all: multiplied by the inverse of the stride's odd part, and
   * rotated by the rest of it, a multiple becomes its quotient. An offset that is none, or lies in
   * front of the items or behind them, becomes a number that no index is. (The map is one to one,
   * and sends index * stride to index.)
   */
  slabOf(item: number): number {
    if ((item | 0) !== item) return 0
    const slab = this.pages.find(item, SLAB)
    if (slab === 0 || this.memory.glance(slab + KEG) !== this.at) return 0
    const { twos } = this
    const product = Math.imul(item - slab - this.itemsAt, this.inverse)
    const index = (product >>> twos) | (product << (BITS - twos))
    return index >>> 0 < this.perSlab ? slab : 0
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
      if (slab !== 0 && (item | 0) === item) {
        const product = Math.imul(item - slab - itemsAt, inverse)
        if (((product >>> twos) | (product << (BITS - twos))) >>> 0 < perSlab) continue
      }
      slab = this.slabOf(item)
      if (slab === 0) return i
    }
    return -1
  }

  indexOf(slab: number, item: number): number {
    return (item - slab - this.shape.itemsAt) / this.shape.stride
  }

  // ---- batches -----------------------------------------------------------------------------

  /** Moves up to `want` items into `bucket`; grows by a slab where that is needed and possible. */
  take(bucket: number, want: number): number {
    this.lock()
    try {
      let taken = 0
      while (taken < want) {
        const room = Math.min(want - taken, this.roomUnderLimit())
        const slab = room > 0 ? this.slabWithFree() : 0
        if (slab === 0) break
        taken += this.takeFrom(slab, bucket, Math.min(room, this.get(slab + SlabWords.freeItems)))
      }
      return taken
    } finally {
      this.unlock()
    }
  }

  /** Moves all items of `bucket` back into their slabs. */
  give(bucket: number): void {
    this.giveTail(bucket, 0)
  }

  /** Takes one item, 0 if none is to be had. `prepare` fills it in before it leaves its slab. */
  takeOne(prepare: (item: number) => void): number {
    this.lock()
    try {
      const slab = this.roomUnderLimit() > 0 ? this.slabWithFree() : 0
      if (slab === 0) return 0
      const index = nextFree(this.memory, slab, 0, this.shape.perSlab)
      const item = this.itemAt(slab, index)
      prepare(item)
      this.take1(slab, index)
      return item
    } finally {
      this.unlock()
    }
  }

  giveOne(item: number): void {
    this.lock()
    try {
      this.free(item)
    } finally {
      this.unlock()
    }
  }

  /** Finishes what a dead worker may have left under the lock. */
  settle(): void {
    this.lock()
    this.unlock()
  }

  /**
   * Adds slabs until there are `items` in all. False when memory or the limit does not allow it; it
   * then adds none.
   */
  reach(items: number): boolean {
    if (this.limit > 0 && items > this.limit) return false
    this.lock()
    try {
      const added: number[] = []
      while (this.get(this.at + KegWords.created) < items) {
        const slab = this.grow()
        if (slab === 0) {
          for (const each of added) this.discard(each)
          return false
        }
        added.push(slab)
      }
      return true
    } finally {
      this.unlock()
    }
  }

  /** Gives slabs without a single item in use back to the arena, keeping `keep` items in slabs. */
  shrink(keep: number): number {
    this.lock()
    try {
      let released = 0
      const { perSlab } = this.shape
      for (;;) {
        const slab = this.get(this.at + KegWords.free)
        if (slab === 0 || this.get(this.at + KegWords.created) - perSlab < keep) return released
        this.discard(slab)
        released += 2 ** this.shape.slabOrder
      }
    } finally {
      this.unlock()
    }
  }

  /** Gives every slab back, whatever is out of it: the end of the keg. */
  abolish(): void {
    this.lock()
    try {
      for (const slab of [...this.slabs()]) this.space.pages.release(slab)
    } finally {
      this.unlock()
    }
  }

  /** Moves all but the first `keep` items of `bucket` back into their slabs. */
  giveTail(bucket: number, keep: number): void {
    this.lock()
    try {
      const { at } = this
      this.set(at + KegWords.bucket, bucket)
      this.set(at + KegWords.stepItems, keep)
      this.set(at + KegWords.step, KegStep.give)
      const entries = bucket + BucketWords.entries
      for (let i = this.get(bucket + BucketWords.count) - 1; i >= keep; i--)
        this.free(this.get(entries + i))
      this.set(bucket + BucketWords.count, keep)
      this.set(at + KegWords.step, KegStep.none)
    } finally {
      this.unlock()
    }
  }

  // ---- looking -----------------------------------------------------------------------------

  counts(): KegCounts {
    return kegCounts(this.memory, this.at)
  }

  /** Every slab, found in the page table. */
  *slabs(): Generator<number> {
    for (const run of this.space.pages.runs()) {
      if (run.state !== 'used' || run.who !== RunKind.slab) continue
      if (this.memory.glance(run.base + SlabWords.keg) === this.at) yield run.base
    }
  }

  /** Every item that is not free in its slab. */
  itemsOut(): number[] {
    this.lock()
    try {
      const out: number[] = []
      for (const slab of this.slabs()) {
        for (let index = 0; index < this.shape.perSlab; index++) {
          if (!isFree(this.memory, slab, index)) out.push(this.itemAt(slab, index))
        }
      }
      return out
    } finally {
      this.unlock()
    }
  }

  /** Conservation: counts and lists say what the free bits say. */
  check(): void {
    this.lock()
    try {
      const seen = { slabs: 0, created: 0, inSlabs: 0, listed: 0 }
      for (const slab of this.slabs()) {
        const free = countFree(this.memory, slab, this.shape.perSlab)
        seen.slabs++
        seen.created += this.shape.perSlab
        seen.inSlabs += free
        const counted = this.get(slab + SlabWords.freeItems)
        if (free !== counted || this.get(slab + SlabWords.list) !== this.lists.listFor(free)) {
          throw this.damaged('a slab is miscounted', { slab, free, counted })
        }
      }
      seen.listed = this.lists.length()
      const { slabs, created, inSlabs } = this.counts()
      const same = seen.slabs === slabs && seen.created === created && seen.inSlabs === inSlabs
      if (!same || seen.listed !== slabs) {
        throw this.damaged('its items are not conserved', { ...seen, slabs, created, inSlabs })
      }
    } finally {
      this.unlock()
    }
  }

  // ---- under the lock ----------------------------------------------------------------------

  private lock(): void {
    this.space.locks.lockAndRepair(this.at + KegWords.lock, this.what, this.whenDead)
  }

  private unlock(): void {
    this.space.locks.unlock(this.at + KegWords.lock)
  }

  private takeFrom(slab: number, bucket: number, items: number): number {
    const count = this.get(bucket + BucketWords.count)
    const entries = bucket + BucketWords.entries
    let index = -1
    for (let i = 0; i < items; i++) {
      index = nextFree(this.memory, slab, index + 1, this.shape.perSlab)
      this.set(entries + count + i, this.itemAt(slab, index))
    }
    this.set(this.at + KegWords.bucket, bucket)
    this.set(this.at + KegWords.stepItems, count + items)
    this.set(this.at + KegWords.step, KegStep.take)
    for (let i = count; i < count + items; i++) {
      this.take1(slab, this.indexOf(slab, this.get(entries + i)))
    }
    this.set(bucket + BucketWords.count, count + items)
    this.set(this.at + KegWords.step, KegStep.none)
    return items
  }

  private take1(slab: number, index: number): void {
    clearFree(this.memory, slab, index)
    this.set(slab + SlabWords.freeItems, this.get(slab + SlabWords.freeItems) - 1)
    this.lists.count(KegWords.inSlabs, -1)
    this.lists.relist(slab)
  }

  private free(item: number): void {
    const slab = this.slabOf(item)
    if (slab === 0) throw this.damaged('a bucket holds an item that is not its', { item })
    setFree(this.memory, slab, this.indexOf(slab, item))
    this.set(slab + SlabWords.freeItems, this.get(slab + SlabWords.freeItems) + 1)
    this.lists.count(KegWords.inSlabs, 1)
    this.lists.relist(slab)
  }

  private slabWithFree(): number {
    return this.get(this.at + KegWords.partial) || this.get(this.at + KegWords.free) || this.grow()
  }

  private grow(): number {
    const { memory, shape } = this
    const words = PAGE_WORDS * 2 ** shape.slabOrder
    const slab = this.space.pages.reserve(words)
    if (slab === 0) return 0
    this.set(slab + SlabWords.keg, this.at)
    this.set(slab + SlabWords.freeItems, shape.perSlab)
    initBits(memory, slab, shape)
    if (this.filling !== 0)
      memory.fill(slab + shape.itemsAt, shape.perSlab * shape.stride, this.filling)
    this.space.pages.publish(slab, RunKind.slab)
    this.lists.adopt(slab, shape.perSlab)
    return slab
  }

  /** Gives the pages of a slab with all its items free back to the arena. */
  private discard(slab: number): void {
    this.lists.forsake(slab)
    this.space.pages.release(slab)
  }

  /** After a death under the lock: finishes the batch, then makes counts and lists anew. */
  private repair(): void {
    const { at } = this
    const bucket = this.get(at + KegWords.bucket)
    const entries = bucket + BucketWords.entries
    const step = this.get(at + KegWords.step)
    // Between two batches the other words are of the last one, whose bucket may be anybody's by now.
    if (step !== KegStep.none) {
      const wanted = this.get(at + KegWords.stepItems)
      const [first, end] =
        step === KegStep.take ? [0, wanted] : [wanted, this.get(bucket + BucketWords.count)]
      for (let i = first; i < end; i++) {
        const item = this.get(entries + i)
        const slab = this.slabOf(item)
        if (slab === 0) throw this.damaged('a batch names an item that is not its', { item })
        const change = step === KegStep.take ? clearFree : setFree
        change(this.memory, slab, this.indexOf(slab, item))
      }
      this.set(bucket + BucketWords.count, wanted)
    }
    this.set(at + KegWords.step, KegStep.none)
    this.lists.clear()
    for (const slab of this.slabs())
      this.lists.adopt(slab, countFree(this.memory, slab, this.shape.perSlab))
  }

  private roomUnderLimit(): number {
    if (this.limit === 0) return Number.POSITIVE_INFINITY
    const out = this.get(this.at + KegWords.created) - this.get(this.at + KegWords.inSlabs)
    return this.limit - out
  }

  private itemAt(slab: number, index: number): number {
    return slab + this.shape.itemsAt + index * this.shape.stride
  }

  private get(at: number): number {
    return this.memory.peek(at)
  }

  private set(at: number, value: number): void {
    this.memory.poke(at, value)
  }

  private damaged(what: string, facts: Readonly<Record<string, number>>): Corruption {
    const words = Object.entries(facts).map(([key, value]) => `${key} ${value}`)
    return new Corruption(`zone "${this.name}" keg: ${what}: ${words.join(', ')}`, facts)
  }
}

/**
 * Moves of items between a keg's slabs and buckets, with the keg's lock held.
 *
 * A batch changes many free bits, and a worker may stop for ever between any two of them. So a
 * batch is first written down - in the bucket, beyond its count, and in three words of the keg -
 * and then done; each part of doing it can be done twice. Whoever takes the lock after a death does
 * the batch again from those words (`redo`). Two cases: `step` names a batch, then bucket, end and
 * entries were stored before it, and doing it again ends where it would have ended; or it names none,
 * then no bit has changed yet, or all have, and the count with them. Otherwise (a bit before the step)
 * an item could be free in its slab and in a bucket at once, or in neither. One item by itself is one
 * bit: its move is done or not; but where a tally of its worker's has to change with it, the two are
 * written down as well, for a worker may stop between them, and its numbers would be wrong for ever.
 * The item cannot leave its slab again, nor the tally change, before the next owner has done the step:
 * nobody takes items without the lock, and the worker, if it lives, takes it before it counts on.
 * All of it is plain: whoever finds the lock's owner dead comes after him.
 */

import { Corruption } from '../errors.ts'
import { BucketWords, KegStep, KegWords, SlabWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Addresses } from './addresses.ts'
import { clearFree, nextFree, setFree } from './slab.ts'
import { damagedKeg, type SlabLists } from './slabLists.ts'

export class KegMoves {
  private readonly memory: Memory
  private readonly keg: number
  /** How the keg is called in errors. */
  private readonly what: string
  private readonly addresses: Addresses
  private readonly lists: SlabLists
  private readonly perSlab: number

  constructor(
    memory: Memory,
    keg: number,
    what: string,
    addresses: Addresses,
    lists: SlabLists,
    perSlab: number,
  ) {
    this.memory = memory
    this.keg = keg
    this.what = what
    this.addresses = addresses
    this.lists = lists
    this.perSlab = perSlab
  }

  /** Moves `items` of the free items of `slab` to the top of `bucket`. */
  take(slab: number, bucket: number, items: number): void {
    const count = this.get(bucket + BucketWords.count)
    const entries = bucket + BucketWords.entries
    const room = this.get(bucket + BucketWords.capacity)
    if (!(count >= 0 && count + items <= room)) {
      const facts = { bucket, count, items, room }
      throw damagedKeg(this.what, 'a bucket has no room for what it has and gets', facts)
    }
    let index = -1
    for (let i = 0; i < items; i++) {
      index = nextFree(this.memory, slab, index + 1, this.perSlab)
      if (index < 0) {
        const freeItems = this.get(slab + SlabWords.freeItems)
        throw damagedKeg(this.what, 'a slab has fewer items free than it says', { slab, freeItems })
      }
      this.set(entries + count + i, this.addresses.itemAt(slab, index))
    }
    this.set(this.keg + KegWords.bucket, bucket)
    this.set(this.keg + KegWords.stepItems, count + items)
    this.set(this.keg + KegWords.step, KegStep.take)
    for (let i = count; i < count + items; i++) {
      this.takeOne(slab, this.addresses.indexOf(slab, this.get(entries + i)))
    }
    this.set(bucket + BucketWords.count, count + items)
    this.set(this.keg + KegWords.step, KegStep.none)
  }

  /** Moves all but the first `keep` items of `bucket` back into their slabs. */
  give(bucket: number, keep: number): void {
    this.set(this.keg + KegWords.bucket, bucket)
    this.set(this.keg + KegWords.stepItems, keep)
    this.set(this.keg + KegWords.step, KegStep.give)
    const entries = bucket + BucketWords.entries
    for (let i = this.get(bucket + BucketWords.count) - 1; i >= keep; i--) {
      this.giveOne(this.get(entries + i))
    }
    this.set(bucket + BucketWords.count, keep)
    this.set(this.keg + KegWords.step, KegStep.none)
  }

  /** Takes the free item at `index`. */
  takeOne(slab: number, index: number): void {
    clearFree(this.memory, slab, index)
    this.recount(slab, -1)
  }

  /** Makes `item` free in its slab. */
  giveOne(item: number): void {
    const slab = this.slabOf(item, 'a bucket holds an item that is not its')
    setFree(this.memory, slab, this.addresses.indexOf(slab, item))
    this.recount(slab, 1)
  }

  /**
   * The same, and the tally at `tally` changes with it, whoever has to finish that. `item` is the last
   * that `hands` hold: from the step on it is the keg's.
   */
  giveCounted(item: number, tally: number, by: number, hands: { held: number }): void {
    const slab = this.slabOf(item, 'a worker gives back an item that is not its')
    this.set(this.keg + KegWords.bucket, item)
    this.set(this.keg + KegWords.tally, tally)
    this.memory.pokeFloat(this.keg + KegWords.after, this.memory.peekFloat(tally) + by)
    this.set(this.keg + KegWords.step, KegStep.giveOne)
    hands.held--
    this.finishOne()
    this.recount(slab, 1)
  }

  /** What `giveCounted` has written down. */
  private finishOne(): void {
    const item = this.get(this.keg + KegWords.bucket)
    const slab = this.slabOf(item, 'a step names an item that is not its')
    setFree(this.memory, slab, this.addresses.indexOf(slab, item))
    const after = this.memory.peekFloat(this.keg + KegWords.after)
    this.memory.pokeFloat(this.get(this.keg + KegWords.tally), after)
    this.set(this.keg + KegWords.step, KegStep.none)
  }

  /** After a death under the lock: finishes the batch. Counts and lists are the caller's to mend. */
  redo(): void {
    const bucket = this.get(this.keg + KegWords.bucket)
    const entries = bucket + BucketWords.entries
    const step = this.get(this.keg + KegWords.step)
    // Between two batches the other words are of the last one, whose bucket may be anybody's by now.
    if (step === KegStep.none) return
    if (step === KegStep.giveOne) {
      this.finishOne()
      return
    }
    const wanted = this.get(this.keg + KegWords.stepItems)
    const [first, end] =
      step === KegStep.take ? [0, wanted] : [wanted, this.get(bucket + BucketWords.count)]
    const room = this.get(bucket + BucketWords.capacity)
    if (!(wanted >= 0 && end >= 0 && end <= room && wanted <= room)) {
      throw damagedKeg(this.what, 'a batch is none', { step, bucket, first, end, room })
    }
    for (let i = first; i < end; i++) {
      const item = this.get(entries + i)
      const slab = this.slabOf(item, 'a batch names an item that is not its')
      const change = step === KegStep.take ? clearFree : setFree
      change(this.memory, slab, this.addresses.indexOf(slab, item))
    }
    this.set(bucket + BucketWords.count, wanted)
    this.set(this.keg + KegWords.step, KegStep.none)
  }

  private slabOf(item: number, otherwise: string): number {
    const slab = this.addresses.slabOf(item)
    if (slab === 0) throw new Corruption(`${this.what}: ${otherwise}: item ${item}`, { item })
    return slab
  }

  private recount(slab: number, change: number): void {
    this.set(slab + SlabWords.freeItems, this.get(slab + SlabWords.freeItems) + change)
    this.lists.count(KegWords.inSlabs, change)
    this.lists.relist(slab)
  }

  private get(at: number): number {
    return this.memory.peek(at)
  }

  private set(at: number, value: number): void {
    this.memory.poke(at, value)
  }
}

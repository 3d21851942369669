/**
 * A keg's slabs in three lists - some items free, all free, none free - and their counts.
 *
 * Everything here is done with the keg's lock held, and all of it only indexes what the slabs
 * themselves say: after a death under the lock the lists and counts are cleared and made again.
 *
 * No link is followed that does not lead to a slab of this keg that says so too: a circle, or a
 * slab that is in a list it does not belong to, is Corruption before anything has changed.
 */

import { Corruption } from '../base/errors.ts'
import { BucketWords, KegStep, KegWords, SlabWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import { type Addresses, clearFree, nextFree, setFree } from './slab.ts'

const LISTS = [KegWords.partial, KegWords.free, KegWords.full]
const COUNTS = [KegWords.slabs, KegWords.created, KegWords.inSlabs]

export class SlabLists {
  private readonly memory: Memory
  private readonly keg: number
  /** How the keg is called in errors. */
  private readonly what: string
  private readonly addresses: Addresses
  private readonly perSlab: number

  constructor(memory: Memory, keg: number, what: string, addresses: Addresses, perSlab: number) {
    this.memory = memory
    this.keg = keg
    this.what = what
    this.addresses = addresses
    this.perSlab = perSlab
  }

  /** The first slab of the list headed by this word of the keg, 0 if there is none. */
  first(list: number): number {
    const slab = this.get(this.keg + list)
    if (slab === 0) return 0
    this.assertSlab(slab, 'the head of a list')
    const said = this.get(slab + SlabWords.list)
    const freeItems = this.get(slab + SlabWords.freeItems)
    const possible = freeItems >= 0 && freeItems <= this.perSlab
    if (said === list && possible && this.listFor(freeItems) === list) return slab
    throw this.damaged('a slab is in a list that it does not belong to', { slab, said, freeItems })
  }

  /** Counts a slab and puts it into the list that its free items call for. */
  adopt(slab: number, freeItems: number): void {
    this.set(slab + SlabWords.freeItems, freeItems)
    this.count(KegWords.slabs, 1)
    this.count(KegWords.created, this.perSlab)
    this.count(KegWords.inSlabs, freeItems)
    this.link(slab, this.listFor(freeItems))
  }

  /** Forgets a slab with all its items free. */
  forsake(slab: number): void {
    this.unlink(slab)
    this.count(KegWords.slabs, -1)
    this.count(KegWords.created, -this.perSlab)
    this.count(KegWords.inSlabs, -this.perSlab)
  }

  /** Moves a slab to the list that its free items call for now. */
  relist(slab: number): void {
    const list = this.listFor(this.get(slab + SlabWords.freeItems))
    if (this.get(slab + SlabWords.list) === list) return
    this.unlink(slab)
    this.link(slab, list)
  }

  listFor(freeItems: number): number {
    if (freeItems === 0) return KegWords.full
    return freeItems === this.perSlab ? KegWords.free : KegWords.partial
  }

  /** Adds to one of the counts of `KegWords`. */
  count(offset: number, by: number): void {
    this.set(this.keg + offset, this.get(this.keg + offset) + by)
  }

  /** Forgets all: the lists are about to be made again. */
  clear(): void {
    for (const word of [...LISTS, ...COUNTS]) this.set(this.keg + word, 0)
  }

  /** Slabs in all lists: more than are counted, if one is a circle. */
  length(): number {
    const most = this.get(this.keg + KegWords.slabs)
    let length = 0
    for (const list of LISTS) {
      let slab = this.get(this.keg + list)
      for (; slab !== 0 && length <= most; slab = this.get(slab + SlabWords.next)) length++
    }
    return length
  }

  /**
   * All slabs, as the lists have them; undefined where they have not as many slabs as are counted.
   */
  all(): number[] | undefined {
    const most = this.get(this.keg + KegWords.slabs)
    const slabs: number[] = []
    for (const list of LISTS) {
      let slab = this.get(this.keg + list)
      for (; slab !== 0 && slabs.length <= most; slab = this.get(slab + SlabWords.next)) {
        if (!this.addresses.isSlab(slab)) return undefined
        slabs.push(slab)
      }
    }
    return slabs.length === most ? slabs : undefined
  }

  private link(slab: number, list: number): void {
    const head = this.keg + list
    const next = this.get(head)
    if (next !== 0) this.assertSlab(next, 'the head of a list')
    this.set(slab + SlabWords.list, list)
    this.set(slab + SlabWords.next, next)
    this.set(slab + SlabWords.prev, 0)
    if (next !== 0) this.set(next + SlabWords.prev, slab)
    this.set(head, slab)
  }

  private unlink(slab: number): void {
    const next = this.get(slab + SlabWords.next)
    const prev = this.get(slab + SlabWords.prev)
    const list = this.get(slab + SlabWords.list)
    if (next !== 0) this.assertSlab(next, 'the next of a slab')
    if (prev !== 0) this.assertSlab(prev, 'the one before a slab')
    const before = prev === 0 ? this.keg + list : prev + SlabWords.next
    const isListed = LISTS.some((each) => each === list)
    const back = next === 0 ? slab : this.get(next + SlabWords.prev)
    if (!isListed || this.get(before) !== slab || back !== slab) {
      throw this.damaged('the neighbours of a slab do not lead to it', { slab, list, next, prev })
    }
    if (next !== 0) this.set(next + SlabWords.prev, prev)
    this.set(before, next)
  }

  private assertSlab(slab: number, what: string): void {
    if (!this.addresses.isSlab(slab)) throw this.damaged(`${what} is no slab of it`, { slab })
  }

  private damaged(how: string, facts: Readonly<Record<string, number>>): Corruption {
    return damagedKeg(this.what, how, facts)
  }

  private get(at: number): number {
    return this.memory.peek(at)
  }

  private set(at: number, value: number): void {
    this.memory.poke(at, value)
  }
}

/** What is said of a keg whose words cannot be right, with these words. */
export function damagedKeg(
  what: string,
  how: string,
  facts: Readonly<Record<string, number>>,
): Corruption {
  const words = Object.entries(facts).map(([key, value]) => `${key} ${value}`)
  return new Corruption(`${what}: ${how}: ${words.join(', ')}`, facts)
}

// Moves of items between a keg's slabs and buckets, with the keg's lock held.
//
// A batch changes many free bits, and a worker may stop for ever between any two of them. So a
// batch is first written down - in the bucket, beyond its count, and in three words of the keg -
// and then done; each part of doing it can be done twice. Whoever takes the lock after a death does
// the batch again from those words (`redo`). Two cases: `step` names a batch, then bucket, end and
// entries were stored before it, and doing it again ends where it would have ended; or it names
// none, then no bit has changed yet, or all have, and the count with them. Otherwise (a bit before
// the step) an item could be free in its slab and in a bucket at once, or in neither. One item by
// itself is one bit: its move is done or not; but where a tally of its worker's has to change with
// it, the two are written down as well, for a worker may stop between them, and its numbers would
// be wrong for ever. The item cannot leave its slab again, nor the tally change, before the next
// owner has done the step: nobody takes items without the lock, and the worker, if it lives, takes
// it before it counts on. All of it is plain: whoever finds the lock's owner dead comes after him.

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
   * The same, and the tally at `tally` changes with it, whoever has to finish that. `item` is the
   * last that `hands` hold: from the step on it is the keg's.
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

  /**
   * After a death under the lock: finishes the batch. Counts and lists are the caller's to mend.
   */
  redo(): void {
    const bucket = this.get(this.keg + KegWords.bucket)
    const entries = bucket + BucketWords.entries
    const step = this.get(this.keg + KegWords.step)
    // Between two batches the other words are of the last one, whose bucket may be anybody's by
    // now.
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

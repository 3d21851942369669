/**
 * What is done under a keg's lock: its slabs in three lists (some items free, all free, none free)
 * with their counts, and moves of items between slabs and buckets.
 *
 * Lists and counts only index the free bits of the slabs: after a death under the lock they are
 * cleared and rebuilt. Every link must lead to a slab of this keg that names the same list: a
 * circle, or a slab in a wrong list, is Corruption before anything has changed.
 *
 * A batch changes many free bits, and a worker may die between any two of them. So a batch is first
 * written down as a redo record - in the bucket, beyond its count, and in three words of the keg -
 * and then done; each step of it can be done twice. The next owner of the lock does it again
 * (`redo`). Two cases: `step` names a batch, then bucket, end and entries were stored before it,
 * and doing it again gives the same result; or it names none, then no bit has changed, or all have,
 * and the count too. Otherwise (a bit before the step) an item could be free in its slab and in a
 * bucket at once, or in neither.
 *
 * A single item is one bit, and needs no record, unless words of its worker have to change with
 * it, a tally and what it has in its hands: the worker may die between the two, and they would stay
 * wrong. The item cannot leave its slab again, nor those words change, before the next owner has done
 * the step: items are taken only under the lock, and a worker that lives takes the lock before it goes on. All words are
 * plain: the next owner of the lock comes after the dead one.
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
  /** The keg's name in errors. */
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

  /** Counts a slab and puts it into the list for its number of free items. */
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

  /** Moves a slab to the list for its number of free items. */
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

  /** Empties all lists and counts, before they are rebuilt. */
  clear(): void {
    for (const word of [...LISTS, ...COUNTS]) this.set(this.keg + word, 0)
  }

  /** The number of slabs in all lists; more than are counted if one is a circle. */
  length(): number {
    const most = this.get(this.keg + KegWords.slabs)
    let length = 0
    for (const list of LISTS) {
      let slab = this.get(this.keg + list)
      for (; slab !== 0 && length <= most; slab = this.get(slab + SlabWords.next)) length++
    }
    return length
  }

  /** All slabs by the lists; undefined if the lists and the count do not agree. */
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

/** The error for a keg whose words contradict each other. */
export function damagedKeg(
  what: string,
  how: string,
  facts: Readonly<Record<string, number>>,
): Corruption {
  const words = Object.entries(facts).map(([key, value]) => `${key} ${value}`)
  return new Corruption(`${what}: ${how}: ${words.join(', ')}`, facts)
}

/** Moves items between slabs and buckets. */
export class KegMoves {
  private readonly memory: Memory
  private readonly keg: number
  /** The keg's name in errors. */
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
   * `giveOne`, adds `by` to the tally at `tally`, and clears the word at `clear` that names the item,
   * if any: all of it, even if the next owner has to finish it. `item` is the last that `hands` holds;
   * from the store of the step on it is the keg's.
   */
  giveCounted(
    item: number,
    tally: number,
    by: number,
    hands: { held: number },
    clear: number,
  ): void {
    const slab = this.slabOf(item, 'a worker gives back an item that is not its')
    this.set(this.keg + KegWords.bucket, item)
    this.set(this.keg + KegWords.tally, tally)
    this.memory.pokeFloat(this.keg + KegWords.after, this.memory.peekFloat(tally) + by)
    this.set(this.keg + KegWords.clear, clear)
    this.set(this.keg + KegWords.step, KegStep.giveOne)
    hands.held--
    this.finishOne()
    this.recount(slab, 1)
  }

  /** Does what `giveCounted` has written down. */
  private finishOne(): void {
    const item = this.get(this.keg + KegWords.bucket)
    const slab = this.slabOf(item, 'a step names an item that is not its')
    setFree(this.memory, slab, this.addresses.indexOf(slab, item))
    const after = this.memory.peekFloat(this.keg + KegWords.after)
    this.memory.pokeFloat(this.get(this.keg + KegWords.tally), after)
    const clear = this.get(this.keg + KegWords.clear)
    if (clear !== 0) this.set(clear, 0)
    this.set(this.keg + KegWords.step, KegStep.none)
  }

  /** After a death under the lock: finishes the batch. The caller rebuilds counts and lists. */
  redo(): void {
    const bucket = this.get(this.keg + KegWords.bucket)
    const entries = bucket + BucketWords.entries
    const step = this.get(this.keg + KegWords.step)
    // Without a step the other words are those of the last batch, whose bucket may be in use
    // elsewhere.
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

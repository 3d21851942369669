/**
 * A keg's slabs in three lists - some items free, all free, none free - and their counts.
 *
 * Everything here is done with the keg's lock held, and all of it only indexes what the slabs
 * themselves say: after a death under the lock the lists and counts are cleared and made again.
 */

import { KegWords, SlabWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'

const LISTS = [KegWords.partial, KegWords.free, KegWords.full]
const COUNTS = [KegWords.slabs, KegWords.created, KegWords.inSlabs]

export class SlabLists {
  private readonly memory: Memory
  private readonly keg: number
  private readonly perSlab: number

  constructor(memory: Memory, keg: number, perSlab: number) {
    this.memory = memory
    this.keg = keg
    this.perSlab = perSlab
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

  /** Slabs in all lists. */
  length(): number {
    let length = 0
    for (const list of LISTS) {
      for (let slab = this.get(this.keg + list); slab !== 0; slab = this.get(slab + SlabWords.next))
        length++
    }
    return length
  }

  private link(slab: number, list: number): void {
    const head = this.keg + list
    const next = this.get(head)
    this.set(slab + SlabWords.list, list)
    this.set(slab + SlabWords.next, next)
    this.set(slab + SlabWords.prev, 0)
    if (next !== 0) this.set(next + SlabWords.prev, slab)
    this.set(head, slab)
  }

  private unlink(slab: number): void {
    const next = this.get(slab + SlabWords.next)
    const prev = this.get(slab + SlabWords.prev)
    if (next !== 0) this.set(next + SlabWords.prev, prev)
    if (prev !== 0) this.set(prev + SlabWords.next, next)
    else this.set(this.keg + this.get(slab + SlabWords.list), next)
  }

  private get(at: number): number {
    return this.memory.peek(at)
  }

  private set(at: number, value: number): void {
    this.memory.poke(at, value)
  }
}

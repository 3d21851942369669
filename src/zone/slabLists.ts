/**
 * A keg's slabs in three lists - some items free, all free, none free - and their counts.
 *
 * Everything here is done with the keg's lock held, and all of it only indexes what the slabs
 * themselves say: after a death under the lock the lists and counts are cleared and made again.
 *
 * No link is followed that does not lead to a slab of this keg that says so too: a circle, or a slab
 * that is in a list it does not belong to, is Corruption before anything has changed.
 */

import { Corruption } from '../errors.ts'
import { KegWords, SlabWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Addresses } from './addresses.ts'

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

  /** All slabs, as the lists have them; undefined where they have not as many slabs as are counted. */
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

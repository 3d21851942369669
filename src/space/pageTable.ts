/**
 * The page table and the buddy lists over it. All verbs need the lock of the pages, except
 * `entryOf` and `put`, which the owner of the run may call.
 *
 * Pages from `brk` on were never used and cost nothing. Below it, a walk from run to run meets
 * every page exactly once, whatever store was the last. Each step is ordered so that one word
 * commits it: the upper half of a split is written before the lower half shrinks, so if the worker
 * stops in between, the table still reads as before. The lists of free runs are only an index, and
 * can be made again from the table (`rebuild`).
 *
 * The links of a free run lie in its own first words, where a write through an old address may have
 * damaged them. So no link and no entry is followed unchecked: it must lead to a free run of that
 * order whose neighbours agree. If not, that is Corruption, before any word has changed; every walk
 * is bounded by the number of pages.
 */

import { Corruption } from '../base/errors.ts'

import { FreeRun, Header, ORDERS, PAGE_SHIFT } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import { roundUp } from '../memory/struct.ts'
import { decode, free, orderOf, type Run, reserved, sizeOf } from './pageEntry.ts'

export class PageTable {
  private readonly memory: Memory
  private readonly slot: number
  private readonly tableAt: number
  private readonly base: number
  private readonly count: number

  constructor(memory: Memory, slot: number) {
    this.memory = memory
    this.slot = slot
    this.tableAt = memory.peek(Header.pageTableAt)
    this.base = memory.peek(Header.pagesAt)
    this.count = memory.peek(Header.pages)
  }

  /** Takes a run of 2^order pages and reserves it for this worker. Its base, 0 if there is none. */
  take(order: number): number {
    const page = this.takeFree(order) ?? this.takeUntouched(order)
    if (page === undefined) return 0
    this.set(page, reserved(order, this.slot))
    return this.addressOf(page)
  }

  /** Writes `entry` into each page of the run at `base`. */
  put(base: number, entry: number): void {
    const page = this.pageOf(base)
    decode(entry, page, base, this.count)
    // The first page last: that is the one that a walk reads, perhaps meanwhile. A worker that dies
    // before it leaves a run that is reserved, and is released. Otherwise the run would count as
    // used, although items in its other pages do not lead to it.
    for (let inner = page + sizeOf(orderOf(entry)) - 1; inner >= page; inner--) {
      this.set(inner, entry)
    }
  }

  /** The entry of the run at `base`. */
  entryOf(base: number): number {
    return this.entry(this.pageOf(base))
  }

  /** Frees the run at `base`, and merges it with free neighbours. */
  release(base: number): void {
    const page = this.pageOf(base)
    const { state } = decode(this.entry(page), page, base, this.brk())
    if (state === 'free') throw this.damaged(page, 'is to be given back, and is free')
    this.merge(page)
  }

  /** Every run below brk, in order. */
  *walk(): Generator<Run> {
    const brk = this.brk()
    for (let page = 0; page < brk; ) {
      const run = decode(this.entry(page), page, this.addressOf(page), brk)
      yield run
      page += sizeOf(run.order)
    }
  }

  /** Makes the lists again from the page table, after the owner of the lock died in a step. */
  rebuild(): void {
    const { memory } = this
    for (let order = 0; order < ORDERS; order++) memory.poke(headOf(order), 0)
    memory.poke(Header.freePages, 0)
    for (const run of this.walk()) {
      if (run.state === 'free') this.link(this.pageOf(run.base), run.order)
    }
  }

  // ---- splitting and merging ----------------------------------------------------------------

  private takeFree(order: number): number | undefined {
    for (let larger = order; larger < ORDERS; larger++) {
      const base = this.memory.peek(headOf(larger))
      if (base === 0) continue
      const page = this.freeAt(base, larger)
      this.unlink(page, larger)
      for (let half = larger - 1; half >= order; half--) {
        const upper = page + sizeOf(half)
        this.set(upper, free(half))
        this.set(page, free(half))
        this.link(upper, half)
      }
      return page
    }
    return undefined
  }

  private takeUntouched(order: number): number | undefined {
    const { memory } = this
    const across = this.takeAcross(order)
    if (across !== undefined) return across
    const start = roundUp(this.brk(), sizeOf(order))
    const end = start + sizeOf(order)
    if (end > this.count) return undefined
    this.moveBrk(start)
    this.set(start, reserved(order, this.slot))
    memory.poke(Header.brk, end)
    return start
  }

  /** A run that begins in free pages below brk and ends in untouched ones. */
  private takeAcross(order: number): number | undefined {
    const brk = this.brk()
    const start = brk - (brk % sizeOf(order))
    const end = start + sizeOf(order)
    if (start === brk || end > this.count) return undefined
    for (let page = start; page < brk; ) {
      const run = decode(this.entry(page), page, this.addressOf(page), brk)
      if (run.state !== 'free') return undefined
      page += sizeOf(run.order)
    }
    this.moveBrk(end)
    return this.takeFree(order)
  }

  /** Moves brk. The pages that it skips become free runs, merged with free neighbours. */
  private moveBrk(end: number): void {
    const { memory } = this
    for (let brk = this.brk(); brk < end; ) {
      const skipped = Math.min(trailingZeros(brk), trailingZeros(end - brk))
      this.set(brk, reserved(skipped, this.slot))
      memory.poke(Header.brk, brk + sizeOf(skipped))
      this.merge(brk)
      brk += sizeOf(skipped)
    }
  }

  /** Frees the run at `page`, and merges it with its buddy for as long as that is free. */
  private merge(page: number): void {
    let order = orderOf(this.entry(page))
    this.set(page, reserved(order, this.slot))
    for (let inner = page + 1; inner < page + sizeOf(order); inner++) this.set(inner, 0)
    let low = page
    while (order + 1 < ORDERS) {
      const buddy = low ^ sizeOf(order)
      if (buddy >= this.brk() || this.entry(buddy) !== free(order)) break
      this.unlink(buddy, order)
      low = Math.min(low, buddy)
      order++
      // This one store merges the two; until then the table reads as before.
      this.set(low, reserved(order, this.slot))
    }
    this.set(low, free(order))
    this.link(low, order)
  }

  private link(page: number, order: number): void {
    const { memory } = this
    const base = this.addressOf(page)
    const next = memory.peek(headOf(order))
    if (next !== 0) this.freeAt(next, order)
    memory.poke(base + FreeRun.next, next)
    memory.poke(base + FreeRun.prev, 0)
    if (next !== 0) memory.poke(next + FreeRun.prev, base)
    memory.poke(headOf(order), base)
    memory.poke(Header.freePages, memory.peek(Header.freePages) + sizeOf(order))
  }

  private unlink(page: number, order: number): void {
    const { memory } = this
    const base = this.addressOf(page)
    const next = memory.peek(base + FreeRun.next)
    const prev = memory.peek(base + FreeRun.prev)
    if (next !== 0 && memory.peek(this.linksAt(next, order) + FreeRun.prev) !== base)
      throw this.damaged(page, `leads to ${next}, which does not lead back`)
    const before = prev === 0 ? headOf(order) : this.linksAt(prev, order) + FreeRun.next
    if (memory.peek(before) !== base)
      throw this.damaged(page, `names ${prev} as the run before it, which does not lead to it`)
    if (next !== 0) memory.poke(next + FreeRun.prev, prev)
    memory.poke(before, next)
    memory.poke(Header.freePages, memory.peek(Header.freePages) - sizeOf(order))
  }

  // ---- words -------------------------------------------------------------------------------

  /** Pages ever used. Corruption if that is more than there are. */
  private brk(): number {
    const brk = this.memory.peek(Header.brk)
    if (brk >= 0 && brk <= this.count) return brk
    throw new Corruption(`arena pages: ${brk} of ${this.count} pages are used`, {
      brk,
      pages: this.count,
    })
  }

  /** The page of a free run that a link leads to. Corruption if there is none. */
  private freeAt(base: number, order: number): number {
    const page = this.pageOf(base)
    const isOurs = page >= 0 && page < this.brk() && this.addressOf(page) === base
    if (isOurs && this.entry(page) === free(order)) return page
    throw this.damaged(page, `is in the list of free runs of 2^${order} pages, at ${base}`)
  }

  /** `base`, after the same check. */
  private linksAt(base: number, order: number): number {
    this.freeAt(base, order)
    return base
  }

  private damaged(page: number, how: string): Corruption {
    const isOne = page >= 0 && page < this.count
    const entry = isOne ? this.entry(page) : 0
    return new Corruption(`arena pages: page ${page}, whose entry is ${entry}, ${how}`, {
      page,
      entry,
    })
  }

  private entry(page: number): number {
    return this.memory.load(this.tableAt + page)
  }

  private set(page: number, entry: number): void {
    this.memory.store(this.tableAt + page, entry)
  }

  /** By a shift, so that engines keep the result as an integer. */
  private addressOf(page: number): number {
    return this.base + (page << PAGE_SHIFT)
  }

  private pageOf(address: number): number {
    return (address - this.base) >> PAGE_SHIFT
  }
}

/** Pages in all lists of free runs. If a list is a circle, more than the arena has. */
export function listedPages(memory: Memory): number {
  const most = memory.peek(Header.pages)
  let listed = 0
  for (let order = 0; order < ORDERS; order++) {
    let run = memory.peek(headOf(order))
    for (; run !== 0 && listed <= most; run = memory.peek(run + FreeRun.next)) {
      listed += sizeOf(order)
    }
  }
  return listed
}

function headOf(order: number): number {
  return Header.freeRuns + order
}

function trailingZeros(n: number): number {
  return 31 - Math.clz32(n & -n)
}

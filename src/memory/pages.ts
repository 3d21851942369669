/**
 * Pages: what the arena is cut into, handed out in runs of 2^order.
 *
 * A buddy allocator whose only truth is the page table, one word per page:
 *
 *   free       a run of 2^order pages starts here
 *   reserved   likewise, and worker w is between taking it and making something of it
 *   used       base | kind | order, the same in each page of the run: an address anywhere inside
 *              finds its run with one look
 *
 * Pages from `brk` on were never used and cost nothing; below it, walking from run to run meets
 * every page exactly once, after every single store. Each step below is ordered so that one word
 * commits it: the upper half of a split is written before the lower half shrinks, so a worker that
 * stops for ever in between leaves a table that still reads as before. The lists of free runs are
 * an index over that truth and can be made again from it (`rebuild`), which is what the next owner
 * of the lock does when it hears that the last one died.
 */

import { Corruption } from '../errors.ts'
import { FreeRun, Header, ORDERS, PAGE_SHIFT, PAGE_WORDS, RunKind } from './layout.ts'
import type { Locks } from './lock.ts'
import type { Memory } from './memory.ts'
import {
  baseOf,
  decode,
  free,
  isOfKind,
  type Kind,
  orderFor,
  orderOf,
  type Run,
  reserved,
  sizeOf,
  used,
} from './pageEntry.ts'
import { roundUp } from './struct.ts'

const LOCK = 'arena pages'

// Names of this module are constants to the optimizer, imported ones are not, and `find` is on the
// path of every free.
const SHIFT = PAGE_SHIFT
const isA = isOfKind
const baseIn = baseOf

export class Pages {
  private readonly memory: Memory
  private readonly locks: Locks
  private readonly slot: number
  private readonly table: number
  private readonly base: number
  readonly count: number

  constructor(memory: Memory, locks: Locks, slot: number) {
    this.memory = memory
    this.locks = locks
    this.slot = slot
    this.table = memory.peek(Header.pageTableAt)
    this.base = memory.peek(Header.pagesAt)
    this.count = memory.peek(Header.pages)
  }

  /** Takes a run for `words` and marks it as this worker's. 0 when there is none. */
  reserve(words: number): number {
    const order = orderFor(words)
    if (order >= ORDERS) return 0
    this.lock()
    try {
      const page = this.takeFree(order) ?? this.takeUntouched(order)
      if (page === undefined) return 0
      this.set(page, reserved(order, this.slot))
      return this.addressOf(page)
    } finally {
      this.unlock()
    }
  }

  /** Says what a reserved run has become. From here on addresses inside it find it. */
  publish(base: number, kind: Kind): void {
    const page = this.pageOf(base)
    const order = orderOf(this.entry(page))
    const entry = used(base, kind, order)
    // The first page last: it is the one that a walk reads.
    for (let inner = page + sizeOf(order) - 1; inner >= page; inner--) this.set(inner, entry)
  }

  /**
   * Takes a run for `words`, marks it as `kind`, and writes its address to the word at `receipt`:
   * all or nothing, also if this worker dies in the middle. 0 when there is none.
   */
  allocateInto(receipt: number, words: number, kind: Kind): number {
    const order = orderFor(words)
    if (order >= ORDERS) return 0
    this.lock()
    try {
      const page = this.takeFree(order) ?? this.takeUntouched(order)
      if (page === undefined) return 0
      // No list may hold the run any more when the promise is kept, also if the lists were rebuilt.
      this.set(page, reserved(order, this.slot))
      const base = this.addressOf(page)
      this.promise(receipt, base, used(base, kind, order))
      this.keepPromise()
      return base
    } finally {
      this.unlock()
    }
  }

  /** Gives the run at `base` back and clears the word at `receipt`, likewise all or nothing. */
  releaseFrom(receipt: number, base: number): void {
    this.lock()
    try {
      this.promise(receipt, base, 0)
      this.keepPromise()
    } finally {
      this.unlock()
    }
  }

  /** Keeps what a dead worker may have promised: the words that lead to its runs are true now. */
  settle(): void {
    this.lock()
    this.unlock()
  }

  /** Gives a run back. Nobody may hold an address inside it any more. */
  release(base: number): void {
    this.lock()
    try {
      this.releaseLocked(this.pageOf(base))
    } finally {
      this.unlock()
    }
  }

  /**
   * Base of the run that `address` lies in, 0 if that is no used run of this kind. On the path of
   * every free, so it only glances: an item came to its owner through some lock or publication, and the
   * entry of its page was written before that. For any other address the answer may be stale.
   */
  find(address: number, kind: Kind): number {
    const page = (address - this.base) >> SHIFT
    // Unsigned, an address in front of the pages lies far behind them.
    if (page >>> 0 >= this.count) return 0
    const entry = this.memory.glance(this.table + page)
    return isA(entry, kind) ? baseIn(entry) : 0
  }

  /** Words in the run at `base`. */
  wordsAt(base: number): number {
    return sizeOf(orderOf(this.entry(this.pageOf(base)))) * PAGE_WORDS
  }

  /** Every run below brk, in order. */
  runs(): Run[] {
    this.lock()
    try {
      return [...this.walk()]
    } finally {
      this.unlock()
    }
  }

  /** Pages never used, and pages in free runs below them. */
  room(): { untouched: number; free: number } {
    const { memory } = this
    return {
      untouched: this.count - memory.glance(Header.brk),
      free: memory.glance(Header.freePages),
    }
  }

  /** Runs that `slot` had reserved when it died: nobody else knows of them. */
  releaseReservedBy(slot: number): number {
    this.lock()
    try {
      const orphans = [...this.walk()].filter((run) => run.state === 'reserved' && run.who === slot)
      for (const run of orphans) this.releaseLocked(this.pageOf(run.base))
      return orphans.length
    } finally {
      this.unlock()
    }
  }

  /**
   * Gives every used run back that nobody wants. Nothing is taken or given back meanwhile, so what
   * `wanted` finds out about the words that lead to runs still holds when the others go.
   */
  sweep(wanted: () => (run: Run) => boolean): number {
    this.lock()
    try {
      const isWanted = wanted()
      const orphans = [...this.walk()].filter((run) => run.state === 'used' && !isWanted(run))
      // What is found by the address of something else goes before that, or a successor inherits it.
      const rank = (run: Run): number => (run.who === RunKind.slab ? 0 : 1)
      for (const run of orphans.sort((a, b) => rank(a) - rank(b)))
        this.releaseLocked(this.pageOf(run.base))
      return orphans.length
    } finally {
      this.unlock()
    }
  }

  // ---- under the lock ----------------------------------------------------------------------

  private *walk(): Generator<Run> {
    const brk = this.memory.peek(Header.brk)
    for (let page = 0; page < brk; ) {
      const run = decode(this.entry(page), page, this.addressOf(page))
      yield run
      page += sizeOf(run.order)
    }
  }

  private lock(): void {
    this.locks.lockAndRepair(Header.pageLock, LOCK, () => this.rebuild())
  }

  private unlock(): void {
    this.locks.unlock(Header.pageLock)
  }

  /** Writes down that the run is to have this entry (0: be free) and the word its address (0). */
  private promise(receipt: number, base: number, entry: number): void {
    const { memory } = this
    memory.poke(Header.receiptRun, base)
    memory.poke(Header.receiptEntry, entry)
    memory.poke(Header.receipt, receipt)
  }

  /** Does what was written down; may be done again after a death at any point. */
  private keepPromise(): void {
    const { memory } = this
    const receipt = memory.peek(Header.receipt)
    if (receipt === 0) return
    const base = memory.peek(Header.receiptRun)
    const entry = memory.peek(Header.receiptEntry)
    const page = this.pageOf(base)
    if (entry !== 0) {
      for (let inner = page + sizeOf(orderOf(entry)) - 1; inner >= page; inner--)
        this.set(inner, entry)
      memory.poke(receipt, base)
    } else {
      // The word first: once the run is free it must not be freed again from this word.
      memory.poke(receipt, 0)
      if (this.entry(page) > 0) this.releaseLocked(page)
    }
    memory.poke(Header.receipt, 0)
  }

  private takeFree(order: number): number | undefined {
    for (let larger = order; larger < ORDERS; larger++) {
      const base = this.memory.peek(headOf(larger))
      if (base === 0) continue
      const page = this.pageOf(base)
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
    const start = roundUp(memory.peek(Header.brk), sizeOf(order))
    const end = start + sizeOf(order)
    if (end > this.count) return undefined
    this.moveBrk(start)
    this.set(start, reserved(order, this.slot))
    memory.poke(Header.brk, end)
    return start
  }

  /** A run that begins in free pages below brk and ends in untouched ones. */
  private takeAcross(order: number): number | undefined {
    const brk = this.memory.peek(Header.brk)
    const start = brk - (brk % sizeOf(order))
    const end = start + sizeOf(order)
    if (start === brk || end > this.count) return undefined
    for (let page = start; page < brk; page += sizeOf(orderOf(this.entry(page)))) {
      if (this.entry(page) !== free(orderOf(this.entry(page)))) return undefined
    }
    this.moveBrk(end)
    return this.takeFree(order)
  }

  /** Moves brk, leaving free what that skips, merged with what is free beside it. */
  private moveBrk(end: number): void {
    const { memory } = this
    for (let brk = memory.peek(Header.brk); brk < end; ) {
      const skipped = Math.min(trailingZeros(brk), trailingZeros(end - brk))
      this.set(brk, reserved(skipped, this.slot))
      memory.poke(Header.brk, brk + sizeOf(skipped))
      this.releaseLocked(brk)
      brk += sizeOf(skipped)
    }
  }

  private releaseLocked(page: number): void {
    let order = orderOf(this.entry(page))
    this.set(page, reserved(order, this.slot))
    for (let inner = page + 1; inner < page + sizeOf(order); inner++) this.set(inner, 0)
    let low = page
    while (order + 1 < ORDERS) {
      const buddy = low ^ sizeOf(order)
      if (buddy >= this.memory.peek(Header.brk) || this.entry(buddy) !== free(order)) break
      this.unlink(buddy, order)
      low = Math.min(low, buddy)
      order++
      // The lower half grows over the upper one in this one store; until then both stand as before.
      this.set(low, reserved(order, this.slot))
    }
    this.set(low, free(order))
    this.link(low, order)
  }

  private link(page: number, order: number): void {
    const { memory } = this
    const base = this.addressOf(page)
    const next = memory.peek(headOf(order))
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
    if (next !== 0) memory.poke(next + FreeRun.prev, prev)
    if (prev !== 0) memory.poke(prev + FreeRun.next, next)
    else memory.poke(headOf(order), next)
    memory.poke(Header.freePages, memory.peek(Header.freePages) - sizeOf(order))
  }

  /** Makes the lists again from the page table, after their owner died in the middle of a step. */
  private rebuild(): void {
    const { memory } = this
    for (let order = 0; order < ORDERS; order++) memory.poke(headOf(order), 0)
    memory.poke(Header.freePages, 0)
    for (const run of this.walk()) {
      if (run.state === 'free') this.link(this.pageOf(run.base), run.order)
    }
    this.keepPromise()
  }

  // ---- words -------------------------------------------------------------------------------

  private entry(page: number): number {
    return this.memory.load(this.table + page)
  }

  private set(page: number, entry: number): void {
    this.memory.store(this.table + page, entry)
  }

  /** By a shift: engines then know an integer, and keep what is made of it as one. */
  private addressOf(page: number): number {
    return this.base + (page << PAGE_SHIFT)
  }

  private pageOf(address: number): number {
    return (address - this.base) >> PAGE_SHIFT
  }
}

/** Conservation: below brk every page is in exactly one run; free ones are counted and listed. */
export function checkPages(memory: Memory, pages: Pages): void {
  let free = 0
  let all = 0
  for (const run of pages.runs()) {
    all += sizeOf(run.order)
    if (run.state === 'free') free += sizeOf(run.order)
  }
  let listed = 0
  for (let order = 0; order < ORDERS; order++) {
    for (let at = memory.peek(headOf(order)); at !== 0; at = memory.peek(at + FreeRun.next)) {
      listed += sizeOf(order)
    }
  }
  const brk = memory.peek(Header.brk)
  const counted = memory.peek(Header.freePages)
  if (all === brk && free === listed && free === counted) return
  throw new Corruption('pages are not conserved', { all, brk, free, listed, counted })
}

function headOf(order: number): number {
  return Header.freeRuns + order
}

function trailingZeros(n: number): number {
  return 31 - Math.clz32(n & -n)
}

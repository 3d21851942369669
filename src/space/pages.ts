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
 * The lists of free runs are an index that can be made again from the table (pageTable.ts), which is
 * what the next owner of the lock does when it hears that the last one died. A run whose address
 * stands in a word of somebody's is taken and given back with a redo record: what is to become of run and
 * word is written down first, and if need be the next owner does it.
 */

import { Corruption } from '../base/errors.ts'
import { Header, ORDERS, PAGE_SHIFT, PAGE_WORDS, RunKind } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Locks } from './lock.ts'
import {
  baseOf,
  isOfKind,
  type Kind,
  orderFor,
  orderOf,
  type Run,
  sizeOf,
  used,
} from './pageEntry.ts'
import { listedPages, PageTable } from './pageTable.ts'
import type { Workers } from './workers.ts'

const LOCK = 'arena pages'

// Names of this module are constants to the optimizer, imported ones are not, and `find` is on the
// path of every free.
const SHIFT = PAGE_SHIFT
const isA = isOfKind
const baseIn = baseOf

export class Pages {
  private readonly memory: Memory
  private readonly locks: Locks
  private readonly workers: Workers
  private readonly table: PageTable
  private readonly tableAt: number
  private readonly base: number
  private readonly whenDead = (): void => this.repair()
  private readonly slot: number
  readonly count: number
  /** Where this worker says that runs may be marked as reserved by it. */
  private readonly reservingAt: number
  /** How many it keeps so; and how many changes have begun and not come to their end. */
  private reserved = 0
  private changing = 0

  constructor(memory: Memory, locks: Locks, workers: Workers, slot: number) {
    this.workers = workers
    this.reservingAt = workers.reservingAt(slot)
    this.memory = memory
    this.locks = locks
    this.slot = slot
    this.table = new PageTable(memory, slot)
    this.tableAt = memory.peek(Header.pageTableAt)
    this.base = memory.peek(Header.pagesAt)
    this.count = memory.peek(Header.pages)
  }

  /** Takes a run for `words` and marks it as this worker's. 0 when there is none. */
  reserve(words: number): number {
    const order = orderFor(words)
    if (order >= ORDERS) return 0
    return this.change(() => {
      const base = this.table.take(order)
      if (base !== 0) this.reserved++
      return base
    })
  }

  /** Says what a reserved run has become. From here on addresses inside it find it. */
  publish(base: number, kind: Kind): void {
    this.table.put(base, used(base, kind, orderOf(this.table.entryOf(base))))
    this.unreserve()
  }

  /**
   * Takes a run for `words`, marks it as `kind`, and writes its address to the word at `target`:
   * all or nothing, also if this worker dies in the middle. 0 when there is none.
   */
  allocateInto(target: number, words: number, kind: Kind): number {
    const order = orderFor(words)
    if (order >= ORDERS) return 0
    return this.change(() => {
      // Reserved: no list holds it any more when the promise is kept, also if they were made again.
      const base = this.table.take(order)
      if (base === 0) return 0
      this.writeRedo(target, base, used(base, kind, order))
      this.keepPromise()
      return base
    })
  }

  /** Gives the run at `base` back and clears the word at `target`, likewise all or nothing. */
  releaseFrom(target: number, base: number): void {
    this.change(() => {
      this.writeRedo(target, base, 0)
      this.keepPromise()
    })
  }

  /** Keeps what a dead worker may have promised: the words that lead to its runs are true now. */
  recover(): void {
    this.lock()
    this.unlock()
  }

  /** Gives a run back. Nobody may hold an address inside it any more. */
  release(base: number): void {
    const own = this.table.entryOf(base) < 0
    this.change(() => this.table.release(base))
    if (own) this.unreserve()
  }

  /**
   * Base of the run that `address` lies in, 0 if that is no used run of this kind. On the path of
   * every free, so it only racy peeks: an item came to its owner through some lock or publication, and the
   * entry of its page was written before that. For any other address the answer may be stale.
   */
  find(address: number, kind: Kind): number {
    const page = (address - this.base) >> SHIFT
    // Unsigned, an address in front of the pages lies far behind them.
    if (page >>> 0 >= this.count) return 0
    const entry = this.memory.peekRacy(this.tableAt + page)
    return isA(entry, kind) ? baseIn(entry) : 0
  }

  /** Words in the run at `base`. */
  wordsAt(base: number): number {
    return sizeOf(orderOf(this.table.entryOf(base))) * PAGE_WORDS
  }

  /** Every run below brk, in order, or those of them that `keep` wants, which is asked under the lock. */
  runs(keep: (run: Run) => boolean = () => true): Run[] {
    return this.locked(() => [...this.table.walk()].filter(keep))
  }

  /** Pages never used, and pages in free runs below them. */
  room(): { untouched: number; free: number } {
    const { memory } = this
    return {
      untouched: this.count - memory.peekRacy(Header.brk),
      free: memory.peekRacy(Header.freePages),
    }
  }

  /**
   * Runs that `slot` had reserved when it died: nobody else knows of them. They are looked for only
   * where it said that there may be some.
   */
  releaseReservedBy(slot: number): number {
    const at = this.workers.reservingAt(slot)
    if (this.memory.load(at) === 0) {
      this.recover()
      return 0
    }
    const released = this.change(() => {
      const orphans = [...this.table.walk()].filter(
        (run) => run.state === 'reserved' && run.who === slot,
      )
      for (const run of orphans) this.table.release(run.base)
      return orphans.length
    })
    this.memory.store(at, 0)
    return released
  }

  /**
   * In a turn of its own, when no call of ours makes anything: gives back what calls that were cut off
   * had reserved.
   */
  check(): void {
    if (this.reserved + this.changing === 0) return
    this.reserved = 0
    this.changing = 0
    this.releaseReservedBy(this.slot)
  }

  /**
   * Gives every used run back that nobody wants. Nothing is taken or given back meanwhile, so what
   * `wanted` finds out about the words that lead to runs still holds when the others go.
   */
  sweep(wanted: () => (run: Run) => boolean): number {
    return this.change(() => {
      const isWanted = wanted()
      const orphans = [...this.table.walk()].filter((run) => run.state === 'used' && !isWanted(run))
      // What is found by the address of something else goes before that, or a successor inherits it.
      const rank = (run: Run): number => (run.who === RunKind.slab ? 0 : 1)
      for (const { base } of orphans.sort((a, b) => rank(a) - rank(b))) this.table.release(base)
      return orphans.length
    })
  }

  // ---- under the lock ----------------------------------------------------------------------

  /**
   * Runs `body`, which changes the table and may mark runs as reserved by this worker, be it for a
   * moment. It says so first, and takes that back only when none is: so if the word is 0, there is
   * none to look for, whenever this worker died. Otherwise (the word after the mark) a run that was
   * reserved in between would be nobody's for ever. Where `body` does not come to its end it stays said.
   */
  private change<T>(body: () => T): T {
    return this.locked(() => {
      this.mayReserve()
      const result = body()
      this.hasRecovered()
      return result
    })
  }

  private mayReserve(): void {
    this.changing++
    this.memory.store(this.reservingAt, 1)
  }

  private hasRecovered(): void {
    this.changing--
    this.sayWhetherReserved()
  }

  private sayWhetherReserved(): void {
    if (this.reserved + this.changing === 0) this.memory.store(this.reservingAt, 0)
  }

  /** A run that this worker had reserved has become something, or has gone back. */
  private unreserve(): void {
    this.reserved = Math.max(0, this.reserved - 1)
    this.sayWhetherReserved()
  }

  private lock(): void {
    this.locks.acquireAndRepair(Header.pageLock, LOCK, this.whenDead)
  }

  private unlock(whole = true): void {
    this.locks.release(Header.pageLock, whole)
  }

  /** Runs `body` with the lock held. If it does not come to its end, the next owner repairs. */
  private locked<T>(body: () => T): T {
    this.lock()
    let whole = false
    try {
      const result = body()
      whole = true
      return result
    } finally {
      this.unlock(whole)
    }
  }

  /** Writes down that the run is to have this entry (0: be free) and the word its address (0). */
  private writeRedo(target: number, base: number, entry: number): void {
    const { memory } = this
    memory.poke(Header.redoRun, base)
    memory.poke(Header.redoEntry, entry)
    memory.poke(Header.redoTarget, target)
  }

  /**
   * Does what was written down; may be done again after a death at any point, and has no order among
   * its steps before the last: it begins with words that stay as they are, and who dies on the way has
   * the lock, so the next to take it does all of it again before anybody acts on run or word. Whoever
   * reads the word without the lock takes it first, for a moment (`recover`).
   */
  private keepPromise(): void {
    const { memory } = this
    const target = memory.peek(Header.redoTarget)
    if (target === 0) return
    const base = memory.peek(Header.redoRun)
    const entry = memory.peek(Header.redoEntry)
    if (entry !== 0) {
      this.table.put(base, entry)
      memory.poke(target, base)
    } else {
      memory.poke(target, 0)
      // It is free, or reserved by who died in freeing it: then it was done before.
      if (this.table.entryOf(base) > 0) this.table.release(base)
    }
    memory.poke(Header.redoTarget, 0)
  }

  /** After a death under the lock: makes the lists again, then keeps what was promised. */
  private repair(): void {
    this.mayReserve()
    this.table.rebuild()
    this.keepPromise()
    this.hasRecovered()
  }
}

/** Every page of a used run leads to it: an item may lie in any of them. */
function checkInside(pages: Pages, { base, order, who }: Run): void {
  for (let page = 0; page < sizeOf(order); page++) {
    const found = pages.find(base + page * PAGE_WORDS, who as Kind)
    if (found === base) continue
    throw new Corruption(`page ${page} of the run at ${base} leads to ${found}`, { base, page })
  }
}

/** Conservation: below brk every page is in exactly one run; free ones are counted and listed. */
export function checkPages(memory: Memory, pages: Pages): void {
  let free = 0
  let all = 0
  for (const run of pages.runs()) {
    all += sizeOf(run.order)
    if (run.state === 'used') checkInside(pages, run)
    if (run.state === 'free') free += sizeOf(run.order)
  }
  const listed = listedPages(memory)
  const brk = memory.peek(Header.brk)
  const counted = memory.peek(Header.freePages)
  if (all === brk && free === listed && free === counted) return
  throw new Corruption('pages are not conserved', { all, brk, free, listed, counted })
}

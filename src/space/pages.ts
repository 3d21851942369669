/**
 * Pages: the arena is cut into pages of 4 KiB, which are handed out in runs of 2^order.
 *
 * A buddy allocator. Its state is the page table, one word per page:
 *
 *   free       a run of 2^order pages starts here
 *   reserved   likewise; worker w has taken it and not published it yet
 *   used       base | kind | order, the same in each page of the run: an address anywhere inside
 *              finds its run with one load
 *
 * The lists of free runs are an index that can be made again from the table (pageTable.ts). The
 * next owner of the lock does that if the last one died. If a shared word holds the address of a
 * run, both change with a *redo record*: it says what run and word are to become, and the next
 * owner of the lock carries it out if this one dies.
 */

import { Corruption } from '../base/errors.ts'
import { Header, ORDERS, PAGE_SHIFT, PAGE_WORDS, RunKind } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Locks } from './lock.ts'
import {
  baseOf,
  isOfKind,
  orderFor,
  orderOf,
  type Run,
  type RunKindValue,
  sizeOf,
  used,
} from './pageEntry.ts'
import { listedPages, PageTable } from './pageTable.ts'
import type { Workers } from './workers.ts'

const LOCK = 'arena pages'

// Names of this module are constants to the optimizer, imported ones are not; `find` is called by
// every free.
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
  /** The word that says that runs may be reserved by this worker. */
  private readonly reservingAt: number
  /** How many runs it has reserved; and how many changes have begun and not ended. */
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

  /** Takes a run for `words` and reserves it for this worker. 0 when there is none. */
  reserve(words: number): number {
    const order = orderFor(words)
    if (order >= ORDERS) return 0
    return this.change(() => {
      const base = this.table.take(order)
      if (base !== 0) this.reserved++
      return base
    })
  }

  /** Gives a reserved run its kind. From here on `find` answers for addresses inside it. */
  publish(base: number, kind: RunKindValue): void {
    this.table.put(base, used(base, kind, orderOf(this.table.entryOf(base))))
    this.unreserve()
  }

  /**
   * Takes a run for `words`, publishes it as `kind`, and writes its address to the word at
   * `target`: all or nothing, also if this worker dies in the middle. 0 when there is none.
   */
  allocateInto(target: number, words: number, kind: RunKindValue): number {
    const order = orderFor(words)
    if (order >= ORDERS) return 0
    return this.change(() => {
      // It is reserved, so even lists that are made again do not hold it when the record is redone.
      const base = this.table.take(order)
      if (base === 0) return 0
      this.writeRedo(target, base, used(base, kind, order))
      this.redo()
      return base
    })
  }

  /** Frees the run at `base` and clears the word at `target`, likewise all or nothing. */
  releaseFrom(target: number, base: number): void {
    this.change(() => {
      this.writeRedo(target, base, 0)
      this.redo()
    })
  }

  /**
   * Carries out the redo record of a dead worker, if any: then the words that lead to runs are
   * right.
   */
  recover(): void {
    this.lock()
    this.unlock()
  }

  /** Frees a run. Nobody may hold an address inside it any more. */
  release(base: number): void {
    const own = this.table.entryOf(base) < 0
    this.change(() => this.table.release(base))
    if (own) this.unreserve()
  }

  /**
   * Base of the run that `address` lies in, 0 if that is not a used run of this kind. Every free
   * calls it, so it only peeks: an item came to its owner through some lock or publication, and the
   * entry of its page was written before that. For any other address the answer may be stale.
   */
  find(address: number, kind: RunKindValue): number {
    const page = (address - this.base) >> SHIFT
    // Unsigned: an address below the pages gives a very large number.
    if (page >>> 0 >= this.count) return 0
    const entry = this.memory.peekRacy(this.tableAt + page)
    return isA(entry, kind) ? baseIn(entry) : 0
  }

  /** The run at `base` has 2^order pages. */
  orderAt(base: number): number {
    return orderOf(this.table.entryOf(base))
  }

  /** Words in the run at `base`. */
  wordsAt(base: number): number {
    return sizeOf(this.orderAt(base)) * PAGE_WORDS
  }

  /** Every run below brk for which `keep` is true, in order. The lock is held meanwhile. */
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
   * Frees the runs that `slot` had reserved when it died: nobody else knows of them. Walks the
   * table only if the word of the slot says that there may be some.
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
   * In a turn of its own, when no call of the library is on the stack: frees what calls that were
   * cut off had reserved.
   */
  check(): void {
    if (this.reserved + this.changing === 0) return
    this.reserved = 0
    this.changing = 0
    this.releaseReservedBy(this.slot)
  }

  /**
   * Frees every used run that is not wanted. The lock is held all the time, so what `wanted` finds
   * out about the words that lead to runs still holds when the others are freed.
   */
  sweep(wanted: () => (run: Run) => boolean): number {
    return this.change(() => {
      const isWanted = wanted()
      const orphans = [...this.table.walk()].filter((run) => run.state === 'used' && !isWanted(run))
      // Slabs are found by the address of their zone, and blocks by that of their heap, so they go
      // first: the next thing at that address must not inherit them.
      const rank = ({ who }: Run): number => (who === RunKind.slab || who === RunKind.block ? 0 : 1)
      for (const { base } of orphans.sort((a, b) => rank(a) - rank(b))) this.table.release(base)
      return orphans.length
    })
  }

  // ---- under the lock ----------------------------------------------------------------------

  /**
   * Runs `body`, which changes the table and may reserve runs, be it for a moment. The slot's word
   * says so before, and is cleared only when none is reserved: so if it is 0, there is no run to
   * look for, whenever this worker died. Otherwise (the word after the reservation) a run that was
   * reserved in between would be lost for ever. If `body` throws, the word stays set.
   */
  private change<T>(body: () => T): T {
    return this.locked(() => {
      this.beginChange()
      const result = body()
      this.endChange()
      return result
    })
  }

  private beginChange(): void {
    this.changing++
    this.memory.store(this.reservingAt, 1)
  }

  private endChange(): void {
    this.changing--
    this.noteReserved()
  }

  private noteReserved(): void {
    if (this.reserved + this.changing === 0) this.memory.store(this.reservingAt, 0)
  }

  /** A run that this worker had reserved was published or freed. */
  private unreserve(): void {
    this.reserved = Math.max(0, this.reserved - 1)
    this.noteReserved()
  }

  private lock(): void {
    this.locks.acquireAndRepair(Header.pageLock, LOCK, this.whenDead)
  }

  private unlock(whole = true): void {
    this.locks.release(Header.pageLock, whole)
  }

  /** Runs `body` with the lock held. If it throws, the next owner repairs. */
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

  /** Writes the redo record: the run gets this entry and the word its address; 0: free, and 0. */
  private writeRedo(target: number, base: number, entry: number): void {
    const { memory } = this
    memory.poke(Header.redoRun, base)
    memory.poke(Header.redoEntry, entry)
    memory.poke(Header.redoTarget, target)
  }

  /**
   * Carries out the redo record. May be repeated after a death at any point, and the order of the
   * steps before the last does not matter: it starts from words that do not change, and a worker
   * that dies here holds the lock, so the next owner repeats all of it before any worker uses run
   * or word. To read the word without the lock, take the lock first for a moment (`recover`).
   */
  private redo(): void {
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
      // Else it is free, or reserved by the worker that died in freeing it: done before.
      if (this.table.entryOf(base) > 0) this.table.release(base)
    }
    memory.poke(Header.redoTarget, 0)
  }

  /** After a death under the lock: makes the lists again, then carries out the redo record. */
  private repair(): void {
    this.beginChange()
    this.table.rebuild()
    this.redo()
    this.endChange()
  }
}

/** Corruption unless every page of a used run leads to it. */
function checkInside(pages: Pages, { base, order, who }: Run): void {
  for (let page = 0; page < sizeOf(order); page++) {
    const found = pages.find(base + page * PAGE_WORDS, who as RunKindValue)
    if (found === base) continue
    throw new Corruption(`page ${page} of the run at ${base} leads to ${found}`, { base, page })
  }
}

/**
 * Corruption unless each page below brk is in exactly one run, and free ones are counted and
 * listed.
 */
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

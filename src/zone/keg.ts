/**
 * A keg: all slabs of one item size, under one lock.
 *
 * Items leave and come back a bucketful at a time, so the lock is taken rarely. Slabs are in three
 * lists (all items free, some, none); partial slabs are used first, so that others become empty and
 * their pages can be given back.
 *
 * The free bits in the slabs are the truth; lists and counts are an index over them. After a death
 * under the lock the next owner first does the batch again that was under way (kegBatch.ts), then
 * rebuilds lists and counts from the bits (`repair`).
 */

import type { Corruption } from '../base/errors.ts'
import { KegWords, ORDERS, PAGE_WORDS, RunKind, SlabWords } from '../memory/layout.ts'
import { BYTES_PER_WORD, type Memory } from '../memory/memory.ts'
import type { Run } from '../space/pageEntry.ts'
import type { Space } from '../space/space.ts'
import { initGuard } from './guard.ts'
import { damagedKeg, KegMoves, SlabLists } from './kegBatch.ts'
import { Addresses, countFree, initBits, isFree, nextFree, type SlabShape } from './slab.ts'

/**
 * Counts of a keg, each possibly a moment old. They only decide heuristics: how many items to
 * import below a limit (`take` checks the limit under the lock), and whether to look for more.
 */
export interface KegCounts {
  readonly slabs: number
  readonly created: number
  readonly inSlabs: number
  /** Bytes in all slabs. */
  readonly bytes: number
}

export function kegCounts(memory: Memory, at: number): KegCounts {
  const slabs = memory.peekRacy(at + KegWords.slabs)
  return {
    slabs,
    created: memory.peekRacy(at + KegWords.created),
    inSlabs: memory.peekRacy(at + KegWords.inSlabs),
    bytes: slabs * 2 ** memory.peek(at + KegWords.slabOrder) * PAGE_WORDS * BYTES_PER_WORD,
  }
}

export class Keg {
  readonly at: number
  readonly shape: SlabShape
  readonly addresses: Addresses
  private readonly space: Space
  private readonly memory: Memory
  private readonly lists: SlabLists
  private readonly moves: KegMoves
  /** The lock's name in errors, and what its next owner does after a death. */
  private readonly what: string
  private readonly whenDead = (): void => this.repair()
  /**
   * New items are filled with this, so that a first allocation can verify it too; 0: not filled.
   */
  private readonly filling: number
  /** Words from an item to its guard, 0 none. */
  private readonly guardAt: number

  constructor(space: Space, at: number, name: string, filling: number) {
    const { memory } = space
    this.space = space
    this.memory = memory
    this.at = at
    this.what = `zone "${name}" keg`
    this.filling = filling
    this.shape = {
      stride: memory.peek(at + KegWords.stride),
      perSlab: memory.peek(at + KegWords.perSlab),
      slabOrder: memory.peek(at + KegWords.slabOrder),
      itemsAt: memory.peek(at + KegWords.itemsAt),
      busyAt: memory.peek(at + KegWords.busyAt),
    }
    this.guardAt = memory.peek(at + KegWords.guardAt)
    assertShape(this.what, this.shape)
    const { perSlab } = this.shape
    this.addresses = new Addresses(space, at, this.shape)
    this.lists = new SlabLists(memory, at, this.what, this.addresses, perSlab)
    this.moves = new KegMoves(memory, at, this.what, this.addresses, this.lists, perSlab)
  }

  // ---- batches -----------------------------------------------------------------------------

  /**
   * Moves up to `want` items into `bucket`; grows by slabs if needed and possible. Leaves `keep` items
   * in the slabs, and under the limit.
   */
  take(bucket: number, want: number, keep = 0): number {
    this.lock()
    let whole = false
    try {
      let taken = 0
      while (taken < want) {
        const room = Math.min(want - taken, this.roomUnderLimit() - keep)
        const slab = room > 0 ? this.slabBeyond(keep) : 0
        if (slab === 0) break
        const beyond = this.get(this.at + KegWords.inSlabs) - keep
        const items = Math.min(room, beyond, this.get(slab + SlabWords.freeItems))
        this.moves.take(slab, bucket, items)
        taken += items
      }
      whole = true
      return taken
    } finally {
      this.unlock(whole)
    }
  }

  /** Moves all items of `bucket` back into their slabs. */
  give(bucket: number): void {
    this.giveTail(bucket, 0)
  }

  /** Takes one item, 0 if there is none. `prepare` writes it before it leaves its slab. */
  takeOne(prepare: (item: number) => void): number {
    return this.locked(() => {
      const slab = this.roomUnderLimit() > 0 ? this.slabWithFree() : 0
      if (slab === 0) return 0
      const index = nextFree(this.memory, slab, 0, this.shape.perSlab)
      if (index < 0) throw this.damaged('a slab has fewer items free than it says', { slab })
      const item = this.addresses.itemAt(slab, index)
      prepare(item)
      this.moves.takeOne(slab, index)
      return item
    })
  }

  giveOne(item: number): void {
    this.locked(() => this.moves.giveOne(item))
  }

  /**
   * Gives back the last item that `hands` holds, adds `by` to the tally at `tally`, and clears the
   * word at `clear` unless that is 0: all or nothing, whatever interrupts it.
   */
  giveCounted(
    item: number,
    tally: number,
    by: number,
    hands: { held: number },
    clear: number,
  ): void {
    this.locked(() => this.moves.giveCounted(item, tally, by, hands, clear))
  }

  /** Repairs the keg if a worker has died under the lock. */
  recover(): void {
    this.lock()
    this.unlock(true)
  }

  /**
   * Adds slabs until there are `items` in all. False when memory or the limit does not allow it; it
   * then adds none.
   */
  reach(items: number): boolean {
    if (!this.mayHave(items)) return false
    return this.locked(() => {
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
    })
  }

  /**
   * Gives slabs with all items free back to the arena, but keeps slabs for `keep` items; with
   * `areFree`, so many items that are free.
   */
  shrink(keep: number, areFree = false): number {
    const kept = this.at + (areFree ? KegWords.inSlabs : KegWords.created)
    return this.locked(() => {
      let released = 0
      const { perSlab } = this.shape
      for (;;) {
        const slab = this.lists.first(KegWords.free)
        if (slab === 0 || this.get(kept) - perSlab < keep) return released
        this.discard(slab)
        released += 2 ** this.shape.slabOrder
      }
    })
  }

  /** Gives every slab back, even with items out: the end of the keg. */
  abolish(): void {
    this.locked(() => {
      for (const slab of this.slabs()) this.space.pages.release(slab)
    })
  }

  /** Moves all but the first `keep` items of `bucket` back into their slabs. */
  giveTail(bucket: number, keep: number): void {
    this.lock()
    let whole = false
    try {
      this.moves.give(bucket, keep)
      whole = true
    } finally {
      this.unlock(whole)
    }
  }

  // ---- queries -----------------------------------------------------------------------------

  counts(): KegCounts {
    return kegCounts(this.memory, this.at)
  }

  /**
   * Items allowed outside the slabs, 0 no limit. Outside the lock possibly a moment old: a hint.
   * Under the lock, where `take` counts by it, it is the last that was set.
   */
  get limit(): number {
    return this.memory.peekRacy(this.at + KegWords.limit)
  }

  /**
   * Changes the limit, 0 for none. Under the lock: two cases for a batch that takes items; it has
   * the lock first, and counts by the old limit; or it comes later, and counts by the new one.
   * Otherwise a batch could take items by a limit that a caller of this has seen replaced.
   */
  setLimit(items: number): void {
    this.watched(() => this.memory.store(this.at + KegWords.limit, items))
  }

  /** Whether the limit allows `items` items. */
  mayHave(items: number): boolean {
    const { limit } = this
    return limit === 0 || items <= limit
  }

  /** Words of a slab. */
  get slabWords(): number {
    return PAGE_WORDS * 2 ** this.shape.slabOrder
  }

  /** Whether the limit is reached; possibly a moment old. */
  get isAtLimit(): boolean {
    return this.outBeyond(0)
  }

  /** Whether more are outside the slabs than a limit that was lowered allows; likewise. */
  get isOverLimit(): boolean {
    return this.outBeyond(1)
  }

  /** Whether fewer than `keep` items are free in slabs, or below the limit; likewise. */
  isShortOf(keep: number): boolean {
    return this.counts().inSlabs < keep || this.outBeyond(1 - keep)
  }

  private outBeyond(more: number): boolean {
    const { limit } = this
    if (limit === 0) return false
    const { created, inSlabs } = this.counts()
    return created - inSlabs >= limit + more
  }

  /**
   * Every slab, found in the page table. A slab's keg is written before the slab is published, and
   * is read under the pages' lock, so that no slab is given back meanwhile. Otherwise (read after
   * the lock) the pages could have become another thing whose first word equals the address of this
   * keg.
   */
  slabs(): number[] {
    const { memory } = this
    const isOurs = ({ base, state, who }: Run): boolean =>
      state === 'used' && who === RunKind.slab && memory.peek(base + SlabWords.keg) === this.at
    return this.space.pages.runs(isOurs).map(({ base }) => base)
  }

  /**
   * Every item that is not free in its slab. Slabs are found by the lists: a walk of the page table
   * would visit those of all zones.
   */
  itemsOut(): number[] {
    return this.watched(() => {
      const out: number[] = []
      for (const slab of this.lists.all() ?? this.slabs()) {
        for (let index = 0; index < this.shape.perSlab; index++) {
          if (!isFree(this.memory, slab, index)) out.push(this.addresses.itemAt(slab, index))
        }
      }
      return out
    })
  }

  /** Conservation: counts and lists say what the free bits say. */
  check(): void {
    this.watched(() => {
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
        throw this.damaged('its items are not conserved', {
          ...seen,
          slabs,
          created,
          inSlabs,
        })
      }
    })
  }

  // ---- under the lock ----------------------------------------------------------------------

  private lock(): void {
    this.space.locks.acquireAndRepair(this.at + KegWords.lock, this.what, this.whenDead)
  }

  /** Unless `whole`, an exception came in the middle: the next owner repairs. */
  private unlock(whole: boolean): void {
    this.space.locks.release(this.at + KegWords.lock, whole)
  }

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

  /** `locked` for a body that changes nothing: if it throws, there is nothing to repair. */
  private watched<T>(body: () => T): T {
    this.lock()
    try {
      return body()
    } finally {
      this.unlock(true)
    }
  }

  /** A slab with a free item, when more than `keep` are free. */
  private slabBeyond(keep: number): number {
    while (this.get(this.at + KegWords.inSlabs) <= keep) if (this.grow() === 0) return 0
    return this.slabWithFree()
  }

  private slabWithFree(): number {
    return this.lists.first(KegWords.partial) || this.lists.first(KegWords.free) || this.grow()
  }

  private grow(): number {
    const { memory, shape } = this
    const slab = this.space.pages.reserve(this.slabWords)
    if (slab === 0) return 0
    this.set(slab + SlabWords.keg, this.at)
    this.set(slab + SlabWords.freeItems, shape.perSlab)
    initBits(memory, slab, shape)
    if (this.filling !== 0)
      memory.fill(slab + shape.itemsAt, shape.perSlab * shape.stride, this.filling)
    if (this.guardAt !== 0) {
      for (let index = 0; index < shape.perSlab; index++)
        initGuard(memory, this.addresses.itemAt(slab, index) + this.guardAt)
    }
    this.space.pages.publish(slab, RunKind.slab)
    this.lists.adopt(slab, shape.perSlab)
    return slab
  }

  /** Gives the pages of a slab with all items free back to the arena. */
  private discard(slab: number): void {
    this.lists.forsake(slab)
    this.space.pages.release(slab)
  }

  /** After a death under the lock: finishes the batch, then rebuilds lists and counts. */
  private repair(): void {
    this.moves.redo()
    this.lists.clear()
    for (const slab of this.slabs())
      this.lists.adopt(slab, countFree(this.memory, slab, this.shape.perSlab))
  }

  private roomUnderLimit(): number {
    // Changed under this lock only: a plain load finds the last.
    const limit = this.get(this.at + KegWords.limit)
    if (limit === 0) return Number.POSITIVE_INFINITY
    const out = this.get(this.at + KegWords.created) - this.get(this.at + KegWords.inSlabs)
    return limit - out
  }

  private get(at: number): number {
    return this.memory.peek(at)
  }

  private set(at: number, value: number): void {
    this.memory.poke(at, value)
  }

  private damaged(how: string, facts: Readonly<Record<string, number>>): Corruption {
    return damagedKeg(this.what, how, facts)
  }
}

/** Corruption unless slabs can be cut like this: everything here counts by these words. */
function assertShape(what: string, { stride, perSlab, slabOrder, itemsAt }: SlabShape): void {
  const items = itemsAt + perSlab * stride
  const isSlab = slabOrder >= 0 && slabOrder < ORDERS && items <= PAGE_WORDS * 2 ** slabOrder
  if (isSlab && stride > 0 && perSlab > 0 && itemsAt > 0) return
  throw damagedKeg(what, 'no slab is cut like this', { stride, perSlab, slabOrder, itemsAt })
}

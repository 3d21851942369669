/**
 * A worker's cache: two buckets of its own, and the fast path of every allocation and free.
 *
 * Plain words, no atomics, no lock: no other worker writes them while this one lives. Address 0
 * reads as a bucket that is empty and has no room, so "no bucket" needs no test.
 *
 * In a zone with smr the two buckets are never exchanged: what was freed has no goal yet, and a
 * reader may still see it. In a plain zone a full free bucket becomes the alloc bucket.
 *
 * Each push and pop is committed by the store of `count`. Two cases for a death: before that store
 * nothing was freed or allocated, for entries beyond the count mean nothing; after it all were
 * freed, or the dead worker has allocated them and `audit` finds them. There is no otherwise: one
 * word is not stored by halves. The same store commits many items at once. It is the last step, so
 * an exception that the worker survives comes before it and has changed nothing.
 *
 * Counting costs the fast path nothing: allocations are the items loaded in alloc buckets minus
 * those still there; frees are those that left in free buckets plus those still there.
 */

import { BucketWords, CacheMove, CacheWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'

// A constant of this module costs nothing; a field of an imported object costs two loads.
const { count: COUNT, capacity: CAPACITY, entries: ENTRIES } = BucketWords

export class Cache {
  readonly at: number
  private readonly memory: Memory
  private readonly allocAt: number
  private readonly freeAt: number

  constructor(memory: Memory, at: number) {
    this.memory = memory
    this.at = at
    this.allocAt = at + CacheWords.alloc
    this.freeAt = at + CacheWords.free
  }

  // ---- fast path ---------------------------------------------------------------------------

  /** An item from the alloc bucket, 0 when it is empty. */
  pop(): number {
    const { memory } = this
    const bucket = memory.peek(this.allocAt)
    const left = memory.peek(bucket + COUNT) - 1
    if (left < 0) return 0
    // Read before the commit: after it nothing may fail.
    const item = memory.peek(bucket + ENTRIES + left)
    memory.poke(bucket + COUNT, left)
    return item
  }

  /**
   * `pop` for a table. The word at `at` names the item from before it has left the bucket: see
   * hands.ts.
   */
  popInto(at: number): number {
    const { memory } = this
    const bucket = memory.peek(this.allocAt)
    const left = memory.peek(bucket + COUNT) - 1
    if (left < 0) return 0
    const item = memory.peek(bucket + ENTRIES + left)
    memory.poke(at, item)
    memory.poke(bucket + COUNT, left)
    return item
  }

  /** Puts an item into the free bucket; false when it is full. */
  push(item: number): boolean {
    const { memory } = this
    const bucket = memory.peek(this.freeAt)
    const count = memory.peek(bucket + COUNT)
    if (count === memory.peek(bucket + CAPACITY)) return false
    memory.poke(bucket + ENTRIES + count, item)
    memory.poke(bucket + COUNT, count + 1)
    return true
  }

  /** Whether one more item fits into the free bucket. */
  get hasRoom(): boolean {
    const { memory } = this
    const bucket = memory.peek(this.freeAt)
    return memory.peek(bucket + COUNT) < memory.peek(bucket + CAPACITY)
  }

  /**
   * Pops items into `into[from]` to `into[end - 1]`, as many as the alloc bucket has. Returns how
   * many.
   */
  popMany(into: number[], from: number, end: number): number {
    const { memory } = this
    const bucket = memory.peek(this.allocAt)
    const count = memory.peek(bucket + COUNT)
    const many = Math.min(count, end - from)
    // Without a bucket nothing may be stored at address 0.
    if (many === 0) return 0
    const top = bucket + ENTRIES + count - 1
    for (let i = 0; i < many; i++) into[from + i] = memory.peek(top - i)
    memory.poke(bucket + COUNT, count - many)
    return many
  }

  /**
   * Pushes `items` from index `from` on, as many as the free bucket has room for. Returns how many.
   */
  pushMany(items: readonly number[], from: number): number {
    const { memory } = this
    const bucket = memory.peek(this.freeAt)
    const count = memory.peek(bucket + COUNT)
    const room = memory.peek(bucket + CAPACITY) - count
    const many = Math.min(room, items.length - from)
    if (many === 0) return 0
    const top = bucket + ENTRIES + count
    for (let i = 0; i < many; i++) memory.poke(top + i, items[from + i] as number)
    memory.poke(bucket + COUNT, count + many)
    return many
  }

  /** Undoes a pop; false when the alloc bucket has no room. */
  unpop(item: number): boolean {
    const { memory } = this
    const bucket = memory.peek(this.at + CacheWords.alloc)
    const count = memory.peek(bucket + BucketWords.count)
    if (count === memory.peek(bucket + BucketWords.capacity)) return false
    memory.poke(bucket + BucketWords.entries + count, item)
    // Its destructor has run, like those of all items in an alloc bucket.
    if (memory.peek(bucket + BucketWords.destroyed) <= count)
      memory.poke(bucket + BucketWords.destroyed, count + 1)
    memory.poke(bucket + BucketWords.count, count + 1)
    return true
  }

  // ---- what is in no bucket: see hands.ts ---------------------------------------------------

  /** The word of this cache that names the item as held; 0 if none does. */
  wordOf(item: number): number {
    const { at, memory } = this
    if ((memory.peek(at + CacheWords.hand) & ~1) === item) return at + CacheWords.hand
    return memory.peek(at + CacheWords.owed) === item ? at + CacheWords.owed : 0
  }

  /** Whether the item is the last that went into the bucket, which may be 0. */
  isOnTop(bucket: number, item: number): boolean {
    const { memory } = this
    const count = memory.peek(bucket + BucketWords.count)
    return count > 0 && memory.peek(bucket + BucketWords.entries + count - 1) === item
  }

  /** Clears a word that names an item of this bucket, before others can get it from there. */
  forget(word: number, bucket: number): void {
    const { at, memory } = this
    const item = memory.peek(at + word) & ~1
    if (item !== 0 && this.isOnTop(bucket, item)) memory.poke(at + word, 0)
  }

  // ---- slow path: buckets come and go ------------------------------------------------------

  /** The alloc bucket, 0 if there is none. */
  get alloc(): number {
    return this.memory.peek(this.at + CacheWords.alloc)
  }

  /** The free bucket, 0 if there is none. */
  get free(): number {
    return this.memory.peek(this.at + CacheWords.free)
  }

  // A bucket and a tally change together. The move is written down first, as a redo record, and
  // each step of it can be done twice: so a dead worker's tallies are exact too. A worker that
  // survives an exception here may pop and push before its next slow path finishes the move. Two
  // cases: the cache refers to the bucket, then its count may change, and it is counted only after
  // the cache has dropped it, or was counted before the cache got it; or the cache does not refer
  // to it, then the count stays as it is until the move is finished. Otherwise (counted while the
  // fast path uses it) tally and count would not agree.

  /** Takes the alloc bucket out of the cache; 0 if there is none. */
  unloadAlloc(): number {
    const bucket = this.alloc
    if (bucket === 0) return 0
    this.forget(CacheWords.hand, bucket)
    this.move(CacheMove.unloadAlloc, bucket, CacheWords.loaded)
    return bucket
  }

  loadAlloc(bucket: number): void {
    if (bucket !== 0) this.move(CacheMove.loadAlloc, bucket, CacheWords.loaded)
  }

  /** Takes the free bucket out of the cache; 0 if there is none. */
  unloadFree(): number {
    const bucket = this.free
    if (bucket === 0) return 0
    this.forget(CacheWords.owed, bucket)
    this.move(CacheMove.unloadFree, bucket, CacheWords.freed)
    return bucket
  }

  /** Undoes `unloadFree`: the bucket could not be retired. */
  reloadFree(bucket: number): void {
    if (bucket !== 0) this.move(CacheMove.reloadFree, bucket, CacheWords.freed)
  }

  /** The bucket of a move that is not finished, 0 if there is none. */
  get moving(): number {
    const { memory, at } = this
    const what = memory.peek(at + CacheWords.move)
    return what === CacheMove.none ? 0 : memory.peek(at + CacheWords.moved)
  }

  /** Finishes a move that a death or an exception interrupted. */
  finishMove(): void {
    const { memory, at } = this
    const what = memory.peek(at + CacheWords.move)
    // No move is under way; the bucket moved last may be another worker's by now.
    if (what === CacheMove.none) return
    const bucket = memory.peek(at + CacheWords.moved)
    switch (what) {
      case CacheMove.loadAlloc:
        this.finishLoad(CacheWords.alloc, CacheWords.loaded, bucket, 1)
        break
      case CacheMove.unloadAlloc:
        this.finishUnload(CacheWords.alloc, CacheWords.loaded, bucket, -1)
        break
      case CacheMove.reloadFree:
        this.finishLoad(CacheWords.free, CacheWords.freed, bucket, -1)
        break
      case CacheMove.unloadFree:
        this.finishUnload(CacheWords.free, CacheWords.freed, bucket, 1)
        break
    }
    memory.poke(at + CacheWords.move, CacheMove.none)
  }

  /**
   * If the cache has the bucket already, it was counted before; its count may have changed since.
   */
  private finishLoad(place: number, tally: number, bucket: number, sign: 1 | -1): void {
    if (this.memory.peek(this.at + place) === bucket) return
    this.addCount(tally, bucket, sign)
    this.memory.poke(this.at + place, bucket)
  }

  /** Out of the cache first, then counted: nobody pops or pushes any more. */
  private finishUnload(place: number, tally: number, bucket: number, sign: 1 | -1): void {
    this.memory.poke(this.at + place, 0)
    this.addCount(tally, bucket, sign)
  }

  private addCount(tally: number, bucket: number, sign: 1 | -1): void {
    const { memory, at } = this
    const before = memory.peekFloat(at + CacheWords.before)
    const count = memory.peek(bucket + BucketWords.count)
    memory.pokeFloat(at + tally, before + sign * count)
  }

  private move(what: number, bucket: number, tally: number): void {
    const { memory, at } = this
    memory.poke(at + CacheWords.moved, bucket)
    memory.pokeFloat(at + CacheWords.before, memory.peekFloat(at + tally))
    memory.poke(at + CacheWords.move, what)
    this.finishMove()
  }

  /** `bucket` is empty. */
  loadFree(bucket: number): void {
    this.memory.poke(this.at + CacheWords.free, bucket)
  }

  /** Adds to one of the tallies of `CacheWords`. */
  count(tally: number, by: number): void {
    if (by !== 0) this.memory.tally(this.at + tally, by)
  }

  // ---- counts ------------------------------------------------------------------------------

  /** What this cache holds and has done. For another worker's, possibly a moment old. */
  counts(): CacheCounts {
    const { memory, at } = this
    const inAlloc = memory.peekRacy(memory.peekRacy(at + CacheWords.alloc) + BucketWords.count)
    const inFree = memory.peekRacy(memory.peekRacy(at + CacheWords.free) + BucketWords.count)
    return {
      inAlloc,
      inFree,
      allocs: memory.tallied(at + CacheWords.loaded) - inAlloc,
      frees: memory.tallied(at + CacheWords.freed) + inFree,
      fails: memory.tallied(at + CacheWords.fails),
      refills: memory.tallied(at + CacheWords.refills),
      pollHits: memory.tallied(at + CacheWords.pollHits),
      pollFails: memory.tallied(at + CacheWords.pollFails),
      imports: memory.tallied(at + CacheWords.imports),
    }
  }
}

export interface CacheCounts {
  readonly inAlloc: number
  readonly inFree: number
  readonly allocs: number
  readonly frees: number
  readonly fails: number
  readonly refills: number
  readonly pollHits: number
  readonly pollFails: number
  readonly imports: number
}

/** The sum of many workers' counts. */
export function sumCounts(all: readonly CacheCounts[]): CacheCounts {
  const sum = { inAlloc: 0, inFree: 0, allocs: 0, frees: 0, fails: 0 }
  const more = { refills: 0, pollHits: 0, pollFails: 0, imports: 0 }
  const total: Record<keyof CacheCounts, number> = { ...sum, ...more }
  for (const each of all) {
    for (const key of Object.keys(total) as (keyof CacheCounts)[]) total[key] += each[key]
  }
  return total
}

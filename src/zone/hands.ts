/**
 * What a worker has in its hands in one zone of a table: an item that it has taken and not yet put
 * into the table, and one that it has taken out and not yet freed. Both are written down in its cache,
 * in shared memory: so whoever reaps it gives them back (arena/hands.ts), and a death loses nothing.
 *
 * The words are plain, and each step is one store. The order of the stores:
 *
 *   hand   names the item, then it leaves the alloc bucket       cache.ts `popInto`
 *          ... the store that publishes, then it is 0, then the table's lock is released
 *          or: it is back in a bucket, then it is 0               hooks.ts `putHeldBack`
 *          or: in its slab, and 0, both by one redo record        kegBatch.ts
 *   owed   names the item, then the store that unlinks it, then the lock is released
 *          ... it is in the free bucket, then it is 0
 *
 * Two cases at each change between a word and a bucket: the worker dies between the two stores, then
 * the item is named by the word and is on top of the bucket, which says that it is in the bucket; or it
 * does not, then it is in one of the two. Otherwise (the word after the bucket on the way out, or
 * before it on the way in) it would for a moment be in neither. Nothing else is pushed, popped or moved
 * between the two; a bucket that leaves the cache takes the name away first.
 *
 * Two cases at the store that publishes or unlinks: the worker dies beside it, then it has left the
 * table's lock behind, and the next owner, before anything else can be unlinked, clears the word of an
 * item that it finds in the table; or the worker has released the lock, then the word said by then what
 * is so. So, if nobody is repairing the table, what is in `hand` was never published and what is in
 * `owed` is unlinked. Otherwise (a word set later, or cleared after the lock is free) another worker
 * could unlink and free the item, and the reaper would free it once more.
 *
 * The blocks that a record owns need no words of their own. Of the item in `hand` the fields say which
 * there are, from when they are all empty (`hand` is then odd): each names its block before that
 * leaves its bucket. Of the item in `owed` readers may still use the fields, so a third word counts those
 * that are left. They go back, or are freed, before the record.
 *
 * A worker that survives an exception goes by its own fields, which are set with no call in between
 * where one could come; the words follow in `settle`: before it gives up a lock of the table that it
 * leaves to be repaired, at its next write, and in a turn of its own before locks that calls which were
 * cut off have left are given up.
 */

import { type Item, NULL_ITEM } from '../base/brands.ts'
import { CacheWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Settled } from '../space/space.ts'
import type { Cache } from './cache.ts'
import type { Frames } from './frames.ts'
import type { Keg } from './keg.ts'

export class Hands implements Settled {
  /** Address of the word for the item that was taken. */
  readonly handAt: number
  /** Address of the word for the item that is to be freed. */
  readonly owedAt: number
  /** Address of the word for how many of its blocks may be left. */
  readonly owesAt: number
  /**
   * The item that a write has made and not yet linked, and the record that it has unlinked and not
   * yet freed. Each is set right after the store it belongs to, with no call in between where an
   * exception could come. So a write that was cut off, even without its `finally`, leaves here what
   * is still to do, and the next write does it.
   */
  made: Item = NULL_ITEM
  replaced: Item = NULL_ITEM
  /** 1: the fields of `made` say which blocks it owns. */
  owns: 0 | 1 = 0
  /** How many fields of `made`, the first ones, have their blocks. */
  readonly placed: { held: number } = { held: 0 }
  /** Of the fields of `replaced` the first so many may have blocks that are not yet freed. */
  readonly owes: { held: number } = { held: 0 }
  /** Whether the words may say anything else than nothing. */
  isOpen = false
  private readonly memory: Memory
  private readonly keg: Keg
  private readonly frames: Frames

  constructor(memory: Memory, cache: Cache, keg: Keg, frames: Frames) {
    this.memory = memory
    this.handAt = cache.at + CacheWords.hand
    this.owedAt = cache.at + CacheWords.owed
    this.owesAt = cache.at + CacheWords.owes
    this.keg = keg
    this.frames = frames
  }

  /** After an exception: makes the words say what the fields do. */
  settle(): void {
    if (!this.isOpen) return
    // Whoever has the keg's lock may be finishing a step of ours that clears a word.
    if (this.frames.isTorn) this.keg.recover()
    this.memory.poke(this.handAt, this.made === NULL_ITEM ? 0 : this.made | this.owns)
    this.memory.poke(this.owesAt, this.owes.held)
    this.memory.poke(this.owedAt, this.replaced)
  }

  /** Gives back and frees what a write that was cut off has left. Set by the writer of the table. */
  empty: () => void = () => {}

  /** `settle`, and nothing is left to do. */
  close(): void {
    if (!this.isOpen || (this.made | this.replaced) !== 0) return
    this.settle()
    this.isOpen = false
  }
}

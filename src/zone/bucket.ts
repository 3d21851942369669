/**
 * A bucket: room for a fixed number of items, and the goal they carry when they are retired.
 *
 * Buckets are how everything batches: a worker pops and pushes plain words in its own two buckets
 * and meets the rest of the world once per bucketful. Each zone has a keg of them; they come
 * straight from it, so nothing has to be allocated while a zone's lock is held.
 *
 * A bucket's `owner` says who may touch it, and is the commit point of every move. An empty
 * bucket's goal is 0; so is that of a bucket whose items are safe. `destroyed` counts, from the
 * bottom, the items whose destructor has been called: whoever inherits a bucket from a dead worker
 * goes on from there.
 */

import { Corruption } from '../base/errors.ts'
import { BucketWords, Owner } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import { roundUp } from '../memory/struct.ts'
import type { Keg } from './keg.ts'

/** Words of a bucket for so many items. */
export function bucketWords(capacity: number, line: number): number {
  return roundUp(BucketWords.entries + capacity, line)
}

/**
 * How many items a bucket holds when the caller does not say: as UMA, the fewer the larger they
 * are, and such that header and entries fill whole cache lines.
 */
export function defaultCapacity(recordWords: number, line: number): number {
  const words = SIZES.find((size) => recordWords <= size.recordWords)?.bucketWords ?? line
  return Math.max(2, Math.min(words - BucketWords.entries, Math.floor(MOST_WORDS / recordWords)))
}

/**
 * Buckets that go with items in reserve, or the reserve could not be used when all other memory is
 * gone: for all of them at once, and the two that each worker may have in hand.
 */
export function bucketsFor(reserve: number, capacity: number, maxWorkers: number): number {
  return reserve === 0 ? 0 : Math.ceil(reserve / capacity) + 2 * maxWorkers
}

/** A bucketful of large items stays below 256 KiB. */
const MOST_WORDS = 2 ** 16

const SIZES = [
  { recordWords: 16, bucketWords: 256 },
  { recordWords: 32, bucketWords: 128 },
  { recordWords: 64, bucketWords: 64 },
  { recordWords: 256, bucketWords: 32 },
] as const

export class Buckets {
  readonly keg: Keg
  readonly capacity: number
  private readonly memory: Memory

  constructor(memory: Memory, keg: Keg, capacity: number) {
    this.memory = memory
    this.keg = keg
    this.capacity = capacity
  }

  /** A new empty bucket with this owner, 0 when there is no memory for one. */
  make(owner: number): number {
    const { capacity, memory } = this
    return this.keg.takeOne((bucket) => {
      memory.poke(bucket + BucketWords.owner, owner)
      memory.poke(bucket + BucketWords.capacity, capacity)
      memory.poke(bucket + BucketWords.count, 0)
      memory.poke(bucket + BucketWords.goal, 0)
      memory.poke(bucket + BucketWords.raw, 0)
      memory.poke(bucket + BucketWords.destroyed, 0)
      memory.poke(bucket + BucketWords.next, 0)
    })
  }

  /** Gives an empty bucket's memory back. */
  discard(bucket: number): void {
    this.keg.giveOne(bucket)
  }

  /** Corruption unless it is a bucket of this zone. */
  assertBucket(bucket: number, what: string): void {
    if (this.keg.addresses.slabOf(bucket) !== 0) return
    throw new Corruption(`${what}: ${bucket} should be a bucket, and is none`, { bucket })
  }

  /**
   * Corruption unless it is a bucket of this zone with this owner, with no more in it than it
   * holds.
   */
  assertAt(bucket: number, owner: number, what: string): void {
    const { memory } = this
    this.assertBucket(bucket, what)
    const count = memory.peek(bucket + BucketWords.count)
    const said = memory.peek(bucket + BucketWords.owner)
    const full = memory.peek(bucket + BucketWords.capacity)
    const destroyed = memory.peek(bucket + BucketWords.destroyed)
    const isSound = count >= 0 && count <= full && full <= this.capacity
    const isBegun = destroyed >= 0 && destroyed <= this.capacity
    if (said === owner && isSound && isBegun) return
    throw new Corruption(
      `${what}: bucket ${bucket} should be at home in ${owner}, and says ${said}; it has ${count} items, ${destroyed} of them destroyed, and is full at ${full}`,
      { bucket, owner: said, count, full, destroyed },
    )
  }

  count(bucket: number): number {
    return this.memory.peek(bucket + BucketWords.count)
  }

  /** Items of the bucket, bottom first. */
  *items(bucket: number): Generator<number> {
    const count = this.memory.peek(bucket + BucketWords.count)
    for (let i = 0; i < count; i++) yield this.memory.peek(bucket + BucketWords.entries + i)
  }

  /**
   * Every bucket of the zone with its owner. Owners in the depot are exact under its lock; those of
   * other workers may change hands meanwhile. Any value that such a word has had since the bucket
   * was made is fine (before that nobody finds it here: the keg's lock lies between). Two cases:
   * the asker has the depot's lock, then all moves into the depot and out of it happened before,
   * and it finds the last of them; or it asks about one worker, itself or one that is gone or has
   * stopped, whose moves all happened before, and an old owner of another's bucket is another
   * worker's, or the depot's. Otherwise (owners of a worker that goes on) a bucket would be taken
   * out of its hands.
   */
  all(): { bucket: number; owner: number }[] {
    const owner = (bucket: number): number => this.memory.peekRacy(bucket + BucketWords.owner)
    return this.keg.itemsOut().map((bucket) => ({ bucket, owner: owner(bucket) }))
  }
}

/** Owner of a bucket that a worker allocates from. */
export function allocOwner(slot: number): number {
  return Owner.alloc + slot
}

/** Owner of a bucket that a worker frees into. */
export function freeOwner(slot: number): number {
  return Owner.free + slot
}

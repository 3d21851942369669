/**
 * A bucket: room for a fixed number of items, and the goal they carry when they are retired.
 *
 * Everything is batched by buckets: a worker pops and pushes plain words in its own two buckets,
 * and touches shared words once per bucketful. Each zone has a keg of buckets; they come straight
 * from it, so no zone's lock is held during an allocation.
 *
 * A bucket's `owner` says who may touch it, and is the commit point of every move. An empty
 * bucket's goal is 0; so is that of a bucket whose items are safe. `destroyed` counts, from the
 * bottom, the items whose destructor has been called: a worker that takes over a dead worker's
 * bucket goes on from there.
 */

import { Corruption } from '../base/errors.ts'
import { BucketWords, Owner } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import { roundUp } from '../memory/struct.ts'
import type { Keg } from './keg.ts'

/** Words of a bucket with room for `capacity` items. */
export function bucketWords(capacity: number, line: number): number {
  return roundUp(BucketWords.entries + capacity, line)
}

/**
 * Items per bucket by default: as in UMA, fewer for larger items, and header and entries fill whole
 * cache lines.
 */
export function defaultCapacity(recordWords: number, line: number): number {
  const words = SIZES.find((size) => recordWords <= size.recordWords)?.bucketWords ?? line
  return Math.max(2, Math.min(words - BucketWords.entries, Math.floor(MOST_WORDS / recordWords)))
}

/**
 * Buckets to reserve together with `reserve` items, without which the items could not be freed when
 * all other memory is used: enough for all of them at once, and two per worker.
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

  /** Corruption unless it is a bucket of this zone with this owner, and its counts are possible. */
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
      `${what}: bucket ${bucket} should have owner ${owner}, and has ${said}; it has ${count} items, ${destroyed} of them destroyed, and is full at ${full}`,
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
   * Every bucket of the zone with its owner, by racy peeks. Any owner that the bucket has had since
   * it was made will do (before that it is not listed here: the keg's lock orders that). Two cases:
   * the caller has the depot's lock, then all moves into and out of the depot happened before, and
   * it sees the last; or it asks about one worker, itself or one that is dead or has stopped, whose
   * moves all happened before, and an old owner of any other bucket is another worker or the depot.
   * Otherwise (asked about a worker that goes on) a bucket that it uses would be taken away from
   * it.
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

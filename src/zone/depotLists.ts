/**
 * A depot's buckets in three lists, and their counts.
 *
 *   pending   first in, first out; `oldest`, a word of its own, shows the goal of the first
 *   safe      last in, first out
 *   empty     likewise
 *
 * All of it runs with the depot's lock held, and is only an index over the buckets' owners and
 * goals: after a death under the lock it is rebuilt. So a bucket's goal is stored before its owner.
 * Two cases for a rebuild: the owner says that the bucket is here, then its goal was stored before,
 * and it is queued by that; or the owner is still a worker, then the bucket is in no list.
 * Otherwise (the owner before the goal) a bucket could be queued first, and handed out, with no
 * goal or an old one. Owner and links may be stored in any order: links are rebuilt from owners
 * alone.
 *
 * Every bucket that a list leads to must name this list as its owner. So no walk can be endless: a
 * bucket that was taken has another owner, and is Corruption when it is met again.
 */

import { Corruption } from '../base/errors.ts'
import { delta, INVALID, leq, type Seq } from '../base/seq.ts'
import { BucketWords, DepotWords, Owner } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import { allocOwner, type Buckets } from './bucket.ts'

export class DepotLists {
  private readonly memory: Memory
  private readonly at: number
  private readonly buckets: Buckets
  /** The owner of a bucket that this worker takes to allocate from. */
  private readonly owner: number

  /**
   * The bucket that this worker has taken and not brought back. Set right after its owner, with no
   * call in between where an exception could come. Used in pressure.ts.
   */
  taken = 0
  /** The depot's name in errors. */
  private readonly what: string

  constructor(memory: Memory, at: number, what: string, buckets: Buckets, slot: number) {
    this.memory = memory
    this.what = what
    this.at = at
    this.buckets = buckets
    this.owner = allocOwner(slot)
  }

  // ---- pending -----------------------------------------------------------------------------

  /** Appends a bucket whose goal is set, and not older than those before it. */
  append(bucket: number): void {
    const tail = this.checked(DepotWords.pendingTail, Owner.pending)
    this.set(bucket + BucketWords.owner, Owner.pending)
    if (bucket === this.taken) this.taken = 0
    this.set(bucket + BucketWords.next, 0)
    if (tail === 0) this.set(this.at + DepotWords.pendingHead, bucket)
    else this.set(tail + BucketWords.next, bucket)
    this.set(this.at + DepotWords.pendingTail, bucket)
    this.bump(DepotWords.pendingBuckets, 1)
    const items = this.bump(DepotWords.pendingItems, this.buckets.count(bucket))
    if (items > this.get(this.at + DepotWords.peakPending))
      this.set(this.at + DepotWords.peakPending, items)
    if (tail === 0) this.publishOldest()
  }

  /** The oldest pending bucket, 0 if there is none. */
  firstPending(): number {
    return this.checked(DepotWords.pendingHead, Owner.pending)
  }

  goalOf(bucket: number): Seq {
    return this.get(bucket + BucketWords.goal) as Seq
  }

  /** Takes the first bucket; its goal is met. */
  removeFirst(bucket: number): void {
    this.set(bucket + BucketWords.owner, this.owner)
    this.taken = bucket
    this.set(bucket + BucketWords.goal, INVALID)
    const next = this.get(bucket + BucketWords.next)
    this.set(this.at + DepotWords.pendingHead, next)
    if (next === 0) this.set(this.at + DepotWords.pendingTail, 0)
    this.bump(DepotWords.pendingBuckets, -1)
    this.bump(DepotWords.pendingItems, -this.buckets.count(bucket))
    this.noteIdle()
    this.publishOldest()
  }

  private publishOldest(): void {
    const bucket = this.firstPending()
    this.memory.store(
      this.at + DepotWords.oldest,
      bucket === 0 ? INVALID : this.get(bucket + BucketWords.goal),
    )
  }

  // ---- safe and empty ----------------------------------------------------------------------

  pushSafe(bucket: number): void {
    this.set(bucket + BucketWords.owner, Owner.safe)
    if (bucket === this.taken) this.taken = 0
    this.push(DepotWords.safeHead, bucket)
    this.bump(DepotWords.safeBuckets, 1)
    this.bump(DepotWords.safeItems, this.buckets.count(bucket))
  }

  /** Takes the latest, 0 if there is none. */
  popSafe(): number {
    const bucket = this.pop(DepotWords.safeHead, Owner.safe, this.owner)
    if (bucket === 0) return 0
    this.bump(DepotWords.safeBuckets, -1)
    this.bump(DepotWords.safeItems, -this.buckets.count(bucket))
    this.noteIdle()
    return bucket
  }

  pushEmpty(bucket: number): void {
    this.set(bucket + BucketWords.owner, Owner.empty)
    if (bucket === this.taken) this.taken = 0
    this.push(DepotWords.emptyHead, bucket)
    this.bump(DepotWords.emptyBuckets, 1)
  }

  /** Takes one for `owner`, 0 if there is none. */
  popEmpty(owner: number = this.owner): number {
    const bucket = this.pop(DepotWords.emptyHead, Owner.empty, owner)
    if (bucket === 0) return 0
    this.bump(DepotWords.emptyBuckets, -1)
    this.set(bucket + BucketWords.destroyed, 0)
    return bucket
  }

  // ---- items -------------------------------------------------------------------------------

  /** The fewest items that have lain here since the last call. */
  takeIdle(): number {
    const idle = this.get(this.at + DepotWords.idleItems)
    this.set(this.at + DepotWords.idleItems, this.held())
    return idle
  }

  /**
   * The goal of the first bucket with which the items here are more than `most`; INVALID if the
   * safe ones alone are more, undefined if all together are not.
   */
  goalBeyond(most: number): Seq | undefined {
    let items = this.get(this.at + DepotWords.safeItems)
    let goal: Seq = INVALID
    let left = this.get(this.at + DepotWords.pendingBuckets)
    for (
      let bucket = this.firstPending();
      items <= most && bucket !== 0 && left > 0;
      bucket = this.get(bucket + BucketWords.next), left--
    ) {
      this.buckets.assertAt(bucket, Owner.pending, this.what)
      items += this.buckets.count(bucket)
      goal = this.goalOf(bucket)
    }
    return items > most ? goal : undefined
  }

  /** All items here, pending or safe. */
  private held(): number {
    return this.get(this.at + DepotWords.pendingItems) + this.get(this.at + DepotWords.safeItems)
  }

  private noteIdle(): void {
    const held = this.held()
    if (held < this.get(this.at + DepotWords.idleItems)) {
      this.set(this.at + DepotWords.idleItems, held)
    }
  }

  // ---- all lists ---------------------------------------------------------------------------

  /** Rebuilds lists and counts from owners and goals. */
  rebuild(): void {
    for (const word of INDEX_WORDS) this.set(this.at + word, 0)
    const pending: number[] = []
    for (const { bucket, owner } of this.buckets.all()) {
      if (owner === Owner.pending) pending.push(bucket)
      else if (owner === Owner.safe) this.pushSafe(bucket)
      else if (owner === Owner.empty) this.pushEmpty(bucket)
    }
    pending.sort((a, b) => delta(this.goalOf(a), this.goalOf(b)))
    for (const bucket of pending) this.append(bucket)
    this.publishOldest()
  }

  /** Conservation: every bucket that calls the depot its owner is counted and listed, in order. */
  check(): void {
    const { what } = this
    const all = this.buckets.all()
    for (const { name, owner, head, buckets, items } of LISTS) {
      const here = new Set(all.filter((each) => each.owner === owner).map(({ bucket }) => bucket))
      const linked = this.linked(head, here.size)
      const held = linked.reduce((sum, bucket) => sum + this.buckets.count(bucket), 0)
      const counted = this.get(this.at + buckets)
      const countedItems = items === undefined ? held : this.get(this.at + items)
      const same = linked.length === here.size && linked.every((bucket) => here.has(bucket))
      if (same && counted === here.size && countedItems === held) continue
      throw new Corruption(
        `${what}: ${name}: ${here.size} buckets by owner, ${linked.length} listed, ${counted} counted; ${held} items listed, ${countedItems} counted`,
      )
    }
    this.checkQueue()
  }

  private checkQueue(): void {
    const { what } = this
    const pending = this.linked(
      DepotWords.pendingHead,
      this.get(this.at + DepotWords.pendingBuckets),
    )
    const goals = pending.map((bucket) => this.goalOf(bucket))
    const inOrder = goals.every((goal, i) => i === 0 || leq(goals[i - 1] as Seq, goal))
    const oldest = this.memory.load(this.at + DepotWords.oldest)
    const tail = this.get(this.at + DepotWords.pendingTail)
    if (inOrder && oldest === (goals[0] ?? INVALID) && tail === (pending.at(-1) ?? 0)) return
    throw new Corruption(
      `${what}: goals ${goals.join(', ')}, oldest ${oldest}; last ${pending.at(-1) ?? 0}, tail ${tail}`,
    )
  }

  /** The buckets of a list, at most `most` + 1 of them: it could be a circle. */
  private linked(head: number, most: number): number[] {
    const linked: number[] = []
    let bucket = this.get(this.at + head)
    for (; bucket !== 0 && linked.length <= most; bucket = this.get(bucket + BucketWords.next)) {
      linked.push(bucket)
    }
    return linked
  }

  private push(head: number, bucket: number): void {
    this.set(bucket + BucketWords.next, this.get(this.at + head))
    this.set(this.at + head, bucket)
  }

  /** The bucket that this word names, 0 if there is none; Corruption unless `owner` owns it. */
  private checked(word: number, owner: number): number {
    const bucket = this.get(this.at + word)
    if (bucket !== 0) this.buckets.assertAt(bucket, owner, this.what)
    return bucket
  }

  /** Takes the first of the buckets at `from`, for `owner`. */
  private pop(head: number, from: number, owner: number): number {
    const bucket = this.checked(head, from)
    if (bucket === 0) return 0
    this.set(bucket + BucketWords.owner, owner)
    this.taken = bucket
    this.set(this.at + head, this.get(bucket + BucketWords.next))
    return bucket
  }

  private bump(offset: number, by: number): number {
    const value = this.get(this.at + offset) + by
    this.set(this.at + offset, value)
    return value
  }

  private get(at: number): number {
    return this.memory.peek(at)
  }

  private set(at: number, value: number): void {
    this.memory.poke(at, value)
  }
}

const LISTS = [
  {
    name: 'pending',
    owner: Owner.pending,
    head: DepotWords.pendingHead,
    buckets: DepotWords.pendingBuckets,
    items: DepotWords.pendingItems,
  },
  {
    name: 'safe',
    owner: Owner.safe,
    head: DepotWords.safeHead,
    buckets: DepotWords.safeBuckets,
    items: DepotWords.safeItems,
  },
  {
    name: 'empty',
    owner: Owner.empty,
    head: DepotWords.emptyHead,
    buckets: DepotWords.emptyBuckets,
    items: undefined,
  },
] as const

/** What `rebuild` starts from zero. */
const INDEX_WORDS = [
  DepotWords.pendingHead,
  DepotWords.pendingTail,
  DepotWords.pendingBuckets,
  DepotWords.pendingItems,
  DepotWords.safeHead,
  DepotWords.safeBuckets,
  DepotWords.safeItems,
  DepotWords.emptyHead,
  DepotWords.emptyBuckets,
] as const

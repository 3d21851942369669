/**
 * The depot: a zone's buckets that are in no worker's hands.
 *
 *   pending   retired by workers, each stamped with its goal; first in, first out
 *   safe      full or part-full of items that may be used at once; last in, first out, while hot
 *   empty     spare buckets
 *
 * The stamp is taken while the lock is held: so goals are in order along the queue, its head is
 * always the first to expire, and one word, `oldest`, tells without the lock whether a poll is
 * worth while. Safe buckets are kept apart from pending ones: FreeBSD puts both into one list, and
 * there a safe bucket at the head can hide what the goal behind it says.
 *
 * Taking a bucket [D]: its goal is polled under the lock, right before it leaves the queue. Cases:
 *   if the poll says yes, every reader that could see its items has left, whoever retired it;
 *   if it says no, the bucket stays. Otherwise (a poll before locking, used for another head) a
 *   worker could take a bucket whose own goal nobody has asked about.
 *
 * Lists and counts are an index over the buckets' homes and goals. A worker that dies inside leaves
 * them torn; the next one to lock makes them anew (`rebuild`).
 */

import { Corruption } from '../errors.ts'
import { BucketWords, DepotWords, Home, NO_LIMIT } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Space } from '../memory/space.ts'
import { delta, type Seq } from '../seq.ts'
import type { Smr } from '../smr/domain.ts'
import { allocHome, type Buckets } from './bucket.ts'
import type { Knobs } from './knobs.ts'

/** Counts of a depot, in items; possibly a moment old. */
export interface DepotCounts {
  readonly pending: number
  readonly peakPending: number
  readonly safe: number
  readonly pendingBuckets: number
  readonly safeBuckets: number
  readonly emptyBuckets: number
  /** Buckets ever stamped, and how many of these stamps moved the clock. */
  readonly retired: number
  readonly advances: number
  /** Times that the lock was found taken. */
  readonly contended: number
}

export function depotCounts(memory: Memory, at: number): DepotCounts {
  return {
    pending: memory.glance(at + DepotWords.pendingItems),
    peakPending: memory.glance(at + DepotWords.peakPending),
    safe: memory.glance(at + DepotWords.safeItems),
    pendingBuckets: memory.glance(at + DepotWords.pendingBuckets),
    safeBuckets: memory.glance(at + DepotWords.safeBuckets),
    emptyBuckets: memory.glance(at + DepotWords.emptyBuckets),
    retired: memory.tallied(at + DepotWords.retired),
    advances: memory.tallied(at + DepotWords.advances),
    contended: memory.tallied(at + DepotWords.contended),
  }
}

export class Depot {
  private readonly space: Space
  private readonly memory: Memory
  private readonly at: number
  private readonly buckets: Buckets
  private readonly domain: Smr | undefined
  private readonly knobs: Knobs
  private readonly what: string

  constructor(
    space: Space,
    at: number,
    name: string,
    buckets: Buckets,
    domain: Smr | undefined,
    knobs: Knobs,
  ) {
    this.space = space
    this.memory = space.memory
    this.at = at
    this.buckets = buckets
    this.domain = domain
    this.knobs = knobs
    this.what = `zone "${name}" depot`
  }

  /**
   * Retires a bucket of freed items: the one door through which an unstamped bucket leaves a worker,
   * whether it is full, sealed, drained or inherited. Advances once; a `paced` one, which is full,
   * only if it is the one in `advanceEvery` that does, else its goal lies a step ahead. Returns an
   * empty bucket in exchange, 0 if the depot has none or `exchangeHome` is 0: none wanted.
   */
  retire(bucket: number, domain: Smr, exchangeHome: number, paced = false): number {
    domain.makeRoom()
    this.lock()
    try {
      this.set(bucket + BucketWords.goal, domain.stamp(!paced || this.isDue()))
      this.memory.tally(this.at + DepotWords.retired, 1)
      this.memory.tally(this.at + DepotWords.advances, domain.steps)
      this.set(bucket + BucketWords.home, Home.pending)
      this.append(bucket)
      return exchangeHome === 0 ? 0 : this.popEmpty(exchangeHome)
    } finally {
      this.unlock()
    }
  }

  /**
   * Puts a bucket of safe items here. Returns an empty one in exchange, 0 if the depot has none or
   * `exchangeHome` is 0: none wanted.
   */
  putSafe(bucket: number, exchangeHome: number): number {
    this.lock()
    try {
      this.pushSafe(bucket)
      return exchangeHome === 0 ? 0 : this.popEmpty(exchangeHome)
    } finally {
      this.unlock()
    }
  }

  /** An empty bucket from the depot or, failing that, a new one; 0 when there is no memory. */
  takeEmpty(home: number): number {
    if (this.memory.glance(this.at + DepotWords.emptyHead) !== 0) {
      this.lock()
      try {
        const bucket = this.popEmpty(home)
        if (bucket !== 0) return bucket
      } finally {
        this.unlock()
      }
    }
    return this.buckets.make(home)
  }

  putEmpty(bucket: number): void {
    this.lock()
    try {
      this.pushEmpty(bucket)
    } finally {
      this.unlock()
    }
  }

  /** Whether `fetch` is worth its lock: something is safe, or the oldest goal is met. */
  isPromising(): boolean {
    if (this.memory.glance(this.at + DepotWords.safeHead) !== 0) return true
    const oldest = this.memory.load(this.at + DepotWords.oldest)
    return oldest !== 0 && this.hasExpired(oldest as Seq)
  }

  /**
   * `isPromising` for somebody who waits, or has nothing else left: makes sure that the write hand
   * gets to the oldest goal, if it is a deferred one.
   */
  urge(): void {
    const oldest = this.memory.load(this.at + DepotWords.oldest)
    if (oldest !== 0) this.domain?.expiredUrgently(oldest as Seq)
  }

  hasPending(): boolean {
    return this.memory.load(this.at + DepotWords.oldest) !== 0
  }

  /**
   * Takes a bucket whose items nobody can see any more, 0 if there is none; it then belongs to this
   * worker's alloc side. A bucket from `pending` still wants its destructors: see `destroyed`.
   * If there is one, `exchange`, an empty bucket or 0, stays here for it.
   */
  fetch(exchange: number): number {
    this.lock()
    try {
      const bucket = this.popSafe() || this.popExpired()
      if (bucket !== 0 && exchange !== 0) this.pushEmpty(exchange)
      return bucket
    } finally {
      this.unlock()
    }
  }

  /** Items that lay here unused ever since the last call: the working set did not want them. */
  takeIdleCount(): number {
    return this.locked(() => {
      const idle = this.get(this.at + DepotWords.idleItems)
      this.set(this.at + DepotWords.idleItems, this.held())
      this.knobs.shrink()
      return idle
    })
  }

  /** Whether more than `depotItems` lie here that could be reused now. Never waits. */
  isOverfull(): boolean {
    const most = this.knobs.depotItems
    if (most === NO_LIMIT) return false
    const held = (word: number): number => this.memory.glance(this.at + word)
    if (held(DepotWords.safeItems) + held(DepotWords.pendingItems) <= most) return false
    return this.locked(() => {
      let items = this.get(this.at + DepotWords.safeItems)
      let last = 0
      let bucket = this.get(this.at + DepotWords.pendingHead)
      for (; items <= most && bucket !== 0; bucket = this.get(bucket + BucketWords.next)) {
        items += this.buckets.count(bucket)
        last = bucket
      }
      // Goals are in order: one poll tells of all up to the one that is too much.
      const goal = last === 0 ? 0 : this.get(last + BucketWords.goal)
      return items > most && (goal === 0 || this.hasExpired(goal as Seq))
    })
  }

  /** Turns knobs, which are under this lock where more than one word has to agree. */
  tune(turn: (knobs: Knobs) => void): void {
    this.locked(() => turn(this.knobs))
  }

  /** Gives all spare buckets' memory back. */
  discardEmpties(): void {
    for (
      let bucket = this.locked(() => this.popEmpty(allocHome(this.space.slot)));
      bucket !== 0;
    ) {
      this.buckets.discard(bucket)
      bucket = this.locked(() => this.popEmpty(allocHome(this.space.slot)))
    }
  }

  counts(): DepotCounts {
    return depotCounts(this.memory, this.at)
  }

  /** Conservation: every bucket that calls the depot its home is counted and listed, in order. */
  check(): void {
    this.locked(() => {
      const seen = { pending: 0, safe: 0, empty: 0, pendingItems: 0, safeItems: 0 }
      for (const { bucket, home } of this.buckets.all()) {
        if (home === Home.pending) {
          seen.pending++
          seen.pendingItems += this.buckets.count(bucket)
        } else if (home === Home.safe) {
          seen.safe++
          seen.safeItems += this.buckets.count(bucket)
        } else if (home === Home.empty) seen.empty++
      }
      const { at } = this
      const listed = {
        pending: this.length(DepotWords.pendingHead),
        safe: this.length(DepotWords.safeHead),
        empty: this.length(DepotWords.emptyHead),
        pendingItems: this.get(at + DepotWords.pendingItems),
        safeItems: this.get(at + DepotWords.safeItems),
      }
      const same = JSON.stringify(seen) === JSON.stringify(listed)
      const head = this.get(at + DepotWords.pendingHead)
      const oldest = head === 0 ? 0 : this.get(head + BucketWords.goal)
      if (same && this.memory.load(at + DepotWords.oldest) === oldest) return
      throw new Corruption(
        `${this.what}: ${JSON.stringify(seen)} by home, ${JSON.stringify(listed)} listed`,
      )
    })
  }

  // ---- under the lock ----------------------------------------------------------------------

  private locked<T>(body: () => T): T {
    this.lock()
    try {
      return body()
    } finally {
      this.unlock()
    }
  }

  private lock(): void {
    const taken = this.memory.glance(this.at + DepotWords.lock) !== 0
    this.space.locks.lockAndRepair(this.at + DepotWords.lock, this.what, () => this.rebuild())
    if (!taken) return
    this.memory.tally(this.at + DepotWords.contended, 1)
    this.knobs.grow()
  }

  private unlock(): void {
    this.space.locks.unlock(this.at + DepotWords.lock)
  }

  /** Whether the bucket that is being retired is the one in so many that moves the clock. */
  private isDue(): boolean {
    const at = this.at + DepotWords.unpaced
    const unpaced = this.get(at) + 1
    const due = unpaced >= this.knobs.advanceEvery
    this.set(at, due ? 0 : unpaced)
    return due
  }

  /**
   * Polls. Where not every bucket moves the clock, one that waits for the step of another is not
   * asked to: the zone grows meanwhile, and whoever can grow no more calls `urge`.
   */
  private hasExpired(goal: Seq): boolean {
    return this.domain?.expired(goal, this.knobs.advanceEvery > 1) === true
  }

  private append(bucket: number): void {
    const tail = this.get(this.at + DepotWords.pendingTail)
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

  private popExpired(): number {
    const bucket = this.get(this.at + DepotWords.pendingHead)
    if (bucket === 0) return 0
    if (!this.hasExpired(this.get(bucket + BucketWords.goal) as Seq)) return 0 // [D]
    this.set(bucket + BucketWords.home, allocHome(this.space.slot))
    this.set(bucket + BucketWords.goal, 0)
    const next = this.get(bucket + BucketWords.next)
    this.set(this.at + DepotWords.pendingHead, next)
    if (next === 0) this.set(this.at + DepotWords.pendingTail, 0)
    this.bump(DepotWords.pendingBuckets, -1)
    this.bump(DepotWords.pendingItems, -this.buckets.count(bucket))
    this.noteIdle()
    this.publishOldest()
    return bucket
  }

  private publishOldest(): void {
    const head = this.get(this.at + DepotWords.pendingHead)
    this.memory.store(
      this.at + DepotWords.oldest,
      head === 0 ? 0 : this.get(head + BucketWords.goal),
    )
  }

  private pushSafe(bucket: number): void {
    this.set(bucket + BucketWords.home, Home.safe)
    this.push(DepotWords.safeHead, bucket)
    this.bump(DepotWords.safeBuckets, 1)
    this.bump(DepotWords.safeItems, this.buckets.count(bucket))
  }

  private popSafe(): number {
    const bucket = this.pop(DepotWords.safeHead, allocHome(this.space.slot))
    if (bucket === 0) return 0
    this.bump(DepotWords.safeBuckets, -1)
    this.bump(DepotWords.safeItems, -this.buckets.count(bucket))
    this.noteIdle()
    return bucket
  }

  /** All items here, whether they may be used yet or not. */
  private held(): number {
    return this.get(this.at + DepotWords.pendingItems) + this.get(this.at + DepotWords.safeItems)
  }

  private noteIdle(): void {
    const held = this.held()
    if (held < this.get(this.at + DepotWords.idleItems)) {
      this.set(this.at + DepotWords.idleItems, held)
    }
  }

  private pushEmpty(bucket: number): void {
    this.set(bucket + BucketWords.home, Home.empty)
    this.push(DepotWords.emptyHead, bucket)
    this.bump(DepotWords.emptyBuckets, 1)
  }

  private popEmpty(home: number): number {
    const bucket = this.pop(DepotWords.emptyHead, home)
    if (bucket === 0) return 0
    this.bump(DepotWords.emptyBuckets, -1)
    this.set(bucket + BucketWords.destroyed, 0)
    return bucket
  }

  private push(head: number, bucket: number): void {
    this.set(bucket + BucketWords.next, this.get(this.at + head))
    this.set(this.at + head, bucket)
  }

  private pop(head: number, home: number): number {
    const bucket = this.get(this.at + head)
    if (bucket === 0) return 0
    this.set(bucket + BucketWords.home, home)
    this.set(this.at + head, this.get(bucket + BucketWords.next))
    return bucket
  }

  /** Makes lists and counts anew from homes and goals. */
  private rebuild(): void {
    for (const word of INDEX_WORDS) this.set(this.at + word, 0)
    const pending: number[] = []
    for (const { bucket, home } of this.buckets.all()) {
      if (home === Home.pending) pending.push(bucket)
      else if (home === Home.safe) this.pushSafe(bucket)
      else if (home === Home.empty) this.pushEmpty(bucket)
    }
    const goal = (bucket: number): Seq => this.get(bucket + BucketWords.goal) as Seq
    pending.sort((a, b) => delta(goal(a), goal(b)))
    for (const bucket of pending) this.append(bucket)
    this.publishOldest()
  }

  private length(head: number): number {
    let length = 0
    for (let b = this.get(this.at + head); b !== 0; b = this.get(b + BucketWords.next)) length++
    return length
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

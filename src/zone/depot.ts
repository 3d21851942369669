/**
 * The depot: a zone's buckets that no worker holds.
 *
 *   pending   retired by workers, each stamped with its goal; first in, first out
 *   safe      full or part-full of items that may be used at once; last in, first out, while hot
 *   empty     spare buckets
 *
 * The stamp is taken with the lock held: so goals are in order along the queue, its head expires
 * first, and one word, `oldest`, tells without the lock whether a poll is worth while. FreeBSD
 * keeps safe and pending buckets in one list, where a safe bucket at the head can hide the goal
 * behind it; here they are apart.
 *
 * Taking a bucket [D]: its goal is polled under the lock, right before it leaves the queue. Cases:
 *   if the poll says yes, every reader that could see its items has left, whichever worker retired
 *   them; if it says no, the bucket stays. Otherwise (a poll before locking, used for another head)
 *   a worker could take a bucket whose own goal was not polled.
 *
 * Lists and counts are an index over the buckets' owners and goals (depotLists.ts). A worker that
 * dies under the lock leaves them torn; the next owner rebuilds them.
 *
 * Heads and counts are also read by racy peeks, without the lock. Any value that these words ever
 * had will do, because a peek takes nothing. What it finds is checked again under the lock. What it
 * misses was put there by a worker with which we have not synchronized since, as if we had asked
 * before it: then the zone grows, or looks harder, or throws Exhausted, and the caller may ask
 * again. A peek never answers whether a goal is met: `oldest` is atomic, and the bucket's own goal
 * is polled again [D].
 */

import { INVALID, type Seq } from '../base/seq.ts'
import { BucketWords, DepotWords, NO_LIMIT } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Smr } from '../smr/domain.ts'
import type { Space } from '../space/space.ts'
import type { Buckets } from './bucket.ts'
import { DepotLists } from './depotLists.ts'
import type { Knobs } from './knobs.ts'

/** Counts of a depot, each possibly a moment old: hints, and statistics. */
export interface DepotCounts {
  readonly pending: number
  readonly peakPending: number
  readonly safe: number
  readonly pendingBuckets: number
  readonly safeBuckets: number
  readonly emptyBuckets: number
  /** Buckets stamped so far, and how many of these stamps moved the clock. */
  readonly retired: number
  readonly advances: number
  /** Times that the lock was found taken. */
  readonly contended: number
}

export function depotCounts(memory: Memory, at: number): DepotCounts {
  return {
    pending: memory.peekRacy(at + DepotWords.pendingItems),
    peakPending: memory.peekRacy(at + DepotWords.peakPending),
    safe: memory.peekRacy(at + DepotWords.safeItems),
    pendingBuckets: memory.peekRacy(at + DepotWords.pendingBuckets),
    safeBuckets: memory.peekRacy(at + DepotWords.safeBuckets),
    emptyBuckets: memory.peekRacy(at + DepotWords.emptyBuckets),
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
  private readonly lists: DepotLists
  private readonly domain: Smr | undefined
  private readonly knobs: Knobs
  private readonly what: string
  private readonly whenDead = (): void => this.lists.rebuild()

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
    this.lists = new DepotLists(space.memory, at, this.what, buckets, space.slot)
  }

  /**
   * Retires a bucket of freed items: the only way for an unstamped bucket to leave a worker,
   * whether it is full, sealed or taken over from a dead worker. Advances once; for a `paced`, full
   * bucket only every `advanceEvery`-th time, otherwise its goal is a step ahead. Returns an empty
   * bucket in exchange, 0 if the depot has none or `exchangeOwner` is 0.
   */
  retire(bucket: number, domain: Smr, exchangeOwner: number, paced = false): number {
    domain.makeRoom()
    this.lock()
    let whole = false
    try {
      const goal = domain.stamp(!paced || this.isDue(), this.at + DepotWords.advances)
      this.memory.poke(bucket + BucketWords.goal, goal)
      this.memory.tally(this.at + DepotWords.retired, 1)
      this.lists.append(bucket)
      const empty = exchangeOwner === 0 ? 0 : this.lists.popEmpty(exchangeOwner)
      whole = true
      return empty
    } finally {
      this.unlock(whole)
    }
  }

  /**
   * Puts a bucket of safe items here. Returns an empty one in exchange, 0 if the depot has none or
   * `exchangeOwner` is 0.
   */
  putSafe(bucket: number, exchangeOwner: number): number {
    this.lock()
    let whole = false
    try {
      this.lists.pushSafe(bucket)
      const empty = exchangeOwner === 0 ? 0 : this.lists.popEmpty(exchangeOwner)
      whole = true
      return empty
    } finally {
      this.unlock(whole)
    }
  }

  /** An empty bucket from the depot, or a new one; 0 when there is no memory. */
  takeEmpty(owner: number): number {
    if (this.memory.peekRacy(this.at + DepotWords.emptyHead) !== 0) {
      const bucket = this.locked(() => this.lists.popEmpty(owner))
      if (bucket !== 0) return bucket
    }
    return this.buckets.make(owner)
  }

  putEmpty(bucket: number): void {
    this.locked(() => this.lists.pushEmpty(bucket))
  }

  /** Whether `fetch` is worth its lock: something is safe, or the oldest goal is met. */
  isPromising(): boolean {
    if (this.memory.peekRacy(this.at + DepotWords.safeHead) !== 0) return true
    const oldest = this.memory.load(this.at + DepotWords.oldest)
    return oldest !== 0 && this.hasExpired(oldest as Seq)
  }

  /**
   * Polls for the oldest goal, and moves the write hand to it if the goal is deferred: for a caller
   * that waits, or has no other memory.
   */
  urge(): void {
    const oldest = this.memory.load(this.at + DepotWords.oldest)
    if (oldest !== 0) this.domain?.expiredUrgently(oldest as Seq)
  }

  hasPending(): boolean {
    return this.memory.load(this.at + DepotWords.oldest) !== 0
  }

  /**
   * Takes a bucket whose items no reader can see, 0 if there is none; its owner is then this
   * worker, to allocate from. Destructors of a bucket from `pending` have not run yet: see
   * `destroyed`. If a bucket is found, `exchange`, an empty bucket or 0, stays here.
   */
  fetch(exchange: number): number {
    this.lock()
    let whole = false
    try {
      const bucket = this.lists.popSafe() || this.popExpired()
      if (bucket !== 0 && exchange !== 0) this.lists.pushEmpty(exchange)
      whole = true
      return bucket
    } finally {
      this.unlock(whole)
    }
  }

  /** Rebuilds the lists if an exception or a death has interrupted a change. */
  recover(): void {
    this.lock()
    this.unlock(true)
  }

  /** The number of items that were here, unused, all the time since the last call. */
  takeIdleCount(): number {
    return this.locked(() => {
      const idle = this.lists.takeIdle()
      this.knobs.shrink()
      return idle
    })
  }

  /** Whether more than `depotItems` items here could be reused now. Never waits for readers. */
  isOverfull(): boolean {
    const most = this.knobs.depotItems
    if (most === NO_LIMIT) return false
    const held = (word: number): number => this.memory.peekRacy(this.at + word)
    if (held(DepotWords.safeItems) + held(DepotWords.pendingItems) <= most) return false
    return this.locked(() => {
      // Goals are in order: one poll answers for all buckets up to the limit.
      const goal = this.lists.goalBeyond(most)
      return goal !== undefined && (goal === INVALID || this.hasExpired(goal))
    })
  }

  /** Changes knobs under the lock, because several words have to agree. */
  tune(turn: (knobs: Knobs) => void): void {
    this.lock()
    try {
      turn(this.knobs)
    } finally {
      // Even if it threw: knobs are not part of what a rebuild restores.
      this.unlock(true)
    }
  }

  /** Gives the memory of all spare buckets back. */
  discardEmpties(): void {
    const pop = (): number => this.locked(() => this.lists.popEmpty())
    for (let bucket = pop(); bucket !== 0; bucket = pop()) {
      this.buckets.discard(bucket)
      this.lists.taken = 0
    }
  }

  /** The bucket that came from here last and has not come back; 0 for none: see pressure.ts. */
  get taken(): number {
    return this.lists.taken
  }

  /** Buckets with items, now. */
  size(): number {
    const { at, memory } = this
    return this.locked(
      () => memory.peek(at + DepotWords.pendingBuckets) + memory.peek(at + DepotWords.safeBuckets),
    )
  }

  counts(): DepotCounts {
    return depotCounts(this.memory, this.at)
  }

  /** Conservation: every bucket that calls the depot its owner is counted and listed, in order. */
  check(): void {
    this.lock()
    try {
      this.lists.check()
    } finally {
      // Nothing was changed, and what is wrong must not be repaired silently.
      this.unlock(true)
    }
  }

  // ---- under the lock ----------------------------------------------------------------------

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

  private lock(): void {
    // A hint for `contended` and the size of buckets; nothing else depends on it.
    const taken = this.memory.peekRacy(this.at + DepotWords.lock) !== 0
    this.space.locks.acquireAndRepair(this.at + DepotWords.lock, this.what, this.whenDead)
    if (!taken) return
    this.memory.tally(this.at + DepotWords.contended, 1)
    this.knobs.grow()
  }

  /** Unless `whole`, an exception came in the middle: the next owner rebuilds the lists. */
  private unlock(whole: boolean): void {
    this.space.locks.release(this.at + DepotWords.lock, whole)
  }

  /** Whether this is the `advanceEvery`-th full bucket, which moves the clock. */
  private isDue(): boolean {
    const at = this.at + DepotWords.unpaced
    const unpaced = this.memory.peek(at) + 1
    const due = unpaced >= this.knobs.advanceEvery
    this.memory.poke(at, due ? 0 : unpaced)
    return due
  }

  /**
   * Polls. If not every bucket moves the clock, the poll does not move it either: the zone grows
   * meanwhile, and a worker that cannot grow calls `urge`.
   */
  private hasExpired(goal: Seq): boolean {
    return this.domain?.expired(goal, this.knobs.advanceEvery > 1) === true
  }

  /** Takes the oldest pending bucket, 0 if there is none or its goal is not met. */
  private popExpired(): number {
    const bucket = this.lists.firstPending()
    if (bucket === 0) return 0
    if (!this.hasExpired(this.lists.goalOf(bucket))) return 0 // [D]
    this.lists.removeFirst(bucket)
    return bucket
  }
}

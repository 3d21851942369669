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
 * Lists and counts are an index over the buckets' owners and goals (depotLists.ts). A worker that
 * dies inside leaves them torn; the next one to lock makes them anew.
 *
 * Heads and counts are also looked at without the lock. Any value that these words ever had is
 * fine, for nothing is taken, and nothing is given away, by such a look. What it says is there is
 * asked for again under the lock; what it does not see was put there by somebody with whom we have
 * not been in touch since, as if we had asked a moment before him: then the zone grows, or looks
 * harder, or its user is told that nothing is to be had, and may ask again. Whether a goal is met
 * is never answered by such a look: `oldest` is atomic, and is polled again for the bucket itself
 * [D].
 */

import { INVALID, type Seq } from '../base/seq.ts'
import { BucketWords, DepotWords, NO_LIMIT } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Smr } from '../smr/domain.ts'
import type { Space } from '../space/space.ts'
import type { Buckets } from './bucket.ts'
import { DepotLists } from './depotLists.ts'
import type { Knobs } from './knobs.ts'

/** Counts of a depot, in items; possibly a moment old, each by itself. Advice, and for print. */
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
   * Retires a bucket of freed items: the one door through which an unstamped bucket leaves a
   * worker, whether it is full, sealed, drained or inherited. Advances once; a `paced` one, which
   * is full, only if it is the one in `advanceEvery` that does, else its goal lies a step ahead.
   * Returns an empty bucket in exchange, 0 if the depot has none or `exchangeOwner` is 0: none
   * wanted.
   */
  retire(bucket: number, domain: Smr, exchangeOwner: number, paced = false): number {
    domain.makeRoom()
    this.lock()
    let whole = false
    try {
      this.memory.poke(bucket + BucketWords.goal, domain.stamp(!paced || this.isDue()))
      this.memory.tally(this.at + DepotWords.retired, 1)
      this.memory.tally(this.at + DepotWords.advances, domain.steps)
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
   * `exchangeOwner` is 0: none wanted.
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

  /** An empty bucket from the depot or, failing that, a new one; 0 when there is no memory. */
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

  /** Makes the lists anew if somebody was thrown out, or died, in the middle of a change. */
  recover(): void {
    this.lock()
    this.unlock(true)
  }

  /** Items that lay here unused ever since the last call: the working set did not want them. */
  takeIdleCount(): number {
    return this.locked(() => {
      const idle = this.lists.takeIdle()
      this.knobs.shrink()
      return idle
    })
  }

  /** Whether more than `depotItems` lie here that could be reused now. Never waits. */
  isOverfull(): boolean {
    const most = this.knobs.depotItems
    if (most === NO_LIMIT) return false
    const held = (word: number): number => this.memory.peekRacy(this.at + word)
    if (held(DepotWords.safeItems) + held(DepotWords.pendingItems) <= most) return false
    return this.locked(() => {
      // Goals are in order: one poll tells of all up to the one that is too much.
      const goal = this.lists.goalBeyond(most)
      return goal !== undefined && (goal === INVALID || this.hasExpired(goal))
    })
  }

  /** Turns knobs, which are under this lock where more than one word has to agree. */
  tune(turn: (knobs: Knobs) => void): void {
    this.lock()
    try {
      turn(this.knobs)
    } finally {
      // Whatever it refused: no knob is part of what a rebuild makes anew.
      this.unlock(true)
    }
  }

  /** Gives all spare buckets' memory back. */
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
      // Nothing was changed: what is wrong is not to be made good behind whoever asked.
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
    // A hint for `contended`, and for how large buckets should be: nothing depends on it.
    const taken = this.memory.peekRacy(this.at + DepotWords.lock) !== 0
    this.space.locks.acquireAndRepair(this.at + DepotWords.lock, this.what, this.whenDead)
    if (!taken) return
    this.memory.tally(this.at + DepotWords.contended, 1)
    this.knobs.grow()
  }

  /** Unless `whole`, we were thrown out in the middle: the next owner makes the lists anew. */
  private unlock(whole: boolean): void {
    this.space.locks.release(this.at + DepotWords.lock, whole)
  }

  /** Whether the bucket that is being retired is the one in so many that moves the clock. */
  private isDue(): boolean {
    const at = this.at + DepotWords.unpaced
    const unpaced = this.memory.peek(at) + 1
    const due = unpaced >= this.knobs.advanceEvery
    this.memory.poke(at, due ? 0 : unpaced)
    return due
  }

  /**
   * Polls. Where not every bucket moves the clock, one that waits for the step of another is not
   * asked to: the zone grows meanwhile, and whoever can grow no more calls `urge`.
   */
  private hasExpired(goal: Seq): boolean {
    return this.domain?.expired(goal, this.knobs.advanceEvery > 1) === true
  }

  /** Takes the bucket that has waited longest, 0 if there is none or its goal is not met. */
  private popExpired(): number {
    const bucket = this.lists.firstPending()
    if (bucket === 0) return 0
    if (!this.hasExpired(this.lists.goalOf(bucket))) return 0 // [D]
    this.lists.removeFirst(bucket)
    return bucket
  }
}

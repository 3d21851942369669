/**
 * Stripes: the locks of writers, one per range of hashes.
 *
 * A stripe is a lock and the number of records in its chains. The lock is robust: after a death or
 * an exception under it the chains are whole, because every step of a writer leaves them so, but
 * the number may be wrong. The next owner counts again, or the next call that asks for the sum. If
 * the lock is free, no writer is between its store and its count, and the number is right. If a
 * living writer has it, the number is right as of before or after that write. If its owner is dead,
 * the caller takes it if it can without waiting, and counts; if another worker was first, that one
 * counts. Otherwise (only the next writer counts) the sum would stay wrong as long as nobody writes
 * to that range.
 */

import { Exhausted, show } from '../base/errors.ts'
import { StripeWords, TableWords, tableParts } from '../memory/layout.ts'
import { FREE, type Taken } from '../space/lock.ts'
import type { Space } from '../space/space.ts'
import { DEFAULT_TIMEOUT_MS } from '../space/wait.ts'
import { forget, namedByDead } from '../zone/deadHands.ts'
import type { Chains } from './chains.ts'

export class Stripes {
  /** How many there are: 2^bits. */
  readonly bits: number
  private readonly space: Space
  private readonly chains: Chains
  private readonly first: number
  private readonly zone: number
  /** The lock's name in errors; made once, since every write takes a lock. */
  private readonly what: string
  /** `progress` when we last waited for a resize. */
  private progressSeen = 0

  constructor(space: Space, table: number, name: string, chains: Chains) {
    this.space = space
    this.chains = chains
    this.bits = chains.stripeBits
    this.first = tableParts(table, this.bits).stripes
    this.zone = space.memory.peek(table + TableWords.zone)
    this.what = `table ${show(name)} stripe`
  }

  /** Locks the stripe of a hash, and returns its index. */
  lockFor(hash: number): number {
    const index = this.chains.stripeOf(hash)
    this.lock(index)
    return index
  }

  lock(index: number): void {
    const { locks } = this.space
    const at = this.lockAt(index)
    let taken: Taken
    try {
      taken = locks.acquire(at, this.what)
    } catch (error) {
      taken = this.outlastResize(at, error)
    }
    if (taken === 'owner-died') this.recount(index)
  }

  /**
   * The lock could not be had in time. While a resize makes progress its owner is alive: waits
   * again, up to the default time-out in all. `progressSeen` may be of an earlier resize; then it
   * waits once more for nothing.
   */
  private outlastResize(at: number, timedOut: unknown): Taken {
    const { locks, memory } = this.space
    const deadline = memory.now() + DEFAULT_TIMEOUT_MS
    for (let error = timedOut; ; ) {
      const { progress } = this.chains
      const isStuck = progress === this.progressSeen || memory.now() >= deadline
      if (!(error instanceof Exhausted) || isStuck) throw error
      this.progressSeen = progress
      try {
        return locks.acquire(at, this.what)
      } catch (again) {
        error = again
      }
    }
  }

  /** Releases the lock; unless `whole`, the next owner has to count. */
  release(index: number, whole: boolean): void {
    this.space.locks.release(this.lockAt(index), whole)
  }

  /** Locks a stripe if that takes no waiting. */
  tryLock(index: number): boolean {
    const taken = this.space.locks.tryAcquire(this.lockAt(index))
    if (taken === 'owner-died') this.recount(index)
    return taken !== false
  }

  /** Whether nobody has the lock: not a dead owner either. */
  isFree(index: number): boolean {
    return this.space.memory.load(this.lockAt(index)) === FREE
  }

  /** A record came or went. The stripe is locked. Returns how many there are now. */
  count(index: number, by: number): number {
    return this.space.memory.add(this.at(index) + StripeWords.records, by) + by
  }

  /** How many records there are in a stripe; possibly a moment old. */
  recordsIn(index: number): number {
    return this.space.memory.load(this.at(index) + StripeWords.records)
  }

  /** Records in all stripes; possibly a moment old. Never waits. */
  total(): number {
    const { memory } = this.space
    let records = 0
    for (let i = 0; i < 2 ** this.bits; i++) {
      this.recover(i)
      records += memory.load(this.at(i) + StripeWords.records)
    }
    return records
  }

  /** Counts again if a dead owner may have left a wrong number. */
  private recover(index: number): void {
    const { locks, memory, workers } = this.space
    const at = this.lockAt(index)
    const owner = memory.load(at)
    if (owner === 0 || !workers.isGone(owner)) return
    const taken = locks.tryAcquire(at)
    if (taken === false) return
    if (taken === 'owner-died') this.recount(index)
    this.release(index, true)
  }

  /**
   * The last owner died with the lock, which is ours now: counts again, and clears what dead workers
   * have written down of records that are here. See zone/hands.ts.
   */
  private recount(index: number): void {
    let whole = false
    try {
      this.space.settleHands()
      const held = namedByDead(this.space, this.zone)
      let records = 0
      for (const node of this.chains.nodesOf(this.chains.current(index), index)) {
        records++
        if (held.length > 0) forget(this.space, held, node)
      }
      this.space.memory.store(this.at(index) + StripeWords.records, records)
      whole = true
    } finally {
      if (!whole) this.release(index, false)
    }
  }

  private lockAt(index: number): number {
    return this.at(index) + StripeWords.lock
  }

  /** Address of its words. */
  at(index: number): number {
    return this.first + index * StripeWords.WORDS
  }
}

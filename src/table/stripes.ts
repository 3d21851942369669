/**
 * Stripes: writers of one part of the hash circle take turns, writers of others do not notice.
 *
 * A stripe is a lock and the number of records in its chains. The lock survives its owner: who dies
 * with it, or is thrown out by an exception, leaves chains that are whole, for every step of a
 * writer does, and perhaps a wrong number. The next owner makes it again, or the next that asks for
 * the sum:
 *   the lock is nobody's: no writer is between its store and its count, so the number is right;
 *   it is a living writer's: the number is right as of before it or after it;
 *   it is a dead owner's: whoever asks takes it, if that needs no waiting, and counts; if somebody
 *   else was first, he counts. Otherwise (only the next writer counts) the sum would stay wrong for
 *   as long as nobody writes to that part.
 */

import { Exhausted, show } from '../base/errors.ts'
import { StripeWords, TableWords } from '../memory/layout.ts'
import type { Taken } from '../space/lock.ts'
import type { Space } from '../space/space.ts'
import { DEFAULT_TIMEOUT_MS } from '../space/wait.ts'
import { bitsOf, type Chains } from './chains.ts'

const HASH_BITS = 32

export class Stripes {
  /** How many there are: 2^bits. */
  readonly bits: number
  private readonly space: Space
  private readonly chains: Chains
  private readonly first: number
  /** How a lock is called in errors: made once, since every write takes one. */
  private readonly what: string
  /** How far a resize was when we last waited for one. */
  private progressSeen = 0

  constructor(space: Space, table: number, name: string, chains: Chains, bits: number) {
    this.space = space
    this.chains = chains
    this.first = table + TableWords.WORDS
    this.bits = bits
    this.what = `table ${show(name)} stripe`
  }

  /** Locks the stripe of a hash, and returns its index. */
  lockFor(hash: number): number {
    const index = hash >>> (HASH_BITS - this.bits)
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
   * The lock was not to be had in time. Where a resize is at work that is no sign of a death: as
   * long as it gets on, we wait again, for as long in all as anybody waits. What we saw last may be
   * of an earlier resize, and then we wait once more in vain.
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

  /** Gives it back; unless all of what was begun was done, the next owner has to count. */
  release(index: number, whole: boolean): void {
    this.space.locks.release(this.lockAt(index), whole)
  }

  /** A record came or went. The stripe is locked. */
  count(index: number, by: number): void {
    this.space.memory.add(this.at(index) + StripeWords.records, by)
  }

  /** Records in all stripes; while writers are busy, as of a moment ago. Never waits. */
  total(): number {
    const { memory } = this.space
    let records = 0
    for (let i = 0; i < 2 ** this.bits; i++) {
      this.recover(i)
      records += memory.load(this.at(i) + StripeWords.records)
    }
    return records
  }

  /** Counts again where a dead owner may have left a wrong number. */
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

  /** The last owner died with the lock, which is ours now: its count may not be whole. */
  private recount(index: number): void {
    let whole = false
    try {
      const now = this.chains.current()
      const span = 2 ** (bitsOf(now) - this.bits)
      let records = 0
      for (const _ of this.chains.nodes(now, index * span, (index + 1) * span)) records++
      this.space.memory.store(this.at(index) + StripeWords.records, records)
      whole = true
    } finally {
      if (!whole) this.release(index, false)
    }
  }

  private lockAt(index: number): number {
    return this.at(index) + StripeWords.lock
  }

  private at(index: number): number {
    return this.first + index * StripeWords.WORDS
  }
}

/**
 * Stripes: writers of one part of the hash circle take turns, writers of others do not notice.
 *
 * A stripe is a lock and the number of records in its chains. The lock survives its owner: who dies
 * with it leaves chains that are whole, for every step of a writer does, and perhaps a wrong number,
 * which the next owner makes again.
 */

import { show } from '../errors.ts'
import { StripeWords, TableWords } from '../memory/layout.ts'
import type { Space } from '../memory/space.ts'
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
    const taken = this.space.locks.acquire(this.at(index) + StripeWords.lock, this.what)
    if (taken === 'owner-died') this.recount(index)
  }

  unlock(index: number): void {
    this.space.locks.unlock(this.at(index) + StripeWords.lock)
  }

  /** A record came or went. The stripe is locked. */
  count(index: number, by: number): void {
    this.space.memory.add(this.at(index) + StripeWords.records, by)
  }

  /** Records in all stripes; while writers are busy, as of a moment ago. */
  total(): number {
    let records = 0
    for (let i = 0; i < 2 ** this.bits; i++)
      records += this.space.memory.load(this.at(i) + StripeWords.records)
    return records
  }

  /** The last owner died with the lock: its chains are whole, its count may not be. */
  private recount(index: number): void {
    const now = this.chains.current()
    const span = 2 ** (bitsOf(now) - this.bits)
    let records = 0
    for (const _ of this.chains.nodes(now, index * span, (index + 1) * span)) records++
    this.space.memory.store(this.at(index) + StripeWords.records, records)
  }

  private at(index: number): number {
    return this.first + index * StripeWords.WORDS
  }
}

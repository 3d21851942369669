/**
 * Versions of records: the word behind a record that tells it from every other record of its key.
 *
 * They come from version words: counters in the table's own pages, each for a range of hashes, so each
 * inside one stripe. A write - it puts a record, replaces one or takes one out - counts the word of its
 * key up, with the stripe locked and before it changes the chain; a record that is put has the new number
 * as its version, written before publication. So two records of one key never have the same version, and a
 * version word that has not changed says that no key of its range was written: see near.ts, which lives
 * on that. (Dice, Shalev and Shavit, "Transactional Locking II", 2006, stripe their version locks so. Here
 * the lock is another word, and the words are not given back while there is a table.)
 *
 * Versions repeat after 2^31 writes to a range; 0 is the version of no record. So there is an epoch, one word
 * for the arena. It is moved before a write whose word has begun again changes its chain, and before a
 * table's pages go back. Two cases for who loads a version word first and the epoch second: he finds the
 * epoch that he knows, then, when he loaded the word, its pages were the table's, and no write since it
 * began again had been seen; or another, then he knows no version of this arena any more. Otherwise (the
 * epoch moved later, or loaded first) he could take a number for one that he has seen long ago.
 */

import { Header, TableWords, tableParts } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'

/** What a write may expect instead of a version: whatever is there; nothing. */
export const ANY: number = -1
export const ABSENT = 0
export const MOST_VERSIONS: number = 2 ** 31 - 1

const HASH_BITS = 32

/** The version words of one table. */
export class Versions {
  private readonly memory: Memory
  private readonly first: number
  /** What a hash is shifted by to the right to get its word. */
  private readonly shift: number

  constructor(memory: Memory, table: number) {
    this.memory = memory
    this.first = tableParts(table, memory.peek(table + TableWords.stripeBits)).versions
    this.shift = HASH_BITS - memory.peek(table + TableWords.versionBits)
  }

  /** Address of the word for a hash. */
  at(hash: number): number {
    return this.first + (hash >>> this.shift)
  }

  /**
   * A version that no record of this key has had. The stripe is locked, and its chain as it was before
   * this write. After a death or an exception here a version is skipped, and none is used twice.
   */
  next(hash: number): number {
    const at = this.at(hash)
    const version = (this.memory.peek(at) + 1) & MOST_VERSIONS || this.beginAgain()
    this.memory.store(at, version)
    return version
  }

  private beginAgain(): number {
    moveEpoch(this.memory)
    return 1
  }
}

/** From here on nobody knows a version of this arena. */
export function moveEpoch(memory: Memory): void {
  memory.add(Header.epoch, 1)
}

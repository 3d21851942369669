/**
 * The lock of an ordered table's writers, and what it guards beside the tree: the number of records,
 * and the last version.
 *
 * The lock is robust. Every step of a writer leaves the tree whole, but after a death or an exception
 * under the lock the number may be wrong, and `changes` may be odd, so that no walk for the nearest key
 * trusts what it has found. The next owner counts again, clears bits of slots that have no link, and makes `changes` even: a writer, or a reader
 * that has tried often enough, or the next call that asks for the size. See table/stripes.ts.
 */

import { show } from '../base/errors.ts'
import { OrderWords } from '../memory/layout.ts'
import type { Space } from '../space/space.ts'
import { MOST_VERSIONS } from '../table/version.ts'
import { forget, namedByDead } from '../zone/deadHands.ts'
import type { Trie } from './trie.ts'

export class Guard {
  private readonly space: Space
  private readonly trie: Trie
  private readonly zones: readonly number[]
  private readonly lockAt: number
  private readonly recordsAt: number
  private readonly versionsAt: number
  /** The lock's name in errors. */
  private readonly what: string

  /** `zones`: addresses of that of the records and that of the nodes. */
  constructor(space: Space, table: number, name: string, trie: Trie, zones: readonly number[]) {
    this.space = space
    this.trie = trie
    this.zones = zones
    this.lockAt = table + OrderWords.lock
    this.recordsAt = table + OrderWords.records
    this.versionsAt = table + OrderWords.versions
    this.what = `table ${show(name)}`
  }

  /** Takes the lock, and repairs what a dead owner has left. */
  lock(): void {
    const { lockAt, space, what } = this
    space.locks.acquireAndRepair(lockAt, what, () => this.repair())
  }

  /** Releases the lock; unless `whole`, the next owner has to repair. */
  release(whole: boolean): void {
    this.space.locks.release(this.lockAt, whole)
  }

  /** Runs `body`, which changes nothing, with the lock held. */
  whileLocked<T>(body: () => T): T {
    this.lock()
    try {
      return body()
    } finally {
      this.release(true)
    }
  }

  /** Before keys come or go, and after: see trie.ts [V]. The lock is held. */
  change(): void {
    this.space.memory.add(this.trie.changesAt, 1)
  }

  /** A record came or went. The lock is held. */
  count(by: number): void {
    this.space.memory.add(this.recordsAt, by)
  }

  /** A version that no record has had; they repeat after 2^31. The lock is held. */
  nextVersion(): number {
    const { memory } = this.space
    const version = (memory.peek(this.versionsAt) + 1) & MOST_VERSIONS || 1
    memory.poke(this.versionsAt, version)
    return version
  }

  /** Records in the table; possibly a moment old. Never waits. */
  total(): number {
    const { locks, memory, workers } = this.space
    const owner = memory.load(this.lockAt)
    if (owner !== 0 && workers.isGone(owner)) {
      const taken = locks.tryAcquire(this.lockAt)
      if (taken !== false) {
        let whole = false
        try {
          if (taken === 'owner-died') this.repair()
          whole = true
        } finally {
          this.release(whole)
        }
      }
    }
    return memory.load(this.recordsAt)
  }

  /** The last owner died with the lock, which is ours now. Done again if it is cut off. */
  private repair(): void {
    const { space, trie } = this
    const { memory } = space
    space.settleHands()
    // What dead workers have written down of what is in the tree: see zone/hands.ts.
    const held = this.zones.flatMap((zone) => namedByDead(space, zone))
    memory.store(
      this.recordsAt,
      trie.mend((item) => held.length > 0 && forget(space, held, item)),
    )
    // Last. Two cases for a walk that finds it even: it began after this, then the tree is as it
    // stays; or before, then the dead worker's change came before its first load, or the number is
    // another now. Otherwise (even at once) nothing would say that the repair is not done.
    if ((memory.load(trie.changesAt) & 1) !== 0) memory.add(trie.changesAt, 1)
  }
}

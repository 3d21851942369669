/**
 * Holds: records that stay as they are beyond a section, also when they are replaced or deleted.
 *
 * Each worker has some words in the table, its *entries*, and in each the address of a record that it
 * holds. Behind each record there is a word that says whether anybody may hold it, and whether it has
 * been taken out of the table:
 *
 *   0 -> HELD            a worker wants to hold it; it stays so
 *   0 -> ENDED           it was taken out, and nobody holds it or ever will: who took it out frees it
 *   HELD -> BOTH         it was taken out; who lets go of it last frees it
 *   BOTH -> freed by ..  by a CAS: who makes this step frees it
 *
 * So the entries alone say who holds what, and a count that a death could leave wrong is not needed. Who
 * lets go (a holder, or the worker that took the record out) clears its entry, looks whether another
 * entry names the record, and if none does makes the last step. All this is done in a section, so no
 * record is used again meanwhile.
 *
 * [H] To hold against to take out. A holder writes HELD, then its entry, then loads the word again; the
 * other writes its own entry, then ENDED, and then looks at all entries.
 *     If the holder's entry comes before that look, it is seen, and the record is not freed;
 *     if the look comes first, so does ENDED, and the holder's second load finds it: it lets go.
 *     Otherwise (without the second load) the record could be freed although its holder goes on.
 *
 * [L] Two let go at the same time. Each clears its entry and then looks at the other's.
 *     The one that clears last finds no entry, and makes the last step;
 *     if both find none, the CAS lets one of them make it.
 *     Otherwise (look first, or a store) nobody frees it, or both do.
 *
 * A worker that dies leaves its entries: they hold their records until another worker, at a write or a
 * hold of this table, finds that their owner is gone, and lets go in its stead. An entry that was being
 * written says so by its low bit, and does not count then: whether it protected the record cannot be
 * known. So a death in the middle of holding, or of letting go, may lose one record, which `zone.audit`
 * finds. What a dead worker has taken out and others may hold, its reaper writes down in its entries:
 * see arena/deadHolds.ts.
 */

import type { Item } from '../base/brands.ts'
import { Exhausted, show } from '../base/errors.ts'
import {
  BOTH,
  ENDED,
  freedBy,
  HELD,
  HeldWords,
  HolderWords,
  holdersAt,
  holderWords,
  SPARE_HOLDS,
  UNSURE,
} from '../memory/holdWords.ts'
import { NODE_WORDS, TableWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Smr } from '../smr/domain.ts'
import type { Space } from '../space/space.ts'
import type { Hands } from '../zone/hands.ts'
import type { Zone } from '../zone/zone.ts'

/** Writes and holds of this worker between two looks for entries of workers that are gone. */
const LOOK_EVERY = 32

export class Holds {
  /** Records that a worker may hold at once. */
  readonly most: number
  /**
   * The record that was let go of last, until its freeing is done: from the moment on at which its entry
   * was cleared, nothing may be done to it any more, but by who has to free it.
   */
  decided = 0
  /** The same record, if it is ours to free. */
  mine = 0
  /** Records that workers which are gone were the last to hold: ours to free. */
  readonly won: Item[] = []
  private readonly memory: Memory
  private readonly space: Space
  private readonly smr: Smr
  private readonly name: string
  private readonly lockAt: number
  private readonly first: number
  private readonly words: number
  /** Words from a record to its `HeldWords`. */
  private readonly offset: number
  private readonly own: number
  private looks = 0

  constructor(space: Space, table: number, name: string, smr: Smr) {
    const { memory } = space
    this.memory = memory
    this.space = space
    this.smr = smr
    this.name = name
    this.most = memory.peek(table + TableWords.holds)
    this.words = holderWords(this.most)
    this.lockAt = table + TableWords.holdLock
    const [stripes, versions] = [TableWords.stripeBits, TableWords.versionBits]
    this.first = holdersAt(table, memory.peek(table + stripes), memory.peek(table + versions))
    this.offset = memory.peek(table + TableWords.recordWords) + NODE_WORDS + HeldWords.held
    this.own = this.first + space.slot * this.words
  }

  /** Before a record is published. No reader has its place any more. */
  init(item: number): void {
    this.memory.poke(item + this.offset, 0)
  }

  // ---- to hold -----------------------------------------------------------------------------

  /** An entry for a hold. Throws Exhausted if this worker holds as many as it may. */
  entry(call: string): number {
    this.claim()
    const entry = this.free(SPARE_HOLDS)
    if (entry !== 0) return entry
    throw new Exhausted(
      `${call}: table ${show(this.name)}: this worker holds ${this.most} records; release one, or make the table with more holds`,
      { table: this.name, holds: this.most },
    )
  }

  /**
   * In the section in which the record was found: holds it. False: it is on its way out, look the key up
   * again; then it may be `mine` to free.
   */
  take(entry: number, item: Item): boolean {
    const { memory } = this
    const at = item + this.offset
    memory.cas(at, 0, HELD) // [H]
    memory.store(entry, item | UNSURE) // [H]
    if (memory.load(at) === HELD) {
      memory.store(entry, item)
      return true
    }
    // It was taken out. Who did it may have seen our entry, and left it to us.
    this.drop(entry, item)
    return false
  }

  /** Lets go of what an exception has left in an entry: nobody has been told of that hold. */
  abandon(entry: number): void {
    const item = entry === 0 ? 0 : this.memory.load(entry)
    if (item === 0) return
    if ((item & UNSURE) === 0) this.letGo(entry, item as Item)
    else this.memory.store(entry, 0)
  }

  /** Outside of sections: lets go. Then the record may be `mine` to free. */
  letGo(entry: number, item: Item): void {
    this.smr.enterInCall()
    try {
      this.drop(entry, item)
    } finally {
      this.smr.exit()
    }
  }

  // ---- to take out ---------------------------------------------------------------------------

  /**
   * Outside of sections, by the worker that has taken the record out of the table: decides whether it
   * is `mine` to free. After an exception it can be done again, unless it is `decided`.
   */
  end(item: Item): void {
    const { memory } = this
    const at = item + this.offset
    const before = memory.cas(at, 0, ENDED)
    if (before === 0 || before === ENDED) {
      // Nobody holds it, and nobody will: a holder finds ENDED.
      this.decided = item
      this.mine = item
      return
    }
    this.claim()
    // First: until we let go of it nobody frees it, so this can be done again.
    const entry = this.find(item | UNSURE) || this.free(0)
    if (entry === 0) throw this.tooManyCut()
    memory.store(entry, item | UNSURE)
    memory.or(at, ENDED) // [H]
    this.letGo(entry, item)
  }

  /** What was decided is done. */
  reset(): void {
    this.decided = 0
    this.mine = 0
  }

  // ---- workers that are gone -----------------------------------------------------------------

  /** Whether it is time to look for them. */
  get isDue(): boolean {
    return ++this.looks % LOOK_EVERY === 0
  }

  /**
   * Lets go of what workers held that are gone; what is ours to free is `won` then. The lock is for
   * entries that change hands: two that clear the same entry, or one that clears what its next owner
   * has written there, would let go of a record that is held.
   */
  sweep(): void {
    if (!this.owners().some(({ owner }) => this.space.workers.isGone(owner))) return
    this.whileLocked(() => {
      for (const { at, owner } of this.owners()) {
        if (this.space.workers.isGone(owner)) this.empty(at)
      }
    })
  }

  // ---- numbers -------------------------------------------------------------------------------

  /** Records that are held now, each once, as their entries say. */
  held(): Item[] {
    const all = new Set<number>()
    for (const { at } of this.owners()) {
      for (let i = 0; i < this.count; i++) {
        const value = this.memory.load(at + HolderWords.items + i)
        if (value !== 0) all.add(value & ~UNSURE)
      }
    }
    return [...all] as Item[]
  }

  // ---- inside --------------------------------------------------------------------------------

  private get count(): number {
    return this.most + SPARE_HOLDS
  }

  /** In a section: lets go, and learns whether the record is ours to free. */
  private drop(entry: number, item: number): void {
    this.memory.store(entry, 0) // [L]
    this.decided = item
    this.mine = 0
    if (this.isOurs(item)) this.mine = item
  }

  /** In a section, when our entry is cleared: whether we are the last to let go. */
  private isOurs(item: number): boolean {
    const { memory } = this
    const at = item + this.offset
    if (memory.load(at) !== BOTH || this.isNamed(item)) return false
    return memory.cas(at, BOTH, freedBy(this.space.slot)) === BOTH
  }

  /** Whether an entry names this record. */
  private isNamed(item: number): boolean {
    const { memory } = this
    for (const { at } of this.owners()) {
      for (let i = 0; i < this.count; i++) {
        if ((memory.load(at + HolderWords.items + i) & ~UNSURE) === item) return true // [H] [L]
      }
    }
    return false
  }

  /** Makes this worker's entries its own; lets go of what an earlier worker of its slot held. */
  private claim(): void {
    const { memory, own, space } = this
    if (memory.load(own + HolderWords.owner) === space.locks.signature) return
    this.whileLocked(() => {
      this.empty(own)
      memory.store(own + HolderWords.owner, space.locks.signature)
    })
  }

  /** With the lock: lets go of all that these entries hold, whose owner is gone. */
  private empty(at: number): void {
    const { memory, smr } = this
    for (let i = 0; i < this.count; i++) {
      const entry = at + HolderWords.items + i
      const item = memory.load(entry)
      if (item === 0) continue
      smr.enterInCall()
      try {
        memory.store(entry, 0)
        if ((item & UNSURE) === 0 && this.isOurs(item)) this.won.push(item as Item)
      } finally {
        smr.exit()
      }
    }
    memory.store(at + HolderWords.owner, 0)
  }

  private whileLocked(body: () => void): void {
    const { locks } = this.space
    locks.acquire(this.lockAt, `table ${show(this.name)} holds`)
    try {
      body()
    } finally {
      locks.unlock(this.lockAt)
    }
  }

  /** The workers that have entries. */
  private owners(): { at: number; owner: number }[] {
    const { first, memory, space, words } = this
    const all: { at: number; owner: number }[] = []
    for (let slot = 0; slot < space.maxWorkers; slot++) {
      const at = first + slot * words
      const owner = memory.load(at + HolderWords.owner)
      if (owner !== 0) all.push({ at, owner })
    }
    return all
  }

  /** The first of this worker's entries that is free, if more than `spare` are; else 0. */
  private free(spare: number): number {
    let found = 0
    let left = spare
    for (let i = this.count - 1; i >= 0; i--) {
      const entry = this.own + HolderWords.items + i
      if (this.memory.load(entry) !== 0) continue
      if (left-- <= 0) return entry
      found = entry
    }
    return spare === 0 ? found : 0
  }

  private find(value: number): number {
    for (let i = 0; i < this.count; i++) {
      const entry = this.own + HolderWords.items + i
      if (this.memory.load(entry) === value) return entry
    }
    return 0
  }

  private tooManyCut(): Exhausted {
    return new Exhausted(
      `table ${show(this.name)}: too many writes of this worker were cut off; the next write does it`,
      { table: this.name, holds: this.most },
    )
  }
}

/** One for all handles of a table that a worker has, as there is one `Hands`. */
const known = new WeakMap<Hands, Holds>()

/** The holds of a table in this worker; undefined if it was made without. */
export function holdsOf(
  space: Space,
  table: number,
  name: string,
  smr: Smr,
  { parts: { hands } }: Zone,
): Holds | undefined {
  if (space.memory.peek(table + TableWords.holds) === 0) return undefined
  const holds = known.get(hands) ?? new Holds(space, table, name, smr)
  known.set(hands, holds)
  return holds
}

/**
 * Seals: how additions to a record and its replacement keep out of each other's way.
 *
 * Additions change a record in place, without a lock; see record/atomic.ts for one field. A writer holds
 * the lock of the record's key, and seals all atomic fields before it takes the record out of its place.
 * Two cases for an addition: it comes before the seal, then the writer sees it; or after, then it finds
 * the seal, does nothing, and looks its key up again. So each addition is in the old record while that
 * is the record of its key, or in the new one. What the writer does with those of the old record:
 *
 *   set, delete      nothing: they came before it, and it says what is there now
 *   update, replace  has given the numbers to the user, as they were then. Two cases: they are the same
 *                    now that nothing can change them, then it is as if they had been read now; or not,
 *                    then the fields are opened again, nothing has changed and the verb begins again.
 *                    Otherwise (the version alone, which additions do not change) one would be lost
 *   deleteIf         lets the user look at the record in place, so nobody knows which numbers he saw. It
 *                    seals the record before, and removes it only if it has the same version still: then
 *                    no number has changed. Otherwise (by the numbers) one that went up and down again
 *                    in between would pass: he saw that nobody used the record, and somebody does
 *
 * A record may stay sealed with nobody holding the lock: that is how `deleteIf`, and an `update` that has
 * lost to additions some times, ask for a moment. An addition that finds a seal waits for a moment, and
 * no longer: then it takes the lock, gives the record a new version, and opens the field. So who dies with
 * a record sealed, or is thrown out, holds nobody up, and needs no repair.
 */

import { Exhausted, show } from '../base/errors.ts'
import type { Memory } from '../memory/memory.ts'
import { type AtomicField, isSealed, keepAt, keptAt, openAt, sealAt } from '../record/atomic.ts'

/** The atomic fields of the records of one table. All is done with the lock of the record's key. */
export class Seals {
  /** Whether the records have atomic fields. */
  readonly areUsed: boolean
  private readonly memory: Memory
  private readonly fields: readonly AtomicField[]
  private readonly version: number
  private readonly table: string

  /** `version`: words from a record to its version. */
  constructor(memory: Memory, fields: readonly AtomicField[], version: number, table: string) {
    this.memory = memory
    this.fields = fields
    this.version = version
    this.table = table
    this.areUsed = fields.length > 0
  }

  /** Seals the record. Whether it was sealed before, wholly or in part. */
  seal(record: number): boolean {
    const { memory } = this
    let wasSealed = false
    for (const { name, offset } of this.fields) {
      if (isSealed(memory, record + offset)) wasSealed = true
      else if (!sealAt(memory, record + offset)) throw this.tooBusy(name)
    }
    return wasSealed
  }

  /**
   * Seals the record, if its fields hold the numbers that were `seen`. If not, false, and it is as
   * before: open, or sealed for somebody who waits for it.
   */
  sealIf(record: number, seen: readonly number[]): boolean {
    const { fields, memory } = this
    const wasSealed = this.seal(record)
    if (fields.every(({ offset }, i) => keptAt(memory, record + offset) === seen[i])) return true
    if (!wasSealed) for (const { offset } of fields) openAt(memory, record + offset)
    return false
  }

  /**
   * Changes the field at `offset`, and leaves it open. Returns the number before, as a signed word.
   * `version` is one that no record of this key has had.
   */
  change(
    record: number,
    { name, offset }: AtomicField,
    version: number,
    next: (before: number) => number,
  ): number {
    const { memory } = this
    const at = record + offset
    // Two cases for who has sealed it, and comes back with the lock: he finds another version, and begins
    // again; or the same, then we have not been here. Otherwise (the version as it was) he would take the
    // numbers for those that he has seen. First, because of a death in between.
    if (isSealed(memory, at)) memory.store(record + this.version, version)
    else if (!sealAt(memory, at)) throw this.tooBusy(name)
    const before = keptAt(memory, at)
    keepAt(memory, at, next(before))
    openAt(memory, at)
    return before
  }

  private tooBusy(field: string): Exhausted {
    return new Exhausted(
      `table ${show(this.table)}: others have added to field ${show(field)} of one record all the time; nothing has changed`,
      { table: this.table, field },
    )
  }
}

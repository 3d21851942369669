/**
 * A record that a dead worker has taken out of a table, and that others may hold: see table/holds.ts.
 *
 * If nobody holds it, and nobody ever will, the reaper frees it. If somebody may, the reaper writes it down as
 * held by the dead worker. Then it is like everything else that this worker held: another worker that
 * has the table open lets go of it, and frees it if it is the last to do so.
 *
 * The lock is that for places which change hands: the dead worker's may be emptied at this moment. The
 * word of the dead worker's hands is cleared before anybody else could free the record. Otherwise, if
 * the reaper died in between, the next one would take another record in its place for the dead one's.
 */

import {
  ENDED,
  freedBy,
  HELD,
  HeldWords,
  HolderWords,
  holdersAt,
  holderWords,
  isFreed,
  SPARE_HOLDS,
  UNSURE,
} from '../memory/holdWords.ts'
import { NODE_WORDS, TableWords } from '../memory/layout.ts'
import type { Space } from '../space/space.ts'

/** The token of a slot that no arena has: its worker counts as gone. */
const NOBODY = 1022

/**
 * If others may hold the record that the word at `owedAt` names, leaves it to them, and clears the word.
 * `slot` is that of the dead worker, which has unlinked the record.
 */
export function leaveToHolders(space: Space, table: number, slot: number, owedAt: number): void {
  const { locks, memory } = space
  const item = memory.load(owedAt)
  const most = memory.peek(table + TableWords.holds)
  if (most === 0 || item === 0) return
  const at = item + memory.peek(table + TableWords.recordWords) + NODE_WORDS + HeldWords.held
  const before = memory.cas(at, 0, ENDED)
  if (before === 0 || before === ENDED || before === freedBy(slot)) return
  const [stripes, versions] = [TableWords.stripeBits, TableWords.versionBits]
  const first = holdersAt(table, memory.peek(table + stripes), memory.peek(table + versions))
  const holder = first + slot * holderWords(most)
  const lock = table + TableWords.holdLock
  locks.acquire(lock, 'holds of a table')
  try {
    const places = Array.from(
      { length: most + SPARE_HOLDS },
      (_, i) => holder + HolderWords.items + i,
    )
    const placeOf = (value: number): number | undefined =>
      places.find((place) => memory.load(place) === value)
    if (isFreed(before)) memory.store(owedAt, 0)
    else if (before === HELD) {
      const place = placeOf(item | UNSURE) ?? placeOf(0)
      if (place !== undefined) {
        if (memory.load(holder + HolderWords.owner) === 0) {
          memory.store(holder + HolderWords.owner, NOBODY)
        }
        memory.store(place, item)
      }
      memory.store(owedAt, 0)
      memory.or(at, ENDED)
    } else {
      // It had said so already. Its place is there as long as it had not let go.
      memory.store(owedAt, 0)
      const place = placeOf(item | UNSURE)
      if (place !== undefined) memory.store(place, item)
    }
  } finally {
    locks.unlock(lock)
  }
}

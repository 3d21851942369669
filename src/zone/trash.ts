/**
 * Trash: in checked arenas, memory that nobody may touch is filled, and verified before it is used.
 *
 * In a plain zone an item is filled when it is freed. In a zone with smr it must not be: readers
 * may still look at it. There it is filled when its bucket is reclaimed, after the poll and after
 * the destructor - from that line on a reader that still looks is in error, and sees TRASH. At
 * allocation the fill must be intact; if it is not, somebody wrote through a stale address.
 *
 * Zones whose items keep state while free (init hooks, noFree) are not filled: their owner asked
 * for memory that survives. (UMA: uma_dbg's trash_ctor and trash_dtor, in the same manner.)
 */

import { Corruption } from '../base/errors.ts'
import { ZoneWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Space } from '../space/space.ts'
import { keepsState } from './options.ts'

/** UMA's 0xdeadc0de, as the signed word it is. */
export const TRASH: number = 0xdeadc0de | 0

/** Whether free items of the zone are filled. */
export function isTrashing(space: Space, zone: number): boolean {
  const { checks, memory } = space
  const noFree = memory.peek(zone + ZoneWords.noFree) !== 0
  return checks && !noFree && !keepsState(memory.peek(zone + ZoneWords.hooks))
}

export function fillTrash(memory: Memory, item: number, words: number): void {
  memory.fill(item, words, TRASH)
}

/** Corruption, with the words, when the item was written to while it was free. */
export function verifyTrash(
  call: string,
  zone: string,
  memory: Memory,
  item: number,
  words: number,
): void {
  for (let i = 0; i < words; i++) {
    const word = memory.peek(item + i)
    if (word === TRASH) continue
    throw new Corruption(
      `${call}: zone "${zone}": item ${item} was written to after it was freed: word ${i} is ${hex(word)}, not ${hex(TRASH)}`,
      { zone, item, offset: i, word },
    )
  }
}

function hex(word: number): string {
  return `0x${(word >>> 0).toString(16).padStart(8, '0')}`
}

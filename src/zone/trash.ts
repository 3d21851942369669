/**
 * Trash: in checked arenas, free items are filled, and the fill is verified before they are used.
 *
 * In a plain zone an item is filled when it is freed. In a zone with smr readers may still see it
 * then: it is filled when its bucket is reclaimed, after the poll and the destructor. A reader that
 * still reads it is wrong, and sees TRASH. If the fill is not intact at allocation, something wrote
 * through a stale address.
 *
 * Zones whose items keep state while free (init hooks, noFree) are not filled. (UMA: trash_ctor and
 * trash_dtor of uma_dbg.)
 */

import { Corruption } from '../base/errors.ts'
import { ZoneWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Space } from '../space/space.ts'
import { keepsState } from './options.ts'

/** UMA's 0xdeadc0de, as a signed word. */
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

/** Corruption when the item was written to while it was free. */
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

/**
 * Publishing what the write hand shows: the one deed behind every kind of section.
 *
 * [R1] Load the write hand, store what it showed, load it again.
 *      If a poller's look at our word [S2] comes after the store, it sees us and refuses every later
 *      goal. If it comes before, so did its load of the write hand, and our second load returns its
 *      goal or a later one: all that was unlinked for it happens before our reads.
 *      Otherwise (no second load) our plain reads are ordered with nothing, and may find a record
 *      that a poller has declared unreachable. (FreeBSD PR 265974 was this.)
 *
 * The fenced enter in sections.ts is this function in one verb, `enterSection` of memory/compound.ts,
 * for speed. There it may be WebAssembly: its atomics are as strong as ours and in one order with
 * them, and the second load is in the same call, so the argument is the same word for word.
 */

import { NEAR } from '../memory/compound.ts'
import type { Memory } from '../memory/memory.ts'
import type { Seq } from '../seq.ts'

/**
 * Publishes in the word `at` what the write hand shows, and returns it.
 *
 * [I] A worker may nap before its store for so long that what it publishes is too old to compare
 *     with: then once more. The hand only moves forward, so the distance is measured all the way
 *     round (unsigned): by its sign a nap of more than half a circle would look like a step back, and
 *     a scan would take what we published for a sequence still to come, which holds nothing back.
 */
export function publish(memory: Memory, wrAt: number, at: number): Seq {
  for (let wr = memory.load(wrAt); ; ) {
    memory.store(at, wr)
    const again = memory.load(wrAt)
    if ((again - wr) >>> 0 <= NEAR) return wr as Seq
    wr = again
  }
}

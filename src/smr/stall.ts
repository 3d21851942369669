/**
 * Who holds the read hand back, and since when.
 *
 * A section does not say when it began: that would make every enter dearer. But a poll that fails
 * has just met the section it fails for, and notes its sequence and the time in that reader's words,
 * if it is not noted already. The note stays true: as long as the reader shows the same sequence and
 * the write hand is past it, it is the same section, since one that began later would have observed
 * a later sequence. So `since` is the first time that the section was in anybody's way.
 */

import { DomainWords, ReaderWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Workers } from '../memory/workers.ts'
import { INVALID, lt, type Seq } from '../seq.ts'
import type { WorkerId } from '../words.ts'
import type { Readers } from './poll.ts'

/** A section that keeps memory from being reclaimed. */
export interface Stall {
  readonly workerId: WorkerId
  /** What the section observed when it began. */
  readonly seq: number
  /** Milliseconds since it was first found in the way. */
  readonly forMs: number
  /** What waits in the zones of the domain: items freed but not reclaimed, and their bytes. */
  readonly items: number
  readonly bytes: number
}

/** Readers that have been noted for at least `olderThanMs`, longest first. */
export function stalledReaders(
  memory: Memory,
  readers: Readers,
  domain: number,
  workers: Workers,
  olderThanMs: number,
  pending: { readonly items: number; readonly bytes: number },
): Stall[] {
  const wr = memory.load(domain + DomainWords.wr) as Seq
  const stalls: Stall[] = []
  for (const slot of workers.attached()) {
    const reader = readers.address(slot)
    const seq = memory.load(reader + ReaderWords.seq) as Seq
    if (seq === INVALID || !lt(seq, wr)) continue
    noteHolder(memory, reader)
    const forMs = (clockWord(memory) - memory.load(reader + ReaderWords.heldSince)) | 0
    if (forMs >= olderThanMs)
      stalls.push({ workerId: workers.idOf(slot) as WorkerId, seq, forMs, ...pending })
  }
  return stalls.sort((a, b) => b.forMs - a.forMs)
}

/** Notes that the section of this reader was found in the way. */
export function noteHolder(memory: Memory, reader: number): void {
  const seq = memory.load(reader + ReaderWords.seq)
  if (seq === INVALID || memory.load(reader + ReaderWords.heldSeq) === seq) return
  // The time first: whoever sees the new sequence sees no older time with it.
  memory.store(reader + ReaderWords.heldSince, clockWord(memory))
  memory.store(reader + ReaderWords.heldSeq, seq)
}

/** Milliseconds on a circle of 2^32: 49 days. */
function clockWord(memory: Memory): number {
  return Math.floor(memory.now()) | 0
}

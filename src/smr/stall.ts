/**
 * Which sections hold the read hand back, and since when.
 *
 * A section does not note when it began: that would make every enter slower. But a poll that fails
 * has just found the section it fails for, and notes that section's sequence and the time in the
 * reader's words, if they do not say so already. The note stays true: as long as the reader shows
 * the same sequence and the write hand is past it, it is the same section (or turn, or async
 * section), since a later one would have observed a later sequence. So `since` is the first time
 * that a poll failed for it.
 */

import type { WorkerId } from '../base/brands.ts'
import { INVALID, lt, type Seq } from '../base/seq.ts'
import {
  DepotWords,
  DomainWords,
  KegWords,
  LABEL_WORDS,
  Named,
  ReaderWords,
  ZoneWords,
  zoneParts,
} from '../memory/layout.ts'
import { BYTES_PER_WORD, type Memory } from '../memory/memory.ts'
import { packText, unpackText } from '../memory/utf8.ts'
import type { Space } from '../space/space.ts'
import type { Readers } from './poll.ts'

/** A section that keeps memory from being reclaimed. */
export interface Stall {
  /** The worker whose section it is. */
  readonly workerId: WorkerId
  /** Whether it is a synchronous section (or the turn of one), or an async one. */
  readonly kind: 'section' | 'async'
  /** The label that an async section was given, '' for none. At most 40 bytes of UTF-8. */
  readonly label: string
  /** What the section observed when it began. */
  readonly seq: number
  /** Milliseconds since it was first found to hold memory back. */
  readonly forMs: number
  /** What waits in the zones of the domain: items freed but not reclaimed, and their bytes. */
  readonly items: number
  /** Bytes of these items. */
  readonly bytes: number
}

/** The two words in which a reader publishes, and where the stalls of each are noted. */
const WATCHED = [
  {
    kind: 'section',
    seq: ReaderWords.seq,
    heldSeq: ReaderWords.heldSeq,
    heldSince: ReaderWords.heldSince,
  },
  {
    kind: 'async',
    seq: ReaderWords.asyncSeq,
    heldSeq: ReaderWords.asyncHeldSeq,
    heldSince: ReaderWords.asyncHeldSince,
  },
] as const

/** Readers that have been noted for at least `olderThanMs`, longest first. */
export function stalledReaders(
  space: Space,
  readers: Readers,
  domain: number,
  olderThanMs: number,
): Stall[] {
  const { memory, workers } = space
  const wr = memory.load(domain + DomainWords.wr) as Seq
  const pending = pendingIn(space, domain)
  const stalls: Stall[] = []
  for (const slot of workers.attached()) {
    const reader = readers.address(slot)
    noteHolder(memory, reader, wr)
    for (const { kind, seq: at, heldSeq, heldSince } of WATCHED) {
      const seq = memory.load(reader + at)
      if (seq === INVALID || memory.load(reader + heldSeq) !== seq || !lt(seq as Seq, wr)) continue
      const forMs = (clockWord(memory) - memory.load(reader + heldSince)) | 0
      if (forMs < olderThanMs) continue
      const label = kind === 'async' ? labelOf(memory, reader, seq) : ''
      const workerId = workers.idOf(slot) as WorkerId
      stalls.push({ workerId, kind, label, seq, forMs, ...pending })
    }
  }
  return stalls.sort((a, b) => b.forMs - a.forMs)
}

/** What is freed but not reclaimed in all zones of a domain. For print: it may be a moment old. */
function pendingIn(
  { directory, maxWorkers, memory }: Space,
  domain: number,
): Pick<Stall, 'items' | 'bytes'> {
  let items = 0
  let bytes = 0
  for (const { kind, address } of directory.list()) {
    if (kind !== Named.zone || memory.peek(address + ZoneWords.domain) !== domain) continue
    const { depot, keg } = zoneParts(address, maxWorkers)
    const pending = memory.peekRacy(depot + DepotWords.pendingItems)
    items += pending
    bytes += pending * memory.peek(keg + KegWords.stride) * BYTES_PER_WORD
  }
  return { items, bytes }
}

/** Notes the sections of this reader that are behind the write hand, and hold memory back. */
export function noteHolder(memory: Memory, reader: number, wr: Seq): void {
  for (const { seq: at, heldSeq, heldSince } of WATCHED) {
    const seq = memory.load(reader + at)
    if (seq === INVALID || !lt(seq as Seq, wr) || memory.load(reader + heldSeq) === seq) continue
    // The time first: then a reader of the new sequence sees no older time with it. In the other
    // order it could report a stall as old as the one noted before: wrong in print, no more.
    memory.store(reader + heldSince, clockWord(memory))
    memory.store(reader + heldSeq, seq)
  }
}

/**
 * Writes the label of the async section that the worker has published. [L] Two sections of a
 * worker may have one sequence, so the sequence does not tell their labels apart: each label has a
 * number too, kept above its length. A reader loads the number, the sequence, the text and the
 * number again. Two cases: the second number equals the first, then nothing of the next label was
 * written before, and the text was complete when the sequence was stored; or it differs, then the
 * reader may have two labels mixed, and drops them. Otherwise (only the sequence before and after)
 * it would return the mixture.
 */
export function writeLabel(memory: Memory, reader: number, seq: Seq, label: string): void {
  const before = memory.load(reader + ReaderWords.labelBytes)
  memory.store(reader + ReaderWords.labelSeq, INVALID)
  const { bytes, packed } = packText(label, LABEL_WORDS)
  const number = ((before >>> LENGTH_BITS) + 1) << LENGTH_BITS
  memory.store(reader + ReaderWords.labelBytes, number | bytes)
  packed.forEach((word, i) => {
    memory.store(reader + ReaderWords.label + i, word)
  })
  memory.store(reader + ReaderWords.labelSeq, seq)
}

/** The label of that section; '' while it is being written. */
export function labelOf(memory: Memory, reader: number, seq: number): string {
  const word = memory.load(reader + ReaderWords.labelBytes)
  if (memory.load(reader + ReaderWords.labelSeq) !== seq) return ''
  const label = unpackText(word & LENGTH_MASK, (i) => memory.load(reader + ReaderWords.label + i))
  return memory.load(reader + ReaderWords.labelBytes) === word ? label : '' // [L]
}

/** A label has at most 40 bytes. */
const LENGTH_BITS = 6
const LENGTH_MASK = 2 ** LENGTH_BITS - 1

/** Milliseconds on a circle of 2^32: 49 days. */
function clockWord(memory: Memory): number {
  return Math.floor(memory.now()) | 0
}

/** Ends the sections of a dead worker: only here does another worker write to its words. */

import { INVALID } from '../base/seq.ts'
import { DomainWords, ReaderWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Space } from '../space/space.ts'

/** Something that changes whenever the worker of `slot` does anything in the domain. */
export function readerPulse(space: Space, domain: number, slot: number): number {
  const { memory } = space
  const reader = readerOf(domain, slot)
  return (
    memory.load(reader + ReaderWords.seq) +
    memory.load(reader + ReaderWords.asyncSeq) +
    memory.load(reader + ReaderWords.completed) +
    memory.tallied(reader + ReaderWords.polls) +
    memory.tallied(reader + ReaderWords.advances)
  )
}

/** Clears the sections of `slot` in the domain. True if one was open. Its worker is dead. */
export function clearReader(space: Space, domain: number, slot: number): boolean {
  const { memory } = space
  const reader = readerOf(domain, slot)
  const open = memory.swap(reader + ReaderWords.seq, INVALID) !== INVALID
  const openAsync = memory.swap(reader + ReaderWords.asyncSeq, INVALID) !== INVALID
  // A section of the next worker in the slot may have the same sequence, and no label.
  memory.store(reader + ReaderWords.labelSeq, INVALID)
  return open || openAsync
}

/**
 * Counts as completed what a worker that is gone had queued and not run: its functions died with
 * it, and no barrier may wait for them. Returns how many are lost. May be done twice.
 */
export function dropCalls(memory: Memory, reader: number): number {
  const queued = memory.load(reader + ReaderWords.queued)
  return (queued - memory.swap(reader + ReaderWords.completed, queued)) | 0
}

/** `dropCalls` for a dead worker. */
export function dropCallsOf(space: Space, domain: number, slot: number): number {
  return dropCalls(space.memory, readerOf(domain, slot))
}

function readerOf(domain: number, slot: number): number {
  return domain + DomainWords.WORDS + slot * ReaderWords.WORDS
}

/** A dead worker's sections end here: the one time that another worker writes its word. */

import { DomainWords, ReaderWords } from '../memory/layout.ts'
import type { Space } from '../memory/space.ts'

/** Something that changes whenever the worker of `slot` does anything in the domain. */
export function readerPulse(space: Space, domain: number, slot: number): number {
  const reader = domain + DomainWords.WORDS + slot * ReaderWords.WORDS
  return (
    space.memory.load(reader + ReaderWords.seq) +
    space.memory.tallied(reader + ReaderWords.polls) +
    space.memory.tallied(reader + ReaderWords.advances)
  )
}

/** Clears the section of `slot` in the domain. True if one was open. Its worker is dead. */
export function clearReader(space: Space, domain: number, slot: number): boolean {
  const reader = domain + DomainWords.WORDS + slot * ReaderWords.WORDS
  return space.memory.swap(reader + ReaderWords.seq, 0) !== 0
}

/**
 * How a domain comes into being, is opened by name, and ends.
 *
 * A domain is one run of pages: the hands, the frozen choices, and two cache lines for each
 * possible worker. It is found through the directory like a zone; it never comes from one, so SMR
 * does not stand on the allocator that stands on SMR (FreeBSD's two have that knot).
 */

import { Exhausted, Misuse, show } from '../errors.ts'
import { DomainWords, Named, ReaderWords, RunKind } from '../memory/layout.ts'
import type { Space } from '../memory/space.ts'
import { Smr } from './domain.ts'
import { CLOCKS, SECTIONS, type SmrOptions, smrShape } from './options.ts'

const CALL = 'arena.smr'

/** Opens the domain, or creates it. Misuse when it exists with other options. */
export function openSmr(space: Space, name: string, options: SmrOptions): Smr {
  const shape = smrShape(CALL, options)
  const found = space.directory.open(CALL, Named.domain, name, (serial) => {
    const { memory, pages, maxWorkers, sequence } = space
    const words = DomainWords.WORDS + maxWorkers * ReaderWords.WORDS
    const at = pages.reserve(words)
    if (at === 0) return 0
    memory.fill(at, words, 0)
    memory.poke(at + DomainWords.serial, serial)
    memory.poke(at + DomainWords.first, sequence.first)
    memory.poke(at + DomainWords.step, sequence.step)
    memory.poke(at + DomainWords.clock, shape.clock)
    memory.poke(at + DomainWords.sections, shape.sections)
    memory.store(at + DomainWords.wr, sequence.first)
    memory.store(at + DomainWords.rd, sequence.first)
    pages.publish(at, RunKind.domain)
    return at
  })
  if (found === undefined) {
    throw new Exhausted(`${CALL}: no memory for domain ${show(name)}`, { domain: name })
  }
  const { memory } = space
  const clock = memory.peek(found.address + DomainWords.clock)
  const sections = memory.peek(found.address + DomainWords.sections)
  if (options.clock !== undefined && clock !== shape.clock) {
    throw differs(name, 'clock', CLOCKS[clock], options.clock)
  }
  if (options.sections !== undefined && sections !== shape.sections) {
    throw differs(name, 'sections', SECTIONS[sections], options.sections)
  }
  return new Smr(space, name, found.address, found.serial)
}

function differs(name: string, what: string, actual: unknown, given: unknown): Misuse {
  return new Misuse(
    `${CALL}: domain ${show(name)} exists with ${what} ${show(actual)}, opened with ${show(given)}`,
    { domain: name, actual: show(actual), given: show(given) },
  )
}

/**
 * How a domain comes into being, is opened by name, and ends.
 *
 * A domain is one run of pages: the hands, the frozen choices, and two cache lines for each
 * possible worker. It is found through the directory like a zone; it never comes from one, so SMR
 * does not stand on the allocator that stands on SMR (FreeBSD's two have that knot).
 */

import { Exhausted, Misuse, onlyOptions, show } from '../base/errors.ts'
import { DomainWords, Named, ReaderWords, RunKind } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Space } from '../space/space.ts'
import { CheckedSmr, Smr } from './domain.ts'
import { type ClockName, SAY, type SmrOptions, type SmrShape, smrShape } from './options.ts'
import { tickOf } from './pace.ts'

const CALL = 'arena.smr'

/** The frozen words in which a shape is kept. */
const WORDS: { readonly [K in keyof SmrShape]: number } = {
  clock: DomainWords.clock,
  limit: DomainWords.limit,
  tickMs: DomainWords.tickMs,
  sections: DomainWords.sections,
  sleepable: DomainWords.sleepable,
}
const KEYS = Object.keys(WORDS) as (keyof SmrShape)[]

/** Opens the domain, or creates it. Misuse when it exists with other options. */
export function openSmr(space: Space, name: string, options: SmrOptions): Smr {
  const { directory, memory } = space
  onlyOptions(CALL, options, KEYS)
  // What nobody may ask for is refused before anything is made.
  const known = directory.find(CALL, Named.domain, name)
  const shape = known === undefined ? smrShape(CALL, options) : undefined
  const found = directory.open(
    CALL,
    Named.domain,
    name,
    (serial) => build(space, serial, shape ?? smrShape(CALL, options)),
    ({ address }) => assertSame(memory, address, name, options),
  )
  if (found === undefined) {
    throw new Exhausted(`${CALL}: no memory for domain ${show(name)}`, { domain: name })
  }
  const Kind = space.checks ? CheckedSmr : Smr
  return new Kind(space, name, found.address, found.serial)
}

/** Words of a domain's run. */
export function domainWords({ maxWorkers }: Space): number {
  return DomainWords.WORDS + maxWorkers * ReaderWords.WORDS
}

function build(space: Space, serial: number, shape: SmrShape): number {
  const { memory, pages, sequence } = space
  const words = domainWords(space)
  const at = pages.reserve(words)
  if (at === 0) return 0
  memory.fill(at, words, 0)
  memory.poke(at + DomainWords.serial, serial)
  memory.poke(at + DomainWords.first, sequence.first)
  memory.poke(at + DomainWords.step, sequence.step)
  for (const key of KEYS) memory.poke(at + WORDS[key], shape[key])
  if (shape.tickMs > 0) memory.store(at + DomainWords.tick, tickOf(memory, shape.tickMs))
  memory.store(at + DomainWords.wr, sequence.first)
  memory.store(at + DomainWords.rd, sequence.first)
  pages.publish(at, RunKind.domain)
  return at
}

/** Only what was asked for has to agree; what follows from it (sections, say) may be left out. */
function assertSame(memory: Memory, at: number, name: string, options: SmrOptions): void {
  const actual = (key: keyof SmrShape): number => memory.peek(at + WORDS[key])
  const clock = SAY.clock(actual('clock')) as ClockName
  const asked = smrShape(CALL, { clock, ...options })
  for (const key of KEYS) {
    if (options[key] === undefined || actual(key) === asked[key]) continue
    throw new Misuse(
      `${CALL}: domain ${show(name)} exists with ${key} ${show(SAY[key](actual(key)))}, opened with ${show(options[key])}`,
      { domain: name, actual: show(SAY[key](actual(key))), given: show(options[key]) },
    )
  }
}

/**
 * How a domain is created and opened by name.
 *
 * A domain is one run of pages: the hands, its frozen options, and a few cache lines for each
 * possible worker. It is found through the directory like a zone, but is not allocated from one:
 * so SMR does not depend on the allocator that depends on SMR (FreeBSD's two depend on each
 * other).
 */

import { Exhausted, Misuse, onlyOptions, show } from '../base/errors.ts'
import { DomainWords, Named, ReaderWords, RunKind } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Space } from '../space/space.ts'
import { CheckedSmr, Smr } from './domain.ts'
import { type ClockName, PRINTED, type SmrOptions, type SmrShape, smrShape } from './options.ts'
import { tickOf } from './pace.ts'

const CALL = 'arena.smr'

/** The frozen words that hold the options. */
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
  // Wrong options are refused before anything is made.
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

/** Size of a domain in words. */
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

/** Options that were given must agree; those that are left out may be anything. */
function assertSame(memory: Memory, at: number, name: string, options: SmrOptions): void {
  const actual = (key: keyof SmrShape): number => memory.peek(at + WORDS[key])
  const clock = PRINTED.clock(actual('clock')) as ClockName
  const asked = smrShape(CALL, { clock, ...options })
  for (const key of KEYS) {
    if (options[key] === undefined || actual(key) === asked[key]) continue
    throw new Misuse(
      `${CALL}: domain ${show(name)} exists with ${key} ${show(PRINTED[key](actual(key)))}, opened with ${show(options[key])}`,
      { domain: name, actual: show(PRINTED[key](actual(key))), given: show(options[key]) },
    )
  }
}

/**
 * A domain comes into being whole, once, where the arena's sequence says; every opener gets the same
 * one, and one that insists on something else is told.
 */

import { describe, expect, it } from 'vitest'
import { DomainWords, Named, ReaderWords, RunKind } from '#src/memory/layout.ts'
import { openSmr } from '#src/smr/open.ts'
import { pair } from '../../helpers/company.ts'
import { Hands } from '../../helpers/hands.ts'
import { misuse, unchanged, wild } from '../../helpers/refusals.ts'
import { CONFIGS } from '../../helpers/tiny.ts'

describe.each(CONFIGS)('$name', (config) => {
  const { first, step } = config.sequence

  it('both hands start at the first sequence, and nobody is inside', () => {
    const [a, b] = pair({}, config)
    // A run that has been used before: whatever lies there must not become a section.
    const words = DomainWords.WORDS + 4 * ReaderWords.WORDS
    const dirty = a.space.pages.reserve(words)
    a.memory.fill(dirty, words, -1)
    a.space.pages.release(dirty)

    const smr = a.smr('d')
    const hands = new Hands(smr)
    expect(smr.address).toBe(dirty)
    expect([hands.wr, hands.rd, hands.step]).toEqual([first, first, step])
    expect([0, 1, 2, 3].map((slot) => hands.seq(slot))).toEqual([0, 0, 0, 0])
    expect(b.smr('d').stats()).toEqual({
      ...b.smr('d').stats(),
      name: 'd',
      wr: first,
      rd: first,
      lag: 0,
      advances: 0,
      advanceWaits: 0,
      polls: 0,
      pollScans: 0,
      pollFails: 0,
    })
  })

  it('the second opener finds it as it is, and does not start the clock again', () => {
    const [a, b] = pair({}, config)
    const smr = a.smr('d')
    const goal = smr.advance()
    const theirs = b.smr('d')
    expect([theirs.address, theirs.serial, theirs.name]).toEqual([smr.address, smr.serial, 'd'])
    expect(theirs.stats().wr).toBe(goal)
    expect(theirs.poll(goal)).toBe(true)
  })
})

it('is one run of pages, that knows what it is and whose serial it has', () => {
  const [a] = pair()
  const smr = a.smr('d')
  const { pages, directory, memory } = a.space
  expect(pages.runs()).toEqual([
    { base: smr.address, order: 0, state: 'used', who: RunKind.domain },
  ])
  expect(memory.peek(smr.address + DomainWords.serial)).toBe(smr.serial)
  expect(directory.find('x', Named.domain, 'd')?.address).toBe(smr.address)
})

it('many workers make a larger run, and the last of them has its words inside', () => {
  const [a] = pair({ bytes: 2 ** 20, maxWorkers: 256, sequence: { first: 1, step: 2 } })
  const smr = a.smr('d')
  const last = new Hands(smr).seqAt(255) + ReaderWords.WORDS
  expect(last).toBeLessThanOrEqual(smr.address + a.space.pages.wordsAt(smr.address))
})

it('an opener that insists on another clock or section is told which it is', () => {
  const [a, b] = pair()
  const { address } = a.smr('d', { clock: 'default', sections: 'fenced' })
  expect(openSmr(b.space, 'd', {}).address).toBe(address)
  // As another build with more clocks would have made it.
  a.memory.poke(address + DomainWords.clock, 1)
  const error = unchanged(a, () => misuse(() => openSmr(b.space, 'd', { clock: 'default' })))
  expect(error.message).toMatch(
    /^arena\.smr: domain "d" exists with clock .*, opened with "default"$/,
  )
  a.memory.poke(address + DomainWords.clock, 0)
  a.memory.poke(address + DomainWords.sections, 1)
  expect(misuse(() => openSmr(b.space, 'd', { sections: 'fenced' })).message).toMatch(
    /domain "d" exists with sections .*, opened with "fenced"/,
  )
})

it('a bad option makes no domain', () => {
  const [a] = pair()
  unchanged(a, () => misuse(() => a.smr('d', wild({ clock: 'cuckoo' }))))
  expect(a.stats().domains).toEqual([])
})

/**
 * A domain comes into being whole, once, where the arena's sequence says; every opener gets the same
 * one, and one that insists on something else is told.
 */

import { describe, expect, it } from 'vitest'
import type { Arena } from '#src/index.ts'
import { DomainWords, Named, ReaderWords, RunKind } from '#src/memory/layout.ts'
import { openSmr } from '#src/smr/open.ts'
import type { SmrOptions } from '#src/smr/options.ts'
import { tickOf } from '#src/smr/pace.ts'
import { COMBOS, LIMIT, SLEEPABLE, TICK_MS } from '../../helpers/combos.ts'
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

describe('the choices of a domain', () => {
  const wordsOf = (arena: Arena, address: number): number[] =>
    (['clock', 'limit', 'tickMs', 'sections', 'sleepable'] as const).map((word) =>
      arena.memory.peek(address + DomainWords[word]),
    )

  it.each([...COMBOS, ...SLEEPABLE])('are frozen when it is made: $name', (combo) => {
    const [a, b] = pair()
    const { address } = a.smr('d', combo.options)
    const { clock, sections, options } = combo
    expect(wordsOf(a, address)).toEqual([
      ['default', 'deferred', 'lazy'].indexOf(clock),
      clock === 'deferred' ? LIMIT : 0,
      clock === 'lazy' ? TICK_MS : 0,
      ['fenced', 'turn'].indexOf(sections),
      options.sleepable ? 1 : 0,
    ])
    // Whoever opens it may say all of it, any part of it, or nothing.
    expect(b.smr('d', options).address).toBe(address)
    for (const [key, value] of Object.entries(options)) {
      expect(openSmr(b.space, 'd', { [key]: value }).address).toBe(address)
    }
    expect(openSmr(b.space, 'd', {}).address).toBe(address)
  })

  it('a lazy clock starts in the present tick: the time before it was made does not count', () => {
    const [a] = pair()
    const before = tickOf(a.memory, 1000)
    const { address } = a.smr('d', { clock: 'lazy', tickMs: 1000 })
    const tick = a.memory.load(address + DomainWords.tick)
    expect([before, tickOf(a.memory, 1000)]).toContain(tick)
    expect(a.memory.load(a.smr('e').address + DomainWords.tick)).toBe(0)
  })

  const lazy: SmrOptions = { clock: 'lazy', tickMs: 5 }
  it.each<[SmrOptions, object, RegExp]>([
    [lazy, { clock: 'default' }, /exists with clock "lazy", opened with "default"/],
    [lazy, { tickMs: 6 }, /exists with tickMs 5, opened with 6/],
    [lazy, { sections: 'fenced' }, /exists with sections "turn", opened with "fenced"/],
    [lazy, { sleepable: true }, /exists with sleepable false, opened with true/],
    [lazy, { limit: 8 }, /limit is for clock "deferred"; this one is "lazy"/],
    [{ clock: 'deferred' }, { limit: 9 }, /exists with limit 8, opened with 9/],
    [{ clock: 'deferred' }, { tickMs: 1 }, /tickMs is for clock "lazy"; this one is "deferred"/],
    [{ sleepable: true }, { sleepable: false }, /exists with sleepable true, opened with false/],
    [{}, { limit: 8 }, /limit is for clock "deferred"; this one is "default"/],
    [{}, { sections: 'turn' }, /exists with sections "fenced", opened with "turn"/],
  ])('made with %j, it is not opened with %j', (made, asked, message) => {
    const [a, b] = pair()
    a.smr('d', made)
    expect(unchanged(a, () => misuse(() => b.smr('d', wild(asked)))).message).toMatch(message)
    expect(b.smr('d').address).toBe(a.smr('d').address)
  })
})

/**
 * Choices of a domain become words, and words choices again; a choice that does not exist is told.
 */

import { expect, it } from 'vitest'
import { CLOCKS, SECTIONS, smrShape } from '#src/smr/options.ts'
import { misuse, wild } from '../../helpers/refusals.ts'

it('what is left out is the default: the first clock and the first kind of section', () => {
  expect(smrShape('x', {})).toMatchObject({ clock: 0, sections: 0 })
  expect([CLOCKS[0], SECTIONS[0]]).toEqual(['default', 'fenced'])
})

it('every name is written by its position', () => {
  CLOCKS.forEach((clock, i) => {
    expect(smrShape('x', { clock }).clock).toBe(i)
  })
  SECTIONS.forEach((sections, i) => {
    expect(smrShape('x', { sections }).sections).toBe(i)
  })
})

it.each([
  [{ clock: 'cuckoo' }, 'arena.smr: clock is "cuckoo"; known are default'],
  [{ clock: 0 }, 'arena.smr: clock is 0; known are default'],
  [{ clock: null }, 'arena.smr: clock is null; known are default'],
  [{ sections: 'open' }, 'arena.smr: sections is "open"; known are fenced'],
  [{ section: 'fenced' }, 'arena.smr: unknown option "section"; known are clock'],
  [null, 'arena.smr: options are null; give an object'],
])('%j is refused', (options, message) => {
  const error = misuse(() => smrShape('arena.smr', wild(options)))
  expect(error.message.startsWith(message), error.message).toBe(true)
})

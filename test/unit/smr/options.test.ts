/**
 * Choices of a domain become words, and words choices again; a choice that does not exist is told.
 */

import { describe, expect, it } from 'vitest'
import { CLOCKS, PRINTED, SECTIONS, type SmrOptions, smrShape } from '#src/smr/options.ts'
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

describe('knobs', () => {
  it('have defaults, in the clock that they belong to', () => {
    const shapes = CLOCKS.map((clock) => smrShape('x', { clock }))
    expect(shapes.map(({ limit, tickMs }) => [limit, tickMs])).toEqual([
      [0, 0],
      [8, 0],
      [0, 1],
    ])
  })

  it('sections are fenced unless the clock is lazy, and sleepable is off', () => {
    const sections = CLOCKS.map((clock) => SECTIONS[smrShape('x', { clock }).sections])
    expect(sections).toEqual(['fenced', 'fenced', 'turn'])
    for (const clock of CLOCKS) {
      for (const each of SECTIONS) {
        const shape = smrShape('x', { clock, sections: each, sleepable: true })
        expect([SECTIONS[shape.sections], shape.sleepable]).toEqual([each, 1])
      }
      expect(smrShape('x', { clock }).sleepable).toBe(0)
    }
  })

  it.each<[SmrOptions, Partial<Record<'limit' | 'tickMs', number>>]>([
    [{ clock: 'deferred', limit: 1 }, { limit: 1 }],
    [{ clock: 'deferred', limit: 2 ** 20 }, { limit: 2 ** 20 }],
    [{ clock: 'lazy', tickMs: 1 }, { tickMs: 1 }],
    [{ clock: 'lazy', tickMs: 60_000 }, { tickMs: 60_000 }],
  ])('%j is taken as it is', (options, words) => {
    expect(smrShape('x', options)).toMatchObject(words)
  })

  it.each([
    [{ clock: 'deferred', limit: 0 }, /^arena\.smr: limit is 0/],
    [{ clock: 'deferred', limit: 2 ** 20 + 1 }, /^arena\.smr: limit is 1048577/],
    [{ clock: 'deferred', limit: 1.5 }, /^arena\.smr: limit is 1\.5/],
    [{ clock: 'deferred', limit: '8' }, /^arena\.smr: limit is "8"/],
    [{ clock: 'deferred', limit: null }, /^arena\.smr: limit is null/],
    [{ clock: 'lazy', tickMs: 0 }, /^arena\.smr: tickMs is 0/],
    [{ clock: 'lazy', tickMs: 60_001 }, /^arena\.smr: tickMs is 60001/],
    [{ clock: 'lazy', tickMs: 0.5 }, /^arena\.smr: tickMs is 0\.5/],
    [{ clock: 'lazy', tickMs: Infinity }, /^arena\.smr: tickMs is Infinity/],
    [{ sleepable: 1 }, /^arena\.smr: sleepable is 1; give true or false$/],
    [{ sleepable: null }, /^arena\.smr: sleepable is null/],
    [{ sections: null }, /^arena\.smr: sections is null; known are fenced, turn$/],
    [{ clock: 'cuckoo' }, /^arena\.smr: clock is "cuckoo"; known are default/],
    [{ clock: 0 }, /^arena\.smr: clock is 0; known are default/],
    [{ clock: null }, /^arena\.smr: clock is null; known are default/],
    [{ sections: 'open' }, /^arena\.smr: sections is "open"; known are fenced/],
    [{ section: 'fenced' }, /^arena\.smr: unknown option "section"; known are clock/],
    [null, /^arena\.smr: options are null; give an object/],
    // A knob of another clock means nothing here.
    [{ limit: 8 }, /^arena\.smr: limit is for clock "deferred"; this one is "default"$/],
    [{ clock: 'default', tickMs: 1 }, /^arena\.smr: tickMs is for clock "lazy"; .* "default"$/],
    [{ clock: 'lazy', limit: 8 }, /^arena\.smr: limit is for clock "deferred"; .* "lazy"$/],
    [{ clock: 'deferred', tickMs: 1 }, /^arena\.smr: tickMs is for clock "lazy"; .* "deferred"$/],
  ])('%j is refused', (options, message) => {
    expect(misuse(() => smrShape('arena.smr', wild(options))).message).toMatch(message)
  })

  it('are said in errors as they were asked for', () => {
    expect(PRINTED.clock(1)).toBe('deferred')
    expect(PRINTED.sections(1)).toBe('turn')
    expect([
      PRINTED.sleepable(0),
      PRINTED.sleepable(1),
      PRINTED.limit(8),
      PRINTED.tickMs(3),
    ]).toEqual([false, true, 8, 3])
  })
})

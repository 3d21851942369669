/**
 * How offsets come about: in order of declaration, each line at a cache line, tallies on even words.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LINE_WORDS } from '#src/memory/memory.ts'
import { frozen, line, locked, owned, roundUp, shared, struct, tally } from '#src/memory/struct.ts'

describe('struct', () => {
  it('numbers the words of a line in order, and starts each line at a cache line', () => {
    const S = struct(
      's',
      line({ a: shared('a'), b: owned('b', 3), c: frozen('c') }),
      line({ d: locked('d') }),
    )
    expect({ ...S, PLACES: undefined }).toEqual({
      a: 0,
      b: 1,
      c: 4,
      d: LINE_WORDS,
      NAME: 's',
      WORDS: 2 * LINE_WORDS,
      PLACES: undefined,
    })
  })

  it('puts a tally on an even word and gives it two', () => {
    const S = struct('s', line({ a: shared('a'), t: tally('t'), u: tally('u', 2), b: shared('b') }))
    expect([S.a, S.t, S.u, S.b]).toEqual([0, 2, 4, 8])
  })

  it('lets a long field run over several lines, and the next line starts after it', () => {
    const S = struct('s', line({ a: shared('a', 40) }), line({ b: shared('b') }))
    expect([S.a, S.b, S.WORDS]).toEqual([0, 48, 64])
  })

  it('an empty line takes no room, a full one no more than it is', () => {
    expect(struct('s', line({ a: shared('a', LINE_WORDS) })).WORDS).toBe(LINE_WORDS)
    expect(struct('s', line({})).WORDS).toBe(0)
  })

  it('keeps kind, size and phrase of each field, and cannot be changed', () => {
    const S = struct('s', line({ a: shared('why it is there'), t: tally('how often') }))
    expect(S.PLACES).toEqual([
      { name: 'a', at: 0, kind: 'shared', words: 1, about: 'why it is there' },
      { name: 't', at: 2, kind: 'tally', words: 2, about: 'how often' },
    ])
    expect(Object.isFrozen(S)).toBe(true)
  })

  it('never lets two fields overlap or a tally stand odd, whatever is declared', () => {
    const field = fc.record({
      kind: fc.constantFrom(shared, owned, locked, frozen, tally),
      count: fc.integer({ min: 1, max: 20 }),
    })
    const lines = fc.array(fc.array(field, { maxLength: 8 }), { maxLength: 5 })
    fc.assert(
      fc.property(lines, (all) => {
        const declared = all.map((fields, i) =>
          line(Object.fromEntries(fields.map((f, j) => [`f${i}_${j}`, f.kind('x', f.count)]))),
        )
        const S = struct('s', ...declared)
        let end = 0
        for (const place of S.PLACES) {
          expect(place.at).toBeGreaterThanOrEqual(end)
          if (place.kind === 'tally') expect(place.at % 2).toBe(0)
          end = place.at + place.words
        }
        expect(S.WORDS % LINE_WORDS).toBe(0)
        expect(S.WORDS).toBeGreaterThanOrEqual(end)
        expect(S.WORDS - end).toBeLessThan(LINE_WORDS)
      }),
    )
  })
})

it('roundUp gives the next multiple, and leaves a multiple alone', () => {
  expect([0, 1, 15, 16, 17].map((n) => roundUp(n, 16))).toEqual([0, 16, 16, 16, 32])
  expect(roundUp(2 ** 31 + 1, 1024)).toBe(2 ** 31 + 1024)
})

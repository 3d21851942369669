/**
 * The circle: differences are right across both places where 32 bits break, the sign bit and zero,
 * and no amount of stepping ever yields "not in a section".
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { delta, forward, INVALID, leq, lt, MAX_DELTA, type Seq } from '#src/base/seq.ts'

const HALF = 2 ** 31

/** Anywhere on the circle, and half of the time near one of its two seams. */
const int32 = fc.oneof(
  fc.integer(),
  fc.integer({ min: -8, max: 8 }),
  fc.integer({ min: -8, max: 8 }).map((n) => (HALF + n) | 0),
)
const point = int32.map((n) => n as Seq)
const odd = int32.map((n) => (n | 1) as Seq)
const seq = (n: number): Seq => n as Seq

describe('delta', () => {
  it('undoes forward, wherever the two stand', () => {
    fc.assert(
      fc.property(point, int32, (a, steps) => {
        expect(delta(forward(a, steps), a)).toBe(steps)
      }),
    )
  })

  it('has the opposite sign the other way round', () => {
    fc.assert(
      fc.property(point, point, (a, b) => {
        fc.pre(((a - b) | 0) !== -HALF)
        expect(delta(a, b) + delta(b, a)).toBe(0)
      }),
    )
  })

  it('is small across the seams, where plain subtraction is huge', () => {
    expect(delta(seq(-HALF + 1), seq(HALF - 1))).toBe(2)
    expect(delta(seq(HALF - 1), seq(-HALF + 1))).toBe(-2)
    expect(delta(seq(1), seq(-1))).toBe(2)
    expect(delta(seq(-1), seq(1))).toBe(-2)
  })
})

describe('lt and leq', () => {
  it('say "earlier" for everything less than half a circle ahead, and for nothing else', () => {
    fc.assert(
      fc.property(point, fc.integer({ min: 1, max: HALF - 1 }), (a, steps) => {
        const later = forward(a, steps)
        expect([lt(a, later), leq(a, later)]).toEqual([true, true])
        expect([lt(later, a), leq(later, a)]).toEqual([false, false])
      }),
    )
  })

  it('differ exactly where the two are equal', () => {
    fc.assert(
      fc.property(point, (a) => {
        expect([lt(a, a), leq(a, a)]).toEqual([false, true])
      }),
    )
  })

  it('are an order among all points within two quarters of the circle', () => {
    const quarter = fc.integer({ min: 1, max: MAX_DELTA - 1 })
    fc.assert(
      fc.property(point, quarter, quarter, (a, one, two) => {
        const b = forward(a, one)
        const c = forward(b, two)
        expect([lt(a, b), lt(b, c), lt(a, c)]).toEqual([true, true, true])
      }),
    )
  })

  it('do not compare as numbers do', () => {
    expect(lt(seq(HALF - 1), seq(-HALF + 1))).toBe(true)
    expect(lt(seq(-1), seq(1))).toBe(true)
    expect(lt(seq(1), seq(-1))).toBe(false)
  })
})

describe('forward', () => {
  it('keeps an odd sequence an odd 32-bit integer, so never INVALID', () => {
    const even = fc.integer({ min: 1, max: 2 ** 29 }).map((n) => n * 2)
    fc.assert(
      fc.property(odd, even, (first, step) => {
        let at = first
        for (let i = 0; i < 40; i++) {
          at = forward(at, step)
          expect(at | 0).toBe(at)
          expect(at & 1).toBe(1)
          expect(at).not.toBe(INVALID)
        }
      }),
    )
  })

  it('comes around to where it started', () => {
    let at = seq(-100_001)
    for (let i = 0; i < 64; i++) at = forward(at, 2 ** 26)
    expect(at).toBe(-100_001)
  })
})

it('the hands stay a quarter of the circle apart: half of it is left for writers and sleeps', () => {
  expect(MAX_DELTA).toBe(2 ** 32 / 4)
  expect(INVALID).toBe(0)
})

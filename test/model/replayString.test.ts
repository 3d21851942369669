/**
 * Replay strings: what is encoded is decoded again, stays short, and is refused when it is foreign.
 *
 * A replay string is only worth something if it means the same schedule tomorrow, so the round trip
 * is a property over all rules, deaths, faults and choices. That the schedule then fails in the same way is
 * tested with each bug that is found: see `prove`, and the grace period in litmus.test.ts.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decode, encode } from './replayString.ts'
import { complete, faultsOf, killsOf } from './rules.ts'

const NAMES = ['reader', 'writer', 'reaper']

describe('replay strings', () => {
  it('survive the round trip', () => {
    const choice = fc.oneof(fc.integer({ min: 0, max: 14 }), fc.integer({ min: -8, max: -1 }))
    const flags = fc.record({
      delayed: fc.boolean(),
      stale: fc.boolean(),
      plainSteps: fc.boolean(),
      races: fc.boolean(),
      blocking: fc.boolean(),
      hostile: fc.boolean(),
      impatience: fc.nat(3),
    })
    const kills = fc.array(fc.record({ thread: fc.nat(2), afterStep: fc.nat(300) }), {
      maxLength: 2,
    })
    const fault = {
      thread: fc.nat(2),
      afterCalls: fc.nat(300),
      kind: fc.constantFrom('throw' as const, 'cut' as const),
      calls: fc.integer({ min: 1, max: 9 }),
    }
    const faults = fc.array(fc.record(fault), { maxLength: 2 })
    fc.assert(
      fc.property(flags, kills, faults, fc.array(choice), (rules, deaths, throws, choices) => {
        const decoded = decode(encode(complete(rules), deaths, throws, choices), NAMES)
        expect(decoded.choices).toEqual(choices)
        expect(complete(decoded.rules)).toMatchObject(rules)
        expect(killsOf(decoded.rules)).toEqual(
          deaths.map(({ thread, afterStep }) => ({ thread: NAMES[thread], afterStep })),
        )
        expect(faultsOf(decoded.rules).map((each) => ({ calls: 1, ...each }))).toEqual(
          throws.map((each) => ({ ...each, thread: NAMES[each.thread] })),
        )
      }),
    )
  })

  it('count repeated letters', () => {
    const fault = { thread: 0, afterCalls: 20, kind: 'throw', calls: 3 } as const
    expect(
      encode(complete({ delayed: true }), [{ thread: 1, afterStep: 7 }], [fault], [0, 0, 0, 1, -2]),
    ).toBe('late/kill-b7/throw-a20x3/a3bB')
  })

  it('refuse a thread that is not there', () => {
    expect(() => decode('kill-d1/a', NAMES)).toThrow('no thread d')
  })
})

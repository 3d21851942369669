/**
 * The shapes of the literature that litmus.ts does not have, each with all outcomes that it may have.
 * (Alglave, Maranget, Tautschnig, "Herding cats"; the sets are those of JavaScript's axioms, in which
 * atomics are sequentially consistent and a plain read that races finds any write not hidden from it.)
 *
 * An outcome is what the threads have read, in their order, then what X and Y hold in the end where
 * that matters. A checker may be wrong in both directions, so the sets are compared as a whole.
 */

import type { Memory } from '#src/memory/memory.ts'
import { litmus } from './litmus.ts'
import type { Rules } from './rules.ts'
import type { Scenario } from './scenario.ts'

const X = 1
const Y = 2
const Z = 3
const DONE = 4

type Body = (memory: Memory) => string

export interface Shape {
  readonly scenario: Scenario
  readonly allowed: readonly string[]
  readonly outcomeOf: (memory: Memory, results: readonly unknown[]) => string
}

/** Reads that a shape does: one or two digits. */
const read =
  (...words: number[]): Body =>
  (m) =>
    words.map((at) => m.load(at)).join('')
const writes =
  (...pairs: readonly (readonly [at: number, value: number])[]): Body =>
  (m) => {
    for (const [at, value] of pairs) m.store(at, value)
    return ''
  }
const then =
  (...bodies: Body[]): Body =>
  (m) =>
    bodies.map((body) => body(m)).join('')

function shape(
  name: string,
  bodies: readonly Body[],
  allowed: string,
  ends: readonly number[] = [],
  rules: Rules = {},
): Shape {
  const sorted = allowed.split(' ').sort()
  const outcomeOf = (memory: Memory, results: readonly unknown[]): string =>
    [...results, ...ends.map((at) => memory.load(at))].join('')
  const scenario = litmus(name, bodies, '', {
    rules,
    final(memory, results) {
      const outcome = outcomeOf(memory, results)
      if (!sorted.includes(outcome)) throw new Error(`outcome ${outcome}`)
    },
  })
  return { scenario, allowed: sorted, outcomeOf }
}

/** The last look races: it finds a word that is ordered by nothing but the chain of X. */
const afterChain = (link: (m: Memory) => void): Body[] => [
  (m) => {
    m.poke(Z, 1)
    m.store(X, 1)
    m.poke(DONE, 1)
    return ''
  },
  (m) => {
    if (m.peekRacy(DONE) === 1) link(m)
    return ''
  },
  (m) => (m.load(X) === 2 ? `${m.peekRacy(Z)}` : '-'),
]
const RACING: Rules = { hostile: true, races: false }

export const SHAPES: readonly Shape[] = [
  shape('CoRR', [writes([X, 1]), read(X, X)], '00 01 11'),
  shape(
    'CoRR, racing reads',
    [writes([X, 1]), (m) => `${m.peekRacy(X)}${m.peekRacy(X)}`],
    '00 01 10 11',
    [],
    RACING,
  ),
  shape(
    'WRC',
    [writes([X, 1]), then(read(X), writes([Y, 1])), read(Y, X)],
    '000 001 010 011 100 101 111',
  ),
  shape('2+2W', [writes([X, 1], [Y, 2]), writes([Y, 1], [X, 2])], '12 21 22', [X, Y]),
  shape('R', [writes([X, 1], [Y, 1]), then(writes([Y, 2]), read(X))], '01 11 12', [Y]),
  shape('S', [writes([X, 2], [Y, 1]), then(read(Y), writes([X, 1]))], '01 02 11', [X]),
  shape(
    'ISA2',
    [writes([X, 1], [Y, 1]), then(read(Y), writes([Z, 1])), read(Z, X)],
    '000 001 010 011 100 101 111',
  ),
  shape(
    'a chain of updates, a racing look behind it',
    afterChain((m) => m.cas(X, 1, 2)),
    '- 1',
    [],
    RACING,
  ),
  shape(
    'a chain cut by a store, a racing look behind it',
    afterChain((m) => m.store(X, 2)),
    '- 0 1',
    [],
    RACING,
  ),
  shape(
    'a chain cut by a plain store, a racing look behind it',
    afterChain((m) => m.poke(X, 2)),
    '- 0 1',
    [],
    RACING,
  ),
]

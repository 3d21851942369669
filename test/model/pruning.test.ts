/**
 * Is pruning sound, and is the search complete? On random tiny programs, three ways of finding all
 * outcomes must agree: the explorer with pruning, the explorer without, and a recursive interpreter
 * of forty lines that knows nothing of logs, tokens or fingerprints.
 *
 * Programs with plain accesses are then checked for races: the verdict must be the same with and
 * without pruning, which it would not be if states were merged that differ in who has seen whom.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Memory } from '#src/memory/memory.ts'
import { explore } from './explorer.ts'
import type { Rules } from './rules.ts'
import type { Scenario } from './scenario.ts'

const WORDS = 3
const RUNS = { numRuns: 150 }

type Verb = 'load' | 'store' | 'add' | 'cas' | 'swap' | 'peek' | 'poke' | 'branch'
interface Line {
  readonly verb: Verb
  readonly at: number
  readonly value: number
}
type Program = readonly (readonly Line[])[]

/** One line on any memory with these verbs; what it returns is part of the outcome. */
function perform(m: Pick<Memory, 'load' | 'store' | 'add' | 'cas' | 'swap'>, line: Line): number {
  const { verb, at, value } = line
  switch (verb) {
    case 'load':
    case 'peek':
      return m.load(at)
    case 'add':
      return m.add(at, value)
    case 'cas':
      return m.cas(at, 0, value)
    case 'swap':
      return m.swap(at, value)
    default:
      m.store(at, value)
      return -1
  }
}

function body(lines: readonly Line[]) {
  return (memory: Memory): string => {
    const answers: number[] = []
    for (const line of lines) {
      const { verb, at, value } = line
      if (verb === 'peek') answers.push(memory.peek(at))
      else if (verb === 'poke') memory.poke(at, value)
      // Which verb comes next depends on what was read.
      else if (verb === 'branch') answers.push(memory.load(at) === 0 ? memory.add(0, 1) : 7)
      else answers.push(perform(memory, line))
    }
    return answers.join()
  }
}

function scenarioOf(program: Program, outcomes: Set<string>): Scenario {
  return {
    name: 'random program',
    words: WORDS,
    setup: () => undefined,
    threads: program.map((lines, i) => ({ name: `t${i}`, body: body(lines) })),
    final(memory, results) {
      outcomes.add(`${results.join(' | ')} : ${[0, 1, 2].map((at) => memory.load(at)).join()}`)
    },
  }
}

function search(program: Program, rules: Rules) {
  const outcomes = new Set<string>()
  const found = explore(scenarioOf(program, outcomes), rules)
  return { found, outcomes: [...outcomes].sort() }
}

/** All outcomes, by trying every next line of every thread on a copy of everything. */
function interpret(program: Program): string[] {
  const outcomes = new Set<string>()
  const go = (words: number[], places: number[], answers: string[][]): void => {
    let over = true
    for (const [t, lines] of program.entries()) {
      const line = lines[places[t] as number]
      if (line === undefined) continue
      over = false
      const after = [...words]
      const answer = perform(machine(after), line)
      go(
        after,
        places.map((place, i) => (i === t ? place + 1 : place)),
        answers.map((each, i) => (i === t ? [...each, String(answer)] : each)),
      )
    }
    if (over) outcomes.add(`${answers.map((each) => each.join()).join(' | ')} : ${words.join()}`)
  }
  go(
    Array.from({ length: WORDS }, () => 0),
    program.map(() => 0),
    program.map(() => []),
  )
  return [...outcomes].sort()
}

function machine(words: number[]) {
  const replace = (at: number, change: (old: number) => number): number => {
    const old = words[at] as number
    words[at] = change(old)
    return old
  }
  return {
    load: (at: number) => replace(at, (old) => old),
    store: (at: number, value: number) => {
      replace(at, () => value)
    },
    add: (at: number, value: number) => replace(at, (old) => old + value),
    cas: (at: number, expected: number, value: number) =>
      replace(at, (old) => (old === expected ? value : old)),
    swap: (at: number, value: number) => replace(at, () => value),
  }
}

const programs = (verbs: readonly Verb[], threads: number, lines: number) =>
  fc.array(
    fc.array(
      fc.record({
        verb: fc.constantFrom(...verbs),
        at: fc.nat(WORDS - 1),
        value: fc.integer({ min: 0, max: 2 }),
      }),
      { minLength: 1, maxLength: lines },
    ),
    { minLength: threads, maxLength: threads },
  )

const ATOMIC: readonly Verb[] = ['load', 'store', 'add', 'cas', 'swap']
const ALL: readonly Verb[] = [...ATOMIC, 'peek', 'poke', 'branch']

describe('pruning', () => {
  it('finds every outcome that an interpreter finds, and no other', () => {
    fc.assert(
      fc.property(programs(ATOMIC, 2, 4), (program) => {
        const expected = interpret(program)
        expect(search(program, { prune: true }).outcomes).toEqual(expected)
        expect(search(program, { prune: false }).outcomes).toEqual(expected)
      }),
      RUNS,
    )
  })

  it('does so with three threads', () => {
    fc.assert(
      fc.property(programs(ATOMIC, 3, 2), (program) => {
        expect(search(program, { prune: true }).outcomes).toEqual(interpret(program))
      }),
      RUNS,
    )
  })

  it('keeps the outcomes within a preemption bound', () => {
    fc.assert(
      fc.property(programs(ATOMIC, 3, 3), fc.nat(3), (program, bound) => {
        const brute = search(program, { prune: false, bound })
        const pruned = search(program, { prune: true, bound })
        expect(pruned.outcomes).toEqual(brute.outcomes)
        expect(pruned.found.schedules).toBeLessThanOrEqual(brute.found.schedules)
      }),
      RUNS,
    )
  })

  it('finds the races that are there', () => {
    fc.assert(
      fc.property(programs(ALL, 3, 3), (program) => {
        const brute = search(program, { prune: false })
        const pruned = search(program, { prune: true })
        expect(pruned.found.failure === undefined).toBe(brute.found.failure === undefined)
        if (brute.found.failure === undefined) expect(pruned.outcomes).toEqual(brute.outcomes)
      }),
      RUNS,
    )
  })

  it('finds the same outcomes of delayed stores and stale reads', () => {
    fc.assert(
      fc.property(programs(ALL, 2, 3), (program) => {
        const rules: Rules = { delayed: true, races: false }
        expect(search(program, rules).outcomes).toEqual(
          search(program, { ...rules, prune: false }).outcomes,
        )
      }),
      RUNS,
    )
  })

  it('makes plain accesses that do not race commute', () => {
    fc.assert(
      fc.property(programs(ALL, 2, 3), (program) => {
        const quiet = search(program, {})
        const noisy = search(program, { plainSteps: true })
        expect(quiet.found.failure === undefined).toBe(noisy.found.failure === undefined)
        if (quiet.found.failure === undefined) expect(quiet.outcomes).toEqual(noisy.outcomes)
      }),
      RUNS,
    )
  })

  // Two stores of the same value: which of them was last, and from which of them somebody has read,
  // is seen in no word and no answer. Racy peeks, which order nothing, make sure that both are done.

  const X = 0
  const Z = 1
  const DONE = 2
  const SEEN = 3
  const OVER = 4
  const bare = (m: Memory): void => m.store(X, 1)
  const loaded = (m: Memory): void => {
    m.poke(Z, 1)
    m.store(X, 1)
    m.poke(DONE, 1)
  }
  const crafted = (bodies: readonly ((m: Memory) => unknown)[]): Scenario => ({
    name: 'crafted',
    words: 8,
    setup: () => undefined,
    threads: bodies.map((each, i) => ({ name: `t${i}`, body: each })),
  })

  it('does not take one writer for another', () => {
    const program = crafted([
      bare,
      loaded,
      (m) => (m.peekRacy(DONE) === 1 && m.load(X) === 1 ? m.peek(Z) : 0),
    ])
    expect(explore(program, { prune: false }).failure?.message).toContain('race')
    expect(explore(program).failure?.message).toContain('race')
  })

  it('does not forget which writer was read from', () => {
    const program = crafted([
      bare,
      loaded,
      (m) => {
        if (m.peekRacy(DONE) !== 1 || m.load(X) !== 1) return 0
        m.poke(SEEN, 1)
        m.load(X)
        return m.peekRacy(OVER) === 1 ? m.peek(Z) : 0
      },
      (m) => {
        if (m.peekRacy(SEEN) !== 1) return
        m.store(X, 2)
        m.poke(OVER, 1)
      },
    ])
    expect(explore(program, { prune: false }).failure?.message).toContain('race')
    expect(explore(program).failure?.message).toContain('race')
  })
})

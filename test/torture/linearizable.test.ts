/**
 * Linearizability of the hash table under real threads: thousands of short histories, each of which
 * must be explained by one order of its calls on a plain Map. What the members do is in
 * linearizable.worker.ts. Then answers are falsified, and the checker must refuse them.
 */

import { Arena } from 'uma-smr'
import { expect, it } from 'vitest'
import { checkTable } from '#src/table/stats.ts'
import { assertLinearizable, linearize, type Operation } from '../model/linearizable.ts'
import { tableSpec } from '../model/tableSpec.ts'
import type { Task } from './linearizable.worker.ts'
import { CALLS, CALLS_EACH, createTable, KEYS, MEMBERS, NOTE_WORDS } from './rounds.ts'
import { expectNoViolations, honestRuns, type Run, tell, torture } from './torture.ts'

const MOST_ROUNDS = 200_000
const MOST_SECONDS = 3
const FEWEST_ROUNDS = 200
const EMPTY = tableSpec([])

function firstRun(): Run {
  const [run] = honestRuns(() => MEMBERS)
  if (run === undefined) throw new Error('no run')
  return { ...run, name: `${MEMBERS} threads`, threads: MEMBERS }
}

/** Histories by round. */
function histories(all: readonly (readonly number[])[]): Operation[][] {
  const rounds: Operation[][] = []
  for (const [thread, notes] of all.entries()) {
    for (let at = 0; at < notes.length; at += NOTE_WORDS) {
      const [round, ...note] = notes.slice(at, at + NOTE_WORDS) as [number, ...number[]]
      rounds[round] ??= []
      rounds[round].push(operation(thread, note))
    }
  }
  return rounds
}

function operation(thread: number, note: readonly number[]): Operation {
  const [code, key, version, answer, start, end] = note as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const call = CALLS[code] as (typeof CALLS)[number]
  const args = [key, version]
  return { thread, call, args, result: meaning(call, answer), start, end }
}

const VERSIONS: readonly string[] = ['get', 'replace', 'update', 'getOrInsert']

function meaning(call: (typeof CALLS)[number], answer: number): unknown {
  if (VERSIONS.includes(call)) return answer
  return call === 'set' ? undefined : answer === 1
}

/** Calls of different members that were under way at the same time. */
function overlaps(history: readonly Operation[]): boolean {
  return history.some((one) =>
    history.some(
      (other) => one.thread < other.thread && one.start < other.end && other.start < one.end,
    ),
  )
}

const run = firstRun()

it('answers as a Map would', { timeout: run.testMs }, async () => {
  const arena = Arena.create({ bytes: 2 ** 22, maxWorkers: 8 })
  const table = createTable(arena, () => {})
  const task: Task = { handle: arena.handle, mostRounds: MOST_ROUNDS }
  const members = Array.from({ length: MEMBERS }, () => ({ role: 'caller', task }))
  const seconds = Math.min(run.seconds, MOST_SECONDS)
  const outcome = await torture('linearizable', { ...run, seconds }, members)
  const rounds = histories(outcome.reports.map((each) => each.extra as number[]))
  const concurrent = rounds.filter(overlaps)
  tell('linearizable', run, outcome, { concurrent: concurrent.length })
  expectNoViolations(outcome)
  expect(rounds.length).toBeGreaterThan(FEWEST_ROUNDS)
  expect(concurrent.length).toBeGreaterThan(rounds.length / 10)
  for (const history of rounds) {
    expect(history).toHaveLength(MEMBERS * CALLS_EACH)
    assertLinearizable(history, EMPTY)
  }
  expect(refused(rounds)).toBeGreaterThan(0)
  checkTable(table)
  table.zone.check()
  expect(table.zone.audit(table.items())).toEqual({ leaked: [] })
  expect(table.size).toBeLessThanOrEqual(KEYS)
  arena.detach()
})

/** How many histories nothing explains any more when one lookup is said to have found nothing. */
function refused(rounds: readonly (readonly Operation[])[]): number {
  return rounds.filter((history) => {
    const found = history.find((each) => each.call === 'get' && each.result !== 0)
    if (found === undefined) return false
    const falsified = history.map((each) => (each === found ? { ...each, result: 0 } : each))
    return linearize(falsified, EMPTY) === undefined
  }).length
}

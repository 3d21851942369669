/**
 * Runs entries of the catalog and says in one row each what was explored and what came of it.
 *
 * The verdict is about the expectation: 'holds' and 'caught' are good, everything in capitals is
 * not. A caught bug has also been replayed from its string.
 */

import type { Entry } from './catalog.ts'
import { type Exploration, explore, type Failure, replay } from './explorer.ts'
import { killAtEveryStep, killBothAtEveryStep } from './kill.ts'
import { complete, type FullRules, type Rules } from './rules.ts'
import { describeThrows, throwAtEveryStep } from './throws.ts'

export interface Row {
  readonly name: string
  readonly threads: number
  readonly bound: string
  readonly search: string
  readonly schedules: number
  readonly steps: number
  readonly ms: number
  readonly verdict: string
  readonly good: boolean
  readonly failure: Failure | undefined
}

/** Runs one entry; `more` overrides its rules. */
export function runEntry(entry: Entry, more: Rules = {}, stride = 1): Row {
  const { scenario } = entry
  const rules = complete({ ...scenario.rules, ...entry.rules, ...more })
  const found = search(entry, rules, stride)
  const { failure, schedules, steps, ms } = found
  const expectsFailure = scenario.expect === 'fails'
  const searched = found.exhaustive || failure !== undefined || rules.sample !== undefined
  const replays =
    failure === undefined ||
    replay(scenario, failure.replay, rules).failure?.message === failure.message
  const good = expectsFailure === (failure !== undefined) && searched && replays
  return {
    name: nameOf(entry, rules),
    threads: scenario.threads.length,
    bound: rules.bound === Number.POSITIVE_INFINITY ? 'none' : String(rules.bound),
    search: rules.sample === undefined ? 'exhaustive' : 'sampled',
    schedules,
    steps,
    ms,
    verdict: verdictOf(failure !== undefined, expectsFailure, searched, replays, schedules),
    good,
    failure,
  }
}

function search(
  { scenario, first, victim, thrower, throws }: Entry,
  rules: FullRules,
  stride: number,
): Pick<Exploration, 'exhaustive' | 'failure' | 'schedules' | 'steps' | 'ms'> {
  if (thrower !== undefined) {
    return throwAtEveryStep(scenario, thrower, throws ?? { kind: 'throw' }, rules)
  }
  if (victim === undefined) return explore(scenario, rules)
  if (first === undefined) return killAtEveryStep(scenario, victim, rules, stride)
  return killBothAtEveryStep(scenario, first, victim, rules, stride)
}

function verdictOf(
  failed: boolean,
  expectsFailure: boolean,
  searched: boolean,
  replays: boolean,
  schedules: number,
): string {
  if (!replays) return 'FAILS, AND DOES NOT REPLAY'
  if (failed) return expectsFailure ? `caught after ${schedules}` : 'FAILS'
  if (expectsFailure) return 'NOT CAUGHT'
  return searched ? 'holds' : 'NOT FINISHED'
}

function nameOf({ scenario, first, victim, throws }: Entry, rules: FullRules): string {
  const notes: string[] = []
  if (first !== undefined) notes.push(`${first} and ${victim} killed at every step`)
  else if (victim !== undefined) notes.push(`${victim} killed at every step`)
  if (throws !== undefined) notes.push(describeThrows(throws))
  if (rules.delayed) notes.push('late stores')
  if (rules.impatience > 0) notes.push('time-outs')
  if (rules.hostile) notes.push('hostile racy peeks')
  if (rules.stale) notes.push('stale racy peeks')
  return [scenario.name, ...notes].join(', ')
}

export function formatTable(rows: readonly Row[]): string {
  return [HEADER, ...rows.map(formatRow)].join('\n')
}

export const HEADER: string = [
  '| scenario | threads | bound | search | schedules | steps | verdict |',
  '|---|---|---|---|---|---|---|',
].join('\n')

export function formatRow(row: Row): string {
  const { name, threads, bound, search, schedules, steps, verdict } = row
  return `| ${name} | ${threads} | ${bound} | ${search} | ${schedules} | ${steps} | ${verdict} |`
}

const MS_PER_S = 1000

/** How much was explored in all, and how fast. */
export function formatSum(rows: readonly Row[]): string {
  const sum = (of: (row: Row) => number): number => rows.reduce((all, row) => all + of(row), 0)
  const steps = sum((row) => row.steps)
  const seconds = sum((row) => row.ms) / MS_PER_S
  const rate = Math.round(steps / seconds)
  return `${rows.length} explorations, ${sum((row) => row.schedules)} schedules, ${steps} steps in ${seconds.toFixed(1)} s (${rate} steps a second)`
}

/**
 * Runs a mutant through the scenario that must catch it, and its replay string once more.
 */

import { type Exploration, explore, type Failure, replay } from './explorer.ts'
import { killAtEveryStep } from './kill.ts'
import { breed } from './mutants.ts'
import type { Scenario } from './scenario.ts'
import type { Library } from './stage.ts'
import { throwAtEveryStep } from './throws.ts'
import type { Case, Trial } from './trial.ts'

export interface Verdict {
  readonly name: string
  readonly scenario: string
  readonly schedules: number
  readonly steps: number
  readonly ms: number
  /** Undefined: the mutant has survived. */
  readonly failure: Failure | undefined
  /** Whether the string led to the same failure again. */
  readonly replays: boolean
}

export async function runTrial(trial: Trial): Promise<Verdict> {
  return runCase(await breed(trial), trial)
}

/** The same for a library that is there already. */
export function runCase(lib: Library, trial: Case): Verdict {
  const scenario = trial.scenarios(lib).find((each) => each.name === trial.scenario)
  if (scenario === undefined) throw new Error(`no scenario is named "${trial.scenario}"`)
  const found = search(scenario as unknown as Scenario, trial)
  const { schedules, steps, ms, failure } = found
  const again = failure && replay(scenario as unknown as Scenario, failure.replay, trial.rules)
  return {
    name: trial.name,
    scenario: trial.scenario,
    schedules,
    steps,
    ms,
    failure,
    replays: again?.failure?.message === failure?.message,
  }
}

function search(
  scenario: Scenario,
  { thrower, victim, rules = {} }: Case,
): Pick<Exploration, 'schedules' | 'steps' | 'ms' | 'failure'> {
  if (thrower !== undefined) return throwAtEveryStep(scenario, thrower, { kind: 'throw' }, rules)
  return victim === undefined ? explore(scenario, rules) : killAtEveryStep(scenario, victim, rules)
}

/** The table of mutants in Markdown. */
export function formatVerdicts(verdicts: readonly Verdict[]): string {
  const lines = ['| line | caught by | schedules | as |', '|---|---|---|---|']
  for (const { name, scenario, schedules, failure } of verdicts) {
    lines.push(
      `| ${name} | ${scenario} | ${schedules} | ${failure === undefined ? 'SURVIVES' : short(failure.message)} |`,
    )
  }
  return lines.join('\n')
}

const SHORT = 90

function short(message: string): string {
  const line = message.split('\n')[0] ?? ''
  return line.length <= SHORT ? line : `${line.slice(0, SHORT)}...`
}

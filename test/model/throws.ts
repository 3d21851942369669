/**
 * An exception at every step that the thread survives: one exploration for each call in the thread's
 * attempts that may be the one which throws. See `Fault` in rules.ts.
 *
 * As with deaths, nobody counts the calls beforehand: the number rises until an exploration has met
 * no schedule in which the thread made that many.
 */

import { type Exploration, explore, prove } from './explorer.ts'
import { type Deaths, sum } from './kill.ts'
import { type Fault, faultsOf, type Rules } from './rules.ts'
import type { Scenario } from './scenario.ts'

/** How the exceptions come; `every`: only every n-th call, beginning with `from`. */
export interface Throws extends Pick<Fault, 'kind' | 'calls'> {
  readonly from?: number
  readonly every?: number
}

export function describeThrows({ kind, calls = 1, every = 1 }: Throws): string {
  const what = kind === 'cut' ? 'a cut' : calls === 1 ? 'a throw' : `${calls} throws in a row`
  return `${what} at every ${every === 1 ? '' : `${every}th `}call`
}

const MOST_CALLS = 100_000

/** Explores the scenario once per call of `thread` that may throw, up to the first failure. */
export function throwAtEveryStep<W>(
  scenario: Scenario<W>,
  thread: string,
  throws: Throws,
  rules: Rules = {},
): Deaths {
  return sweep(thread, throws, { ...scenario.rules, ...rules }, (each) => explore(scenario, each))
}

/** The same, and throws at the first failure. */
export function proveWithThrowAtEveryStep<W>(
  scenario: Scenario<W>,
  thread: string,
  throws: Throws,
  rules: Rules = {},
): Deaths {
  return sweep(thread, throws, { ...scenario.rules, ...rules }, (each) => prove(scenario, each))
}

function sweep(
  thread: string,
  { kind, calls = 1, from = 0, every = 1 }: Throws,
  rules: Rules,
  run: (rules: Rules) => Exploration,
): Deaths {
  const points: Exploration[] = []
  for (let afterCalls = from; afterCalls < MOST_CALLS; afterCalls += every) {
    const fault = [...faultsOf(rules), { thread, afterCalls, kind, calls }]
    const point = run({ ...rules, fault })
    if (point.killed === 0 && point.failure === undefined) break
    points.push(point)
    if (point.failure !== undefined) break
  }
  return sum(points)
}

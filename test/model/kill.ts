/**
 * Death at every step: the victim stops for ever after its k-th step, for each k there is.
 *
 * How many steps a victim takes depends on the schedule, so nobody counts them beforehand. k rises
 * from 0 (killed before it did anything) until an exploration has met no schedule in which the
 * victim lived long enough to be killed: then every step of every schedule has been its last one.
 *
 * Steps are atomic verbs, spins, falling asleep and waking up, and plain writes; a `fill` and a
 * copy of bytes have two, so that they may be found half done. A dead thread's delayed stores are
 * late, not lost.
 */

import { type Exploration, explore, prove } from './explorer.ts'
import { type Kill, killsOf, type Rules } from './rules.ts'
import type { Scenario } from './scenario.ts'

export interface Deaths {
  /** One exploration for each place of death, in their order. */
  readonly points: readonly Exploration[]
  readonly schedules: number
  readonly steps: number
  readonly ms: number
  /** Whether every exploration has covered all its schedules. */
  readonly exhaustive: boolean
  readonly failure: Exploration['failure']
}

const MOST_STEPS = 100_000

/**
 * Explores the scenario once per step of `victim`, or once for each `stride`-th; deaths in `rules.kill`
 * happen as well.
 */
export function killAtEveryStep<W>(
  scenario: Scenario<W>,
  victim: string,
  rules: Rules = {},
  stride = 1,
): Deaths {
  return sweep(victim, { ...scenario.rules, ...rules }, (each) => explore(scenario, each), stride)
}

/** The same, and throws at the first death that the scenario does not survive. */
export function proveAtEveryStep<W>(
  scenario: Scenario<W>,
  victim: string,
  rules: Rules = {},
): Deaths {
  return sweep(victim, { ...scenario.rules, ...rules }, (each) => prove(scenario, each))
}

/** `second` killed at each of its steps, for each `stride`-th step of `first` to be killed at. */
export function killBothAtEveryStep<W>(
  scenario: Scenario<W>,
  first: string,
  second: string,
  rules: Rules = {},
  stride = 1,
): Deaths {
  const all: Exploration[] = []
  for (let afterStep = 0; afterStep < MOST_STEPS; afterStep += stride) {
    const kill = [...killsOf({ ...scenario.rules, ...rules }), { thread: first, afterStep }]
    const { points, failure } = killAtEveryStep(scenario, second, { ...rules, kill })
    all.push(...points)
    if (points.length === 0 || failure !== undefined) break
  }
  return sum(all)
}

function sweep(
  victim: string,
  rules: Rules,
  run: (rules: Rules) => Exploration,
  stride = 1,
): Deaths {
  const others: readonly Kill[] = killsOf(rules)
  const points: Exploration[] = []
  for (let afterStep = 0; afterStep < MOST_STEPS; afterStep += stride) {
    const point = run({ ...rules, kill: [...others, { thread: victim, afterStep }] })
    if (point.killed === 0 && point.failure === undefined) break
    points.push(point)
    if (point.failure !== undefined) break
  }
  return sum(points)
}

export function sum(points: readonly Exploration[]): Deaths {
  return {
    points,
    schedules: points.reduce((sum, each) => sum + each.schedules, 0),
    steps: points.reduce((sum, each) => sum + each.steps, 0),
    ms: points.reduce((sum, each) => sum + each.ms, 0),
    exhaustive: points.every((each) => each.exhaustive),
    failure: points.at(-1)?.failure,
  }
}

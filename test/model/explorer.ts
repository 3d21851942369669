/**
 * The explorer: runs a scenario through its schedules until one fails or none is left.
 *
 *   explore   tells what it found
 *   prove     throws when that is not what the scenario expects
 *   replay    runs the one schedule that a string describes, and writes down its steps
 *
 * A failure carries its replay string. The string is printed with every message, accepted by
 * `replay` and by run.ts, and means the same schedule as long as the threads ask the same questions.
 */

import { Model } from './model.ts'
import { decode, isData } from './replayString.ts'
import { complete, type FullRules, type Rules } from './rules.ts'
import type { Scenario } from './scenario.ts'
import { DepthFirst, Random, Replay, type Strategy } from './schedule.ts'
import { answers, nameOf, writes } from './verbs.ts'

export interface Failure {
  readonly message: string
  /** Give it to `replay`. */
  readonly replay: string
  /** What the code under test threw, where it did. */
  readonly error?: unknown
}

export interface Exploration {
  readonly scenario: string
  readonly threads: number
  readonly rules: FullRules
  /** All schedules within the bound have been covered. Never true of a sample. */
  readonly exhaustive: boolean
  readonly schedules: number
  /** Verbs performed (not recalled) that others could notice, and plain writes. */
  readonly steps: number
  /** Schedules cut off at a state reached before. */
  readonly cut: number
  /** Schedules in which everybody who was to die has died, and every fault has struck. */
  readonly killed: number
  readonly ms: number
  readonly failure: Failure | undefined
}

const DEFAULT_SEED = 1
const DEFAULT_DEPTH = 4

export function explore<W>(scenario: Scenario<W>, rules: Rules = {}): Exploration {
  const full = complete({ ...scenario.rules, ...rules })
  const strategy = strategyFor(full, scenario.threads.length)
  const model = new Model(scenario, full, strategy)
  const { engine } = model
  const begun = performance.now()
  let schedules = 0
  let cut = 0
  let killed = 0
  let failure: Failure | undefined
  let over = false
  while (failure === undefined && schedules < full.maxSchedules) {
    over = !strategy.start()
    if (over) break
    model.runSchedule()
    schedules++
    if (engine.pruned) cut++
    if (model.hasHappened) killed++
    if (engine.failure !== undefined) {
      failure = { ...engine.failure, replay: model.replayString() }
    }
  }
  return {
    scenario: scenario.name,
    threads: scenario.threads.length,
    rules: full,
    exhaustive: over && full.sample === undefined,
    schedules,
    steps: engine.steps,
    cut,
    killed,
    ms: performance.now() - begun,
    failure,
  }
}

/** Explores, and throws unless the outcome is the one that the scenario expects. */
export function prove<W>(scenario: Scenario<W>, rules: Rules = {}): Exploration {
  const found = explore(scenario, rules)
  const { failure } = found
  if (scenario.expect === 'fails') {
    if (failure === undefined) {
      throw new Error(
        `${scenario.name}: the bug in it was not found in ${found.schedules} schedules`,
      )
    }
    const again = replay(scenario, failure.replay, rules)
    if (again.failure?.message !== failure.message) {
      throw new Error(
        `${scenario.name}: ${failure.replay} does not replay "${failure.message}" but ${again.failure?.message}`,
      )
    }
  } else if (failure !== undefined) {
    const { steps } = replay(scenario, failure.replay, rules)
    throw new Error(
      `${scenario.name}: ${failure.message}\nreplay: ${failure.replay}\n${steps.join('\n')}`,
      { cause: failure.error },
    )
  } else if (!found.exhaustive && found.rules.sample === undefined) {
    throw new Error(`${scenario.name}: not finished after ${found.schedules} schedules`)
  }
  return found
}

/** Runs one schedule again. `steps` tells it, a line a verb. */
export function replay<W>(
  scenario: Scenario<W>,
  text: string,
  rules: Rules = {},
): { readonly failure: Failure | undefined; readonly steps: readonly string[] } {
  const decoded = decode(
    text,
    scenario.threads.map((each) => each.name),
  )
  const { maxVerbs } = { ...scenario.rules, ...rules }
  const limits = maxVerbs === undefined ? {} : { maxVerbs }
  const full = complete({ ...decoded.rules, ...limits })
  const strategy = new Replay(decoded.choices, isData)
  const model = new Model(scenario, full, strategy)
  const { engine } = model
  const steps: string[] = []
  engine.watch = (t, verb, at, answer) => {
    const answered = answers(verb) ? ` -> ${answer}` : ''
    const left = writes(verb) ? `, holds ${engine.buffers.read(t.index, at)}` : ''
    const name = model.describe(at)
    const place = `${at}${name === undefined ? '' : ` (${name})`}`
    steps.push(`  ${t.name}: ${nameOf(verb)} ${place}${answered}${left}`)
  }
  strategy.start()
  model.runSchedule()
  const failure =
    engine.failure === undefined ? undefined : { ...engine.failure, replay: model.replayString() }
  return { failure, steps }
}

function strategyFor(rules: FullRules, threads: number): Strategy {
  const { sample } = rules
  if (sample === undefined) return new DepthFirst(rules.prune)
  const { schedules, seed = DEFAULT_SEED, depth = DEFAULT_DEPTH } = sample
  return new Random(threads, schedules, seed, depth)
}

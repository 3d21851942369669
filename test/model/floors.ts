/**
 * The scenarios of the floors memory, smr and zone, as the catalog runs them, and how much of each
 * is for the tests.
 *
 * `rules` are what `npm run model` takes time for. `quick` is a cut of it that keeps every scenario
 * and every place of death, and looks at fewer interleavings of each.
 */

import { arenaDeaths, REAPER, reaperDeaths } from './arenaDeaths.ts'
import {
  birthDeaths,
  birthScenarios,
  edgeScenarios,
  undoDeaths,
  undoScenarios,
} from './arenaScenarios.ts'
import { asyncDeaths, asyncScenarios } from './asyncScenarios.ts'
import { batchDeaths } from './batchDeaths.ts'
import { callDeaths, callScenarios } from './callScenarios.ts'
import type { Entry } from './catalog.ts'
import { clockScenarios } from './clockScenarios.ts'
import { accompaniedDeaths, deathScenarios } from './deathScenarios.ts'
import { VICTIM } from './deathStage.ts'
import { guardScenarios } from './guardScenarios.ts'
import { IN_BATCH, kegDeaths, twoKegDeaths } from './kegDeaths.ts'
import { memoryScenarios } from './memoryScenarios.ts'
import { paceScenarios } from './paceScenarios.ts'
import { reserveScenarios } from './reserveScenarios.ts'
import type { Rules } from './rules.ts'
import type { Scenario } from './scenario.ts'
import { smrScenarios } from './smrScenarios.ts'
import { shipped } from './stage.ts'
import { successorScenarios } from './successorScenarios.ts'
import { throwScenarios } from './throwScenarios.ts'
import type { Throws } from './throws.ts'
import { timeLimitScenarios } from './timeLimitScenarios.ts'
import { turnScenarios } from './turnScenarios.ts'
import { zoneMixtures, zoneScenarios } from './zoneScenarios.ts'

type More = Omit<Entry, 'scenario'>

function entries<W>(scenarios: readonly Scenario<W>[], more: More): Entry[] {
  return scenarios.map((scenario) => ({ scenario: scenario as unknown as Scenario, ...more }))
}

const sampled = (schedules: number, seed: number): Rules => ({
  sample: { schedules, seed, depth: 6 },
})

/** One entry for each of these rules; the tests take the first with this bound, and samples of others. */
function inManyWays<W>(
  scenarios: readonly Scenario<W>[],
  bound: number,
  ways: readonly Rules[],
): Entry[] {
  return ways.flatMap((rules, i) =>
    entries(scenarios, { rules, quick: i === 0 ? { bound } : sampled(FEW, i) }),
  )
}

const FEW = 50
/** Too many of these to be tried in every order and with every value. */
const MANY_LOOKS = /slabs come and go|trim against refill|knobs|a depot with a limit/
/** As in a browser's page, which spins where others sleep. */
const NEVER_BLOCKING: More = {
  rules: { bound: 1, blocking: false },
  quick: sampled(10, 1),
}
/** One call, as a stack overflow; three, so that those in a `finally` fail too; a time limit. */
const HOW: readonly Throws[] = [{ kind: 'throw' }, { kind: 'throw', calls: 3 }, { kind: 'cut' }]

const UNBOUND: Rules = { bound: Number.POSITIVE_INFINITY }
const SMALL_SCENES = ['section against unlink and reuse', 'two readers', 'a writer waits']

export const floors: Readonly<Record<string, readonly Entry[]>> = {
  'smr, every interleaving': entries(
    smrScenarios(shipped).filter(({ name }) => SMALL_SCENES.includes(name)),
    { rules: UNBOUND, quick: { bound: 2 } },
  ),
  smr: inManyWays(smrScenarios(shipped), 2, [
    { bound: 3 },
    { bound: 2, delayed: true },
    { bound: 2, hostile: true },
  ]),
  'the circle': entries(clockScenarios(shipped), { quick: { bound: 1 } }),
  'clocks and sections': inManyWays([...paceScenarios(shipped), ...guardScenarios(shipped)], 1, [
    { bound: 2 },
    { bound: 1, delayed: true },
  ]),
  turns: inManyWays(turnScenarios(shipped), 1, [
    { bound: 2, hostile: true },
    { bound: 1, hostile: true, delayed: true },
  ]),
  'async sections': inManyWays(asyncScenarios(shipped), 1, [
    { bound: 2 },
    { bound: 1, delayed: true },
  ]),
  callbacks: inManyWays(callScenarios(shipped), 1, [{ bound: 2 }, { bound: 1, delayed: true }]),
  memory: [
    ...inManyWays([...memoryScenarios(shipped), ...edgeScenarios(shipped)], 1, [
      { bound: 2 },
      { bound: 1, delayed: true },
      { bound: 1, hostile: true },
    ]),
    ...inManyWays(birthScenarios(shipped), 1, [{ bound: 2 }, { bound: 1, delayed: true }]),
    ...entries(undoScenarios(shipped), { quick: sampled(FEW, 1) }),
  ],
  'never blocking': [
    ...entries([...memoryScenarios(shipped), ...edgeScenarios(shipped)], NEVER_BLOCKING),
    ...entries(zoneScenarios(shipped), NEVER_BLOCKING),
    ...entries(smrScenarios(shipped), NEVER_BLOCKING),
  ],
  zone: [
    ...inManyWays(zoneScenarios(shipped), 1, [{ bound: 2 }, { bound: 1, delayed: true }]),
    ...entries(reserveScenarios(shipped), { quick: sampled(FEW, 1) }),
    ...zoneScenarios(shipped).flatMap((each, i) =>
      entries([each], {
        rules: { bound: 1, ...(MANY_LOOKS.test(each.name) ? sampled(2000, i) : {}), hostile: true },
        quick: sampled(20, i),
      }),
    ),
  ],
  'zone, mixtures': [
    ...entries(zoneMixtures(shipped), { rules: sampled(5000, 1), quick: sampled(100, 1) }),
    ...entries(zoneMixtures(shipped), {
      rules: { ...sampled(2000, 2), delayed: true },
      quick: { ...sampled(30, 2), delayed: true },
    }),
    ...entries(zoneMixtures(shipped), {
      rules: { ...sampled(2000, 3), hostile: true },
      quick: { ...sampled(30, 3), hostile: true },
    }),
  ],
  death: [
    ...entries(deathScenarios(shipped), { victim: VICTIM }),
    ...entries(batchDeaths(shipped), { victim: VICTIM }),
    ...entries(kegDeaths(shipped), { victim: VICTIM }),
    ...entries(arenaDeaths(shipped), { victim: VICTIM }),
    // Most steps of a maker are those of its neighbours in the list too: in the tests one in four.
    ...entries([...birthDeaths(shipped), ...undoDeaths(shipped)], { victim: VICTIM, stride: 4 }),
    ...entries([asyncDeaths(shipped).alone, callDeaths(shipped).alone], { victim: VICTIM }),
  ],
  'death beside a third': [
    ...entries(accompaniedDeaths(shipped), { victim: VICTIM, quick: sampled(2, 1) }),
    ...entries([asyncDeaths(shipped).beside, callDeaths(shipped).beside], {
      victim: VICTIM,
      quick: sampled(5, 1),
    }),
  ],
  'not in time': entries(timeLimitScenarios(shipped), {
    rules: { ...sampled(2000, 1), impatience: 2 },
    quick: sampled(FEW, 1),
  }),
  exceptions: throwScenarios(shipped).flatMap(({ scenario, thread, every, samples }) =>
    HOW.map((throws) => ({
      scenario,
      thrower: thread,
      throws,
      ...(samples === undefined ? {} : { rules: sampled(samples[0], 1) }),
      quick: samples === undefined ? { bound: 0 } : sampled(samples[1], 1),
      quickThrows: { every },
    })),
  ),
  successors: inManyWays(successorScenarios(shipped), 1, [
    { bound: 2 },
    { bound: 1, delayed: true },
  ]),
  'two deaths': [
    // The frees take many more steps than the section.
    ...entries(reaperDeaths(shipped), { first: VICTIM, victim: REAPER, stride: 20 }).map(
      (each, i) => (i === 0 ? { ...each, stride: 60 } : each),
    ),
    // With this stride the first one dies in the middle of its batch as well.
    ...entries(twoKegDeaths(shipped), { first: VICTIM, victim: REAPER, stride: IN_BATCH }),
  ],
}

/**
 * The scenarios of the hash table, as the catalog runs them, and how much of each is for the tests:
 * see floors.ts.
 */

import type { Entry } from './catalog.ts'
import { hasScenarios } from './hasScenarios.ts'
import { holdDeaths, holdScenarios } from './holdScenarios.ts'
import { manyScenarios } from './manyScenarios.ts'
import { nearDeaths, nearScenarios } from './nearScenarios.ts'
import type { Rules } from './rules.ts'
import type { Scenario } from './scenario.ts'
import { shipped } from './stage.ts'
import { countDeaths } from './tableCountDeaths.ts'
import { countScenarios, orderedCounts } from './tableCounts.ts'
import { createScenarios } from './tableCreate.ts'
import { deadHistories, deathScenarios } from './tableDeaths.ts'
import { historyScenarios } from './tableHistories.ts'
import { keyScenarios } from './tableKeys.ts'
import {
  reapedDuringResize,
  sweptDuringResize,
  twoDeaths,
  twoDeathsInWrites,
} from './tableReapers.ts'
import { resizeScenarios } from './tableResizeScenarios.ts'
import { tableScenarios } from './tableScenarios.ts'
import type { TableWorld } from './tableStage.ts'

type More = Omit<Entry, 'scenario'>

function entry<W>(scenario: Scenario<W>, more: More): Entry {
  return { scenario: scenario as unknown as Scenario, ...more }
}

function entries<W>(scenarios: readonly Scenario<W>[], more: More): Entry[] {
  return scenarios.map((scenario) => entry(scenario, more))
}

const sampled = (schedules: number, depth = 5): Rules => ({
  bound: Number.POSITIVE_INFINITY,
  sample: { schedules, depth },
})
const VICTIM = 'victim'

/** Small ones in full, of those with too many schedules a sample. */
function quickOf<W>({ name, rules }: Scenario<W>): Rules {
  if (rules?.sample !== undefined || name.includes('any two calls')) return sampled(100)
  return { bound: name.includes('begins again') ? 2 : 1 }
}

/** Victims of many steps, most of which are those of other scenarios too: in the tests one in four. */
const LONG =
  /death in (create|destroy|there and back|grow, reaped)|of rows that are held|a holder dies/

function deaths(scenarios: readonly Scenario<TableWorld>[], quick: Rules): Entry[] {
  return entries(scenarios, { victim: VICTIM, quick }).map((each) =>
    LONG.test(each.scenario.name) ? { ...each, stride: 4 } : each,
  )
}

/** Deaths beside a third: not a sample, but all schedules with one preemption. */
function inFull<W>(each: Scenario<W>): Scenario<W> {
  return each.rules?.sample === undefined ? each : { ...each, rules: { bound: 1 } }
}

const lookups = [
  ...tableScenarios(shipped),
  ...resizeScenarios(shipped),
  ...hasScenarios(shipped),
  ...manyScenarios(shipped),
]

export const tableFloor: Readonly<Record<string, readonly Entry[]>> = {
  table: [
    ...entries(lookups, { quick: sampled(100) }),
    ...entries(keyScenarios(shipped), { quick: { bound: 1 } }),
    ...entries(createScenarios(shipped), { quick: sampled(100) }),
    ...entries([sweptDuringResize(shipped)], { quick: sampled(1000, 12) }),
  ],
  'table, late': [
    ...entries(lookups, { rules: { ...sampled(1000), delayed: true }, quick: sampled(20) }),
    ...entries(lookups, { rules: { ...sampled(1000), hostile: true }, quick: sampled(20) }),
  ],
  'table, histories': entries(historyScenarios(shipped), { quick: sampled(1000) }),
  'table, near copies': [
    ...nearScenarios(shipped).map((each) => entry(each, { quick: quickOf(each) })),
    ...entries(nearDeaths(shipped), { victim: VICTIM, quick: sampled(3) }),
  ],
  'table, additions': [
    ...entries(countScenarios(shipped), { quick: sampled(300) }),
    ...entries(orderedCounts(shipped), { quick: sampled(100) }),
  ],
  'table, holds': [
    ...entries(holdScenarios(shipped), { quick: sampled(100) }),
    ...entries(holdScenarios(shipped), {
      rules: { ...sampled(1000), hostile: true },
      quick: sampled(20),
    }),
  ],
  'table, death': [
    ...deaths(deathScenarios(shipped).map(inFull), sampled(1)),
    ...deaths(countDeaths(shipped).map(inFull), sampled(1)),
    ...deaths(holdDeaths(shipped), sampled(1)),
    ...deaths(deadHistories(shipped), sampled(5)),
    ...deaths([reapedDuringResize(shipped)], sampled(3)),
  ],
  'table, two deaths': entries([twoDeaths(shipped)], {
    first: VICTIM,
    victim: 'rescuer',
    stride: 300,
  }),
  'table, two deaths in writes': entries(twoDeathsInWrites(shipped), {
    first: VICTIM,
    victim: 'rescuer',
    stride: 60,
  }),
}

/**
 * The scenarios of the ordered table, as the catalog runs them, and how much of each is for the tests:
 * see floors.ts.
 */

import type { Entry } from './catalog.ts'
import { orderDeaths, orderTwoDeaths, VICTIM } from './orderDeaths.ts'
import { orderEnds } from './orderEnds.ts'
import { orderHistories } from './orderHistories.ts'
import { orderScenarios } from './orderScenarios.ts'
import type { Rules } from './rules.ts'
import type { Scenario } from './scenario.ts'
import { shipped } from './stage.ts'

type More = Omit<Entry, 'scenario'>

function entries<W>(scenarios: readonly Scenario<W>[], more: More): Entry[] {
  return scenarios.map((scenario) => ({ scenario: scenario as unknown as Scenario, ...more }))
}

const sampled = (schedules: number, depth = 5): Rules => ({
  bound: Number.POSITIVE_INFINITY,
  sample: { schedules, depth },
})

export const orderFloor: Readonly<Record<string, readonly Entry[]>> = {
  order: entries(orderScenarios(shipped), { quick: sampled(150) }),
  'order, late': [
    ...entries(orderScenarios(shipped), {
      rules: { ...sampled(1000), delayed: true },
      quick: sampled(20),
    }),
    ...entries(orderScenarios(shipped), {
      rules: { ...sampled(1000), hostile: true },
      quick: sampled(20),
    }),
  ],
  'order, histories': entries(orderHistories(shipped), { quick: sampled(600) }),
  'order, death': [
    ...entries(orderDeaths(shipped), { victim: VICTIM, quick: sampled(1) }),
    ...entries(orderEnds(shipped), { victim: VICTIM, stride: 3 }),
  ],
  'order, two deaths': entries(orderTwoDeaths(shipped), {
    first: VICTIM,
    victim: 'rescuer',
    stride: 55,
  }),
}

/**
 * The scenarios of queues and pointers, as the catalog runs them, and how much of each is for the
 * tests: see floors.ts.
 */

import type { Entry } from './catalog.ts'
import { pointerScenarios, queueDeaths, queueScenarios, VICTIM } from './queueScenarios.ts'
import type { Rules } from './rules.ts'
import type { Scenario } from './scenario.ts'
import { shipped } from './stage.ts'

type More = Omit<Entry, 'scenario'>

function entries<W>(scenarios: readonly Scenario<W>[], more: More): Entry[] {
  return scenarios.map((scenario) => ({ scenario: scenario as unknown as Scenario, ...more }))
}

const late: Rules = { delayed: true }
const few: Rules = { sample: { schedules: 50, depth: 5 } }

export const queueFloor: Readonly<Record<string, readonly Entry[]>> = {
  queues: [
    ...entries(queueScenarios(shipped), { quick: { bound: 3 } }),
    ...entries(queueScenarios(shipped), { rules: late, quick: few }),
  ],
  pointers: [
    ...entries(pointerScenarios(shipped), { quick: { bound: 2 } }),
    ...entries(pointerScenarios(shipped), { rules: { bound: 2, delayed: true }, quick: few }),
  ],
  'queues, death': entries(queueDeaths(shipped), { victim: VICTIM, quick: { bound: 0 } }),
}

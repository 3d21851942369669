/**
 * The scenarios of heaps, as the catalog runs them, and how much of each is for the tests: see
 * floors.ts.
 */

import type { Entry } from './catalog.ts'
import { accompaniedHeapDeaths, heapDeaths, heapScenarios, heapThrows } from './heapScenarios.ts'
import type { Rules } from './rules.ts'
import type { Scenario } from './scenario.ts'
import { shipped } from './stage.ts'
import { textDeaths, textScenarios, textThrows, textTwoDeaths } from './textScenarios.ts'
import type { Throws } from './throws.ts'

type More = Omit<Entry, 'scenario'>

function entries<W>(scenarios: readonly Scenario<W>[], more: More): Entry[] {
  return scenarios.map((scenario) => ({ scenario: scenario as unknown as Scenario, ...more }))
}

const few: Rules = { sample: { schedules: 50, depth: 5 } }
/** As in floors.ts. */
const HOW: readonly Throws[] = [{ kind: 'throw' }, { kind: 'throw', calls: 3 }, { kind: 'cut' }]

export const heapFloor: Readonly<Record<string, readonly Entry[]>> = {
  heap: [
    ...entries(heapScenarios(shipped), { quick: { bound: 1 } }),
    ...entries(heapScenarios(shipped), { rules: { bound: 1, delayed: true }, quick: few }),
    ...entries(heapScenarios(shipped), { rules: { bound: 1, hostile: true }, quick: few }),
  ],
  'heap, death': [
    ...entries(heapDeaths(shipped), { victim: 'victim' }),
    ...entries(accompaniedHeapDeaths(shipped), {
      victim: 'victim',
      quick: { sample: { schedules: 2, depth: 5 } },
    }),
  ],
  text: entries(textScenarios(shipped), {
    quick: { sample: { schedules: 150, depth: 6, seed: 1 } },
  }),
  'text, death': entries(textDeaths(shipped), { victim: 'victim' }),
  'text, two deaths': entries(textTwoDeaths(shipped), {
    first: 'victim',
    victim: 'rescuer',
    stride: 90,
  }),
  'text, exceptions': HOW.flatMap((throws) =>
    entries(textThrows(shipped), {
      thrower: 'survivor',
      throws,
      quick: { bound: 0 },
      quickThrows: { every: 29 },
    }),
  ),
  'heap, exceptions': HOW.flatMap((throws) =>
    entries(heapThrows(shipped), {
      thrower: 'survivor',
      throws,
      quick: { bound: 0 },
      quickThrows: { every: 7 },
    }).map((each) =>
      // It makes a zone: hundreds of calls.
      each.scenario.name.endsWith('of a size') ? { ...each, quickThrows: { every: 61 } } : each,
    ),
  ),
}

/**
 * The scenarios in which compound verbs take part, on the WebAssembly that ships: see assembled.ts.
 * As floors.ts.
 */

import { assembled } from './assembled.ts'
import type { Entry } from './catalog.ts'
import { clockScenarios } from './clockScenarios.ts'
import { hasScenarios } from './hasScenarios.ts'
import { manyScenarios } from './manyScenarios.ts'
import { orderHistories } from './orderHistories.ts'
import { paceScenarios } from './paceScenarios.ts'
import type { Rules } from './rules.ts'
import type { Scenario } from './scenario.ts'
import { smrScenarios } from './smrScenarios.ts'
import { deathScenarios } from './tableDeaths.ts'
import { keyScenarios } from './tableKeys.ts'
import { resizeScenarios } from './tableResizeScenarios.ts'
import { tableScenarios } from './tableScenarios.ts'
import { turnScenarios } from './turnScenarios.ts'

type More = Omit<Entry, 'scenario'>

function entries<W>(scenarios: readonly Scenario<W>[], more: More): Entry[] {
  return scenarios.map((each) => ({
    scenario: { ...each, name: `wasm: ${each.name}` } as unknown as Scenario,
    ...more,
  }))
}

const sampled = (schedules: number): Rules => ({
  bound: Number.POSITIVE_INFINITY,
  sample: { schedules, depth: 5 },
})

const lookups = [
  ...tableScenarios(assembled),
  ...resizeScenarios(assembled),
  ...hasScenarios(assembled),
  ...manyScenarios(assembled),
]
const lookupDeaths = deathScenarios(assembled).filter(({ name }) =>
  ['death in get', 'death in has', 'death in many lookups'].includes(name),
)

export const assembledFloor: Readonly<Record<string, readonly Entry[]>> = {
  'wasm, sections': [
    ...entries(smrScenarios(assembled), { rules: { bound: 3 }, quick: { bound: 1 } }),
    ...entries(smrScenarios(assembled), {
      rules: { bound: 2, delayed: true },
      quick: { ...sampled(10), delayed: true },
    }),
    ...entries(clockScenarios(assembled), { quick: { bound: 1 } }),
    ...entries(paceScenarios(assembled), { quick: sampled(10) }),
    ...entries(turnScenarios(assembled), { quick: sampled(10) }),
  ],
  'wasm, table': [
    ...entries(lookups, { quick: sampled(30) }),
    ...entries(keyScenarios(assembled), { quick: sampled(30) }),
    ...entries(lookups, { rules: { ...sampled(1000), delayed: true }, quick: sampled(5) }),
    ...entries(lookups, { rules: { ...sampled(1000), hostile: true }, quick: sampled(5) }),
  ],
  'wasm, order': entries(orderHistories(assembled), { quick: sampled(50) }),
  'wasm, death': entries(lookupDeaths, { victim: 'victim', quick: sampled(2) }),
}

/**
 * An exception in each deed in which somebody may also die, and the worker goes on: sections,
 * allocations, frees, housekeeping, plain zones.
 */

import { arenaThrows, tableThrows } from './arenaThrows.ts'
import { DEEDS } from './deathScenarios.ts'
import type { Scenario } from './scenario.ts'
import { sectionThrows } from './sectionThrows.ts'
import type { Library } from './stage.ts'
import { SURVIVOR, throwScene } from './throwStage.ts'

const HOLD =
  /^(an exception in (advance|age$|clock|sections,|attaching|(making|ending) a domain|create|alloc: |free: full|reclaim)|calls, )/

/** The scenario, and whose calls fail. */
export interface ThrowScenario {
  readonly scenario: Scenario
  readonly thread: string
  /** Where the tests try only some of the calls: every so-many-th. */
  readonly every: number
}

/** Of deeds in a zone, which make hundreds of calls; somebody who waits for time makes a thousand, all alike. */
const LONG = /(alloc|free|reclaim|seal|fini|clock, lazy)/

export function zoneThrows(lib: Library): readonly Scenario<undefined>[] {
  return DEEDS.map((deed) => throwScene(lib, { ...deed, name: `an exception in ${deed.name}` }))
}

/** Those that hold. */
export function holdingThrows(lib: Library): readonly ThrowScenario[] {
  return allThrowScenarios(lib).filter(({ scenario }) => HOLD.test(scenario.name))
}

export function allThrowScenarios(lib: Library): readonly ThrowScenario[] {
  const all = [...sectionThrows(lib), ...arenaThrows(lib), ...tableThrows(lib), ...zoneThrows(lib)]
  return all.map((each) => {
    const scenario = each as unknown as Scenario
    return { scenario, thread: SURVIVOR, every: LONG.test(scenario.name) ? 67 : 1 }
  })
}

/**
 * An exception in each action in which somebody may also die, and the worker goes on: sections,
 * allocations, frees, housekeeping, plain zones.
 */

import { arenaThrows, tableThrows } from './arenaThrows.ts'
import { ACCOMPANIED_DEEDS, ACTIONS } from './deathScenarios.ts'
import { holdThrows } from './holdScenarios.ts'
import { orderThrows } from './orderDeaths.ts'
import type { Scenario } from './scenario.ts'
import { sectionThrows } from './sectionThrows.ts'
import type { Library } from './stage.ts'
import { countThrows } from './tableCountDeaths.ts'
import { SURVIVOR, throwScene } from './throwStage.ts'

/** The scenario, and whose calls fail. */
export interface ThrowScenario {
  readonly scenario: Scenario
  readonly thread: string
  /** Where the tests try only some of the calls: every n-th. */
  readonly every: number
  /** So many schedules for each call, and in the tests; without, all within the bound. */
  readonly samples?: readonly [number, number]
}

/**
 * An action in a zone makes hundreds of calls; somebody who waits for time makes a thousand, all alike. The
 * tests try a dozen.
 */
const LONG: readonly (readonly [names: RegExp, every: number])[] = [
  [/idle zone/, 331],
  [/beside a third in (alloc|free|replace|reclaim|plain)/, 113],
  [/ending a zone|init and fini|clock, lazy/, 113],
  [/table: add, of atomic fields/, 1],
  [/table: delete.* of atomic fields/, 7],
  [/of atomic fields/, 17],
  [/of rows that are held/, 11],
  [/table: (get|iteration|floor|range)|beside a third in sections/, 1],
  [
    /table: (insert|replace$|update|delete|grow$)|domain|attaching|pages|prealloc|detach|beside a third/,
    7,
  ],
  [/table|alloc|free|reclaim|replace|swap|a zone|a limit/, 37],
]

function everyOf(name: string): number {
  return LONG.find(([names]) => names.test(name))?.[1] ?? 1
}

export function zoneThrows(lib: Library): readonly Scenario<undefined>[] {
  return ACTIONS.map((action) =>
    throwScene(lib, { ...action, name: `an exception in ${action.name}` }),
  )
}

/** The same beside a worker who goes on all the while, and meets what the survivor left half done. */
function accompaniedThrows(lib: Library): readonly Scenario<undefined>[] {
  return ACCOMPANIED_DEEDS.map((action) =>
    throwScene(lib, { ...action, name: `an exception beside a third in ${action.name}` }),
  )
}

export function throwScenarios(lib: Library): readonly ThrowScenario[] {
  const alone = [
    ...sectionThrows(lib),
    ...arenaThrows(lib),
    ...tableThrows(lib),
    ...countThrows(lib),
    ...holdThrows(lib),
    ...orderThrows(lib),
    ...zoneThrows(lib),
  ]
  const of = (each: unknown): ThrowScenario => {
    const scenario = each as Scenario
    return { scenario, thread: SURVIVOR, every: everyOf(scenario.name) }
  }
  return [
    ...alone.map(of),
    ...accompaniedThrows(lib).map((each) => ({ ...of(each), samples: [10, 2] as const })),
  ]
}

/**
 * Every scenario there is, by group: what run.ts runs and lists.
 *
 * A new file of scenarios exports a list of entries and is added here. An entry is a scenario, with
 * rules of its own where the same scenario is explored in several ways, or together with the thread
 * that is to be killed at each of its steps.
 */

import { assembledFloor } from './assembledFloor.ts'
import { floors } from './floors.ts'
import { graceBad, graceBadPoison, graceGood } from './gracePeriod.ts'
import { heapFloor } from './heapFloor.ts'
import { litmusScenarios, messagePassing } from './litmus.ts'
import { SHAPES } from './litmusShapes.ts'
import { orderFloor } from './orderFloor.ts'
import { queueFloor } from './queueFloor.ts'
import type { Rules } from './rules.ts'
import type { Scenario } from './scenario.ts'
import { tableFloor } from './tableFloor.ts'
import type { Throws } from './throws.ts'

export interface Entry {
  readonly scenario: Scenario
  /** Kill this thread after each of its steps, one exploration for each. */
  readonly victim?: string
  /** Kill this one as well, after each of its steps, for each of the victim's. */
  readonly first?: string
  /** Let a call of this thread throw, one exploration for each call. */
  readonly thrower?: string
  /** How it throws. In the tests: with these, over those. */
  readonly throws?: Throws
  readonly quickThrows?: Partial<Throws>
  /** Rules for this entry, over those of the scenario. */
  readonly rules?: Rules
  /** In the tests: rules over those, and only every n-th step of the (first) victim. */
  readonly quick?: Rules
  readonly stride?: number
}

export const catalog: Readonly<Record<string, readonly Entry[]>> = {
  litmus: [
    ...litmusScenarios.map((scenario) => ({ scenario })),
    ...SHAPES.map(({ scenario }) => ({ scenario })),
    { scenario: messagePassing, rules: { delayed: true } },
  ],
  'grace period': [
    { scenario: graceGood },
    { scenario: graceGood, rules: { delayed: true } },
    { scenario: graceBad },
    { scenario: graceBadPoison },
    { scenario: graceBadPoison, rules: { sample: { schedules: 5000 } } },
  ],
  ...floors,
  ...heapFloor,
  ...queueFloor,
  ...tableFloor,
  ...orderFloor,
  ...assembledFloor,
}

/** A scenario of any world, as the catalog keeps it. */
export function entry<W>(scenario: Scenario<W>, more: Omit<Entry, 'scenario'> = {}): Entry {
  return { scenario: scenario as unknown as Scenario, ...more }
}

/** What the tests run of an entry. */
export function quick(entry: Entry): Entry {
  const { rules, throws, quick, quickThrows } = entry
  const fewer = throws === undefined ? {} : { throws: { ...throws, ...quickThrows } }
  return { ...entry, rules: { ...rules, ...quick }, ...fewer }
}

export function entriesNamed(name: string): readonly Entry[] {
  return Object.values(catalog)
    .flat()
    .filter((each) => each.scenario.name === name)
}

/**
 * A mutant together with the scenario that must catch it, and how such pairs are written down.
 */

import type { Mutant } from './mutants.ts'
import type { Rules } from './rules.ts'
import type { Scenario } from './scenario.ts'
import type { Library } from './stage.ts'

/** Where something broken is caught. */
export interface Case {
  /** What is broken. */
  readonly name: string
  /** Of any world: it is only run. */
  readonly scenarios: (lib: Library) => readonly Scenario[]
  readonly scenario: string
  readonly victim?: string
  /** Every call of this thread throws once. */
  readonly thrower?: string
  readonly rules?: Rules
}

/** A mutant and where it is caught. */
export interface Trial extends Mutant, Case {
  readonly name: string
}

type Change = readonly [name: string, file: string, find: string, replace: string]
type More = Pick<Case, 'thrower' | 'victim' | 'rules'>

/** Mutants that one of these scenarios catches. */
export const caught =
  <W>(scenarios: (lib: Library) => readonly Scenario<W>[], usual: More = {}) =>
  (scenario: string, [name, file, find, replace]: Change, more: More = {}): Trial => ({
    name,
    file,
    find,
    replace,
    scenarios: scenarios as unknown as Trial['scenarios'],
    scenario,
    ...usual,
    ...more,
  })

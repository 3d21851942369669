/**
 * Death and exceptions at every step of every operation: the others go on, nothing is lost, nobody is
 * blocked.
 */

import { describe, expect, it } from 'vitest'
import { catalog, quick } from './catalog.ts'
import { runEntry } from './table.ts'

describe.each(['death', 'death beside a third', 'two deaths', 'exceptions', 'successors'])(
  '%s',
  (group) => {
    it.each((catalog[group] ?? []).map((each) => [each.scenario.name, each] as const))(
      '%s',
      (_name, each) => {
        const { failure, schedules, verdict } = runEntry(quick(each), {}, each.stride)
        expect(failure && `${failure.message} ${failure.replay}`).toBeUndefined()
        expect(verdict).toBe('holds')
        expect(schedules).toBeGreaterThan(5)
      },
    )
  },
)

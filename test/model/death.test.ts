/**
 * Death and exceptions at every step of every operation: the others go on, nothing is lost, nobody is
 * blocked.
 */

import { describe, expect, it } from 'vitest'
import { catalog, quick } from './catalog.ts'
import { runEntry } from './table.ts'

/** The other exceptions keep too much memory for one process of the tests: `npm run model` has them. */
const SMALL = /^an exception in (?:advance|clock|sections)/
/** So do these deaths. */
const LARGE = /several pages|making a table|another shape|idle zone|no bucket|not to be had/

describe.each(['death beside a third', 'successors'])('%s', (group) => {
  it.each(
    (catalog[group] ?? [])
      .filter((each) => group !== 'exceptions' || SMALL.test(each.scenario.name))
      .filter((each) => !LARGE.test(each.scenario.name))
      .map((each) => [each.scenario.name, each] as const),
  )('%s', (_name, each) => {
    const { failure, schedules, verdict } = runEntry(quick(each), {}, each.stride)
    expect(failure && `${failure.message} ${failure.replay}`).toBeUndefined()
    expect(verdict).toBe('holds')
    expect(schedules).toBeGreaterThan(5)
  })
})

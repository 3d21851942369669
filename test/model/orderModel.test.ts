/**
 * The ordered table, interleaving by interleaving and death by death: a cut of what run.ts explores.
 */

import { describe, expect, it } from 'vitest'
import { catalog, quick } from './catalog.ts'
import { orderFloor } from './orderFloor.ts'
import { runEntry } from './table.ts'

describe.each(Object.keys(orderFloor))('%s', (group) => {
  it.each((catalog[group] ?? []).map((each) => [each.scenario.name, each] as const))(
    '%s',
    (_name, each) => {
      const { failure, good, verdict } = runEntry(quick(each), {}, each.stride)
      expect(failure && `${failure.message} ${failure.replay}`).toBeUndefined()
      expect(good, verdict).toBe(true)
    },
  )
})

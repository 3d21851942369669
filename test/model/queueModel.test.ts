/**
 * Queues and pointers, interleaving by interleaving and death by death: a cut of what run.ts explores.
 */

import { describe, expect, it } from 'vitest'
import { catalog, quick } from './catalog.ts'
import { queueFloor } from './queueFloor.ts'
import { runEntry } from './table.ts'

describe.each(Object.keys(queueFloor))('%s', (group) => {
  it.each((catalog[group] ?? []).map((each) => [each.scenario.name, each] as const))(
    '%s',
    (_name, each) => {
      const { failure, verdict } = runEntry(quick(each), {}, each.stride)
      expect(failure && `${failure.message} ${failure.replay}`).toBeUndefined()
      expect(verdict).toBe('holds')
    },
  )
})

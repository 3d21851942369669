/**
 * Heaps, interleaving by interleaving, death by death and exception by exception: a cut of what
 * run.ts explores.
 */

import { describe, expect, it } from 'vitest'
import { catalog, quick } from './catalog.ts'
import { heapFloor } from './heapFloor.ts'
import { runEntry } from './table.ts'

describe.each(Object.keys(heapFloor))('%s', (group) => {
  it.each((catalog[group] ?? []).map((each) => [each.scenario.name, each] as const))(
    '%s',
    (_name, each) => {
      const { failure, verdict } = runEntry(quick(each), {}, each.stride)
      expect(failure && `${failure.message} ${failure.replay}`).toBeUndefined()
      expect(verdict).toBe('holds')
    },
  )
})

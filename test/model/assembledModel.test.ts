/**
 * The WebAssembly that ships, access by access: a cut of what run.ts explores.
 */

import { describe, expect, it } from 'vitest'
import { assembledFloor } from './assembledFloor.ts'
import { quick } from './catalog.ts'
import { runEntry } from './table.ts'

describe.each(Object.entries(assembledFloor))('%s', (_group, entries) => {
  it.each(entries.map((each) => [each.scenario.name, each] as const))('%s', (_name, each) => {
    const { failure, verdict } = runEntry(quick(each))
    expect(failure && `${failure.message} ${failure.replay}`).toBeUndefined()
    expect(verdict).toBe('holds')
  })
})

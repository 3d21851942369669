/**
 * The floors memory, smr and zone, interleaving by interleaving: a cut of what run.ts explores.
 */

import { describe, expect, it } from 'vitest'
import { catalog, type Entry, quick } from './catalog.ts'
import { runEntry } from './table.ts'

const GROUPS = [
  'smr',
  'smr, every interleaving',
  'the circle',
  'clocks and sections',
  'turns',
  'async sections',
  'callbacks',
  'memory',
  'never blocking',
  'zone',
  'zone, mixtures',
  'not in time',
]

describe.each(GROUPS)('%s', (group) => {
  const entries = new Map<string, Entry[]>()
  for (const each of catalog[group] ?? []) {
    const { name } = each.scenario
    entries.set(name, [...(entries.get(name) ?? []), each])
  }
  it.each([...entries.keys()])('%s', (name) => {
    for (const each of entries.get(name) ?? []) {
      const { failure, verdict } = runEntry(quick(each))
      expect(failure?.message).toBeUndefined()
      expect(verdict).toBe('holds')
    }
  })
})

/**
 * The hash table, interleaving by interleaving and death by death: a cut of what run.ts explores.
 */

import { describe, expect, it } from 'vitest'
import { keyOf, record, u32, utf8 } from '#src/record/record.ts'
import { catalog, quick } from './catalog.ts'
import { runEntry } from './table.ts'
import { tableFloor } from './tableFloor.ts'
import { NEIGHBOURS, TWINS } from './tableKeys.ts'
import { KEY } from './tableStage.ts'

describe.each(Object.keys(tableFloor))('%s', (group) => {
  it.each((catalog[group] ?? []).map((each) => [each.scenario.name, each] as const))(
    '%s',
    (_name, each) => {
      const { failure, good, verdict } = runEntry(quick(each), {}, each.stride)
      const told = failure && `${failure.message} ${failure.replay}`
      if (each.scenario.expect !== 'fails') expect(told).toBeUndefined()
      expect(good, verdict).toBe(true)
    },
  )
})

describe('keys', () => {
  const key = keyOf(record({ id: u32 }), 'id', 0)
  const chain = (id: number, bits: number): number => key.hash(id) >>> (32 - bits)

  it('a, b and c share a chain, d only when chains are few, e never', () => {
    const { a, b, c, d, e } = KEY
    expect([b, c].map((id) => chain(id, 6))).toEqual([chain(a, 6), chain(a, 6)])
    expect([chain(d, 4), chain(d, 5)]).toEqual([chain(a, 4), chain(a, 5) + 1])
    expect(chain(e, 4)).not.toBe(chain(a, 4))
  })

  it('two names have one hash', () => {
    const names = keyOf(record({ name: utf8(8) }), 'name', 0)
    expect(names.hash(TWINS[0])).toBe(names.hash(TWINS[1]))
  })

  it('four names share a chain of 16', () => {
    const names = keyOf(record({ name: utf8(8) }), 'name', 0)
    expect(new Set(NEIGHBOURS.map((name) => names.hash(name) >>> (32 - 4))).size).toBe(1)
  })
})

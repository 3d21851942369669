/**
 * Ordered tables against a sorted array, over random scripts of everything that they can do, by two
 * workers in turn, for every type of key. After every script the laws are asked: the tree is whole,
 * each record and each node in one place, none lost.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Exhausted } from '#src/index.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import {
  expectIntact,
  type Key,
  KINDS,
  type Kind,
  nearest,
  pair,
  type Rows,
  row,
  Sorted,
} from './fixture.ts'

interface Step {
  readonly do: 'set' | 'delete' | 'get' | 'near' | 'range' | 'update' | 'insert' | 'replace'
  readonly who: 0 | 1
  readonly key: Key
  readonly to: Key
  readonly limit: number
  readonly reverse: boolean
}

const DO = ['set', 'set', 'set', 'delete', 'delete', 'get', 'near', 'near', 'range'] as const
const MORE = ['update', 'insert', 'replace'] as const

function scripts({ keys }: Kind): fc.Arbitrary<Step[]> {
  const step = fc.record({
    do: fc.constantFrom(...DO, ...MORE),
    who: fc.constantFrom(0 as const, 1 as const),
    key: keys,
    to: keys,
    limit: fc.nat(200),
    reverse: fc.boolean(),
  })
  return fc.array(step, { minLength: 100, maxLength: 300 })
}

function act(table: Rows, oracle: Sorted, version: number, step: Step): void {
  const { key, limit, reverse, to } = step
  const known = oracle.get(key)
  const old = known === undefined ? undefined : row(key, known)
  switch (step.do) {
    case 'set':
      table.set(row(key, version))
      oracle.set(key, version)
      return
    case 'insert':
      expect(table.insert(row(key, version))).toBe(known === undefined)
      if (known === undefined) oracle.set(key, version)
      return
    case 'replace':
      expect(table.replace(row(key, version))).toEqual(old)
      oracle.set(key, version)
      return
    case 'update':
      table.update(key, (before) => {
        expect(before).toEqual(old)
        return before && row(key, version)
      })
      if (known !== undefined) oracle.set(key, version)
      return
    case 'delete':
      expect(table.delete(key)).toBe(oracle.delete(key))
      return
    case 'get':
      expect(table.get(key)).toEqual(old)
      expect(table.has(key)).toBe(known !== undefined)
      return
    case 'near':
      expect(nearest(table, key)).toEqual(oracle.nearest(key))
      return
    case 'range': {
      const wanted = oracle.between(key, to)
      const all = reverse ? wanted.reverse() : wanted
      const found = [...table.range({ from: key, to, reverse, limit })]
      expect(found).toEqual(all.slice(0, limit))
      const read: unknown[] = []
      const { arena, schema } = table
      table.rangeRead({ from: key, to, reverse }, (item) => read.push(schema.read(arena, item)))
      expect(read).toEqual(all)
    }
  }
}

describe.each(KINDS)('an ordered table by $name', (kind) => {
  it.each(CONFIGS)('does what a sorted array does, sequences $name', (config) => {
    fc.assert(
      fc.property(scripts(kind), (script) => {
        const { table, theirs } = pair(config, kind)
        const oracle = new Sorted(kind)
        for (const [i, step] of script.entries()) {
          act(step.who === 0 ? table : theirs, oracle, i + 1, step)
        }
        for (const each of [table, theirs]) {
          expect([...each.entries()]).toEqual(oracle.all())
          expect(each.first()).toEqual(oracle.all()[0])
          expect(each.last()).toEqual(oracle.all().at(-1))
          expect(each.size).toBe(oracle.all().length)
        }
        expectIntact(table)
        for (const { key } of oracle.all()) expect(theirs.delete(key)).toBe(true)
        expectIntact(table)
        expect(table.nodes.stats().live).toBe(0)
      }),
      { numRuns: 25, seed: 12 },
    )
  })

  it('with room for few records: what does not fit is refused, and nothing has changed', () => {
    fc.assert(
      fc.property(scripts(kind), (script) => {
        const { table, theirs } = pair(CONFIGS[0] as (typeof CONFIGS)[0], kind, { limit: 12 })
        const oracle = new Sorted(kind)
        for (const [i, step] of script.entries()) {
          try {
            act(step.who === 0 ? table : theirs, oracle, i + 1, step)
          } catch (error) {
            if (!(error instanceof Exhausted)) throw error
          }
        }
        expect([...table.entries()]).toEqual(oracle.all())
        expectIntact(table)
      }),
      { numRuns: 15, seed: 34 },
    )
  })
})

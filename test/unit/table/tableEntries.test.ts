/**
 * Iteration: a record that is there from beginning to end is seen exactly once, whatever comes,
 * goes, changes or is resized between two steps; and no section stays open in between.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashWord, seedsOf } from '#src/record/hash.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import {
  Account,
  account,
  collideAll,
  expectIntact,
  expectWhole,
  fillTable,
  mustFind,
  pair,
} from './fixture.ts'

const STABLE = 150
/** Ids from here on come and go. */
const OTHERS = 1000

/** What happens between two steps of an iteration. */
type Event =
  | { readonly do: 'resize'; readonly capacity: number }
  | { readonly do: 'insert' | 'delete' | 'update'; readonly id: number }

const anEvent: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ do: fc.constant('resize' as const), capacity: fc.constantFrom(1, 300, 2000, 8000) }),
  fc.record({ do: fc.constantFrom('insert' as const, 'delete' as const), id: fc.nat(60) }),
  fc.record({ do: fc.constant('update' as const), id: fc.nat(STABLE - 1) }),
)
/** So many steps of the iteration, then these events. */
const aScript = fc.array(
  fc.record({ steps: fc.nat(30), events: fc.array(anEvent, { maxLength: 6 }) }),
  { maxLength: 25 },
)

describe.each(CONFIGS)('entries, sequences $name', (config) => {
  it('sees each record once, in the order of hashes', () => {
    const { table, theirs } = pair(config)
    for (const n of [1, 16, 100, 700]) {
      fillTable(table, n)
      const seen = [...theirs.entries()]
      for (const value of seen) expectWhole(value)
      expect(new Set(seen.map(({ id }) => id)).size).toBe(n)
      expect(seen).toHaveLength(n)
      const chain = seen.map(({ id }) => (hashWord(id, seedsOf(0)) >>> 0) >>> 28)
      expect(chain).toEqual(chain.toSorted((a, b) => a - b))
    }
  })

  it('sees what stays exactly once, whatever happens between its steps', () => {
    fc.assert(
      fc.property(
        aScript,
        fc.constantFrom(1, 300, 4000),
        fc.boolean(),
        (script, capacity, near) => {
          const { table, theirs } = pair(config, { capacity })
          if (near) for (const each of [table, theirs]) collideAll(each, 0x7fffffff)
          fillTable(table, STABLE)
          let version = 0
          const act = (event: Event): void => {
            version++
            if (event.do === 'resize') theirs.resize(event.capacity)
            else if (event.do === 'update') table.set(account(event.id, version))
            else if (event.do === 'insert') theirs.set(account(OTHERS + event.id, version))
            else table.delete(OTHERS + event.id)
          }
          const seen = new Map<number, number>()
          const iterator = table.entries()
          const steps = [...script, { steps: Number.POSITIVE_INFINITY, events: [] }]
          for (const { steps: count, events } of steps) {
            for (let i = 0; i < count; i++) {
              const { done, value } = iterator.next()
              if (done) break
              expectWhole(value)
              seen.set(value.id, (seen.get(value.id) ?? 0) + 1)
            }
            expect(table.smr.entered).toBe(false)
            for (const event of events) act(event)
          }
          for (let id = 0; id < STABLE; id++) expect(seen.get(id)).toBe(1)
          expectIntact(table)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('lets the same worker write between steps, even delete what it has just seen', () => {
    const { table } = pair(config)
    fillTable(table, 300)
    const seen: number[] = []
    for (const { id } of table.entries()) {
      seen.push(id)
      expect(table.delete(id)).toBe(true)
    }
    expect(new Set(seen).size).toBe(300)
    expect(table.size).toBe(0)
    expectIntact(table)
  })

  it('may be left early, and several may go on at once', () => {
    const { table } = pair(config)
    fillTable(table, 100)
    for (const { id } of table.entries()) if (id >= 0) break
    expect(table.smr.entered).toBe(false)
    const [a, b] = [table.entries(), table.entries()]
    const seen = [new Set<number>(), new Set<number>()] as const
    for (let i = 0; i < 100; i++) {
      seen[0].add(a.next().value?.id ?? -1)
      seen[1].add(b.next().value?.id ?? -1)
    }
    expect([...seen[0]]).toEqual([...seen[1]])
    expect(seen[0].size).toBe(100)
    expect(a.next().done).toBe(true)
  })

  it('in an open section is legal, and leaves it open', () => {
    const { table, theirs } = pair(config)
    fillTable(table, 200)
    theirs.smr.enter()
    const iterator = theirs.entries()
    iterator.next()
    table.resize(1000)
    for (let id = 500; id < 600; id++) table.set(account(id))
    const rest = [...iterator].filter(({ id }) => id < 200)
    expect(rest).toHaveLength(199)
    expect(theirs.items()).toHaveLength(300)
    expect(theirs.smr.entered).toBe(true)
    theirs.smr.exit()
  })

  it('items gives the address of every record', () => {
    const { arena, table } = pair(config)
    fillTable(table, 120)
    const items = table.items()
    expect(new Set(items).size).toBe(120)
    table.smr.read(() => {
      for (const item of items) expect(mustFind(table, Account.get.id(arena, item))).toBe(item)
    })
  })
})

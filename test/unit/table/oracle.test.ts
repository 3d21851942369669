/**
 * The table against a Map, over random scripts of everything that it can do, by two workers in turn
 * and with readers parked in between: tens of thousands of operations for each clock. After every
 * script the laws are asked: each record once, each item in one place, none lost.
 */

import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { Exhausted, HashTable, type Item, record, u32, utf8 } from '#src/index.ts'
import { checkTable } from '#src/table/stats.ts'
import { CONFIGS, tinyArena } from '../../helpers/tiny.ts'
import {
  Account,
  type Accounts,
  account,
  expectIntact,
  type Pair,
  pair,
  versions,
} from './fixture.ts'

const IDS = 48

type Step =
  | {
      readonly do: 'set' | 'delete' | 'get' | 'has' | 'park'
      readonly who: 0 | 1
      readonly id: number
    }
  | { readonly do: 'resize'; readonly who: 0 | 1; readonly capacity: number }
  | { readonly do: 'leave' | 'entries' | 'seal' | 'reclaim'; readonly who: 0 | 1 }

const who = fc.constantFrom(0 as const, 1 as const)
const id = fc.nat(IDS - 1)
const doing = <const T extends Step['do']>(...what: T[]) => fc.constantFrom(...what)
const aStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: doing('set'), who, id }) },
  { weight: 7, arbitrary: fc.record({ do: doing('delete'), who, id }) },
  { weight: 4, arbitrary: fc.record({ do: doing('get', 'has'), who, id }) },
  { weight: 1, arbitrary: fc.record({ do: doing('park'), who, id }) },
  { weight: 1, arbitrary: fc.record({ do: doing('leave', 'entries', 'seal', 'reclaim'), who }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: doing('resize'), who, capacity: fc.constantFrom(1, 40, 300, 2000) }),
  },
)
const aScript = fc.array(aStep, { minLength: 150, maxLength: 500 })

/** What a parked reader has found: it must stay as it is. */
type Parked = Map<Item, Account>

function play(config: (typeof CONFIGS)[number], script: readonly Step[], limit?: number): void {
  const all = pair(config, limit === undefined ? {} : { limit })
  const oracle = new Map<number, number>()
  const parked: [Parked, Parked] = [new Map(), new Map()]
  let version = 0
  for (const step of script) {
    version++
    const table = step.who === 0 ? all.table : all.theirs
    const found = parked[step.who]
    if (step.do === 'leave') leave(table, found)
    else if (table.smr.entered) look(table, step, oracle, found)
    else act(table, step, oracle, found, version, limit)
  }
  leave(all.table, parked[0])
  leave(all.theirs, parked[1])
  expectSame(all, oracle)
}

function act(
  table: Accounts,
  step: Step,
  oracle: Map<number, number>,
  found: Parked,
  version: number,
  limit: number | undefined,
): void {
  switch (step.do) {
    case 'set':
      if (!orExhausted(() => table.set(account(step.id, version)))) {
        expect(limit).toBeDefined()
        return
      }
      oracle.set(step.id, version)
      return
    case 'delete':
      expect(table.delete(step.id)).toBe(oracle.delete(step.id))
      return
    case 'resize':
      // Readers parked on an older array may be in the way.
      orExhausted(() => table.resize(step.capacity, { timeoutMs: 0 }))
      return
    case 'seal':
      table.zone.seal()
      return
    case 'reclaim':
      table.zone.reclaim('all', { timeoutMs: 0 })
      return
    case 'park':
      table.smr.enter()
      for (const { id } of table.entries()) {
        const item = table.find(id)
        found.set(item, Account.read(table.parts.arena, item))
      }
      return
    default:
      look(table, step, oracle, found)
  }
}

/** What may be done inside a section and outside. */
function look(table: Accounts, step: Step, oracle: Map<number, number>, found: Parked): void {
  const { arena } = table.parts
  if (step.do === 'entries') {
    for (const [item, value] of found) expect(Account.read(arena, item)).toEqual(value)
    expect(versions(table)).toEqual(oracle)
  }
  if (!('id' in step)) return
  const known = oracle.get(step.id)
  expect(table.has(step.id)).toBe(known !== undefined)
  expect(table.get(step.id)).toEqual(known === undefined ? undefined : account(step.id, known))
}

function leave(table: Accounts, found: Parked): void {
  for (const [item, value] of found) {
    expect(Account.read(table.parts.arena, item)).toEqual(value)
  }
  found.clear()
  if (table.smr.entered) table.smr.exit()
}

function orExhausted(body: () => unknown): boolean {
  try {
    body()
    return true
  } catch (error) {
    if (error instanceof Exhausted) return false
    throw error
  }
}

function expectSame({ table, theirs }: Pair, oracle: ReadonlyMap<number, number>): void {
  expect(table.size).toBe(oracle.size)
  expect(versions(table)).toEqual(oracle)
  for (let each = 0; each < IDS; each++) expect(theirs.has(each)).toBe(oracle.has(each))
  expectIntact(table)
  for (const each of [table, theirs]) each.zone.reclaim('all')
  expectIntact(table)
  expect(table.zone.stats()).toMatchObject({ pending: 0, live: oracle.size })
  expect(table.zone.audit(theirs.items()).leaked).toEqual([])
}

describe.each(CONFIGS)('any script, sequences $name', (config) => {
  let steps = 0
  afterAll(() => expect(steps).toBeGreaterThan(15_000))

  it('leaves in the table what it leaves in a Map', () => {
    fc.assert(
      fc.property(aScript, (script) => {
        steps += script.length
        play(config, script)
      }),
      { numRuns: 70 },
    )
  })

  it('does so at a limit too, where some of it is refused', () => {
    fc.assert(
      fc.property(aScript, fc.integer({ min: 4, max: 40 }), (script, limit) => {
        steps += script.length
        play(config, script, limit)
      }),
      { numRuns: 40 },
    )
  })
})

it('a text key among colliding neighbours behaves like a Map’s', () => {
  const Word = record({ word: utf8(9), n: u32 })
  const aWord = fc.string({ unit: fc.constantFrom('a', 'b', '\0', 'é', '😀'), maxLength: 2 })
  const aWrite = fc.record({ word: aWord, gone: fc.boolean() })
  fc.assert(
    fc.property(
      fc.array(aWrite, { minLength: 50, maxLength: 200 }),
      fc.boolean(),
      (writes, one) => {
        const arena = tinyArena(CONFIGS[2] ?? CONFIGS[0] ?? never())
        const table = HashTable.create(arena, 't', {
          record: Word,
          key: 'word',
          capacity: 1,
          bucket: 2,
        })
        if (one)
          Object.assign((table as unknown as { key: object }).key, {
            hash: () => -7,
            aim: () => -7,
          })
        const oracle = new Map<string, number>()
        for (const [n, { word, gone }] of writes.entries()) {
          if (gone) expect(table.delete(word)).toBe(oracle.delete(word))
          else oracle.set(table.set({ word, n }) && word, n)
        }
        const held = new Map([...table.entries()].map(({ word, n }) => [word, n]))
        expect(held).toEqual(oracle)
        for (const { word } of writes) expect(table.get(word)?.n).toBe(oracle.get(word))
        checkTable(table)
        table.zone.check()
      },
    ),
    { numRuns: 60 },
  )
})

function never(): never {
  throw new Error('no such configuration')
}

/**
 * What a table refuses: each call names itself, says what would do, and has changed nothing - not
 * the table, not a count, not the section.
 */

import { describe, expect, it } from 'vitest'
import { HashTable, Misuse, record, u32, utf8 } from '#src/index.ts'
import { CONFIGS, tinyArena } from '../../helpers/tiny.ts'
import {
  type Account,
  type Accounts,
  account,
  expectIntact,
  fillTable,
  pair,
  room,
  state,
} from './fixture.ts'

/** Calls with a key, by the name that their complaint must begin with. */
const KEYED: Record<string, (table: Accounts, key: never) => unknown> = {
  'table.get': (table, key) => table.get(key),
  'table.getMany': (table, key) => table.getMany([1, key]),
  'table.has': (table, key) => table.has(key),
  'table.read': (table, key) => table.read(key, () => 'never'),
  'table.delete': (table, key) => table.delete(key),
  'table.set': (table, key) => table.set({ ...account(1), id: key }),
}

/** What a complaint calls the key: in `set` it is a field like any other. */
function keyIn(call: string): string {
  return call === 'table.set' ? 'id' : 'key "id"'
}

const NO_U32: unknown[] = [-1, 1.5, 2 ** 32, Number.NaN, '1', 1n, true, null, undefined, {}, [1]]

const good = account(3, 1)
const without = ({ owner: _, ...rest }: Account): object => rest
/** Records that do not fit, and what is to be said of each. */
const BAD_RECORDS: [unknown, RegExp][] = [
  [without(good), /owner is missing/],
  [{ ...good, owner: undefined }, /owner/],
  [{ ...good, colour: 'red' }, /unknown field "colour"/],
  [{ ...good, owner: 'x'.repeat(25) }, /owner.*25 bytes.*at most 24/],
  [{ ...good, owner: 'é'.repeat(13) }, /owner.*26 bytes/],
  [{ ...good, owner: '\ud800' }, /owner.*lone surrogate/],
  [{ ...good, owner: 5 }, /owner is 5/],
  [{ ...good, version: -1 }, /version is -1/],
  [{ ...good, version: 2 ** 32 }, /version is 4294967296/],
  [{ ...good, version: '1' }, /version is "1"/],
  [{ ...good, balance: 1n }, /balance is 1n/],
  [{ ...good, check: 2 ** 31 }, /check is 2147483648/],
  [{}, /id is missing/],
  [undefined, /the record is undefined/],
  [null, /the record is null/],
  [5, /the record is 5/],
]

describe.each(CONFIGS)('a table refuses, sequences $name', (config) => {
  it('keys of the wrong type or out of range, in each verb', () => {
    const { table } = pair(config)
    fillTable(table, 10)
    const before = state(table)
    for (const [name, call] of Object.entries(KEYED)) {
      for (const key of NO_U32) {
        expect(() => call(table, key as never)).toThrow(Misuse)
        expect(() => call(table, key as never)).toThrow(`${name}: ${keyIn(name)} is`)
      }
    }
    table.smr.enter()
    for (const key of NO_U32)
      expect(() => table.find(key as never)).toThrow(/table\.find: key "id"/)
    table.smr.exit()
    expect(state(table)).toEqual(before)
    expectIntact(table)
  })

  it('keys that are not in an array', () => {
    const { table } = pair(config)
    fillTable(table, 10)
    for (const keys of [undefined, null, 5, 'ab', new Set([1]), new Uint32Array(3)]) {
      expect(() => table.getMany(keys as never)).toThrow(Misuse)
      expect(() => table.getMany(keys as never)).toThrow(
        /table\.getMany: keys are .*; give an array/,
      )
    }
    expect(table.smr.entered).toBe(false)
    expectIntact(table)
  })

  it('keys that are too long, or no text', () => {
    const arena = tinyArena(config)
    const Word = record({ word: utf8(5), n: u32 })
    const table = HashTable.create(arena, 'words', { record: Word, key: 'word', capacity: 10 })
    table.set({ word: 'abcde', n: 1 })
    for (const word of ['abcdef', 'abcdé', '\ud800', 5, null, undefined]) {
      const key = word as string
      for (const verb of ['get', 'has', 'delete'] as const) {
        expect(() => table[verb](key)).toThrow(Misuse)
        expect(() => table[verb](key)).toThrow(`table.${verb}: key "word" is`)
      }
      expect(() => table.read(key, () => 0)).toThrow(/table\.read: key "word"/)
      expect(() => table.set({ word: key, n: 2 })).toThrow(/table\.set: word is/)
    }
    expect([...table.entries()]).toEqual([{ word: 'abcde', n: 1 }])
  })

  it('records that do not fit the schema', () => {
    const { arena, table } = pair(config)
    fillTable(table, 10)
    const before = [state(table), room(arena)]
    for (const [bad, why] of BAD_RECORDS) {
      expect(() => table.set(bad as Account)).toThrow(why)
      expect(() => table.set(bad as Account)).toThrow(/^table\.set: /)
      for (const value of [bad, { ...(bad as object), id: 77 }]) {
        expect(() => table.set(value as Account)).toThrow(Misuse)
      }
    }
    expect([state(table), room(arena)]).toEqual(before)
    expect(table.zone.stats()).toMatchObject({ pending: 0, fails: 0 })
    expect(table.has(77)).toBe(false)
    expectIntact(table)
  })

  it('passes on what a getter of the record throws, and keeps nothing', () => {
    const { table } = pair(config)
    fillTable(table, 10)
    const before = state(table)
    const thrown = new Error('from the getter')
    const angry = {
      ...account(3, 1),
      get owner(): string {
        throw thrown
      },
    }
    expect(() => table.set(angry)).toThrow(thrown)
    expect(state(table)).toEqual(before)
    expectIntact(table)
  })

  it('set, delete and resize inside a section of its domain', () => {
    const { table, theirs } = pair(config)
    fillTable(table, 10)
    const before = state(table)
    table.smr.enter()
    const verbs = { set: () => table.set(account(3, 1)), delete: () => table.delete(3) }
    for (const [name, verb] of Object.entries({ ...verbs, resize: () => table.resize(99) })) {
      expect(verb).toThrow(Misuse)
      expect(verb).toThrow(
        `table.${name}: table "accounts": a section of domain "accounts" is open`,
      )
    }
    expect(() => table.read(3, () => table.delete(4))).toThrow(Misuse)
    table.smr.exit()
    expect(() => table.read(3, () => table.delete(4))).toThrow(Misuse)
    expect(table.smr.entered).toBe(false)
    expect(state(table)).toEqual(before)
    // Another worker's section is its own affair.
    theirs.smr.read(() => table.set(account(3, 1)))
    expect(table.get(3)).toEqual(account(3, 1))
  })

  it('a function for read that returns a promise, in its own section and in the caller’s', async () => {
    const { table } = pair(config)
    table.set(account(3))
    const slow = async (): Promise<number> => {
      await Promise.resolve()
      throw new Error('nobody hears this')
    }
    expect(() => table.read(3, slow)).toThrow(/promise.*await/)
    expect(table.smr.entered).toBe(false)
    table.smr.enter()
    expect(() => table.read(3, slow)).toThrow(Misuse)
    expect(table.smr.entered).toBe(true)
    table.smr.exit()
    expect(table.read(4, slow)).toBeUndefined()
    await Promise.resolve()
  })

  it('everything after detach, and the others go on', () => {
    const { arena, other, table, theirs } = pair(config)
    fillTable(table, 10)
    theirs.set(account(3, 1)).delete(4)
    other.detach()
    const before = [state(table), room(arena), table.parts.chains.current()]
    const verbs = {
      get: () => theirs.get(3),
      getMany: () => theirs.getMany([3]),
      'getMany of none': () => theirs.getMany([]),
      has: () => theirs.has(3),
      read: () => theirs.read(3, () => 0),
      find: () => theirs.find(3),
      set: () => theirs.set(account(3, 2)),
      delete: () => theirs.delete(3),
      resize: () => theirs.resize(999),
      entries: () => [...theirs.entries()],
      items: () => theirs.items(),
      stats: () => theirs.stats(),
      size: () => theirs.size,
    }
    for (const verb of Object.values(verbs)) expect(verb).toThrow(Misuse)
    expect([state(table), room(arena), table.parts.chains.current()]).toEqual(before)
    table.set(account(3, 3)).resize(999)
    expectIntact(table)
  })
})

/**
 * Keys of all four types, compared in full: equal hashes must not confuse two keys, whether they
 * were found by search, built, or forced on the table.
 */

import { describe, expect, expectTypeOf, it } from 'vitest'
import { HashTable, i32, i64, record, u32, utf8 } from '#src/index.ts'
import { hashWord, mix, seedsOf } from '#src/record/hash.ts'
import { keyOf } from '#src/record/record.ts'
import { checkTable } from '#src/table/stats.ts'
import { CONFIGS, type Config, tinyArena } from '../../helpers/tiny.ts'
import { account, collideAll, expectIntact, fillTable, pair, versions } from './fixture.ts'

const ByU32 = record({ value: u32, key: u32 })
const ByI32 = record({ value: u32, key: i32 })
const ByI64 = record({ value: u32, key: i64 })
const ByText = record({ value: u32, key: utf8(40) })

/** Two keys of which the hash is the same, by the algebra of hashHalves. */
function collidingLongs(seed: bigint): [bigint, bigint] {
  const seeds = seedsOf(0)
  const [highA, highB] = [hashWord(5, seeds), hashWord(6, seeds)]
  const lowA = Number(BigInt.asIntN(32, seed))
  const lowB = lowA ^ highA ^ highB
  const join = (high: bigint, low: number): bigint => (high << 32n) | BigInt(low >>> 0)
  return [join(5n, lowA), join(6n, lowB)]
}

/** Pairs of texts of which the hash is the same, by search. */
function collidingTexts(hash: (text: string) => number): [string, string][] {
  const seen = new Map<number, string>()
  const pairs: [string, string][] = []
  for (let i = 0; i < 400_000; i++) {
    const text = `key-${mix(i) >>> 0}`
    const h = hash(text)
    const first = seen.get(h)
    if (first !== undefined) pairs.push([first, text])
    seen.set(h, text)
  }
  return pairs
}

describe.each(CONFIGS)('keys, sequences $name', (config) => {
  it('u32: the whole range, and -0 is 0', () => {
    const arena = tinyArena(config)
    const table = HashTable.create(arena, 't', { record: ByU32, key: 'key', capacity: 8 })
    const keys = [0, 1, 2 ** 16, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1]
    for (const key of keys) table.set({ key, value: 1 })
    for (const key of keys) expect(table.get(key)).toEqual({ key, value: 1 })
    expect(table.size).toBe(keys.length)
    expect(table.get(-0)).toEqual({ key: 0, value: 1 })
    table.set({ key: -0, value: 2 })
    expect(table.get(0)).toEqual({ key: 0, value: 2 })
    expect(table.size).toBe(keys.length)
    expect([...table.entries()].map((each) => each.key).sort((a, b) => a - b)).toEqual(keys)
    for (const key of keys) expect(table.delete(key)).toBe(true)
    checkTable(table)
  })

  it('i32: the whole range', () => {
    const arena = tinyArena(config)
    const table = HashTable.create(arena, 't', { record: ByI32, key: 'key', capacity: 8 })
    const keys = [-(2 ** 31), -65_536, -1, 0, 1, 2 ** 31 - 1]
    for (const key of keys) table.set({ key, value: key + 2 ** 31 })
    for (const key of keys) expect(table.get(key)).toEqual({ key, value: key + 2 ** 31 })
    expect([...table.entries()].map((each) => each.key).sort((a, b) => a - b)).toEqual(keys)
    expect(table.delete(-1)).toBe(true)
    expect(table.has(-1)).toBe(false)
    expect(table.has(1)).toBe(true)
    checkTable(table)
  })

  it('i64: the whole range, told apart by either half', () => {
    const arena = tinyArena(config)
    const table = HashTable.create(arena, 't', { record: ByI64, key: 'key', capacity: 8 })
    const keys = [
      -(2n ** 63n),
      -(2n ** 32n),
      -1n,
      0n,
      1n,
      2n ** 32n,
      2n ** 32n + 1n,
      2n ** 63n - 1n,
    ]
    for (const [value, key] of keys.entries()) table.set({ key, value })
    for (const [value, key] of keys.entries()) expect(table.get(key)).toEqual({ key, value })
    expect(table.size).toBe(keys.length)
    expect(table.has(2n ** 33n)).toBe(false)
    expectTypeOf(table.get).parameter(0).toEqualTypeOf<bigint>()
    checkTable(table)
  })

  it('i64: two keys of one hash are two records', () => {
    const arena = tinyArena(config)
    const table = HashTable.create(arena, 't', { record: ByI64, key: 'key', capacity: 8 })
    for (let i = 0; i < 50; i++) {
      const [a, b] = collidingLongs(BigInt(i * 0x1234567))
      expect(keyOf(ByI64, 'key', 0).hash(a)).toBe(keyOf(ByI64, 'key', 0).hash(b))
      table.set({ key: a, value: 1 })
      expect(table.has(b)).toBe(false)
      expect(table.delete(b)).toBe(false)
      table.set({ key: b, value: 2 })
      expect(table.get(a)).toEqual({ key: a, value: 1 })
      expect(table.get(b)).toEqual({ key: b, value: 2 })
      expect(table.delete(a)).toBe(true)
      expect(table.get(b)).toEqual({ key: b, value: 2 })
    }
    expect(table.size).toBe(50)
    checkTable(table)
  })

  it('utf8: empty, with NUL, of the longest length, beyond ASCII, prefixes of each other', () => {
    const arena = tinyArena(config)
    const table = HashTable.create(arena, 't', { record: ByText, key: 'key', capacity: 8 })
    const longest = 'x'.repeat(40)
    const keys = [
      '',
      '\0',
      '\0\0',
      'a',
      'a\0',
      'ab',
      'Ab',
      '\u00e9',
      'e\u0301',
      '日本',
      '😀',
      '😀😀',
      longest,
    ]
    for (const [value, key] of keys.entries()) table.set({ key, value })
    for (const [value, key] of keys.entries()) expect(table.get(key)).toEqual({ key, value })
    expect(table.size).toBe(keys.length)
    for (const key of ['b', 'a\0\0', 'aB', 'x'.repeat(39), '\uffff'])
      expect(table.has(key)).toBe(false)
    expectTypeOf(table.get).parameter(0).toEqualTypeOf<string>()
    checkTable(table)
  })

  it('any hash will do, also those with the sign bit: then one chain holds everything', () => {
    for (const hash of [0, 1, -1, -(2 ** 31), 2 ** 31 - 1]) {
      const { table, theirs } = pair(config)
      collideAll(table, hash)
      collideAll(theirs, hash)
      fillTable(table, 30)
      for (let id = 0; id < 30; id += 2) theirs.set(account(id, 1))
      for (let id = 0; id < 30; id += 3) expect(table.delete(id)).toBe(true)
      table.resize(1000)
      theirs.resize(20)
      const expected = new Map<number, number>()
      for (let id = 0; id < 30; id++) if (id % 3 !== 0) expected.set(id, id % 2 === 0 ? 1 : 0)
      expect(versions(table)).toEqual(expected)
      for (let id = 0; id < 30; id++) expect(theirs.has(id)).toBe(expected.has(id))
      expectIntact(table)
    }
  })
})

it('utf8: two keys of one hash, found by search, are two records', () => {
  const arena = tinyArena(CONFIGS[0] as Config)
  const table = HashTable.create(arena, 't', { record: ByText, key: 'key', capacity: 8 })
  const key = keyOf(ByText, 'key', 0)
  const pairs = collidingTexts((text) => key.hash(text))
  // 400,000 of 2^32: about 18 pairs are to be expected.
  expect(pairs.length).toBeGreaterThan(5)
  expect(pairs.length).toBeLessThan(50)
  for (const [a, b] of pairs) {
    table.set({ key: a, value: 1 })
    expect(table.has(b)).toBe(false)
    table.set({ key: b, value: 2 })
    expect(table.get(a)).toEqual({ key: a, value: 1 })
    expect(table.delete(b)).toBe(true)
    expect(table.get(a)).toEqual({ key: a, value: 1 })
    table.set({ key: b, value: 3 })
  }
  expect(table.size).toBe(2 * pairs.length)
  checkTable(table)
})

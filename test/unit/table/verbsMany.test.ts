/**
 * Many keys at once, in both kinds of tables: what is found is what the verbs of one key find, in the
 * order of the keys, whatever their type, their number and what else happens on the way.
 */

import { describe, expect, it } from 'vitest'
import {
  Arena,
  bytes,
  HashTable,
  type Item,
  i32,
  i64,
  OrderedTable,
  record,
  type Schema,
  u32,
  utf8,
} from '#src/index.ts'
import { hashHalves, hashWord, seedsOf } from '#src/record/hash.ts'
import { Random } from '../../helpers/random.ts'
import { misuse } from '../../helpers/refusals.ts'

/** What both kinds of tables have, for any type of key. */
interface Many {
  readonly smr: { readonly entered: boolean; read<T>(fn: () => T): T }
  readonly size: number
  set(row: object): unknown
  get(key: unknown): unknown
  getMany(keys: readonly unknown[]): unknown[]
  hasMany(keys: readonly unknown[]): boolean[]
  readMany<T>(keys: readonly unknown[], fn: (item: Item, index: number) => T): (T | undefined)[]
  resize?(capacity: number): void
}

const KEYS = {
  u32: [u32, (n: number) => (n * 2_654_435_761) >>> 0],
  i32: [i32, (n: number) => Math.imul(n, 2_654_435_761)],
  i64: [i64, (n: number) => BigInt(n) * -9_876_543_210n],
  utf8: [utf8(40), (n: number) => `key ${n}${n % 3 === 0 ? ' \u00e4\u6f22\u{1f600}' : ''}`],
  bytes: [bytes(8), (n: number) => Uint8Array.of(n >> 8, n & 255)],
} as const
type Kind = keyof typeof KEYS

const CASES = (['hash', 'ordered'] as const).flatMap((sort) =>
  (Object.keys(KEYS) as Kind[])
    .filter((kind) => sort === 'ordered' || kind !== 'bytes')
    .flatMap((kind) =>
      (['fenced', 'turn'] as const).flatMap((sections) =>
        [true, false].map((intrinsics) => ({ sort, kind, sections, intrinsics })),
      ),
    ),
)

const COUNT = 300

function stage({ sort, kind, sections, intrinsics }: (typeof CASES)[number]) {
  const arena = Arena.create({ bytes: 2 ** 21, maxWorkers: 2, intrinsics })
  const [type, make] = KEYS[kind]
  const keyOf: (n: number) => unknown = make
  const Row = record({ id: type as typeof u32, n: u32 })
  const smr = arena.smr('rows', { sections })
  const options = { record: Row, key: 'id', smr, capacity: 64 } as const
  const made =
    sort === 'hash'
      ? HashTable.create(arena, 'rows', { ...options, grow: false })
      : OrderedTable.create(arena, 'rows', options)
  const table = made as unknown as Many
  // Every second key is there.
  for (let n = 0; n < COUNT; n += 2) table.set({ id: keyOf(n), n })
  const nOf = (item: Item): number => Row.get.n(arena, item)
  return { arena, table, keyOf, nOf, Row: Row as Schema }
}

describe.each(CASES)(
  '$sort table, $kind keys, $sections sections, intrinsics $intrinsics',
  (it_) => {
    it('are what they are one by one', () => {
      const { arena, table, keyOf, nOf } = stage(it_)
      const random = new Random(7)
      for (const length of [0, 1, 2, 63, 64, 65, 128, 129, 200]) {
        const asked = Array.from({ length }, () => random.below(COUNT + 10))
        const keys = asked.map(keyOf)
        const isIn = asked.map((n) => n < COUNT && n % 2 === 0)
        const check = () => {
          expect(table.hasMany(keys)).toEqual(isIn)
          expect(table.getMany(keys)).toEqual(
            asked.map((n, i) => (isIn[i] ? { id: keys[i], n } : undefined)),
          )
          const seen: number[] = []
          const found = table.readMany(keys, (item, index) => {
            seen.push(index)
            return nOf(item)
          })
          expect(found).toEqual(asked.map((n, i) => (isIn[i] ? n : undefined)))
          expect(seen).toEqual(asked.flatMap((_, i) => (isIn[i] ? [i] : [])))
        }
        check()
        table.smr.read(check)
        expect(table.smr.entered).toBe(false)
      }
      table.resize?.(1000)
      const all = Array.from({ length: COUNT }, (_, n) => keyOf(n))
      expect(table.hasMany(all)).toEqual(all.map((_, n) => n % 2 === 0))
      arena.detach()
    })

    it('what runs on the way may ask, too, and may fail', () => {
      const { table, keyOf, nOf } = stage(it_)
      const keys = Array.from({ length: 100 }, (_, i) => keyOf(2 * i))
      const inner = (): number => {
        expect(table.hasMany([keyOf(1), keyOf(2), keyOf(3)])).toEqual([false, true, false])
        return table.getMany(keys.slice(0, 3)).length
      }
      const sums = table.readMany(keys, (item) => nOf(item) + inner())
      expect(sums).toEqual(keys.map((_, i) => 2 * i + 3))
      // To look at the keys may run code, too.
      const strange = keys.slice(0, 70)
      for (const i of [0, 30, 69]) {
        Object.defineProperty(strange, i, {
          get: () => {
            inner()
            return keyOf(i)
          },
        })
      }
      const there = Array.from({ length: 70 }, (_, i) => i !== 69)
      expect(table.hasMany(strange)).toEqual(there)

      const failure = new Error('in the middle')
      const fails = () =>
        table.readMany(keys, (_item, index) => {
          if (index === 70) throw failure
        })
      expect(fails).toThrow(failure)
      expect(table.smr.entered).toBe(false)
      expect(misuse(() => table.readMany(keys, async () => 1)).message).toContain('promise')
      expect(misuse(() => table.readMany(keys, 5 as never)).message).toContain('table.readMany')
      expect(table.smr.entered).toBe(false)
      expect(table.size).toBe(COUNT / 2)
    })
  },
)

it('keys of one hash are told apart', () => {
  const seeds = seedsOf(0)
  const wide = (low: number, high: number): bigint => (BigInt(high) << 32n) | BigInt(low >>> 0)
  // The hash is that of `low ^ hash(high)`.
  const twins = [1, 2, 3, 4].map((high) => wide(99 ^ hashWord(high, seeds), high))
  const hashes = twins.map((key) =>
    hashHalves(Number(BigInt.asIntN(32, key)), Number(key >> 32n), seeds),
  )
  expect(new Set(hashes).size).toBe(1)
  const arena = Arena.create({ bytes: 2 ** 20 })
  const Row = record({ id: i64, n: u32 })
  const table = HashTable.create(arena, 'rows', { record: Row, key: 'id', capacity: 8, seed: 0 })
  for (const n of [0, 1, 2]) table.set({ id: twins[n] as bigint, n })
  expect(table.hasMany(twins)).toEqual([true, true, true, false])
  expect(table.getMany(twins).map((row) => row?.n)).toEqual([0, 1, 2, undefined])
})

it('two arenas of one worker, one in the other', () => {
  const Row = record({ id: u32 })
  const [one, other] = ['one', 'other'].map((name) => {
    const arena = Arena.create({ bytes: 2 ** 19 })
    const table = HashTable.create(arena, name, { record: Row, key: 'id', capacity: 64 })
    for (let id = 0; id < 64; id++) table.set({ id })
    return { arena, table }
  }) as [Rows, Rows]
  const again = HashTable.open(Arena.attach(one.arena.handle), 'one', { record: Row, key: 'id' })
  const keys = [5, 99, 6]
  const wanted = [true, false, true]
  const found = one.table.readMany(keys, () => [other.table.hasMany(keys), again.hasMany(keys)])
  expect(found).toEqual([[wanted, wanted], undefined, [wanted, wanted]])
})

interface Rows {
  readonly arena: Arena
  readonly table: HashTable<{ id: typeof u32 }, 'id'>
}

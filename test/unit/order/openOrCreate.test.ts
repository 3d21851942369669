/** openOrCreate: one table, whoever comes first, and only for those who mean the same. */

import { expect, it } from 'vitest'
import { Arena, HashTable, Misuse, OrderedTable, record, u32 } from '#src/index.ts'
import { CONFIGS, type Config, tinyArena } from '../../helpers/tiny.ts'

const [config] = CONFIGS as [Config]
const Row = record({ key: u32, version: u32 })
const OPTIONS = { record: Row, key: 'key', bucket: 3, limit: 100 } as const

function two() {
  const arena = tinyArena(config, { maxWorkers: 3 })
  const other = Arena.attach(arena.handle)
  return { arena, other, table: OrderedTable.openOrCreate(arena, 'rows', OPTIONS) }
}

it('makes the table once, and opens it then', () => {
  const { other, table } = two()
  const theirs = OrderedTable.openOrCreate(other, 'rows', OPTIONS)
  table.set({ key: 1, version: 1 })
  theirs.set({ key: 2, version: 1 })
  expect(theirs.floor(1)?.key).toBe(1)
  expect(table.ceiling(2)?.key).toBe(2)
})

it('a later opener may leave options out, and its capacity is not compared', () => {
  const { other, table } = two()
  table.set({ key: 1, version: 1 })
  const least = { record: Row, key: 'key', capacity: 1000 } as const
  expect(OrderedTable.openOrCreate(other, 'rows', least).size).toBe(1)
})

it.each([
  [{ limit: 99 }, /limit/],
  [{ bucket: 4 }, /bucket/],
  [{ key: 'version' }, /schema/],
  [{ record: record({ key: u32 }) }, /schema|bytes/],
  [{ capacity: 0 }, /capacity is 0/],
  [{ dtor: () => {} }, /hook|dtor/],
  [{ colour: 1 }, /colour/],
])('refuses %j, and the table stays as it was', (changed, why) => {
  const { other, table } = two()
  table.set({ key: 1, version: 1 })
  const options = { ...OPTIONS, ...changed } as typeof OPTIONS
  expect(() => OrderedTable.openOrCreate(other, 'rows', options)).toThrow(Misuse)
  expect(() => OrderedTable.openOrCreate(other, 'rows', options)).toThrow(why)
  expect([...table.entries()]).toEqual([{ key: 1, version: 1 }])
})

it('refuses the name of a hash table', () => {
  const arena = tinyArena(config)
  HashTable.create(arena, 'rows', { record: Row, key: 'key', capacity: 16 })
  expect(() => OrderedTable.openOrCreate(arena, 'rows', OPTIONS)).toThrow(/exists/)
})

it('opens what another worker makes between its look and its attempt', () => {
  const { arena, other, table } = two()
  table.destroy()
  const { directory } = other.space
  const find = directory.find.bind(directory)
  let looks = 0
  Object.assign(directory, {
    find: (...args: Parameters<typeof find>) => {
      const found = find(...args)
      if (looks++ === 0) OrderedTable.create(arena, 'rows', OPTIONS).set({ key: 3, version: 1 })
      return found
    },
  })
  expect(OrderedTable.openOrCreate(other, 'rows', OPTIONS).get(3)?.version).toBe(1)
})

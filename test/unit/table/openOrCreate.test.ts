/** openOrCreate: one table, whoever comes first, and only for those who mean the same. */

import { expect, it } from 'vitest'
import { Arena, HashTable, Misuse, record, u32 } from '#src/index.ts'
import { CONFIGS, type Config, tinyArena } from '../../helpers/tiny.ts'
import { Account, account, expectIntact } from './fixture.ts'

const [config] = CONFIGS as [Config]
const OPTIONS = {
  record: Account,
  key: 'id',
  capacity: 16,
  bucket: 3,
  limit: 100,
  grow: false,
  seed: 5,
  stripes: 4,
} as const

function two() {
  const arena = tinyArena(config, { maxWorkers: 3 })
  const other = Arena.attach(arena.handle)
  return { arena, other, table: HashTable.openOrCreate(arena, 'accounts', OPTIONS) }
}

it('makes the table once, and opens it then', () => {
  const { other, table } = two()
  const theirs = HashTable.openOrCreate(other, 'accounts', OPTIONS)
  table.set(account(1))
  theirs.set(account(2))
  expect(theirs.get(1)).toEqual(account(1))
  expect(table.get(2)).toEqual(account(2))
  expect(table.stats()).toMatchObject({ stripes: 4, grow: false })
  expectIntact(table)
})

it('a later opener may leave options out, and its capacity is not compared', () => {
  const { other } = two()
  const least = { record: Account, key: 'id', capacity: 1000 } as const
  expect(HashTable.openOrCreate(other, 'accounts', least).stats().chains).toBe(16)
})

it.each([
  [{ seed: 6 }, /seed 5, opened with 6/],
  [{ stripes: 8 }, /stripes 4, opened with 8/],
  [{ grow: true }, /grow false, opened with true/],
  [{ limit: 99 }, /limit/],
  [{ bucket: 4 }, /bucket/],
  [{ key: 'version' }, /schema/],
  [{ record: record({ id: u32 }) }, /schema|bytes/],
  [{ capacity: 0 }, /capacity is 0/],
  [{ dtor: () => {} }, /hook|dtor/],
  [{ colour: 1 }, /colour/],
])('refuses %j, and the table stays as it was', (other, why) => {
  const { other: arena, table } = two()
  table.set(account(1))
  const options = { ...OPTIONS, ...other } as typeof OPTIONS
  expect(() => HashTable.openOrCreate(arena, 'accounts', options)).toThrow(Misuse)
  expect(() => HashTable.openOrCreate(arena, 'accounts', options)).toThrow(why)
  expect([...table.entries()]).toEqual([account(1)])
  expectIntact(table)
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
      if (looks++ === 0) HashTable.create(arena, 'accounts', OPTIONS).set(account(3))
      return found
    },
  })
  expect(HashTable.openOrCreate(other, 'accounts', OPTIONS).get(3)).toEqual(account(3))
})

/** The end of a table: everything goes back, the name is free, and what forbids it changes nothing. */

import { describe, expect, it } from 'vitest'
import { Arena, Exhausted, HashTable, Misuse, record, text, u32 } from '#src/index.ts'
import { CONFIGS, type Config, tinyArena } from '../../helpers/tiny.ts'
import { Account, account, expectIntact, fillTable, pair, room, skipWaits } from './fixture.ts'

const [config] = CONFIGS as [Config]
const Note = record({ id: u32, body: text() })

describe.each(CONFIGS)('destroy, sequences $name', (each) => {
  it('gives all memory back, however often, and the name', () => {
    const arena = tinyArena(each, { bytes: 2 ** 21 })
    const before = room(arena)
    for (let round = 0; round < 3; round++) {
      const capacity = 16 << (4 * round)
      const table = HashTable.create(arena, 'accounts', { record: Account, key: 'id', capacity })
      for (let id = 0; id < 1000; id++) table.set(account(id))
      table.destroy()
      expect(arena.stats().zones.length + arena.stats().domains.length).toBe(0)
      expect(room(arena)).toBe(before)
    }
  })

  it('with fields of any size: their heap ends with it', () => {
    const arena = tinyArena(each, { bytes: 2 ** 21 })
    const before = room(arena)
    const table = HashTable.create(arena, 'notes', { record: Note, key: 'id', capacity: 16 })
    for (let id = 0; id < 100; id++) table.set({ id, body: 'x'.repeat(id * 20) })
    table.destroy()
    expect(room(arena)).toBe(before)
    HashTable.create(arena, 'notes', { record: Account, key: 'id', capacity: 16 }).destroy()
  })
})

it('runs the destructor once for each record', () => {
  const seen: number[] = []
  const { table } = pair(config, { dtor: (item) => seen.push(item) })
  fillTable(table, 50)
  table.destroy()
  expect(seen.length).toBe(50)
})

it('leaves a domain that was given, and one that others use', () => {
  const arena = tinyArena(config)
  const mine = arena.smr('mine')
  const options = { record: Account, key: 'id', capacity: 16 } as const
  HashTable.create(arena, 'given', { ...options, smr: mine }).destroy()
  expect(mine.read(() => 5)).toBe(5)
  const table = HashTable.create(arena, 'own', options)
  const zone = arena.zone('beside', { bytes: 8, smr: table.smr })
  table.destroy()
  expect(zone.zallocSmr()).not.toBe(0)
})

it('waits for readers with no lock held, and gives up in time: the table is empty, and exists', () => {
  const { arena, table, theirs } = pair(config)
  fillTable(table, 20)
  const third = Arena.attach(arena.handle)
  theirs.smr.enter()
  expect(() => table.destroy({ timeoutMs: 5 })).toThrow(Exhausted)
  expect(table.size).toBe(0)
  table.set(account(7))
  expectIntact(table)
  let sleeps = 0
  skipWaits(arena, () => {
    sleeps++
    HashTable.create(third, `another ${sleeps}`, {
      record: Account,
      key: 'id',
      capacity: 1,
    }).destroy()
    if (sleeps === 2) theirs.smr.exit()
  })
  table.destroy()
  expect(sleeps).toBeGreaterThanOrEqual(2)
})

it('is refused in a section, unchanged; afterwards handles say so, of any worker', () => {
  const { table, theirs } = pair(config)
  fillTable(table, 20)
  table.smr.enter()
  expect(() => table.destroy()).toThrow(Misuse)
  table.smr.exit()
  expect(() => table.destroy({ timeoutMs: -1 })).toThrow(Misuse)
  expect(table.size).toBe(20)
  expectIntact(table)
  table.destroy()
  for (const handle of [table, theirs]) expect(() => handle.set(account(1))).toThrow(Misuse)
  expect(() => table.get(1)).toThrow(Misuse)
  expect(() =>
    HashTable.open(theirs.parts.arena, 'accounts', { record: Account, key: 'id' }),
  ).toThrow(/there is no table "accounts"/)
})

/**
 * A table that grows by itself: one stripe at a time, past readers, without more memory than there is;
 * and never where it was told not to.
 */

import { describe, expect, it, vi } from 'vitest'
import { Arena, HashTable, Misuse } from '#src/index.ts'
import { CONFIGS, type Config } from '../../helpers/tiny.ts'
import {
  Account,
  account,
  expectIntact,
  expectWhole,
  fillTable,
  pair,
  room,
  versions,
} from './fixture.ts'

const [config] = CONFIGS as [Config]
/** Records that a stripe of 16 chains, 16 stripes in all, has room for. */
const ROOM = 2
const growing = { grow: true, bytes: 2 ** 22 } as const

describe.each(CONFIGS)('growth, sequences $name', (each) => {
  it('goes with the records; every worker finds everything at any time', () => {
    const { table, theirs } = pair(each, { ...growing, capacity: 16 })
    for (let id = 0; id < 3000; id++) {
      ;(id % 2 === 0 ? table : theirs).set(account(id))
      if (id % 500 === 0) expect(versions(theirs).size).toBe(id + 1)
    }
    for (let id = 0; id < 3000; id++) expectWhole(theirs.get(id))
    const { chains, grow, grown, load, size } = table.stats()
    expect({ chains, grow, grown, size }).toEqual({
      chains: 16 * 1024,
      grow: true,
      grown: 16,
      size: 3000,
    })
    expect(load).toBe(3000 / (16 * 1024))
    expectIntact(table)
  })

  it('an iteration beside it sees each record once that is there all the time', () => {
    const { table, theirs } = pair(each, { ...growing, capacity: 64 })
    fillTable(table, 100)
    const seen = new Map<number, number>()
    let id = 1000
    for (const value of table.entries()) {
      expectWhole(value)
      seen.set(value.id, (seen.get(value.id) ?? 0) + 1)
      for (let i = 0; i < 20 && id < 4000; i++) theirs.set(account(id++))
    }
    expect(table.stats().grown).toBeGreaterThan(0)
    for (let stable = 0; stable < 100; stable++) expect(seen.get(stable)).toBe(1)
    expect(Math.max(...seen.values())).toBe(1)
  })
})

it('begins with the third record for each chain of a stripe, and leaves other stripes alone', () => {
  const { table } = pair(config, { ...growing, capacity: 16 })
  const { chains } = table.parts
  const { key } = table as unknown as { key: { hash(id: number): number } }
  const own = Array.from({ length: 1000 }, (_, id) => id).filter(
    (id) => chains.stripeOf(key.hash(id)) === 5,
  )
  for (const id of own.slice(0, ROOM)) table.set(account(id))
  expect(table.stats()).toMatchObject({ chains: 16, grown: 0 })
  table.set(account(own[0] as number, 1))
  expect(table.stats().grown).toBe(0)
  table.set(account(own[ROOM] as number))
  expect(table.stats()).toMatchObject({ chains: 15 + 1024, grown: 1 })
  expectIntact(table)
})

it('is told to who listens, in a turn of its own', async () => {
  const { arena, table } = pair(config, { ...growing, capacity: 16 })
  const told: unknown[] = []
  arena.on('grow', (event) => told.push(event))
  fillTable(table, 200)
  expect(told).toEqual([])
  await new Promise((resolve) => setImmediate(resolve))
  expect(told).toMatchObject([{ table: 'accounts', times: table.stats().grown }])
})

it('does not happen where the creator said so, in any worker', () => {
  const { table, theirs } = pair(config, { bytes: 2 ** 22, capacity: 16, grow: false })
  for (let id = 0; id < 1000; id++) theirs.set(account(id))
  expect(table.stats()).toMatchObject({ chains: 16, grow: false, grown: 0, load: 1000 / 16 })
})

it('waits for readers on the array before, without making a write wait', () => {
  const { table, theirs } = pair(config, { ...growing, capacity: 16, stripes: 2 })
  fillTable(table, 100)
  expect(table.stats()).toMatchObject({ stripes: 2, grown: 2 })
  theirs.smr.enter()
  fillTable(table, 20_000)
  // Each has grown once since the reader came: the array that it may be on must stay.
  expect(table.stats()).toMatchObject({ chains: 8192, grown: 4 })
  for (let id = 0; id < 20_000; id += 100) expect(theirs.get(id)).toEqual(account(id))
  theirs.smr.exit()
  fillTable(table, 24_000)
  expect(table.stats()).toMatchObject({ chains: 4 * 8192, grown: 6 })
  expectIntact(table)
})

it('without memory for it, the table goes on with longer chains', () => {
  const { arena, table } = pair(config, { grow: true, bytes: 2 ** 18, stripes: 64 })
  let id = 0
  while (room(arena) > 0) table.set(account(id++))
  const { grown } = table.stats()
  expect(grown).toBeGreaterThan(0)
  expect(grown).toBeLessThan(64)
  // As long as there are items left in the zone's last slab, writes do not fail for want of an array.
  table.delete(0)
  table.set(account(id))
  expect(table.get(id)).toEqual(account(id))
  expectIntact(table)
})

it('can be undone: a smaller table gives its pages back, and grows again', () => {
  const { arena, table } = pair(config, { ...growing, capacity: 16 })
  fillTable(table, 30)
  const before = room(arena)
  fillTable(table, 2000)
  expect(table.stats().grown).toBe(16)
  for (let id = 30; id < 2000; id++) table.delete(id)
  table.zone.reclaim('all')
  table.resize(16)
  expect(table.stats().chains).toBe(16)
  expect(room(arena)).toBeGreaterThanOrEqual(before - 1)
  fillTable(table, 2000)
  expect(table.stats().grown).toBe(32)
  expectIntact(table)
})

it('a resize does not give its goal to a stripe that grew after it and was thrown out before its own', () => {
  const { arena, table, theirs } = pair(config, { ...growing, capacity: 2048, stripes: 2 })
  const reader = HashTable.open(Arena.attach(arena.handle), 'accounts', {
    record: Account,
    key: 'id',
  })
  fillTable(table, 4000)
  expect(table.stats()).toMatchObject({ chains: 2048, grown: 0 })
  const stamp = table.smr.stamp.bind(table.smr)
  let left = 0
  vi.spyOn(table.smr, 'stamp').mockImplementationOnce(() => {
    const goal = stamp()
    reader.smr.enter()
    const interrupted = vi.spyOn(theirs.smr, 'stamp').mockImplementationOnce(() => {
      throw new Error('interrupted')
    })
    // The record is in by then, so its `set` does not throw.
    for (let id = 4000; interrupted.mock.calls.length === 0; id++) theirs.set(account(id))
    left = room(arena)
    return goal
  })
  table.resize(2048)
  // The array that the stripe has left stays for its reader.
  expect(table.stats().chains).toBeGreaterThan(2048)
  expect(room(arena)).toBe(left)
  reader.smr.exit()
  table.resize(2048)
  expect(room(arena)).toBeGreaterThan(left)
  expectIntact(table)
})

it.each([
  [{ grow: 1 }, /grow is 1; give true or false/],
  [{ stripes: 3 }, /stripes is 3; give a power of two/],
  [{ stripes: 1 }, /stripes is 1/],
  [{ stripes: 512 }, /stripes is 512/],
])('%j is refused', (knobs, why) => {
  expect(() => pair(config, knobs as object)).toThrow(Misuse)
  expect(() => pair(config, knobs as object)).toThrow(why)
})

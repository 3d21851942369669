/** The end of an ordered table: everything goes back, and what forbids it changes nothing. */

import { describe, expect, it } from 'vitest'
import { reapSlot } from '#src/arena/reap.ts'
import { Arena, Exhausted, Misuse, OrderedTable, record, text, u32 } from '#src/index.ts'
import { dieAfter } from '../../helpers/death.ts'
import { CONFIGS, type Config, tinyArena } from '../../helpers/tiny.ts'
import { room, skipWaits } from '../table/fixture.ts'
import { expectIntact, type Key, KINDS, type Kind, pair, type Rows, row } from './fixture.ts'

const [config] = CONFIGS as [Config]
const [U32] = KINDS as [Kind]
const Row = record({ key: u32, version: u32 })
const Note = record({ key: u32, body: text() })
const OPTIONS = { record: Row, key: 'key', bucket: 3 } as const

function fill(table: Rows, count: number): void {
  for (let i = 0; i < count; i++) table.set(row((i * 7919) as Key, 1))
}

describe.each(CONFIGS)('destroy, sequences $name', (each) => {
  it('gives all memory back, however often, and the name', () => {
    const arena = tinyArena(each, { bytes: 2 ** 20 })
    const before = room(arena)
    for (let round = 0; round < 3; round++) {
      const table = OrderedTable.create(arena, 'rows', OPTIONS)
      for (let key = 0; key < 500; key++) table.set({ key: key * 7919, version: 1 })
      table.destroy()
      expect(arena.space.directory.list()).toEqual([])
      expect(room(arena)).toBe(before)
    }
  })

  it('with fields of any size: their heap ends with it', () => {
    const arena = tinyArena(each, { bytes: 2 ** 21 })
    const before = room(arena)
    const table = OrderedTable.create(arena, 'notes', { record: Note, key: 'key' })
    for (let key = 0; key < 50; key++) table.set({ key, body: 'x'.repeat(key * 20) })
    table.destroy()
    expect(room(arena)).toBe(before)
  })
})

it('runs the destructor once for each record', () => {
  const seen: number[] = []
  const { table } = pair(config, U32, { dtor: (item) => seen.push(item) })
  fill(table, 50)
  table.destroy()
  expect(seen.length).toBe(50)
})

it('leaves a domain that was given, and one that others use', () => {
  const arena = tinyArena(config)
  const mine = arena.smr('mine')
  OrderedTable.create(arena, 'given', { ...OPTIONS, smr: mine }).destroy()
  expect(mine.read(() => 5)).toBe(5)
  const table = OrderedTable.create(arena, 'own', OPTIONS)
  const zone = arena.zone('beside', { bytes: 8, smr: table.smr })
  table.destroy()
  expect(zone.zallocSmr()).not.toBe(0)
})

it('waits for readers with no lock held, and gives up in time: the table is empty, and exists', () => {
  const { arena, other, table, theirs } = pair(config, U32)
  fill(table, 20)
  theirs.smr.enter()
  expect(() => table.destroy({ timeoutMs: 5 })).toThrow(Exhausted)
  expect(table.size).toBe(0)
  table.set(row(7 as Key, 1))
  expectIntact(table)
  const third = Arena.attach(arena.handle)
  let sleeps = 0
  skipWaits(arena, () => {
    sleeps++
    OrderedTable.create(third, `another ${sleeps}`, OPTIONS).destroy()
    if (sleeps === 2) theirs.smr.exit()
  })
  table.destroy()
  expect(sleeps).toBeGreaterThanOrEqual(2)
  expect(other.space.directory.list()).toEqual([])
})

it('goes on with a table whose records have ended', () => {
  const { arena, table } = pair(config, U32)
  fill(table, 20)
  table.clear()
  table.zone.destroy()
  table.destroy()
  expect(arena.space.directory.list()).toEqual([])
})

it('leaves a table of the same name alone that was made after its records had ended', () => {
  const { arena, other, table } = pair(config, U32)
  fill(table, 20)
  const { zone } = table
  const destroy = zone.destroy.bind(zone)
  let next: OrderedTable | undefined
  Object.assign(zone, {
    destroy: () => {
      destroy()
      next = OrderedTable.create(other, 'rows', OPTIONS) as unknown as OrderedTable
    },
  })
  table.destroy()
  const found = OrderedTable.open(arena, 'rows', { record: Row, key: 'key' })
  for (let key = 0; key < 40; key++) found.set({ key, version: 1 })
  expect(next?.size).toBe(40)
  expect(found.ceiling(30)?.key).toBe(30)
})

it.each([
  ['in a section', undefined, (table: Rows) => table.smr.enter()],
  ['with a time that is none', { timeoutMs: -1 }, () => {}],
])('is refused %s, unchanged', (_, options, before) => {
  const { table } = pair(config, U32)
  fill(table, 20)
  before(table)
  expect(() => table.destroy(options)).toThrow(Misuse)
  if (table.smr.entered) table.smr.exit()
  expect(table.size).toBe(20)
  expectIntact(table)
})

it('afterwards handles say so, of any worker', () => {
  const { other, table, theirs } = pair(config, U32)
  fill(table, 20)
  table.destroy()
  for (const handle of [table, theirs]) {
    expect(() => handle.set(row(1 as Key, 1))).toThrow(Misuse)
    expect(() => handle.destroy()).toThrow(Misuse)
  }
  const what = { record: Row, key: 'key' } as const
  expect(() => OrderedTable.open(other, 'rows', what)).toThrow(/there is no table "rows"/)
})

it('waits once more for nodes that readers still hold, without the lock', () => {
  const { arena, table } = pair(config, U32)
  fill(table, 20)
  const { nodes } = table
  const destroy = nodes.destroy.bind(nodes)
  const reclaim = nodes.reclaim.bind(nodes)
  const calls: string[] = []
  Object.assign(nodes, {
    destroy: (options: object) => {
      calls.push('destroy')
      if (calls.length === 1) throw new Exhausted('3 items are still pending')
      destroy(options)
    },
    reclaim: (level: 'drain', options: object) => {
      calls.push('reclaim')
      OrderedTable.create(arena, 'another', OPTIONS).destroy()
      return reclaim(level, options)
    },
  })
  table.destroy()
  expect(calls).toEqual(['destroy', 'reclaim', 'destroy'])
  expect(arena.space.directory.list()).toEqual([])
})

it('after a death at every third step the table can be destroyed, or made anew', () => {
  let survived = false
  const seen = new Set<string>()
  let whole = 0
  for (let k = 0; !survived; k += 3) {
    const arena = tinyArena(config, { bytes: 2 ** 19, checks: false })
    const other = Arena.attach(arena.handle)
    other.space.watch.every = () => {}
    const theirs = OrderedTable.create(other, 'rows', OPTIONS)
    for (const key of [1, 2, 70]) theirs.set({ key, version: 1 })
    survived = !dieAfter(other, k, () => theirs.destroy())
    reapSlot(arena.space, other.space.slot)
    const names = arena.space.directory.list().map(({ kind, name }) => `${kind} ${name}`)
    const isWhole = names.includes('3 rows')
    seen.add(isWhole ? 'whole' : 'over')
    const table = OrderedTable.openOrCreate(arena, 'rows', OPTIONS)
    expect(table.set({ key: 5, version: 2 }).get(5)?.version).toBe(2)
    table.clear()
    // A record or a node that the dead worker was about to free is lost, as in any zone.
    const lost = [table.zone, table.nodes].map((zone) => zone.stats().live)
    expect(Math.max(...lost)).toBeLessThanOrEqual(1)
    if (Math.max(...lost) > 0) {
      expect(() => table.destroy()).toThrow(/1 items are live/)
      const again = OrderedTable.openOrCreate(arena, 'rows', OPTIONS)
      expect(again.set({ key: 5, version: 2 }).get(5)?.version).toBe(2)
      continue
    }
    whole++
    table.destroy()
    const left = arena.space.directory.list().map(({ kind, name }) => `${kind} ${name}`)
    // The domain stays if only it was left, for the new table did not make it.
    expect(left.filter((each) => each !== '2 rows')).toEqual([])
  }
  expect(seen).toEqual(new Set(['whole', 'over']))
  expect(whole).toBeGreaterThan(0)
})

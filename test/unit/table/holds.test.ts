/** The words behind holds: what workers leave that are gone, and deaths and exceptions in between. */

import { describe, expect, it } from 'vitest'
import { reapSlot } from '#src/arena/reap.ts'
import { Arena, HashTable, record, u32 } from '#src/index.ts'
import type { Holds } from '#src/table/holds.ts'
import { checkTable } from '#src/table/stats.ts'
import { dieAfter } from '../../helpers/death.ts'
import { exhausted } from '../../helpers/refusals.ts'

const Row = record({ id: u32, version: u32 })
const HOLDS = 4
const options = { record: Row, key: 'id', capacity: 16, bucket: 1, seed: 0, holds: HOLDS } as const
const row = (id: number, version = 0) => ({ id, version })

function stage() {
  const arena = Arena.create({ bytes: 2 ** 19, maxWorkers: 3 })
  const table = HashTable.create(arena, 'rows', options)
  for (let id = 0; id < HOLDS; id++) table.set(row(id))
  const other = Arena.attach(arena.handle)
  const theirs = HashTable.open(other, 'rows', { record: Row, key: 'id' })
  return { arena, other, table, theirs }
}

type Rows = ReturnType<typeof stage>['table']

/** Writes so often that the table looks for what others have left, and uses all that is free. */
function churn(table: Rows): void {
  for (let version = 0; version < 80; version++) table.set(row(100, version))
}

/** What is not in the table: held, or lost. */
function outside(table: Rows): number {
  return table.zone.stats().live - table.size
}

function check(table: Rows): void {
  checkTable(table)
  table.zone.check()
}

describe('a worker that is gone', () => {
  it.each(['reap', 'detach'] as const)('holds nothing any more: %s', (way) => {
    const { arena, other, table, theirs } = stage()
    for (let id = 0; id < HOLDS; id++) theirs.hold(id)
    table.set(row(0, 1)).delete(1)
    churn(table)
    expect(outside(table)).toBe(2)
    if (way === 'reap') reapSlot(arena.space, other.space.slot)
    else other.detach()
    churn(table)
    expect(outside(table)).toBe(0)
    // What is still in the table is freed when it is taken out.
    table.delete(2)
    expect(outside(table)).toBe(0)
    check(table)
  })

  it('and whose slot has another worker by now', () => {
    const { arena, other, table, theirs } = stage()
    for (let id = 0; id < HOLDS; id++) theirs.hold(id)
    table.delete(0)
    reapSlot(arena.space, other.space.slot)
    const next = HashTable.open(Arena.attach(arena.handle), 'rows', { record: Row, key: 'id' })
    const held = next.hold(1)
    next.set(row(5)) // It frees what it has found.
    expect(outside(table)).toBe(0)
    table.delete(1)
    churn(table)
    expect(held?.get()).toEqual(row(1))
    held?.release()
    expect(outside(table)).toBe(0)
    check(table)
  })

  it('does not keep the table from its end', () => {
    const { arena, other, table, theirs } = stage()
    theirs.hold(1)
    table.delete(1)
    reapSlot(arena.space, other.space.slot)
    table.destroy()
    expect(arena.stats().zones).toEqual([])
  })
})

describe('a death after every write', () => {
  const actions: Record<string, (theirs: Rows) => void> = {
    'of hold': (theirs) => theirs.hold(0),
    'of hold and release': (theirs) => theirs.hold(0)?.release(),
    'of the release of what was replaced': (theirs) => {
      const held = theirs.hold(0)
      theirs.set(row(0, 9))
      held?.release()
    },
    'of the replacement of what another holds': (theirs) => theirs.set(row(1, 9)),
  }

  it.each(Object.entries(actions))('%s loses one record at most', (_, act) => {
    for (let k = 0, died = true; died; k++) {
      const { arena, other, table, theirs } = stage()
      other.space.turn.schedule = () => {}
      const mine = table.hold(1)
      died = dieAfter(other, k, () => act(theirs))
      if (!died) break
      reapSlot(arena.space, other.space.slot)
      churn(table)
      expect(mine?.get(), `write ${k}`).toEqual(row(1))
      mine?.release()
      for (const id of [0, 1]) table.delete(id)
      churn(table)
      check(table)
      expect(outside(table), `write ${k}`).toBeLessThanOrEqual(1)
      const held = table.hold(100)
      table.delete(100)
      expect(held?.get().id).toBe(100)
      held?.release()
    }
  })
})

describe('an exception', () => {
  it('that leaves an entry behind: the next write lets go of it', () => {
    const { table, theirs } = stage()
    const real = theirs.smr.exit.bind(theirs.smr)
    theirs.smr.exit = () => {
      theirs.smr.exit = real
      real()
      throw new RangeError('too deep')
    }
    expect(() => theirs.hold(0)).toThrow('too deep')
    expect(table.parts.holds?.held()).toHaveLength(1)
    theirs.set(row(100))
    expect(table.parts.holds?.held()).toHaveLength(0)
    table.delete(0)
    expect(outside(table)).toBe(0)
    check(table)
  })

  it('too many of them are told, and the write has happened', () => {
    const { table, theirs } = stage()
    const mine = table.hold(0)
    const { own, count } = theirs.parts.holds as unknown as { own: number; count: number }
    theirs.hold(1)?.release()
    const items = Array.from({ length: count }, (_, i) => own + 1 + i)
    for (const at of items) theirs.arena.memory.store(at, 2)
    theirs.delete(0)
    expect([theirs.has(0), mine?.get()]).toEqual([false, row(0)])
    exhausted(() => theirs.set(row(3, 3)))
    for (const at of items) theirs.arena.memory.store(at, 0)
    theirs.set(row(3, 3))
    mine?.release()
    expect(outside(table)).toBe(0)
  })
})

it('workers that are gone are looked for now and then, not at each write', () => {
  const { table } = stage()
  const holds = table.parts.holds as Holds
  const due = Array.from({ length: 64 }, () => holds.isDue)
  expect(due.filter(Boolean)).toHaveLength(2)
})

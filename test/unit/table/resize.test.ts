/**
 * Resizing while others are at it: nothing is lost from anybody's sight, the old array waits for the
 * readers that are on it, and a resize that cannot be had changes nothing.
 */

import { describe, expect, it } from 'vitest'
import { sweepOrphans } from '#src/arena/sweep.ts'
import { type Arena, Exhausted, type Item, Misuse } from '#src/index.ts'
import { RunKind } from '#src/memory/layout.ts'
import type { Space } from '#src/space/space.ts'
import { CONFIGS, type Config } from '../../helpers/tiny.ts'
import {
  Account,
  type Accounts,
  account,
  expectIntact,
  fillTable,
  type Pair,
  pair,
  room,
  skipWaits,
  state,
  versions,
} from './fixture.ts'

/** Arrays of chains that exist, of all tables. */
function arrays({ arena }: Pair): number {
  const runs = arena.space.pages.runs()
  return runs.filter((run) => run.state === 'used' && run.who === RunKind.chains).length
}

/** The chains of each stripe now. */
function words(table: Accounts): number[] {
  const { chains, stripes } = table.parts
  return Array.from({ length: 2 ** stripes.bits }, (_, stripe) => chains.current(stripe))
}

/** Ids found along these chains, as a reader does that stands on them. */
function walk(table: Accounts, old: readonly number[]): number[] {
  const nodes = old.flatMap((now, stripe) => [...table.parts.chains.nodesOf(now, stripe)])
  return nodes.map((node) => Account.get.id(table.parts.arena, node as Item))
}

const ids = (n: number): number[] => Array.from({ length: n }, (_, id) => id)
const sorted = (all: readonly number[]): number[] => all.toSorted((a, b) => a - b)

describe.each(CONFIGS)('resize, sequences $name', (config) => {
  it('grows and shrinks; every worker finds everything after each', () => {
    const { table, theirs } = pair(config)
    fillTable(table, 500)
    for (const capacity of [500, 5000, 17, 1, 4096, 4097, 16]) {
      const worker = capacity % 2 === 0 ? table : theirs
      worker.resize(capacity)
      const chains = Math.max(16, 2 ** Math.ceil(Math.log2(capacity)))
      expect(table.stats()).toMatchObject({ size: 500, chains, load: 500 / chains })
      for (const id of ids(500)) expect(theirs.get(id)).toEqual(account(id))
      expect(table.get(500)).toBeUndefined()
      expectIntact(table)
    }
  })

  it('threads what has come, gone and changed between two resizes', () => {
    const { table, theirs } = pair(config)
    fillTable(table, 100)
    const expected = new Map(ids(100).map((id) => [id, 0]))
    for (let round = 1; round <= 20; round++) {
      table.resize(16 << (round % 6))
      for (let id = round; id < 100; id += 7) {
        theirs.set(account(id, round))
        expected.set(id, round)
      }
      table.delete(round * 3)
      expected.delete(round * 3)
      table.set(account(1000 + round))
      expected.set(1000 + round, 0)
      expect(versions(theirs)).toEqual(expected)
    }
    expectIntact(table)
  })

  it('gives the old array back: at once when nobody is inside, so memory does not creep away', () => {
    const all = pair(config)
    const { arena, table } = all
    fillTable(table, 100)
    const before = room(arena)
    for (let round = 0; round < 30; round++) {
      const bits = 4 + (round % 11)
      table.resize(2 ** bits)
      // From a page for each stripe on, each has its own.
      expect(arrays(all)).toBe(bits < 14 ? 1 : 16)
    }
    table.resize(16)
    expect(room(arena)).toBe(before)
  })

  it('to the number of chains that there are takes no memory', () => {
    const { arena, table } = pair(config, { capacity: 1000 })
    fillTable(table, 100)
    const before = [room(arena), words(table)]
    for (const capacity of [1000, 1024, 513]) table.resize(capacity)
    expect([room(arena), words(table)]).toEqual(before)
  })

  it('leaves a parked reader everything: on the old array, and by lookups in the new one', () => {
    const { table, theirs } = pair(config)
    fillTable(table, 200)
    theirs.smr.enter()
    const old = words(theirs)
    table.resize(2048)
    expect(sorted(walk(theirs, old))).toEqual(ids(200))
    // The old array stays as it was: not with what comes later, and still with what goes later.
    for (const id of ids(100)) table.delete(id)
    for (const id of ids(300)) table.set(account(1000 + id))
    for (const id of ids(50)) table.set(account(100 + id, 1))
    expect(sorted(walk(theirs, old))).toEqual(ids(200))
    for (const id of ids(200)) expect(theirs.has(id)).toBe(id >= 100)
    expect(theirs.get(1299)).toEqual(account(1299))
    theirs.smr.exit()
    expectIntact(table)
  })

  it('waits for readers on the array before the last one, and gives up in time, unchanged', () => {
    const all = pair(config)
    const { arena, table, theirs } = all
    fillTable(table, 200)
    theirs.smr.enter()
    const old = words(theirs)
    table.resize(1000)
    const before = [state(table), room(arena), arrays(all), words(table)]
    for (const timeoutMs of [0, 5]) {
      for (const capacity of [16, 4000, 20_000, 1000]) {
        expect(() => table.resize(capacity, { timeoutMs })).toThrow(Exhausted)
        expect(() => table.resize(capacity, { timeoutMs })).toThrow(/readers.*have not left/)
      }
    }
    expect([state(table), room(arena), arrays(all), words(table)]).toEqual(before)
    expect(sorted(walk(theirs, old))).toEqual(ids(200))
    table.set(account(5, 1)).set(account(1000)).delete(6)
    theirs.smr.exit()
    table.resize(16, { timeoutMs: 0 })
    expect(table.stats()).toMatchObject({ chains: 16, size: 200 })
    expect(arrays(all)).toBe(1)
    expectIntact(table)
  })

  it('waits with no lock held, and goes on as soon as the reader has left', () => {
    const { arena, table, theirs } = pair(config)
    fillTable(table, 100)
    theirs.smr.enter()
    table.resize(1000)
    let sleeps = 0
    skipWaits(arena, () => {
      sleeps++
      if (sleeps === 3) theirs.smr.exit()
      if (sleeps >= 3) theirs.set(account(5, sleeps)).delete(6)
      else expect(theirs.get(7)).toEqual(account(7))
    })
    table.resize(50)
    expect(sleeps).toBe(3)
    expect(table.stats()).toMatchObject({ chains: 64, size: 99 })
    expect(table.get(5)).toEqual(account(5, 3))
    expectIntact(table)
  })

  it('says after 30 s what it waits for, when nobody has said how long', () => {
    const { arena, table, theirs } = pair(config)
    theirs.smr.enter()
    table.resize(1000)
    skipWaits(arena)
    expect(() => table.resize(16)).toThrow(/"accounts": readers of the last resize .* 30000 ms/)
    theirs.smr.exit()
  })

  it('is not held up by a reader that came after the last one', () => {
    const { table, theirs } = pair(config)
    fillTable(table, 50)
    theirs.smr.enter()
    table.resize(100)
    theirs.smr.exit()
    theirs.smr.enter()
    table.resize(200, { timeoutMs: 0 })
    expect(theirs.get(49)).toEqual(account(49))
    theirs.smr.exit()
    expectIntact(table)
  })

  it('with no memory for the array is Exhausted, as often as it is tried, and changes nothing', () => {
    const { arena, table, theirs } = pair(config, { bytes: 2 ** 18 })
    fillTable(table, 200)
    const before = { state: state(table), room: room(arena) }
    for (let i = 0; i < 5; i++) {
      expect(() => table.resize(2 ** 20)).toThrow(Exhausted)
      expect(() => theirs.resize(2 ** 26)).toThrow(/table\.resize: table "accounts": no memory/)
    }
    expect(state(table)).toEqual(before.state)
    // It was asked for first: what zones had no use for may have gone back.
    expect(room(arena)).toBeGreaterThanOrEqual(before.room)
    table.resize(1000)
    expect(table.size).toBe(200)
    expectIntact(table)
  })

  it('refuses what is no capacity, and any call inside a section, unchanged', () => {
    const { arena, table } = pair(config)
    fillTable(table, 20)
    const before = [state(table), room(arena), words(table)]
    const capacities = [0, -1, 1.5, Number.NaN, 2 ** 26 + 1, Number.POSITIVE_INFINITY, '5', null]
    for (const capacity of [...capacities, undefined]) {
      expect(() => table.resize(capacity as number)).toThrow(Misuse)
      expect(() => table.resize(capacity as number)).toThrow(/table\.resize: capacity is/)
    }
    table.smr.enter()
    expect(() => table.resize(100)).toThrow(/table\.resize: .*section.*exit first/)
    table.smr.exit()
    expect([state(table), room(arena), words(table)]).toEqual(before)
  })
})

// Sweeping up after a dead worker while another one resizes: the arrays of the living table are in
// use at every moment, whichever of the table's words leads to them just then.

function sweep(space: Space): number {
  return space.directory.whileLocked((names) => sweepOrphans(space, names))
}

const VERBS = ['load', 'store', 'add', 'swap', 'cas', 'poke', 'peekRacy'] as const

class Blocked extends Error {}

/**
 * Lets `action` happen before the k-th access of `arena`, all at once; where it would have to wait for
 * a lock that `arena` holds, it does not happen. Returns what ends this, and tells whether there was
 * a k-th access.
 */
function interject(arena: Arena, k: number, other: Arena, action: () => void): () => boolean {
  Object.assign(other.space.locks, {
    lockSlowly: () => {
      throw new Blocked('the lock is taken')
    },
  })
  const memory = arena.memory as unknown as Record<string, (...args: unknown[]) => unknown>
  let accesses = 0
  for (const verb of VERBS) {
    const proper = memory[verb]?.bind(memory)
    memory[verb] = (...args) => {
      if (accesses++ === k) attempt(action)
      return proper?.(...args)
    }
  }
  return () => {
    const had = accesses > k
    accesses = Number.NaN
    return had
  }
}

function attempt(action: () => void): void {
  try {
    action()
  } catch (error) {
    if (!(error instanceof Blocked)) throw error
  }
}

function twoWorkers() {
  const all = pair(CONFIGS[0] as Config, { checks: false })
  fillTable(all.table, 12)
  return { ...all, before: versions(all.table) }
}

/** What was given back by mistake is handed out here, and written over. */
function expectUnharmed({ table, theirs, before }: ReturnType<typeof twoWorkers>): void {
  const { pages } = theirs.parts.arena.space
  for (let base = pages.reserve(1); base !== 0; base = pages.reserve(1)) {
    theirs.parts.arena.memory.fill(base, 1024, -1)
  }
  expect(versions(table)).toEqual(before)
  expectIntact(table)
}

it('spares the arrays of a table that is resized before any of its steps', () => {
  let resized = 0
  for (let k = 0, happened = true; happened; k++) {
    const all = twoWorkers()
    const had = interject(all.arena, k, all.other, () => {
      all.theirs.resize(64)
      resized++
    })
    expect(sweep(all.arena.space)).toBe(0)
    happened = had()
    expectUnharmed(all)
  }
  expect(resized).toBeGreaterThan(10)
})

it('spares them before any step of the resize', () => {
  let swept = 0
  for (let k = 0, happened = true; happened; k++) {
    const all = twoWorkers()
    const had = interject(all.other, k, all.arena, () => {
      expect(sweep(all.arena.space)).toBe(0)
      swept++
    })
    all.theirs.resize(64)
    happened = had()
    expectUnharmed(all)
  }
  expect(swept).toBeGreaterThan(50)
})

/**
 * The end of the room: a limit, a full arena, a lock that is not to be had. Whatever `set` says, the
 * table is whole, and as it was before if it throws; what is deleted makes room again.
 */

import { describe, expect, it } from 'vitest'
import { Exhausted } from '#src/index.ts'
import { TableWords } from '#src/memory/layout.ts'
import { freeOwner } from '#src/zone/bucket.ts'
import { CONFIGS, type Config } from '../../helpers/tiny.ts'
import {
  account,
  expectIntact,
  fillTable,
  fillUp,
  lockOf,
  type Pair,
  pair,
  skipWaits,
  state,
  stripeLock,
} from './fixture.ts'

const LIMIT = 40

/** What the whole world could see of a table that is full to the brim. */
function expectFull({ table, theirs }: Pair, count: number): void {
  expect(table.size).toBe(count)
  for (let id = 0; id < count; id++) expect(theirs.get(id)).toEqual(account(id))
  expectIntact(table)
}

describe.each(CONFIGS)('a table at its limit, sequences $name', (config) => {
  it('refuses another record, says why in numbers, and has lost nothing', () => {
    const all = pair(config, { limit: LIMIT })
    const { error, count } = fillUp(all.table)
    expect(count).toBe(LIMIT)
    expect(error).toBeInstanceOf(Exhausted)
    expect(error).toMatchObject({ facts: { zone: 'accounts', live: LIMIT, limit: LIMIT } })
    for (let i = 0; i < 50; i++) expect(() => all.table.set(account(500 + i))).toThrow(Exhausted)
    expect(all.theirs.has(500)).toBe(false)
    expectFull(all, LIMIT)
  })

  it('refuses an update too, which needs a record more, and keeps the old version', () => {
    const all = pair(config, { limit: LIMIT })
    fillUp(all.table)
    for (let id = 0; id < LIMIT; id++) {
      expect(() => all.table.set(account(id, 1))).toThrow(/limit of 40 is reached/)
    }
    expectFull(all, LIMIT)
  })

  it('takes a record again for each that is deleted, for as long as one likes', () => {
    const { table } = pair(config, { limit: LIMIT })
    fillUp(table)
    for (let i = 0; i < 500; i++) {
      expect(table.delete(i)).toBe(true)
      table.set(account(LIMIT + i))
      expect(() => table.set(account(LIMIT + i, 1))).toThrow(Exhausted)
      expect(table.size).toBe(LIMIT)
    }
    expectIntact(table)
  })

  it('goes on for ever with one record to spare', () => {
    const { table } = pair(config, { limit: LIMIT })
    fillTable(table, LIMIT - 1)
    for (let version = 1; version <= 300; version++) table.set(account(version % 39, version))
    expect(table.size).toBe(LIMIT - 1)
    expectIntact(table)
  })

  it('needs the readers to leave before what was deleted makes room', () => {
    const { table, theirs } = pair(config, { limit: LIMIT })
    fillUp(table)
    theirs.smr.enter()
    for (let id = 0; id < 10; id++) table.delete(id)
    expect(() => table.set(account(100))).toThrow(/10 pending.*when readers leave/)
    expect(table.size).toBe(LIMIT - 10)
    theirs.smr.exit()
    for (let id = 100; id < 110; id++) table.set(account(id))
    expect(() => table.set(account(110))).toThrow(Exhausted)
    expect(table.size).toBe(LIMIT)
    expectIntact(table)
  })

  it('is not used up by records that are refused', () => {
    const { table } = pair(config, { limit: LIMIT })
    fillTable(table, LIMIT - 1)
    const bad = { ...account(7), owner: 'x'.repeat(25) }
    for (let i = 0; i < 500; i++) expect(() => table.set(bad)).toThrow(/owner/)
    expect(table.zone.stats()).toMatchObject({ live: LIMIT - 1, pending: 0 })
    table.set(account(LIMIT))
    expectIntact(table)
  })
})

describe.each(CONFIGS)('a table in a full arena, sequences $name', (config) => {
  it('refuses another record and an update, and has lost nothing', () => {
    const all = pair(config, { bytes: 2 ** 17 })
    skipWaits(all.arena)
    const { error, count } = fillUp(all.table)
    expect(error).toBeInstanceOf(Exhausted)
    expect(count).toBeGreaterThan(100)
    for (let i = 0; i < 20; i++) {
      expect(() => all.table.set(account(9000 + i))).toThrow(Exhausted)
      expect(() => all.table.set(account(i, 1))).toThrow(Exhausted)
      expect(() => all.table.resize(2 ** 14)).toThrow(Exhausted)
    }
    expectFull(all, count)
  })

  it('takes records again when some are deleted', () => {
    const { arena, table } = pair(config, { bytes: 2 ** 17 })
    skipWaits(arena)
    const { count } = fillUp(table)
    for (let i = 0; i < 300; i++) {
      expect(table.delete(i)).toBe(true)
      table.set(account(count + i))
      expect(table.size).toBe(count)
    }
    for (let id = 300; id < count; id++) expect(table.get(id)).toEqual(account(id))
    expectIntact(table)
  })

  it('needs the readers to leave before what was deleted makes room', () => {
    const { arena, table, theirs } = pair(config, { bytes: 2 ** 17, bucket: 8 })
    skipWaits(arena)
    const { count } = fillUp(table)
    theirs.smr.enter()
    for (let id = 0; id < 4; id++) table.delete(id)
    expect(() => table.set(account(9000))).toThrow(/4 pending.*when readers leave/)
    theirs.smr.exit()
    for (let id = 0; id < 4; id++) table.set(account(9000 + id))
    expect(table.size).toBe(count)
    expectIntact(table)
  })

  it('throws before it unlinks, not after, when there is no bucket for the old record', () => {
    const { table, theirs, hoard } = starved(config)
    const before = state(table)
    // Allocating takes their only bucket back from the depot, so there is none for the old record.
    expect(() => theirs.set(account(5, 1))).toThrow(Exhausted)
    expect(state(table)).toEqual(before)
    expect(table.zone.audit([...table.items(), ...hoard]).leaked).toEqual([])
  })

  it('deletes as many as there is a bucket for while readers stay, and all when they leave', () => {
    const { table, theirs } = starved(config)
    table.smr.enter()
    for (let id = 0; id < 8 - 4; id++) expect(theirs.delete(id)).toBe(true)
    for (let id = 4; id < 12; id++) expect(() => theirs.delete(id)).toThrow(Exhausted)
    for (let id = 4; id < 20; id++) expect(table.get(id)).toEqual(account(id))
    expect(theirs.size).toBe(32)
    table.smr.exit()
    for (let id = 4; id < 20; id++) expect(theirs.delete(id)).toBe(true)
    expect(table.size).toBe(16)
  })
})

/**
 * 36 records; `theirs` has a free bucket with 4 of 8 in it, and no alloc bucket. Besides these
 * nothing is left anywhere: no pages, no free records but `hoard`, no spare buckets.
 */
function starved(config: Config, deleted = 4) {
  const all = pair(config, { bytes: 2 ** 18, bucket: 8 })
  const { arena, other, table, theirs } = all
  fillTable(table, 40)
  for (let id = 20; id < 20 + deleted; id++) theirs.delete(id)
  // Page by page: a zone that wants memory would make the others give theirs up.
  while (arena.space.pages.reserve(1) !== 0);
  while (table.zone.parts.buckets.make(freeOwner(arena.workerId)) !== 0);
  const hoard = []
  while (table.zone.stats().inSlabs > 0) hoard.push(table.zone.zallocSmr())
  skipWaits(other)
  return { ...all, hoard }
}

describe.each(CONFIGS)('a table whose stripe is taken, sequences $name', (config) => {
  it('gives the new record back when the lock is not to be had, and has changed nothing', () => {
    const { arena, other, table, theirs } = pair(config)
    fillTable(table, 30)
    const lock = arena.space.locks
    const at = stripeLock(table, 5)
    lock.lock(at, 'test')
    skipWaits(other)
    const before = state(table)
    const verbs = [() => theirs.set(account(5, 1)), () => theirs.delete(5), () => theirs.resize(99)]
    for (const verb of verbs) {
      expect(verb).toThrow(Exhausted)
      expect(verb).toThrow(/table "accounts" stripe: worker 0 has held the lock/)
    }
    expect(state(table)).toEqual(before)
    lock.unlock(at)
    theirs.set(account(5, 1)).resize(99)
    expect(table.get(5)).toEqual(account(5, 1))
    expectIntact(table)
  })

  it('gives it back to its slab where its bucket has become the one for frees', () => {
    const { arena, table, theirs, hoard } = starved(config, 1)
    arena.space.locks.lock(stripeLock(table, 5), 'test')
    const before = state(table)
    expect(() => theirs.set(account(5, 1))).toThrow(/has held the lock/)
    expect(state(table)).toEqual(before)
    expect(table.zone.stats().inSlabs).toBe(1)
    table.zone.check()
    expect(table.zone.audit([...table.items(), ...hoard]).leaked).toEqual([])
    arena.space.locks.unlock(stripeLock(table, 5))
  })

  it('waits for a resize that gets on, longer than for a lock that may be a dead worker’s', () => {
    const { arena, other, table, theirs } = pair(config)
    fillTable(table, 30)
    const { at } = table.parts
    const lock = stripeLock(table, 5)
    arena.space.locks.lock(lock, 'test')
    let sleeps = 0
    skipWaits(other, () => {
      sleeps++
      arena.memory.add(at + TableWords.progress, 1)
      if (sleeps === 5) arena.space.locks.unlock(lock)
    })
    other.space.locks.patienceMs = 1000
    theirs.set(account(5, 1))
    expect(sleeps).toBeGreaterThanOrEqual(5)
    expect(table.get(5)).toEqual(account(5, 1))
    // It does not get on any more.
    arena.space.locks.lock(lock, 'test')
    skipWaits(other)
    expect(() => theirs.set(account(5, 2))).toThrow(/has held the lock for over 1000 ms/)
    // And not for ever.
    skipWaits(other, () => arena.memory.add(at + TableWords.progress, 1))
    expect(() => theirs.set(account(5, 2))).toThrow(Exhausted)
    arena.space.locks.unlock(lock)
    expectIntact(table)
  })

  it('in a thread that supervises, a resize waits for readers no longer than for locks', () => {
    const { arena, other, table, theirs } = pair(config)
    fillTable(table, 30)
    arena.smr('accounts').enter()
    theirs.resize(64)
    let sleeps = 0
    skipWaits(other, () => sleeps++)
    const resize = (options?: { timeoutMs: number }) => () => theirs.resize(32, options)
    expect(resize()).toThrow(/have not left after 30000 ms$/)
    const usual = sleeps
    other.supervise({ threadId: 4711, once: () => {} })
    sleeps = 0
    expect(resize()).toThrow(/have not left after 1000 ms; this thread supervises others/)
    expect(sleeps).toBeLessThan(usual)
    expect(resize({ timeoutMs: 7 })).toThrow(/have not left after 7 ms$/)
    arena.smr('accounts').exit()
    resize()()
    expectIntact(table)
  })

  it('is resized only when all its stripes can be had', () => {
    const { arena, other, table, theirs } = pair(config)
    fillTable(table, 30)
    skipWaits(other)
    const before = state(table)
    for (let stripe = 0; stripe < table.stats().stripes; stripe++) {
      const lock = lockOf(table, stripe)
      arena.space.locks.lock(lock, 'test')
      expect(() => theirs.resize(99)).toThrow(Exhausted)
      arena.space.locks.unlock(lock)
      expect(state(table)).toEqual(before)
    }
    theirs.resize(99)
    expectIntact(table)
  })
})

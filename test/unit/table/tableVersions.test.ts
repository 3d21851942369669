/**
 * One version of a record, whole: what a reader stands on does not change under its feet, whatever
 * writers do, until it leaves. The arenas are checked ones, so memory that is used again too early
 * is not merely old: it is filled with trash before anything else happens to it.
 */

import { describe, expect, it } from 'vitest'
import { CONFIGS } from '../../helpers/tiny.ts'
import {
  Account,
  account,
  collideAll,
  expectIntact,
  fillTable,
  mustFind,
  pair,
  room,
} from './fixture.ts'

describe.each(CONFIGS)('a reader in a section, sequences $name', (config) => {
  it('keeps seeing the version it found, through thousands of updates, until it leaves', () => {
    const { table, theirs, other } = pair(config)
    fillTable(table, 10)
    theirs.smr.enter()
    const item = mustFind(theirs, 7)
    for (let version = 1; version <= 4000; version++) {
      table.set(account(7, version))
      if (version % 500 === 1) expect(Account.read(other, item)).toEqual(account(7, 0))
    }
    expect(Account.read(other, item)).toEqual(account(7, 0))
    expect(theirs.get(7)).toEqual(account(7, 4000))
    expect(table.zone.stats().pending).toBe(4000)
    theirs.smr.exit()
    table.zone.reclaim('all')
    expect(table.zone.stats()).toMatchObject({ pending: 0, live: 10 })
    expectIntact(table)
  })

  it('holds back only what was replaced since it entered, and only while it is inside', () => {
    const { table, theirs } = pair(config)
    fillTable(table, 10)
    for (let version = 1; version <= 100; version++) table.set(account(1, version))
    const before = table.zone.stats().created
    theirs.smr.enter()
    for (let version = 101; version <= 1000; version++) table.set(account(1, version))
    theirs.smr.exit()
    const grown = table.zone.stats().created
    expect(grown).toBeGreaterThan(before + 500)
    for (let version = 1001; version <= 3000; version++) table.set(account(1, version))
    expect(table.zone.stats().created).toBe(grown)
    expectIntact(table)
  })

  it('keeps the record it stands on when that is deleted, and even when its key comes back', () => {
    const { table, theirs, other } = pair(config)
    fillTable(table, 10)
    theirs.smr.enter()
    const item = mustFind(theirs, 7)
    expect(table.delete(7)).toBe(true)
    expect(theirs.has(7)).toBe(false)
    for (let id = 100; id < 600; id++) table.set(account(id))
    for (let id = 100; id < 600; id++) table.delete(id)
    table.set(account(7, 9))
    expect(Account.read(other, item)).toEqual(account(7, 0))
    expect(theirs.get(7)).toEqual(account(7, 9))
    expect(theirs.find(7)).not.toBe(item)
    theirs.smr.exit()
    expectIntact(table)
  })

  it('finds its way on from a record that was deleted, over others that were deleted too', () => {
    const { table, theirs } = pair(config)
    collideAll(table, -1)
    collideAll(theirs, -1)
    fillTable(table, 6)
    theirs.smr.enter()
    const { chains } = theirs.parts
    const walk = chains.nodes(chains.current(15), 15, 16)
    const seen = new Set<number | undefined>()
    const step = (): number => {
      const item = walk.next().value ?? 0
      const id = item === 0 ? -1 : Account.get.id(theirs.parts.arena, item as never)
      seen.add(id)
      return id
    }
    step()
    const second = step()
    // The record under the reader, the one behind it, and an update of the one behind that.
    const behind = [0, 1, 2, 3, 4, 5].filter((id) => !seen.has(id)).sort((a, b) => b - a)
    table.delete(second)
    table.delete(behind[0] ?? -1)
    table.set(account(behind[1] ?? -1, 1))
    for (let id = 10; id < 200; id++) table.set(account(id)).delete(id)
    while (step() !== -1);
    for (const id of behind.slice(1)) expect(seen).toContain(id)
    theirs.smr.exit()
    expect(table.size).toBe(4)
    expectIntact(table)
  })

  it('in read(), sees one version although another worker replaces and deletes it meanwhile', () => {
    const { arena, table, theirs } = pair(config)
    fillTable(table, 10)
    table.read(7, (item) => {
      for (let version = 1; version <= 300; version++) theirs.set(account(7, version))
      expect(Account.read(arena, item)).toEqual(account(7, 0))
      theirs.delete(7)
      expect(Account.read(arena, item)).toEqual(account(7, 0))
    })
    expect(table.has(7)).toBe(false)
    expectIntact(table)
  })

  it('leaves everything to be used again: many parked readers cost no memory in the end', () => {
    const { arena, table, theirs } = pair(config)
    fillTable(table, 10)
    const round = (): void => {
      theirs.smr.read(() => {
        for (let version = 1; version <= 500; version++) table.set(account(3, version))
      })
      table.zone.reclaim('all')
      theirs.zone.reclaim('all')
    }
    round()
    const before = room(arena)
    for (let i = 0; i < 5; i++) round()
    expect(room(arena)).toBe(before)
    expectIntact(table)
  })
})

describe.each(CONFIGS)('a copy from get, sequences $name', (config) => {
  it('is a copy: writing to it changes nothing, and nothing changes it', () => {
    const { table, theirs } = pair(config)
    table.set(account(7))
    const copy = table.get(7)
    for (let version = 1; version <= 200; version++) theirs.set(account(7, version))
    expect(copy).toEqual(account(7, 0))
    const second = table.get(7)
    if (second !== undefined) second.version = 77
    expect(table.get(7)).toEqual(account(7, 200))
  })

  it('is one version, also when the record is replaced while its fields are being read', () => {
    const { arena, table, theirs } = pair(config)
    table.set(account(7))
    // Between any two words that the reader looks at, a writer replaces the record and churns.
    let version = 0
    let busy = false
    const peek = arena.memory.peek.bind(arena.memory)
    const peekByte = arena.memory.peekByte.bind(arena.memory)
    const meddle = (): void => {
      if (busy) return
      busy = true
      version++
      theirs.set(account(7, version))
      if (version % 3 === 0) theirs.set(account(8, version)).delete(8)
      busy = false
    }
    Object.assign(arena.memory, {
      peek: (at: number) => {
        meddle()
        return peek(at)
      },
      peekByte: (at: number, offset: number) => {
        meddle()
        return peekByte(at, offset)
      },
    })
    for (let i = 0; i < 20; i++) {
      const before = version
      const copy = table.get(7)
      expect(copy).toEqual(account(7, copy?.version))
      expect(copy?.version).toBeGreaterThanOrEqual(before)
      expect(version).toBeGreaterThan(before + 5)
    }
  })
})

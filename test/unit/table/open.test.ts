/**
 * Creating and opening: by name, from any worker, with the same record and key or not at all; and
 * what cannot be created leaves nothing behind.
 */

import { describe, expect, it } from 'vitest'
import { Arena, Exhausted, HashTable, i32, Misuse, record, u32, utf8 } from '#src/index.ts'
import { RunKind } from '#src/memory/layout.ts'
import { CONFIGS, tinyArena } from '../../helpers/tiny.ts'
import { Account, account, expectIntact, fillTable, pair, room, state } from './fixture.ts'

const Small = record({ id: u32, word: utf8(5) })
const WHAT = { record: Account, key: 'id' } as const
const small = { record: Small, key: 'id', capacity: 16 } as const

/** All that a call which fails must leave as it was. */
function world(arena: Arena) {
  const { zones, domains } = arena.stats()
  const names = arena.space.directory.list().map(({ name, kind }) => `${kind} ${name}`)
  return { names, zones: zones.length, domains: domains.length, room: room(arena) }
}

describe.each(CONFIGS)('a table, sequences $name', (config) => {
  it('is opened by its name from any worker, also when its creator has gone', () => {
    const { arena, other, table, theirs } = pair(config)
    fillTable(table, 30)
    arena.detach()
    theirs.set(account(5, 1))
    const third = Arena.attach(other.handle)
    const again = HashTable.open(third, 'accounts', { record: Account, key: 'id' })
    expect(again.get(5)).toEqual(account(5, 1))
    expect(again.set(account(30)).size).toBe(31)
    expectIntact(again)
  })

  it('may be opened twice in one worker', () => {
    const { arena, table } = pair(config)
    const twin = HashTable.open(arena, 'accounts', { record: Account, key: 'id' })
    expect(twin.zone).toBe(table.zone)
    expect(twin.smr).toBe(table.smr)
    table.set(account(1))
    twin.set(account(1, 1))
    expect(table.get(1)).toEqual(account(1, 1))
    expectIntact(table)
  })

  it('that does not exist is Misuse, and does not exist afterwards', () => {
    const { arena, other } = pair(config)
    arena.zone('a zone', { record: Small })
    const before = world(arena)
    for (const name of ['account', 'accountss', 'a zone']) {
      const open = () => HashTable.open(other, name, { record: Account, key: 'id' })
      expect(open).toThrow(Misuse)
      expect(open).toThrow(`HashTable.open: there is no table "${name}"`)
    }
    expect(world(arena)).toEqual(before)
  })

  it('opened with another record or another key is Misuse', () => {
    const { arena, other, table } = pair(config)
    fillTable(table, 10)
    const before = [world(arena), state(table)]
    const base = { version: u32, owner: utf8(24), balance: i32, check: i32 }
    const others = [record({ id: u32 }), record({ id: i32, ...base }), record({ id: u32, ...base })]
    for (const each of others) {
      const open = () =>
        HashTable.open(other, 'accounts', { record: each as typeof Small, key: 'id' })
      expect(open).toThrow(Misuse)
      expect(open).toThrow(/HashTable\.open: zone "accounts": .*another schema/)
    }
    const options = { record: Account, key: 'version' } as const
    expect(() => HashTable.open(other, 'accounts', options)).toThrow(/another schema/)
    for (const key of ['nothing', 'balance', undefined]) {
      const wrong = { record: Account, key: key as 'id' }
      expect(() => HashTable.open(other, 'accounts', wrong)).toThrow(Misuse)
      expect(() => HashTable.create(other, 'new', { ...wrong, capacity: 1 })).toThrow(Misuse)
    }
    const knob = { record: Account, key: 'id', capacity: 16 } as const
    expect(() => HashTable.open(other, 'accounts', knob)).toThrow(/unknown option "capacity"/)
    expect([world(arena), state(table)]).toEqual(before)
  })

  it('that exists cannot be created, by nobody', () => {
    const { arena, other, table } = pair(config)
    fillTable(table, 10)
    const before = [world(arena), state(table)]
    for (const worker of [arena, other]) {
      const create = () => HashTable.create(worker, 'accounts', small)
      expect(create).toThrow(Misuse)
      expect(create).toThrow(/HashTable\.create: table "accounts" exists already/)
    }
    expect([world(arena), state(table)]).toEqual(before)
  })

  it('created by two workers at once is one worker’s; the other hears so and harms nothing', () => {
    const arena = tinyArena(config)
    const other = Arena.attach(arena.handle)
    let theirs: HashTable | undefined
    // As late as can be: what follows is done by one worker at a time.
    const late = {
      ...small,
      get capacity() {
        theirs ??= HashTable.create(other, 't', small) as unknown as HashTable
        return small.capacity
      },
    }
    expect(() => HashTable.create(arena, 't', late)).toThrow(/exists already/)
    const table = HashTable.open(arena, 't', { record: Small, key: 'id' })
    theirs?.set({ id: 1, word: 'one' })
    expect(table.get(1)).toEqual({ id: 1, word: 'one' })
    expect(arena.stats()).toMatchObject({ zones: [{}], domains: [{}] })
  })

  it('of which the zone was destroyed cannot be opened, and gets no zone by that', () => {
    const { arena, other, table } = pair(config)
    fillTable(table, 3)
    for (let id = 0; id < 3; id++) table.delete(id)
    table.zone.destroy()
    const before = world(arena)
    const open = () => HashTable.open(other, 'accounts', { record: Account, key: 'id' })
    expect(open).toThrow(/HashTable\.open: the zone of table "accounts" was destroyed/)
    expect(world(arena)).toEqual(before)
    expect(() => table.set(account(1))).toThrow(Misuse)
  })

  it('a table ends with its zone, and its name is free again', () => {
    const { arena, table } = pair(config)
    for (let i = 0; i < 20; i++) {
      const again = i === 0 ? table : HashTable.create(arena, 'accounts', { ...WHAT, capacity: 16 })
      again.set(account(1)).resize(64)
      again.resize(16)
      again.delete(1)
      expect(() => HashTable.create(arena, 'accounts', { ...WHAT, capacity: 16 })).toThrow(/exists/)
      again.zone.destroy()
      expect(() => HashTable.open(arena, 'accounts', WHAT)).toThrow(/create it again/)
      expect(arena.space.pages.runs().filter(({ who }) => who === RunKind.table)).toHaveLength(1)
    }
    const last = HashTable.create(arena, 'accounts', { ...WHAT, capacity: 16 })
    expectIntact(last.set(account(5)))
    const runs = arena.space.pages.runs().filter(({ state }) => state === 'used')
    expect(runs.filter(({ who }) => who === RunKind.table)).toHaveLength(1)
    expect(runs.filter(({ who }) => who === RunKind.chains)).toHaveLength(1)
  })
})

describe.each(CONFIGS)(
  'what cannot be created leaves nothing behind, sequences $name',
  (config) => {
    it('when this worker is in a section of the domain that it is to have', () => {
      let failures = 0
      for (let bytes = 2 ** 14 + 2 ** 13; ; bytes += 2 ** 12) {
        const { sequence } = config
        const buffer = new SharedArrayBuffer(bytes)
        const arena = Arena.create({ buffer, maxWorkers: 2, sequence })
        const smr = arena.smr('given')
        const before = world(arena)
        const create = () =>
          HashTable.create(arena, 't', { ...small, smr, capacity: 2048, reserve: 4 })
        smr.enter()
        try {
          create()
          break
        } catch (error) {
          expect(error).toBeInstanceOf(Exhausted)
        }
        smr.exit()
        expect(world(arena)).toEqual(before)
        failures++
      }
      expect(failures).toBeGreaterThanOrEqual(3)
    })

    it('when the options are wrong; each complaint names the call', () => {
      const arena = tinyArena(config)
      const stranger = tinyArena(config).smr('s')
      const before = world(arena)
      const wrong = [
        ...[0, -1, 1.5, Number.NaN, 2 ** 26 + 1, '16', undefined].map((capacity) => ({ capacity })),
        ...[0, -1, 1.5, '1'].map((limit) => ({ limit })),
        ...[0, 4097, 'x'].map((bucket) => ({ bucket })),
        { record: undefined },
        { record: {} },
        { record: { id: u32 } },
        { key: 'nothing' },
        { key: undefined },
        { smr: 'smr' },
        { smr: stranger },
        { ctor: 1 },
        { capcity: 5 },
        { bytes: 8 },
      ]
      for (const each of wrong) {
        const create = () => HashTable.create(arena, 't', { ...small, ...(each as object) })
        expect(create).toThrow(Misuse)
        if (!('key' in each)) expect(create).toThrow(/HashTable\.create: /)
        expect(world(arena)).toEqual(before)
      }
      for (const name of ['', 'x'.repeat(100), 5, undefined]) {
        expect(() => HashTable.create(arena, name as string, small)).toThrow(Misuse)
        expect(world(arena)).toEqual(before)
      }
      HashTable.create(arena, 't', small)
    })

    it('when there is no memory, at whatever point it ends', () => {
      let failures = 0
      for (let bytes = 2 ** 14; ; bytes += 2 ** 12) {
        const { sequence } = config
        const buffer = new SharedArrayBuffer(bytes)
        const arena = Arena.create({ buffer, maxWorkers: 2, sequence })
        const before = world(arena)
        let error: unknown
        try {
          HashTable.create(arena, 't', { ...small, capacity: 2048, reserve: 4 })
        } catch (thrown) {
          error = thrown
        }
        if (error === undefined) break
        expect(error).toBeInstanceOf(Exhausted)
        expect(world(arena)).toEqual(before)
        failures++
      }
      // Domain, zone, its first slab, table, chains: each in turn was the first that did not fit.
      expect(failures).toBeGreaterThanOrEqual(4)
    })

    it('when there are no names left', () => {
      const arena = tinyArena(config)
      const names = 32
      for (let i = 0; i < names - 2; i++) arena.lock(`lock ${i}`)
      const before = world(arena)
      expect(before.names).toHaveLength(names - 2)
      expect(() => HashTable.create(arena, 't', small)).toThrow(/all 32 names .* are taken/)
      expect(world(arena)).toEqual(before)
      // Two are left: for a domain that is given, and for the zone.
      const smr = arena.smr('given')
      const given = world(arena)
      smr.enter()
      const create = () => HashTable.create(arena, 't', { ...small, smr })
      expect(create).toThrow(/all 32 names .* are taken/)
      expect(world(arena)).toEqual(given)
      smr.exit()
    })

    it('but what was there before stays: a domain or a zone of that name, and a given domain', () => {
      const arena = tinyArena(config)
      const [same, given] = [arena.smr('t'), arena.smr('given')]
      arena.zone('z', { bytes: 8 })
      const before = world(arena)
      const huge = { ...small, capacity: 2 ** 20 }
      expect(() => HashTable.create(arena, 't', huge)).toThrow(Exhausted)
      expect(() => HashTable.create(arena, 'u', { ...huge, smr: given })).toThrow(Exhausted)
      expect(() => HashTable.create(arena, 'z', small)).toThrow(/another schema/)
      expect(world(arena)).toEqual(before)
      expect([arena.smr('t'), arena.smr('given')]).toEqual([same, given])
      expect(HashTable.create(arena, 't', small).smr).toBe(same)
    })
  },
)

/**
 * The verbs of a table, one by one, as its user meets them: what goes in comes out, from any
 * attachment, and the counts follow.
 */

import { describe, expect, expectTypeOf, it } from 'vitest'
import { HashTable, type Item, Misuse } from '#src/index.ts'
import { FAR } from '#src/memory/compound.ts'
import { CONFIGS, tinyArena } from '../../helpers/tiny.ts'
import { Account, type Accounts, account, expectIntact, fillTable, pair } from './fixture.ts'

describe.each(CONFIGS)('a table, sequences $name', (config) => {
  it('is empty at first', () => {
    const { table, theirs } = pair(config)
    expect(table.size).toBe(0)
    expect(table.get(1)).toBeUndefined()
    expect(table.has(1)).toBe(false)
    expect(table.read(1, () => 'never')).toBeUndefined()
    expect(table.delete(1)).toBe(false)
    expect([...theirs.entries()]).toEqual([])
    expect(theirs.items()).toEqual([])
    expectIntact(table)
  })

  it('gives back what was set, to the worker that set it and to any other', () => {
    const { table, theirs } = pair(config)
    expect(table.set(account(5))).toBe(table)
    for (const each of [table, theirs]) {
      expect(each.get(5)).toEqual(account(5))
      expect(each.has(5)).toBe(true)
      expect(each.size).toBe(1)
    }
    theirs.set(account(6)).set(account(7))
    expect(table.get(7)).toEqual(account(7))
    expect(table.size).toBe(3)
    expectIntact(table)
  })

  it('gives many at once, in the order of the keys, also twice, also none', () => {
    const { table, theirs } = pair(config)
    fillTable(table, 300)
    for (const count of [0, 1, 63, 64, 65, 128, 200]) {
      const keys = Array.from({ length: count }, (_, i) => (i * 7) % 310)
      const wanted = keys.map((id) => (id < 300 ? account(id) : undefined))
      for (const each of [table, theirs]) expect(each.getMany(keys)).toEqual(wanted)
    }
    expect(table.getMany([5, 5, 999, 5])).toEqual([account(5), account(5), undefined, account(5)])
    expect(table.smr.entered).toBe(false)
    expectIntact(table)
  })

  it('gives many in sections of 64 keys each, so that no list holds memory for long', () => {
    const { table } = pair(config)
    fillTable(table, 200)
    const { smr } = table
    let [open, sections, most, found] = [false, 0, 0, 0]
    const { enterInCall, exit } = smr
    const read = table.schema.read
    Object.assign(smr, {
      enterInCall: () => {
        enterInCall.call(smr)
        open = true
        found = 0
        sections++
      },
      exit: () => {
        exit.call(smr)
        open = false
        most = Math.max(most, found)
      },
    })
    const schema = {
      ...table.schema,
      read: (...args: Parameters<typeof read>) => {
        expect(open).toBe(true)
        found++
        return read(...args)
      },
    }
    Object.assign(table, { schema })
    const keys = Array.from({ length: 200 }, (_, id) => id)
    expect(table.getMany(keys)).toEqual(keys.map((id) => account(id)))
    expect({ sections, most }).toEqual({ sections: 4, most: 64 })
  })

  it('looks again where the worker has slept in opening the section, and closes it', () => {
    const { arena, table, theirs } = pair(config)
    fillTable(table, 10)
    const { memory } = arena
    let sleeps = 0
    memory.lookUpHash = (wrAt, at) => {
      sleeps++
      memory.store(at, memory.load(wrAt))
      return FAR
    }
    expect([table.has(7), table.has(77)]).toEqual([true, false])
    expect(sleeps).toBe(2)
    expect(table.smr.entered).toBe(false)
    expect(theirs.smr.poll(theirs.smr.advance())).toBe(true)
  })

  it('gives many inside a section, which stays open', () => {
    const { table, theirs } = pair(config)
    fillTable(table, 100)
    const keys = Array.from({ length: 100 }, (_, id) => id)
    table.smr.enter()
    expect(table.getMany(keys)).toEqual(keys.map((id) => account(id)))
    expect(table.smr.entered).toBe(true)
    const goal = theirs.smr.advance()
    expect(theirs.smr.poll(goal)).toBe(false)
    table.smr.exit()
    expect(theirs.smr.poll(goal)).toBe(true)
  })

  it('replaces a record of the same key, whoever set it, and counts it once', () => {
    const { table, theirs } = pair(config)
    for (let version = 0; version < 50; version++) {
      const writer = version % 2 === 0 ? table : theirs
      writer.set(account(5, version))
      expect(table.get(5)).toEqual(account(5, version))
      expect(theirs.get(5)).toEqual(account(5, version))
      expect(table.size).toBe(1)
    }
    expectIntact(table)
  })

  it('takes out what is deleted, once, and takes it in again', () => {
    const { table, theirs } = pair(config)
    fillTable(table, 20)
    expect(theirs.delete(7)).toBe(true)
    expect(theirs.delete(7)).toBe(false)
    expect(table.delete(7)).toBe(false)
    expect(table.get(7)).toBeUndefined()
    expect(table.has(7)).toBe(false)
    expect(table.size).toBe(19)
    expect(table.get(8)).toEqual(account(8))
    table.set(account(7, 1))
    expect(theirs.get(7)).toEqual(account(7, 1))
    expect(table.size).toBe(20)
    expectIntact(table)
  })

  it('holds far more records than its capacity, in longer chains', () => {
    const { table } = pair(config, { capacity: 1 })
    fillTable(table, 1000)
    expect(table.size).toBe(1000)
    expect(table.stats().chains).toBe(16)
    for (let id = 0; id < 1000; id++) expect(table.get(id)).toEqual(account(id))
    expect(table.get(1000)).toBeUndefined()
    expectIntact(table)
  })

  it('read gives the item inside a section, and passes on what the function returns', () => {
    const { arena, table } = pair(config)
    table.set(account(5))
    const owner = table.read(5, (item) => {
      expect(table.smr.entered).toBe(true)
      expect(table.zone.owns(item)).toBe(true)
      return Account.get.owner(arena, item)
    })
    expectTypeOf(owner).toEqualTypeOf<string | undefined>()
    expect(owner).toBe('user-5/0')
    expect(table.smr.entered).toBe(false)
    expect(table.read(5, () => undefined)).toBeUndefined()
  })

  it('read closes its section and passes on what the function throws', () => {
    const { table } = pair(config)
    table.set(account(5))
    const thrown = new Error('from the reader')
    expect(() =>
      table.read(5, () => {
        throw thrown
      }),
    ).toThrow(thrown)
    expect(table.smr.entered).toBe(false)
    table.set(account(5, 1))
  })

  it('find gives one address for as long as the section and the version last', () => {
    const { table, theirs } = pair(config)
    fillTable(table, 10)
    table.smr.enter()
    const item = table.find(3)
    expect(table.find(3)).toBe(item)
    theirs.set(account(3, 1))
    expect(table.find(3)).not.toBe(item)
    expect(table.find(11)).toBe(0)
    table.smr.exit()
    expectTypeOf(item).toEqualTypeOf<Item>()
  })

  it('find outside a section is Misuse', () => {
    const { table } = pair(config)
    table.set(account(3))
    expect(() => table.find(3)).toThrow(Misuse)
  })

  it('reads in the section that the caller has open, and leaves it open', () => {
    const { table } = pair(config)
    fillTable(table, 40)
    table.smr.enter()
    expect(table.get(3)).toEqual(account(3))
    expect(table.get(99)).toBeUndefined()
    expect(table.has(3)).toBe(true)
    expect(table.has(99)).toBe(false)
    expect(table.read(3, (item) => item)).toBe(table.find(3))
    expect([...table.entries()]).toHaveLength(40)
    expect(table.items()).toHaveLength(40)
    expect(table.smr.entered).toBe(true)
    table.smr.exit()
  })

  it('works under a domain that several tables share', () => {
    const arena = tinyArena(config, { checks: true })
    const smr = arena.smr('shared')
    const tables = ['a', 'b'].map((name): Accounts => {
      return HashTable.create(arena, name, { record: Account, key: 'id', capacity: 16, smr })
    })
    for (const table of tables) expect(table.smr).toBe(smr)
    expect(arena.stats().domains).toHaveLength(1)
    for (const table of tables) table.set(account(1)).set(account(1, 1))
    smr.read(() => {
      for (const table of tables) expect(table.get(1)).toEqual(account(1, 1))
    })
    for (const table of tables) expectIntact(table)
  })

  it('uses memory again: a steady load of updates and churn creates no more items', () => {
    const { table, theirs } = pair(config)
    fillTable(table, 50)
    const churn = (rounds: number): void => {
      for (let i = 0; i < rounds; i++) {
        table.set(account(i % 50, i))
        theirs.set(account(1000 + i))
        table.delete(1000 + i)
      }
    }
    churn(200)
    const { created } = table.zone.stats()
    churn(5000)
    expect(table.zone.stats().created).toBe(created)
    expect(table.size).toBe(50)
    expectIntact(table)
  })
})

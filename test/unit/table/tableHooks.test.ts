/**
 * Hooks given to a table reach its zone: a record is destroyed when no reader can see it any more,
 * once, and with the fields it had.
 */

import { describe, expect, it } from 'vitest'
import { Arena, HashTable, type Item, Misuse } from '#src/index.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import {
  Account,
  account,
  expectIntact,
  fillTable,
  fillUp,
  pair,
  skipWaits,
  state,
} from './fixture.ts'

/** Counts what each hook is called with; `destroyed` hears the address of what goes. */
function counting(destroyed: (item: Item) => void = () => {}) {
  const count = { ctor: 0, dtor: 0, init: 0, fini: 0 }
  const hooks = {
    ctor: () => void count.ctor++,
    dtor: (item: Item) => {
      count.dtor++
      destroyed(item)
    },
    init: () => void count.init++,
    fini: () => void count.fini++,
  }
  return { count, hooks }
}

describe.each(CONFIGS)('hooks of a table, sequences $name', (config) => {
  it('see each version come and go once, and balance when the zone ends', () => {
    const { count, hooks } = counting()
    const { table, theirs } = pair(config, hooks)
    fillTable(table, 50)
    for (let id = 0; id < 50; id++) theirs.set(account(id, 1))
    for (let id = 0; id < 50; id++) table.delete(id)
    expect(count.ctor).toBe(100)
    expectIntact(table)
    for (const each of [theirs, table]) each.zone.reclaim('all')
    expect(count.dtor).toBe(100)
    expect(count.fini).toBe(count.init)
    table.zone.destroy()
    expect(count).toMatchObject({ ctor: 100, dtor: 100 })
  })

  it('the destructor runs when the readers have left, and sees the version that was replaced', () => {
    const gone: unknown[] = []
    let arena: Arena | undefined
    const { hooks } = counting((item) => gone.push(arena && Account.read(arena, item)))
    const all = pair(config, { dtor: hooks.dtor })
    const { table, theirs } = all
    arena = all.arena
    fillTable(table, 10)
    theirs.smr.enter()
    table.set(account(7, 1)).set(account(7, 2)).delete(3)
    expect(table.zone.reclaim('all', { timeoutMs: 0 }).remaining).toBe(3)
    expect(gone).toEqual([])
    theirs.smr.exit()
    table.zone.reclaim('all')
    expect(gone).toHaveLength(3)
    expect(gone).toEqual(expect.arrayContaining([account(7), account(7, 1), account(3)]))
  })

  it('hear nothing of an object that is refused', () => {
    const { count, hooks } = counting()
    const { table } = pair(config, hooks)
    fillTable(table, 5)
    const bad = { ...account(5), owner: 'x'.repeat(30) }
    const before = { ...count }
    for (let i = 1; i <= 20; i++) expect(() => table.set(bad)).toThrow(Misuse)
    expect(count).toEqual(before)
    expectIntact(table)
  })

  it('a constructor that throws lets set throw, with nothing changed', () => {
    const thrown = new Error('from the constructor')
    let angry = false
    const ctor = (): void => {
      if (angry) throw thrown
    }
    const { table, theirs } = pair(config, { ctor })
    fillTable(table, 20)
    theirs.set(account(3, 1))
    const before = state(table)
    angry = true
    for (const each of [table, theirs]) {
      for (let i = 0; i < 10; i++) {
        expect(() => each.set(account(3, 2))).toThrow(thrown)
        expect(() => each.set(account(100))).toThrow(thrown)
      }
      expect(each.delete(4)).toBe(each === table)
      if (each === table) before.versions.delete(4)
    }
    expect({ ...state(table), live: 20, size: 20 }).toEqual(before)
    angry = false
    table.set(account(4))
    expectIntact(table)
  })

  it('a constructor that throws in a worker without a bucket harms nobody', () => {
    let angry = false
    const ctor = (): void => {
      if (angry) throw new Error('from the constructor')
    }
    const { arena, other, table, theirs } = pair(config, { ctor, bytes: 2 ** 17 })
    for (const each of [arena, other]) skipWaits(each)
    const { count } = fillUp(table)
    for (let id = 0; id < 20; id++) table.delete(id)
    table.zone.reclaim('all')
    angry = true
    for (let i = 0; i < 10; i++) expect(() => theirs.set(account(count + i))).toThrow()
    angry = false
    expect(Array.from(arena.words.subarray(0, 16))).toEqual(new Array(16).fill(0))
    for (let id = 0; id < 10; id++) theirs.set(account(id))
    expect(table.size).toBe(count - 10)
    expectIntact(table)
  })

  it('must be brought by each worker that opens the table', () => {
    const { hooks } = counting()
    const { arena, table } = pair(config, { ctor: hooks.ctor, dtor: hooks.dtor })
    fillTable(table, 3)
    const third = Arena.attach(arena.handle)
    const what = { record: Account, key: 'id' } as const
    expect(() => HashTable.open(third, 'accounts', what)).toThrow(/exists with ctor, dtor/)
    expect(() => HashTable.open(third, 'accounts', { ...what, ctor: hooks.ctor })).toThrow(Misuse)
    expect(() => HashTable.open(third, 'accounts', { ...what, ...hooks })).toThrow(Misuse)
    const both = { ...what, ctor: hooks.ctor, dtor: hooks.dtor }
    expect(HashTable.open(third, 'accounts', both).get(2)).toEqual(account(2))
  })
})

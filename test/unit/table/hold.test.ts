/** Records that are held: they stay as they are, and are freed once, by whoever lets go of them last. */

import { inspect } from 'node:util'
import { beforeEach, describe, expect, it } from 'vitest'
import { Arena, atomic, HashTable, json, record, text, u32 } from '#src/index.ts'
import { checkTable } from '#src/table/stats.ts'
import { exhausted, misuse, unchanged, wild } from '../../helpers/refusals.ts'

const fields = { id: u32, version: u32, hits: atomic(u32), title: text(), tags: json<string[]>() }
const Page = record(fields)
const HOLDS = 3
const options = { record: Page, key: 'id', capacity: 16, bucket: 1, seed: 0, holds: HOLDS } as const
const page = (id: number, version = 0) => ({
  id,
  version,
  hits: version,
  title: `title ${version} `.repeat(5),
  tags: [`tag ${version}`],
})

type Pages = ReturnType<typeof open>

let arena: Arena
let there: Arena
let table: Pages
let theirs: Pages

function open(where: Arena) {
  return HashTable.open(where, 'pages', { record: Page, key: 'id' })
}

/** A hold that must be there. */
function hold(of: Pages, id: number) {
  const found = of.hold(id)
  if (found === undefined) throw new Error(`there is no ${id}`)
  return found
}

/** Writes so often that whatever is free is used again. */
function churn(): void {
  for (let version = 100; version < 120; version++) {
    for (const each of [table, theirs]) each.set(page(2, version))
  }
}

const live = (): number => table.zone.stats().live

beforeEach(() => {
  arena = Arena.create({ bytes: 2 ** 20, maxWorkers: 4, checks: true })
  there = Arena.attach(arena.handle)
  table = HashTable.create(arena, 'pages', options)
  theirs = open(there)
  table.set(page(1)).set(page(2))
  return () => {
    if (!arena.space.isOpen || !table.zone.isAlive()) return
    checkTable(table)
    table.zone.check()
    expect(table.zone.audit(table.items()).leaked).toEqual([])
  }
})

describe('a record that is held', () => {
  const ends: Record<string, () => unknown> = {
    set: () => theirs.set(page(1, 9)),
    update: () => theirs.update(1, () => page(1, 9)),
    replace: () => table.replace(page(1, 9)),
    delete: () => theirs.delete(1),
    deleteIf: () => table.deleteIf(1, () => true),
    clear: () => theirs.clear(),
  }

  it.each(Object.keys(ends))('stays as it is after %s, and is freed at release', (name) => {
    const held = hold(table, 1)
    expect(held.get()).toEqual(page(1))
    ends[name]?.()
    churn()
    expect(held.get()).toEqual(page(1))
    expect(Page.get.title(arena, held.item)).toBe(page(1).title)
    const before = live()
    held.release()
    expect(live()).toBe(before - 1)
    expect(held.isHeld).toBe(false)
    churn()
    expect(theirs.get(1)?.version).toBe(/set|update|replace/.test(name) ? 9 : undefined)
  })

  it('outlives turns of the event loop', async () => {
    const held = hold(table, 1)
    theirs.delete(1)
    await new Promise((resolve) => setTimeout(resolve, 5))
    churn()
    expect(held.get()).toEqual(page(1))
    held.release()
    expect(live()).toBe(1)
  })

  it('that stays in the table is not freed at release', () => {
    const held = hold(table, 1)
    held.release()
    churn()
    expect(table.get(1)).toEqual(page(1))
    table.delete(1)
    expect(live()).toBe(1)
  })

  it('is freed by the last of several', () => {
    const [one, two, three] = [hold(table, 1), hold(theirs, 1), hold(table, 1)]
    theirs.set(page(1, 1))
    const before = live()
    for (const each of [two, one]) {
      each.release()
      churn()
      expect([live(), three.get()]).toEqual([before, page(1)])
    }
    three.release()
    expect(live()).toBe(before - 1)
  })

  it('may be held in several versions', () => {
    const old = hold(table, 1)
    theirs.set(page(1, 1))
    const young = hold(table, 1)
    theirs.delete(1)
    expect(table.hold(1)).toBeUndefined()
    churn()
    expect([old.get(), young.get()]).toEqual([page(1), page(1, 1)])
    old.release()
    churn()
    expect(young.get()).toEqual(page(1, 1))
    young.release()
    expect(live()).toBe(1)
  })

  it('keeps the numbers that its atomic fields held last', () => {
    const held = hold(table, 1)
    theirs.add(1, 'hits', 5)
    expect(held.get().hits).toBe(5)
    theirs.set(page(1, 1))
    theirs.add(1, 'hits', 5)
    expect(held.get().hits).toBe(5)
    held.release()
  })

  it('releases once', () => {
    const held = hold(table, 1)
    held.release()
    held.release()
    expect(held.isHeld).toBe(false)
    expect(inspect(held)).toContain('Hold')
    misuse(() => held.item)
    misuse(() => held.get())
  })

  it('is of its key, also when the table has grown', () => {
    const held = hold(table, 1)
    for (let id = 10; id < 200; id++) theirs.set(page(id))
    theirs.delete(1)
    table.resize(1024)
    expect(held.get()).toEqual(page(1))
    expect(hold(table, 150).get().id).toBe(150)
    held.release()
  })
})

describe('how many', () => {
  it('as many as the table was made for, and again when one is released', () => {
    const all = [1, 2, 1].map((id) => hold(table, id))
    unchanged(arena, () => exhausted(() => table.hold(1)))
    expect(hold(theirs, 1).get()).toEqual(page(1))
    // Writing goes on, also of what is held.
    table.set(page(1, 1)).set(page(2, 1)).delete(1)
    expect(all.map((each) => each.get())).toEqual([page(1), page(2), page(1)])
    all[1]?.release()
    expect(hold(table, 2).get()).toEqual(page(2, 1))
  })

  it('none in a table that was made without, and no word for it', () => {
    const plain = HashTable.create(arena, 'plain', { ...options, holds: 0 })
    misuse(() => plain.hold(1))
    expect(plain.zone.stats().itemBytes).toBeLessThan(table.zone.stats().itemBytes)
    HashTable.openOrCreate(there, 'plain', { ...options, holds: 0 })
    HashTable.openOrCreate(there, 'pages', options)
    misuse(() => HashTable.openOrCreate(there, 'pages', { ...options, holds: 4 }))
    misuse(() => HashTable.openOrCreate(there, 'plain', options))
    for (const holds of [-1, 1001, 1.5, wild('1')]) {
      misuse(() => HashTable.create(arena, 'more', { ...options, holds }))
    }
  })
})

describe('refusals', () => {
  it('in a section, of keys that are none, and after detach', () => {
    const held = hold(table, 1)
    table.smr.enter()
    unchanged(arena, () => {
      misuse(() => table.hold(1))
      misuse(() => held.release())
    })
    expect(held.get()).toEqual(page(1))
    table.smr.exit()
    misuse(() => table.hold(wild('1')))
    expect(table.hold(7)).toBeUndefined()
    const other = hold(theirs, 2)
    there.detach()
    misuse(() => other.item)
    misuse(() => other.get())
    misuse(() => other.release())
    held.release()
  })

  it('a table whose records are held is not destroyed', () => {
    const held = hold(theirs, 1)
    expect(misuse(() => table.destroy()).message).toContain('1 records are held')
    expect(table.get(1)).toEqual(page(1))
    held.release()
    table.destroy()
    expect(HashTable.create(arena, 'pages', options).size).toBe(0)
  })
})

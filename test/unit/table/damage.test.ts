/**
 * Memory that was written to from outside: every verb ends, says Corruption and names the table and
 * the chain, leaves no section open and no lock held, and takes no more memory than there are records.
 */

import { describe, expect, it } from 'vitest'
import { Corruption } from '#src/index.ts'
import { Header, ReaderWords } from '#src/memory/layout.ts'
import { CONFIGS, type Config } from '../../helpers/tiny.ts'
import { type Accounts, account, collideAll, fillTable, lockOf, mustFind, pair } from './fixture.ts'

const WORKERS = 4

/** A table of 40 records in 16 chains, and account 7 stands in one with others. */
function stage(config: Config) {
  const all = pair(config, { checks: false, maxWorkers: WORKERS })
  fillTable(all.table, 40)
  const { chains } = all.table.parts
  all.table.smr.enter()
  const item = mustFind(all.table, 7)
  all.table.smr.exit()
  const stripe = chains.stripeOf(chains.hashOf(item))
  const link = chains.linkOffset(chains.current(stripe))
  return { ...all, item, linkAt: item + link, wordAt: chains.first + stripe }
}

type Stage = ReturnType<typeof stage>

const OUTSIDE = 2 ** 29

/** What is written where; account 7 is on the way to what the verbs below look for. */
const DAMAGES: Record<string, (all: Stage) => void> = {
  'a record that links to itself': ({ arena, item, linkAt }) => arena.memory.store(linkAt, item),
  'a link out of the arena': ({ arena, linkAt }) => arena.memory.store(linkAt, OUTSIDE),
  'an array of chains out of the arena': ({ arena, wordAt }) =>
    arena.memory.store(wordAt, OUTSIDE | (4 << 1)),
}

/** Links into the arena, where no record is. A lookup does not ask, and may end there. */
const STRAYS: Record<string, (all: Stage) => void> = {
  'a negative link': ({ arena, linkAt }) => arena.memory.store(linkAt, -2),
  'a link to the header': ({ arena, linkAt }) => arena.memory.store(linkAt, Header.words),
}
const LOOKUPS = ['get', 'has', 'read', 'getMany', 'hasMany', 'readMany']

/** A key that is not there, whose chain is that of account 7, behind it. */
function missing({ table }: Stage): number {
  const { key } = table as unknown as { key: { hash(key: number): number } }
  const chainOf = (id: number): number => key.hash(id) >>> 28
  for (let id = 1000; ; id++) if (chainOf(id) === chainOf(7)) return id
}

/** Every verb that walks this chain. */
const VERBS: Record<string, (table: Accounts, key: number) => unknown> = {
  get: (table, key) => table.get(key),
  has: (table, key) => table.has(key),
  read: (table, key) => table.read(key, () => 0),
  getMany: (table, key) => table.getMany([1, key]),
  hasMany: (table, key) => table.hasMany([1, key]),
  readMany: (table, key) => table.readMany([1, key], () => 1),
  set: (table, key) => table.set(account(key)),
  delete: (table, key) => table.delete(key),
  entries: (table) => [...table.entries()],
  items: (table) => table.items(),
  resize: (table) => table.resize(64),
}

function expectCorruption(verb: () => unknown, what: string): void {
  let error: unknown
  try {
    verb()
  } catch (caught) {
    error = caught
  }
  expect(error, what).toBeInstanceOf(Corruption)
  expect((error as Error).message, what).toMatch(
    /table "accounts": (chain \d+ is damaged|a word for its chains)/,
  )
}

/** No section published and no stripe held by somebody who lives. */
function expectNothingHeld({ arena, table }: Stage, what: string): void {
  const { smr, stripes } = table.parts
  const { workers } = arena.space
  expect(smr.entered, what).toBe(false)
  for (let slot = 0; slot < WORKERS; slot++) {
    const seq = arena.memory.load(smr.seqAt + (slot - arena.workerId) * ReaderWords.WORDS)
    expect(seq, what).toBe(0)
  }
  for (let i = 0; i < 2 ** stripes.bits; i++) {
    const owner = arena.memory.load(lockOf(table, i))
    expect(owner === 0 || workers.isGone(owner), what).toBe(true)
  }
}

describe.each(CONFIGS)('a damaged table, sequences $name', (config) => {
  it.each(Object.entries(DAMAGES))('%s: every verb says so', (_, damage) => {
    for (const [name, verb] of Object.entries(VERBS)) {
      const all = stage(config)
      const key = missing(all)
      damage(all)
      for (const table of [all.table, all.theirs]) {
        expectCorruption(() => verb(table, key), name)
        expectNothingHeld(all, name)
      }
    }
  })

  it.each(Object.entries(STRAYS))('%s: all but lookups say so, and these end', (_, damage) => {
    for (const [name, verb] of Object.entries(VERBS)) {
      const all = stage(config)
      const key = missing(all)
      damage(all)
      if (!LOOKUPS.includes(name)) expectCorruption(() => verb(all.table, key), name)
      else expect([undefined, false]).toContainEqual([verb(all.table, key)].flat().at(-1))
      expectNothingHeld(all, name)
    }
  })

  it.each(Object.entries(DAMAGES))('%s: inside a section, which stays open', (_, damage) => {
    const all = stage(config)
    const key = missing(all)
    damage(all)
    for (const name of [...LOOKUPS, 'entries', 'items']) {
      all.table.smr.enter()
      expectCorruption(() => VERBS[name]?.(all.table, key), name)
      expect(all.table.smr.entered).toBe(true)
      all.table.smr.exit()
    }
    expectNothingHeld(all, 'in the end')
  })

  it('a circle among keys of one hash, and behind it', () => {
    const all = stage(config)
    collideAll(all.table, 5)
    for (let id = 100; id < 110; id++) all.table.set(account(id))
    const [first, second] = all.table.items() as unknown as [number, number]
    const { chains } = all.table.parts
    all.arena.memory.store(second + chains.linkOffset(chains.current(0)), first)
    for (const [name, verb] of Object.entries(VERBS)) {
      expectCorruption(() => verb(all.table, 999), name)
      expectNothingHeld(all, name)
    }
  })
})

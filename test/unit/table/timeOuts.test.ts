/**
 * Locks that are not to be had, at random, in tables: a write has happened, and throws nothing, or it has
 * not; so has a resize, a creation, the end of a zone. Lookups take no lock. When the locks are free
 * again nothing is lost, and nothing has stayed that nobody can name.
 *
 * `TIMEOUT_SCRIPTS=1500` runs as many scripts of each kind; `TIMEOUT_SEED` another lot of them.
 */

import { describe, expect, it, vi } from 'vitest'
import { HashTable } from '#src/index.ts'
import { Named } from '#src/memory/layout.ts'
import { checkPages } from '#src/space/pages.ts'
import { Random } from '../../helpers/random.ts'
import { attempt, Rival } from '../../helpers/rival.ts'
import { CONFIGS, type Config } from '../../helpers/tiny.ts'
import { Account, type Accounts, account, expectIntact, pair } from './fixture.ts'

const { env } = process
const SCRIPTS = Number(env['TIMEOUT_SCRIPTS'] ?? 12)
const SEED = Number(env['TIMEOUT_SEED'] ?? 1)
const STEPS = 60
const KEYS = 12
const OTHER = 'other'
const SHAPE = { record: Account, key: 'id' } as const
vi.spyOn(process, 'emitWarning').mockImplementation(() => {})

const KINDS = [
  { name: 'unlimited', knobs: {} },
  { name: 'a limit, not checked', knobs: { limit: 16, checks: false } },
  { name: 'hooks', knobs: { ctor: () => {}, dtor: () => {}, init: () => {}, fini: () => {} } },
  { name: 'a full arena', knobs: { bytes: 2 ** 17, bucket: 2 } },
] as const

/** Records by key, of a table and of what it should hold. */
const expected = (versions: ReadonlyMap<number, number>) =>
  [...versions].map(([id, version]) => account(id, version))

function script(knobs: (typeof KINDS)[number]['knobs'], seed: number) {
  const random = new Random(seed)
  const { arena, other, table, theirs } = pair(CONFIGS[seed % CONFIGS.length] as Config, knobs)
  const workers = [arena, other]
  const tables = [table, theirs]
  const rival = new Rival(arena, random)
  for (const each of workers) rival.against(each)
  const held = new Map<number, number>()
  /** Another table: who has made it. */
  let second: Accounts | undefined
  let refused = 0
  rival.every = 2 + random.below(12)
  for (let step = 0; step < STEPS; step++) {
    const who = random.below(2)
    const it = tables[who] as Accounts
    const id = random.below(KEYS)
    const action = random.below(10)
    const quietly = (act: () => unknown): boolean => {
      const { error } = attempt(act)
      if (error !== undefined) refused++
      return error === undefined
    }
    if (action < 4) {
      if (quietly(() => it.set(account(id, step)))) held.set(id, step)
    } else if (action < 6) {
      const was = held.has(id)
      const had = attempt(() => it.delete(id))
      if (had.error !== undefined) refused++
      else {
        expect(had.value).toBe(was)
        held.delete(id)
      }
    } else if (action < 7) quietly(() => it.resize(2 ** (4 + random.below(3)), { timeoutMs: 0 }))
    else if (action < 8) quietly(() => it.zone.reclaim('all', { timeoutMs: 0 }))
    else if (second === undefined) {
      const options = { ...SHAPE, capacity: 16, bucket: 2, reserve: random.below(9) }
      const arenaOf = workers[who] as typeof arena
      const made = attempt(() => HashTable.create(arenaOf, OTHER, options))
      if (made.error !== undefined) {
        refused++
        // What it could not undo, for a lock of another's, goes in its next turn.
        rival.rest(() => arenaOf.space.watch.check())
      }
      second = made.value
    } else if (quietly(() => second?.zone.destroy({ timeoutMs: 0 }))) second = undefined
    expect(it.get(id)).toEqual(held.has(id) ? account(id, held.get(id)) : undefined)
  }
  rival.leave()
  // A turn of its own for each.
  for (const { space } of workers) space.watch.check()
  for (const each of tables) {
    const { size } = each
    expect(size).toBe(held.size)
    const order = (all: Iterable<Account>) => [...all].sort((one, next) => one.id - next.id)
    expect(order(each.entries())).toEqual(order(expected(held)))
  }
  // The next write of each frees what it replaced before.
  for (const each of tables) {
    each.set(account(KEYS, 0))
    each.delete(KEYS)
    each.zone.seal()
  }
  expectIntact(table)
  table.zone.check()
  expect(table.zone.audit(table.items()).leaked).toEqual([])
  second?.zone.destroy()
  HashTable.create(arena, OTHER, { record: Account, key: 'version', capacity: 16 }).zone.destroy()
  const zones = arena.space.directory.list().filter(({ kind }) => kind === Named.zone)
  expect(zones.map(({ name }) => name)).toEqual(['accounts'])
  checkPages(arena.memory, arena.space.pages)
  return { hits: rival.hits, refused }
}

describe.each(KINDS)('$name', ({ knobs }) => {
  it(`${SCRIPTS} scripts in which locks are not to be had`, () => {
    const sum = { hits: 0, refused: 0 }
    for (let n = 0; n < SCRIPTS; n++) {
      const seed = SEED * 1_000_003 + n
      try {
        const { hits, refused } = script(knobs, seed)
        sum.hits += hits
        sum.refused += refused
      } catch (error) {
        throw new Error(`script ${seed}: ${(error as Error).message}`, { cause: error })
      }
    }
    expect(sum.hits).toBeGreaterThan(SCRIPTS)
    expect(sum.refused).toBeGreaterThan(SCRIPTS)
  })
})

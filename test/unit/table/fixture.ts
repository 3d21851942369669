/**
 * What the table's tests share: a table that everybody can predict (a seed that is known, and it does
 * not grow unless told to), a record of which every field follows from its key and version, so
 * that half of one version and half of another shows; and two attachments that act as two workers.
 */

import { expect } from 'vitest'
import {
  Arena,
  f64,
  HashTable,
  type Hook,
  type Item,
  i32,
  type RecordOf,
  record,
  u32,
  utf8,
} from '#src/index.ts'
import { StripeWords } from '#src/memory/layout.ts'
import { keyOf } from '#src/record/record.ts'
import { checkTable } from '#src/table/stats.ts'
import { type Config, tinyArena } from '../../helpers/tiny.ts'

export const Account = record({ id: u32, version: u32, owner: utf8(24), balance: f64, check: i32 })
export type Account = RecordOf<typeof Account>

/** The one value that version `version` of account `id` can have. */
export function account(id: number, version = 0): Account {
  const check = Math.imul(id, 0x9e3779b1) ^ version
  return { id, version, owner: `user-${id}/${version}`, balance: id + version / 2 ** 20, check }
}

export function expectWhole(value: Account | undefined): void {
  expect(value).toEqual(value && account(value.id, value.version))
}

export interface Knobs {
  readonly bytes?: number
  readonly checks?: boolean
  readonly maxWorkers?: number
  readonly capacity?: number
  readonly bucket?: number
  readonly limit?: number
  readonly grow?: boolean
  readonly stripes?: number
  readonly ctor?: Hook
  readonly dtor?: Hook
  readonly init?: Hook
  readonly fini?: Hook
}

/** `table` in the worker that made it, `theirs` the same one in another. 1 MiB, checked. */
export function pair(config: Config, knobs: Knobs = {}) {
  const { bytes = 2 ** 20, checks = true, maxWorkers = 4, limit, ...rest } = knobs
  const { ctor, dtor, init, fini, ...sizes } = rest
  const hooks = {
    ...(ctor && { ctor }),
    ...(dtor && { dtor }),
    ...(init && { init }),
    ...(fini && { fini }),
  }
  const arena = tinyArena(config, { bytes, checks, maxWorkers })
  const what = { record: Account, key: 'id', ...hooks } as const
  const known = { capacity: 16, bucket: 3, seed: 0, grow: false }
  const options = { ...what, ...known, ...sizes, ...(limit && { limit }) }
  const table = HashTable.create(arena, 'accounts', options)
  const other = Arena.attach(arena.handle)
  const theirs = HashTable.open(other, 'accounts', what)
  return { arena, other, table, theirs }
}

export type Pair = ReturnType<typeof pair>
export type Accounts = Pair['table']

/** Accounts 0 to n - 1, version 0. */
export function fillTable(table: Accounts, n: number): void {
  for (let id = 0; id < n; id++) table.set(account(id))
}

/** Sets new accounts until it throws; returns what it threw and how many fitted. */
export function fillUp(table: Accounts, first = 0): { error: unknown; count: number } {
  for (let count = 0; ; count++) {
    try {
      table.set(account(first + count))
    } catch (error) {
      return { error, count }
    }
  }
}

/** Every record is where its hash says, counted once; every item is in one place; none is lost. */
export function expectIntact(table: Accounts): void {
  checkTable(table)
  table.zone.check()
  expect(table.zone.audit(table.items()).leaked).toEqual([])
  expect(table.zone.stats().live).toBe(table.size)
}

/** What the table holds, as versions by id. */
export function versions(table: Accounts): Map<number, number> {
  const all = new Map<number, number>()
  for (const value of table.entries()) {
    expectWhole(value)
    expect(all.has(value.id)).toBe(false)
    all.set(value.id, value.version)
  }
  return all
}

/** Pages that the arena could still hand out: what was taken and given back counts again. */
export function room(arena: Arena): number {
  const { untouched, free } = arena.stats().pages
  return untouched + free
}

/** What an attempt that must change nothing could have changed. */
export function state(table: Accounts) {
  const { live, created } = table.zone.stats()
  return {
    size: table.size,
    chains: table.stats().chains,
    versions: versions(table),
    live,
    created,
  }
}

/** Waits of this attachment take no time, and run `asleep` instead. */
export function skipWaits(arena: Arena, asleep: () => void = () => {}): void {
  let ms = 0
  const pass = (wait: number): void => {
    ms += 100 * wait + 1
    asleep()
  }
  Object.assign(arena.memory, {
    now: () => ms,
    sleep: pass,
    wait: (_at: number, _value: number, wait: number) => pass(wait),
  })
}

/** All keys of this table hash to one value: every lookup walks every record. */
export function collideAll(table: Accounts, hash: number): void {
  const { key } = table as unknown as { readonly key: object }
  Object.assign(key, { hash: () => hash, hashAt: () => hash, aim: () => hash })
  // The hash of one word is one to one, and all that is compared; this one is not.
  Object.assign(table, { isWord: false, isQuick: false })
}

/** Address of the lock of the stripe that an account falls into. */
export function stripeLock(table: Accounts, id: number): number {
  const { stripes } = table.parts
  return lockOf(table, keyOf(Account, 'id', 0).hash(id) >>> (32 - stripes.bits))
}

/** Address of the lock of a stripe. */
export function lockOf({ parts }: Pick<Accounts, 'parts'>, stripe: number): number {
  return parts.stripes.at(stripe) + StripeWords.lock
}

/** The record's address, as the reader in `table` finds it now. In a section. */
export function mustFind(table: Accounts, id: number): Item {
  const item = table.find(id)
  expect(item).not.toBe(0)
  return item
}

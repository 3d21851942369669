/**
 * Tables for the explorer: their records, keys that meet in one chain, and what must hold at the end.
 *
 * All fields of a row follow from its key and version, so one look tells whether it is whole: half a
 * record, a recycled one, or one of another key is detected by its sum. The keys are chosen by the top
 * bits of their hashes:
 *
 *   a b c   one chain, however large the table
 *   d       their chain of 16, another one of 32
 *   f g     other chains of their stripe
 *   e       a stripe of its own
 */

import type { Arena, Item, SmrOptions } from '#src/index.ts'
import { tableArrays } from '#src/memory/arrays.ts'
import { RunKind, StripeWords, TableWords, tableParts } from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import type { Control } from './history.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { join, type Library, raise, SMALL, type Stage } from './stage.ts'

export const KEY = { a: 6, b: 9, c: 30, d: 12, e: 5, f: 2, g: 11 } as const
export const FEW_CHAINS = 16
export const MORE_CHAINS = 32
/** Each stripe has an array of its own. */
export const LARGE = 8192
/** Four stripes of four chains each. */
const STRIPE_BITS = 2
const NAME = 'rows'

/** Three threads, and a slot for whoever checks the end. */
export const STAGE: Stage = { ...SMALL, words: 2 ** 15, maxWorkers: 5 }

export interface TableWorld {
  /** Address of the table. */
  readonly at: number
}

export interface Row {
  readonly key: number
  readonly version: number
  readonly sum: number
}

/** What a thread of these scenarios has in its hands. */
export interface Hand {
  readonly memory: Memory
  readonly control: Control
  readonly arena: Arena
  readonly table: Rows
}

export type Rows = ReturnType<typeof openRows>

export interface Knobs {
  readonly capacity?: number
  readonly bucket?: number
  readonly limit?: number
  readonly reserve?: number
  readonly grow?: boolean
  readonly stripes?: number
  /** Rows that a worker may hold. */
  readonly mayHold?: number
  /** Options of the table's domain, where they matter. */
  readonly domain?: SmrOptions
}

// ---- rows ------------------------------------------------------------------------------------

/** Fields in this order, so that the sum is written last and lies behind the others. */
function schemaOf(lib: Library) {
  return lib.record({ key: lib.u32, version: lib.u32, sum: lib.u32 })
}

export function createRows(lib: Library, arena: Arena, knobs: Knobs = {}): Rows {
  return lib.HashTable.create(arena, NAME, rowOptions(lib, arena, knobs))
}

export function openOrCreateRows(lib: Library, arena: Arena): Rows {
  return lib.HashTable.openOrCreate(arena, NAME, rowOptions(lib, arena, {}))
}

function rowOptions(lib: Library, arena: Arena, knobs: Knobs) {
  const { capacity = FEW_CHAINS, bucket = 2, reserve = 0, limit, domain } = knobs
  const { grow = false, stripes = 2 ** STRIPE_BITS, mayHold = 0 } = knobs
  const few = { capacity, bucket, reserve, grow, stripes, seed: 0, holds: mayHold }
  const sizes = limit === undefined ? few : { ...few, limit }
  const own = domain === undefined ? {} : { smr: arena.smr(NAME, domain) }
  return { record: schemaOf(lib), key: 'key', ...sizes, ...own } as const
}

/** With `near`, so many near copies. */
export function openRows(lib: Library, arena: Arena, near?: number) {
  const copies = near === undefined ? {} : { near: { max: near } }
  return lib.HashTable.open(arena, NAME, { record: schemaOf(lib), key: 'key', ...copies })
}

const ODD = 0x9e3779b1

/** The one value that this version of this key can have. */
export function row(key: number, version: number): Row {
  return { key, version, sum: sumOf(key, version) }
}

function sumOf(key: number, version: number): number {
  return Math.imul(key ^ Math.imul(version + 1, ODD), ODD) >>> 0
}

/** The row's version; throws when it is torn or another key's. */
export function versionOf(found: Row, key: number): number {
  const { version, sum } = found
  if (found.key === key && sum === sumOf(key, version)) return version
  throw new Error(`key ${key}: found ${JSON.stringify(found)}`)
}

/** The version that a lookup finds, 0 when there is none. */
export function look(table: Rows, key: number): number {
  const found = table.get(key)
  return found === undefined ? 0 : versionOf(found, key)
}

/** The same of many at once. */
export function lookMany(table: Rows, keys: readonly number[]): number[] {
  return table
    .getMany(keys)
    .map((found, i) => (found === undefined ? 0 : versionOf(found, keys[i] as number)))
}

/** The version of the row in place, in a section. */
export function lookAt({ arena, table }: Pick<Hand, 'arena' | 'table'>, item: Item, key: number) {
  return versionOf(table.schema.read(arena, item), key)
}

export function put(table: Rows, key: number, version: number): void {
  table.set(row(key, version))
}

/** Changes the row of this key if there is one; the version that it had, 0 for none. */
export function change(table: Rows, key: number, version: number): number {
  let before = 0
  table.update(key, (old) => {
    before = old === undefined ? 0 : versionOf(old, key)
    return old && row(key, version)
  })
  return before
}

// ---- scenarios -------------------------------------------------------------------------------

/** A thread that joins the arena and opens the table before it begins. */
export function member(
  lib: Library,
  name: string,
  body: (hand: Hand) => unknown,
  after?: string,
  near?: number,
): Thread<TableWorld> {
  return thread<TableWorld, Pick<Hand, 'arena' | 'table'>>({
    name,
    ...(after === undefined ? {} : { after }),
    prepare(memory) {
      const arena = join(lib, memory)
      // Turns end where a thread says so.
      arena.space.turn.schedule = () => {}
      return { arena, table: openRows(lib, arena, near) }
    },
    body: (memory, control, prepared) => body({ ...prepared, memory, control }),
  })
}

export interface Scene extends Knobs {
  readonly stage?: Stage
  /** Versions by key that the table begins with, in the order in which they are put. */
  readonly holds?: readonly (readonly [key: number, version: number])[]
  readonly threads: readonly Thread<TableWorld>[]
  /** What else must hold in the end. */
  readonly judge?: Judge
  /** Items that may be lost. */
  readonly leaks?: number
  readonly rules?: Scenario['rules']
  readonly expect?: Scenario['expect']
}

export type Judge = (
  table: Rows,
  ending: Parameters<NonNullable<Scenario<TableWorld>['final']>>[2],
) => void

/** A table of these rows, these threads, and the laws at the end. */
export function scene(lib: Library, name: string, of: Scene): Scenario<TableWorld> {
  const { stage = STAGE, holds = [], threads, judge, leaks = 0, rules, expect } = of
  return scenario<TableWorld>({
    name,
    words: stage.words,
    setup: (memory) =>
      raise(lib, memory, stage, (arena) => {
        const table = createRows(lib, arena, of)
        for (const [key, version] of holds) put(table, key, version)
        return { at: table.parts.at }
      }),
    threads,
    final(memory, _results, ending) {
      const table = finalTable(lib, memory, leaks)
      judge?.(table, ending)
    },
    describe: (at, world) => describe(at - world.at),
    ...(rules === undefined ? {} : { rules }),
    ...(expect === undefined ? {} : { expect }),
  })
}

/** Opens the table in the end and checks every law there is; at most `leaks` items are lost. */
export function finalTable(lib: Library, memory: Memory, leaks = 0): Rows {
  const arena = join(lib, memory)
  const table = openRows(lib, arena)
  lib.checkTable(table)
  table.zone.check()
  lib.checkPages(memory, arena.space.pages)
  const { leaked } = table.zone.audit(table.items())
  if (leaked.length > leaks) throw new Error(`${leaked.length} items are lost: ${leaked.join()}`)
  for (const found of table.entries()) versionOf(found, found.key)
  checkArrays(arena, table)
  return table
}

/** Every array of chains is one that a word of the table names. */
function checkArrays(arena: Arena, table: Rows): void {
  const named = new Set(tableArrays(arena.memory, table.parts.at))
  named.delete(0)
  for (const { base, state, who } of arena.space.pages.runs()) {
    if (state === 'reserved') throw new Error(`run ${base} is still reserved by ${who}`)
    if (state !== 'used' || who !== RunKind.chains || named.delete(base)) continue
    throw new Error(`the array of chains at ${base} is lost`)
  }
  if (named.size > 0) throw new Error(`the table names ${[...named].join()}, which is no array`)
}

export function describe(offset: number): string | undefined {
  const { chains, stripes } = tableParts(0, STRIPE_BITS)
  const stripe = Math.floor((offset - stripes) / StripeWords.WORDS)
  if (offset < 0 || stripe >= 2 ** STRIPE_BITS) return undefined
  if (offset < chains) return TableWords.PLACES.find((place) => place.at === offset)?.name
  if (stripe < 0) return `chains of stripe ${offset - chains}`
  const within = (offset - stripes) % StripeWords.WORDS
  return `stripe ${stripe}, ${StripeWords.PLACES.find((place) => place.at === within)?.name}`
}

/**
 * Ordered tables for the explorer: keys that meet in the nodes of a small tree, and what must hold in
 * the end.
 *
 * Rows are those of tableStage.ts. The keys are chosen by their digits, the last two of eight:
 *
 *   a b c f 10 to 13    differ in the last digit: slots of one node
 *   d z     20, 05      in the one before: that node and these need another one above
 *   e       in the first: the root has a node
 *
 * With buckets of one, a node or record that was freed is used again by the second write after.
 */

import type { Arena, Item } from '#src/index.ts'
import { OrderWords } from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import type { Control } from './history.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { join, type Library, raise, SMALL, type Stage } from './stage.ts'
import { type Row, row, versionOf } from './tableStage.ts'

export const KEY = { a: 0x10, b: 0x11, c: 0x12, f: 0x13, d: 0x20, z: 5, e: 0x50000000 } as const
const NAME = 'rows'

/** Three threads, and a slot for whoever checks the end. */
export const STAGE: Stage = { ...SMALL, words: 2 ** 15, maxWorkers: 5 }

export interface OrderWorld {
  /** Address of the table. */
  readonly at: number
}

export interface Hand {
  readonly memory: Memory
  readonly control: Control
  readonly arena: Arena
  readonly table: Rows
}

export type Rows = ReturnType<typeof openRows>

export interface Knobs {
  readonly bucket?: number
  readonly limit?: number
}

function schemaOf(lib: Library) {
  return lib.record({ key: lib.u32, version: lib.u32, sum: lib.u32 })
}

export function createRows(lib: Library, arena: Arena, { bucket = 1, limit }: Knobs = {}): Rows {
  const sizes = limit === undefined ? { bucket } : { bucket, limit }
  return lib.OrderedTable.create(arena, NAME, { record: schemaOf(lib), key: 'key', ...sizes })
}

export function openOrCreateRows(lib: Library, arena: Arena): Rows {
  return lib.OrderedTable.openOrCreate(arena, NAME, {
    record: schemaOf(lib),
    key: 'key',
    bucket: 1,
  })
}

export function openRows(lib: Library, arena: Arena) {
  return lib.OrderedTable.open(arena, NAME, { record: schemaOf(lib), key: 'key' })
}

export function put(table: Rows, key: number, version: number): void {
  table.set(row(key, version))
}

/** The version that a lookup finds, 0 when there is none. */
export function look(table: Rows, key: number): number {
  const found = table.get(key)
  return found === undefined ? 0 : versionOf(found, key)
}

/** Key and version in one number, 0 when there is none: what histories report. */
export function pack(found: Row | undefined): number {
  return found === undefined ? 0 : found.key * 100 + versionOf(found, found.key)
}

/** The version of the row in place, in a section. */
export function lookAt({ arena, table }: Pick<Hand, 'arena' | 'table'>, item: Item): number {
  return pack(table.schema.read(arena, item))
}

/** A thread that joins the arena and opens the table before it begins. */
export function member(
  lib: Library,
  name: string,
  body: (hand: Hand) => unknown,
  after?: string,
): Thread<OrderWorld> {
  return thread<OrderWorld, Pick<Hand, 'arena' | 'table'>>({
    name,
    ...(after === undefined ? {} : { after }),
    prepare(memory) {
      const arena = join(lib, memory)
      // Turns end where a thread says so.
      arena.space.turn.schedule = () => {}
      return { arena, table: openRows(lib, arena) }
    },
    body: (memory, control, prepared) => body({ ...prepared, memory, control }),
  })
}

export type Held = readonly (readonly [key: number, version: number])[]

export interface Scene extends Knobs {
  /** Versions by key that the table begins with, in the order in which they are put. */
  readonly holds?: Held
  readonly threads: readonly Thread<OrderWorld>[]
  /** What else must hold in the end. */
  readonly judge?: (
    table: Rows,
    ending: Parameters<NonNullable<Scenario<OrderWorld>['final']>>[2],
  ) => void
  readonly rules?: Scenario['rules']
  readonly expect?: Scenario['expect']
}

/** A table of these rows, these threads, and the laws at the end. */
export function scene(lib: Library, name: string, of: Scene): Scenario<OrderWorld> {
  const { holds = [], threads, judge, rules, expect } = of
  return scenario<OrderWorld>({
    name,
    words: STAGE.words,
    setup: (memory) => build(lib, memory, of, holds),
    threads,
    final(memory, _results, ending) {
      judge?.(finalTable(lib, memory), ending)
    },
    describe: (at, world) => describe(at - world.at),
    ...(rules === undefined ? {} : { rules }),
    ...(expect === undefined ? {} : { expect }),
  })
}

export function build(
  lib: Library,
  memory: Memory,
  knobs: Knobs,
  holds: Held,
  before?: (table: Rows) => void,
): OrderWorld {
  return raise(lib, memory, STAGE, (arena) => {
    const table = createRows(lib, arena, knobs)
    for (const [key, version] of holds) put(table, key, version)
    before?.(table)
    return { at: table.parts.at }
  })
}

/** Opens the table in the end and checks every law; no record and no node is lost. */
export function finalTable(lib: Library, memory: Memory): Rows {
  const arena = join(lib, memory)
  const table = openRows(lib, arena)
  // A lock whose owner has died is taken over, and what it guards repaired.
  table.parts.guard.whileLocked(() => {})
  const nodes = lib.checkOrdered(table)
  lib.checkPages(memory, arena.space.pages)
  for (const [zone, reachable] of [
    [table.zone, table.items()],
    [table.nodes, nodes],
  ] as const) {
    zone.check()
    const { leaked } = zone.audit(reachable)
    if (leaked.length > 0) throw new Error(`${zone.name}: ${leaked.join()} are lost`)
  }
  let last = -1
  for (const found of table.entries()) {
    versionOf(found, found.key)
    if (found.key <= last) throw new Error(`key ${found.key} comes after ${last}`)
    last = found.key
  }
  return table
}

export function describe(offset: number): string | undefined {
  return OrderWords.PLACES.find((place) => place.at === offset)?.name
}

/** Throws unless these keys have these versions; 0: is not there. */
export function holds(table: Rows, ...rows: Held): void {
  for (const [key, version] of rows) {
    const found = look(table, key)
    if (found !== version) throw new Error(`key ${key} has version ${found}, not ${version}`)
  }
}

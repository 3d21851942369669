/**
 * This package's `HashTable`: in shared memory, lock-free to read, with records of one shape.
 *
 * `sum` is the way inside the read section, straight from the record; `get` makes a copy of it.
 */
import { Arena, f64, HashTable, type Item, record, u32, utf8 } from 'uma-smr'
import { ENTRIES, type Fields, type Key, type KeyKind, LONGEST_KEY } from '../harness/data.ts'
import type { TableReader, TableRival } from './table.ts'

const ByNumber = record({ id: u32, population: u32, lat: f64, lon: f64 })
const ByName = record({ id: utf8(LONGEST_KEY), population: u32, lat: f64, lon: f64 })

const NAME = 'cities'
const ARENA_BYTES = 2 ** 27

interface Ticket {
  readonly handle: Arena['handle']
  readonly kind: KeyKind
}

/** Both tables, for code that need not know which keys it has. */
interface Table {
  has(key: Key): boolean
  get(key: Key): Fields | undefined
  getMany(keys: readonly Key[]): readonly (Fields | undefined)[]
  hasMany(keys: readonly Key[]): readonly boolean[]
  read<T>(key: Key, fn: (item: Item) => T): T | undefined
  set(object: Fields & { id: Key }): unknown
}

/** What of the library a table uses. */
export interface UmaKind {
  readonly sections?: 'fenced' | 'turn'
  readonly intrinsics?: boolean
}

export function createUmaTable(
  kind: KeyKind,
  { sections = 'fenced', intrinsics = true }: UmaKind = {},
): TableRival {
  const arena = Arena.create({ bytes: ARENA_BYTES, maxWorkers: 8, intrinsics })
  const smr = arena.smr(NAME, { sections })
  const common = { key: 'id', capacity: ENTRIES, smr } as const
  const table: Table =
    kind === 'int'
      ? HashTable.create(arena, NAME, { record: ByNumber, ...common })
      : HashTable.create(arena, NAME, { record: ByName, ...common })
  return new UmaTable(arena, kind, table)
}

export function joinUmaTable(ticket: unknown): TableReader {
  const { handle, kind } = ticket as Ticket
  const arena = Arena.attach(handle)
  const table: Table =
    kind === 'int'
      ? HashTable.open(arena, NAME, { record: ByNumber, key: 'id' })
      : HashTable.open(arena, NAME, { record: ByName, key: 'id' })
  return new UmaTable(arena, kind, table)
}

class UmaTable implements TableRival, TableReader {
  private readonly arena: Arena
  private readonly kind: KeyKind
  private readonly table: Table
  private readonly sumOf: (item: Item) => number

  constructor(arena: Arena, kind: KeyKind, table: Table) {
    this.arena = arena
    this.kind = kind
    this.table = table
    const { population, lat, lon } = kind === 'int' ? ByNumber.get : ByName.get
    this.sumOf = (item) => population(arena, item) + lat(arena, item) + lon(arena, item)
  }

  keyOf(key: Key): Key {
    return key
  }

  has(key: Key): boolean {
    return this.table.has(key)
  }

  get(key: Key): Fields | undefined {
    return this.table.get(key)
  }

  getMany(keys: readonly Key[]): readonly (Fields | undefined)[] {
    return this.table.getMany(keys)
  }

  hasMany(keys: readonly Key[]): readonly boolean[] {
    return this.table.hasMany(keys)
  }

  sum(key: Key): number {
    return this.table.read(key, this.sumOf) ?? 0
  }

  set(id: Key, population: number, lat: number, lon: number): void {
    this.table.set({ id, population, lat, lon })
  }

  ticket(): unknown {
    return { handle: this.arena.handle, kind: this.kind } satisfies Ticket
  }

  refresh(): void {}

  leave(): void {
    this.arena.detach()
  }

  close(): void {
    this.arena.detach()
  }
}

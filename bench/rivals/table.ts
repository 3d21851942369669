/**
 * What a table must be able to do to be compared.
 *
 * Every rival keeps the same 100,000 records and answers the same calls with the same checksums:
 * `proveTable` asks before any clock runs, so that nobody wins by being wrong. `keyOf` lets a rival
 * have its keys in the form that it takes best, made beforehand. A rival that other workers can
 * look into hands out a ticket; `joinTable` over there turns it into a reader.
 */
import type { Fields, Key, KeyKind, Row } from '../harness/data.ts'
import { sumOf } from '../harness/data.ts'

export interface TableRival {
  /** A key in the form in which the other calls take it. */
  keyOf(key: Key): Key
  has(key: Key): boolean
  /** A whole record that belongs to the caller (or, in private memory, the record itself). */
  get(key: Key): Fields | undefined
  /** `get` of many keys at once, where there is such a thing. */
  getMany?(keys: readonly Key[]): readonly (Fields | undefined)[]
  /** Looks a record up, reads its three fields in the cheapest way there is, and adds them. */
  sum(key: Key): number
  /** Replaces the record, or inserts it. */
  set(key: Key, population: number, lat: number, lon: number): void
  /** What another worker needs to join; only for tables that can be shared. */
  ticket?(): unknown
  /** Runs `work`, many sets, as one transaction, where there is such a thing. */
  together?(work: () => void): void
  close(): void | Promise<void>
}

/** A table as another worker sees it. */
export interface TableReader {
  keyOf(key: Key): Key
  sum(key: Key): number
  /** Called every so often: lets go of old versions where reading holds them. */
  refresh(): void
  leave(): void | Promise<void>
}

export type TableName =
  | 'map'
  | 'lru-map'
  | 'uma'
  | 'uma-turn'
  | 'uma-typescript'
  | 'uma-turn-typescript'
  | 'sharedmap'
  | 'lmdb'
  | 'lmdb-bytes'

/** Makes a table and fills it. */
export async function openTable(
  name: TableName,
  kind: KeyKind,
  rows: readonly Row[],
): Promise<TableRival> {
  const table = await makeTable(name, kind)
  const fill = () => {
    for (const row of rows) table.set(table.keyOf(row.id), row.population, row.lat, row.lon)
  }
  if (table.together) table.together(fill)
  else fill()
  proveTable(table, rows)
  return table
}

async function makeTable(name: TableName, kind: KeyKind): Promise<TableRival> {
  switch (name) {
    case 'map':
      return new (await import('./map.ts')).MapTable()
    case 'lru-map':
      return new (await import('./lru-map.ts')).LruMapTable()
    case 'uma':
      return (await import('./uma.ts')).createUmaTable(kind)
    case 'uma-turn':
      return (await import('./uma.ts')).createUmaTable(kind, { sections: 'turn' })
    case 'uma-typescript':
      return (await import('./uma.ts')).createUmaTable(kind, { intrinsics: false })
    case 'uma-turn-typescript':
      return (await import('./uma.ts')).createUmaTable(kind, {
        sections: 'turn',
        intrinsics: false,
      })
    case 'sharedmap':
      return (await import('./sharedmap.ts')).createSharedMapTable()
    case 'lmdb':
      return (await import('./lmdb.ts')).createLmdbTable(kind, 'msgpack')
    case 'lmdb-bytes':
      return (await import('./lmdb.ts')).createLmdbTable(kind, 'binary')
  }
}

/** Joins a table from another worker. */
export async function joinTable(name: TableName, ticket: unknown): Promise<TableReader> {
  switch (name) {
    case 'uma':
      return (await import('./uma.ts')).joinUmaTable(ticket)
    case 'sharedmap':
      return (await import('./sharedmap.ts')).joinSharedMapTable(ticket)
    case 'lmdb':
    case 'lmdb-bytes':
      return (await import('./lmdb.ts')).joinLmdbTable(ticket)
    default:
      throw new TypeError(`${name} is private to its worker`)
  }
}

const PROOFS = 1000

/** Asks for records all over the table and compares the answers. */
function proveTable(table: TableRival, rows: readonly Row[]): void {
  const stride = Math.max(1, Math.floor(rows.length / PROOFS))
  for (let i = 0; i < rows.length; i += stride) {
    const row = rows[i]
    if (row === undefined) continue
    const key = table.keyOf(row.id)
    const copy = table.get(key)
    const right =
      table.has(key) &&
      table.sum(key) === sumOf(row) &&
      copy !== undefined &&
      sumOf(copy) === sumOf(row)
    if (!right) throw new Error(`wrong answer for key ${row.id}`)
  }
}

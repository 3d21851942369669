/**
 * Makes the table that is asked for by name, fills it, and asks it for records before any clock runs;
 * joins one from another worker. Each rival is loaded only when it is wanted: some are not installed.
 */
import type { KeyKind, Row } from '../harness/data.ts'
import { sumOf } from '../harness/data.ts'
import type { TableName, TableReader, TableRival } from './table.ts'

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
      return new (await import('./lruMap.ts')).LruMapTable()
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

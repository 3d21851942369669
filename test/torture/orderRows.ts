/** The rows of the torture of ordered tables, and which keys a block of them has. */

import { type Arena, OrderedTable, type RecordOf, record, u32 } from 'uma-smr'

const Row = record({ key: u32, version: u32, sum: u32 })
type Row = RecordOf<typeof Row>

export const BLOCKS = 64
/** Not a power of two, so that blocks differ in more than one digit. */
export const STEP = 999
/** Behind the fence of a block, one of these two is always there. */
export const LOW = 15
export const HIGH = 16
/** From here on keys that come and go. */
export const OWN = 500

const ODD = 0x9e3779b1

export function row(key: number, version: number): Row {
  return { key, version, sum: sumOf(key, version) }
}

function sumOf(key: number, version: number): number {
  return Math.imul(key ^ Math.imul(version + 1, ODD), ODD) >>> 0
}

export function isWhole({ key, version, sum }: Row): boolean {
  return sum === sumOf(key, version)
}

export function createRows(arena: Arena) {
  const table = OrderedTable.create(arena, 'rows', { record: Row, key: 'key', bucket: 4 })
  for (let block = 0; block < BLOCKS; block++) {
    table.set(row(block * STEP, 0)).set(row(block * STEP + LOW, 0))
  }
  return table
}

export function openRows(arena: Arena) {
  return OrderedTable.open(arena, 'rows', { record: Row, key: 'key' })
}

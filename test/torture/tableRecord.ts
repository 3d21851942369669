/**
 * The record of the table torture: every kind of field, and a checksum over all of them.
 *
 * All fields follow from the key and the version, so one look tells whether a record is whole, and
 * two looks whether it is still the same one.
 */

import {
  type Arena,
  f64,
  HashTable,
  type Item,
  i64,
  type RecordOf,
  record,
  type Smr,
  u32,
  utf8,
} from 'uma-smr'

export const Entry = record({
  key: u32,
  version: u32,
  weight: f64,
  stamp: i64,
  name: utf8(20),
  sum: u32,
})

export type Entry = RecordOf<typeof Entry>

const NAME = 'table'
const CAPACITY = 64

export type Table = ReturnType<typeof createTable>

/** `bucket`, `limit` and `smr` are the zone's; without a domain the table makes its own. */
export function createTable(arena: Arena, bucket: number, limit: number, smr?: Smr) {
  return HashTable.create(arena, NAME, {
    record: Entry,
    key: 'key',
    capacity: CAPACITY,
    bucket,
    limit,
    ...(smr && { smr }),
  })
}

export function openTable(arena: Arena): Table {
  return HashTable.open(arena, NAME, { record: Entry, key: 'key' })
}

export function entry(key: number, version: number): Entry {
  const weight = version / 3 + key
  const stamp = BigInt(key) * 1_000_003n - BigInt(version)
  const name = `n${key}.${version}`
  return { key, version, weight, stamp, name, sum: checksum(key, version, weight, stamp, name) }
}

/** Whether the copy is a record that somebody has written, whole. */
export function isWhole({ key, version, weight, stamp, name, sum }: Entry): boolean {
  return sum === checksum(key, version, weight, stamp, name) && name === `n${key}.${version}`
}

/** The version of the record in place, -1 if it is not whole or has another key. In a section. */
export function wholeVersion(arena: Arena, item: Item, key: number): number {
  const found = Entry.read(arena, item)
  return found.key === key && isWhole(found) ? found.version : -1
}

function checksum(
  key: number,
  version: number,
  weight: number,
  stamp: bigint,
  name: string,
): number {
  let h = Math.imul(key ^ Math.imul(version, 0x9e3779b1), 0x85ebca6b)
  h = Math.imul(h ^ Math.floor(weight * 8) ^ Number(BigInt.asIntN(32, stamp)), 0xc2b2ae35)
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193)
  return (h ^ (h >>> 15)) >>> 0
}

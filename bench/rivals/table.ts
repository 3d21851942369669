/**
 * What a table must be able to do to be compared.
 *
 * Every rival keeps the same 100,000 records and answers the same calls with the same checksums:
 * open.ts asks before any clock runs, so that nobody wins by being wrong. `keyOf` lets a rival
 * have its keys in the form that it takes best, made beforehand. A rival that other workers can
 * look into hands out a ticket; `joinTable` over there turns it into a reader.
 */
import type { Fields, Key } from '../harness/data.ts'

export interface TableRival {
  /** A key in the form in which the other calls take it. */
  keyOf(key: Key): Key
  has(key: Key): boolean
  /** A whole record that belongs to the caller (or, in private memory, the record itself). */
  get(key: Key): Fields | undefined
  /** `get` of many keys at once, where there is such a thing. */
  getMany?(keys: readonly Key[]): readonly (Fields | undefined)[]
  /** `has` of many keys at once, where there is such a thing. */
  hasMany?(keys: readonly Key[]): readonly boolean[]
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

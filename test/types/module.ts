/**
 * A program that uses the package as its users do, compiled against what is packed: with declarations, so
 * every type that it exports must have a name, and with `skipLibCheck: false`, so must all of the package's.
 */

import {
  Arena,
  atomic,
  bool,
  bytes,
  data,
  type Fields,
  type FieldType,
  f32,
  f64,
  type Goal,
  HashTable,
  type Item,
  i32,
  i64,
  json,
  Misuse,
  type RecordOf,
  record,
  ref,
  type Schema,
  type TableOf,
  text,
  u32,
  utf8,
} from 'uma-smr'
import * as freebsd from 'uma-smr/freebsd'
import * as netbsd from 'uma-smr/netbsd'
import * as openbsd from 'uma-smr/openbsd'
import * as xnu from 'uma-smr/xnu'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
/** Compiles only for `true`. */
export function so<T extends true>(): T | undefined {
  return undefined
}

// What is inferred can be exported: each of these needs a name for its type.
export const City = record({ id: u32, population: i32, lat: f64, name: utf8(64), next: ref })
export const Every = record({
  a: u32,
  b: i32,
  c: f32,
  d: f64,
  e: bool,
  f: i64,
  g: bytes(4),
  h: ref,
  i: atomic(u32),
  j: text(),
  k: data(),
  l: json<{ readonly a: number }>(),
})
export const name64 = utf8(64)
export const hits = atomic(i32)
export const note = text()
export const picture = data()
export const more = json<readonly string[]>()
export const arena = Arena.create({ bytes: 2 ** 20 })
export const smr = arena.smr('news')
export const zone = arena.zone('news', { smr, record: City })
export const lock = arena.lock('l')
export const heap = arena.heap('h', { smr })
export const block: Item = heap.allocSmr(100)
export const cities = HashTable.create(arena, 'cities', { record: City, key: 'id', capacity: 8 })
export const names = HashTable.open(arena, 'names', { record: City, key: 'name' })
export const nameOf = (item: Item) => City.get.name(arena, item)
export const all = () => [...cities.entries()]

// They are what the library says that they are.
export type City = RecordOf<typeof City>
export type Cities = TableOf<typeof City, 'id'>
so<Same<City, { id: number; population: number; lat: number; name: string; next: Item }>>()
so<Same<Cities, typeof cities>>()
so<Same<RecordOf<typeof Every>['f'], bigint>>()
so<Same<RecordOf<typeof Every>['e'], boolean>>()
so<Same<ReturnType<Cities['get']>, City | undefined>>()
so<Same<Parameters<TableOf<typeof City, 'name'>['get']>[0], string>>()
so<Same<TableOf<typeof City, 'nothing'>, never>>()
export const field: FieldType<number, 'u32'> = u32
export const fields: Fields = { id: u32 }
export const every = HashTable.create(arena, 'every', { record: Every, key: 'a', capacity: 8 })
export const sum = every.add(1, 'i', 1)
export const before = every.compareExchange(1, 'i', 2, 3)
export const addHere = (item: Item) => Every.add.i(arena, item, 1)
so<Same<RecordOf<typeof Every>['i'], number>>()
so<Same<RecordOf<typeof Every>['j'], string>>()
so<Same<RecordOf<typeof Every>['k'], Uint8Array>>()
so<Same<RecordOf<typeof Every>['l'], { readonly a: number }>>()
Every.write(arena, block, Every.read(arena, block), heap)
so<Same<typeof sum, number | undefined>>()
export const schema: Schema = City
export const goal: Goal = smr.advance()

/** A function of a user's that takes a table. */
export function rename(table: Cities, id: number, name: string): boolean {
  const city = table.get(id)
  if (city === undefined) return false
  table.set({ ...city, name })
  return true
}

// Mistakes do not compile.
// @ts-expect-error a field is missing
cities.set({ id: 1 })
// @ts-expect-error the key is a number
cities.get('1')
// @ts-expect-error only an atomic field can be added to
every.add(1, 'b', 1)
// @ts-expect-error text is no key for a float
HashTable.create(arena, 'x', { record: City, key: 'lat', capacity: 8 })
// @ts-expect-error a number is no item
zone.zfreeSmr(7)
// @ts-expect-error an internal name is not declared
smr.wrAt
// @ts-expect-error nor is this one
zone.parts

export const kernels = [
  freebsd.uma_zcreate,
  netbsd.pool_cache_init,
  openbsd.smr_startup,
  xnu.smr_domain_create,
]
export const isMisuse = (error: unknown): error is Misuse => error instanceof Misuse

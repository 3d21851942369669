/**
 * A city: what lies in a record, and how one tells that a record is whole.
 *
 * Every worker imports this file and so has the same schema; whoever opens the table with another
 * one is refused. A version counts the changes of a city. The checksum covers every other field: a
 * reader that saw half of one version and half of the next, or a record that already belongs to
 * another city, would compute something else than it finds.
 */

import { type Arena, f64, HashTable, type Item, type RecordOf, record, u32, utf8 } from 'uma-smr'

const CITIES = 'cities'
export const FIRST_VERSION = 1

/**
 * Half of what anybody does is about the largest cities, as in life; it also makes readers and the
 * writer meet at the same record often. `place` is one in the list of ids, the largest city first.
 */
export const LARGEST = 512
const ABOUT_THE_LARGEST = 0.5

export function drawPlace(cities: number): number {
  return upTo(Math.random() < ABOUT_THE_LARGEST ? LARGEST : cities)
}

/** An integer from 0 to `limit - 1`. */
export function upTo(limit: number): number {
  return Math.floor(Math.random() * limit)
}

/** The longest name has 65 bytes in UTF-8; 68 fill the record to its last word. */
const NAME_BYTES = 68

export const City = record({
  id: u32,
  population: u32,
  version: u32,
  checksum: u32,
  lat: f64,
  lon: f64,
  country: utf8(2),
  name: utf8(NAME_BYTES),
})
export type City = RecordOf<typeof City>

/** Makes the table; once, in one worker. */
export function createCities(arena: Arena, capacity: number): CityTable {
  return HashTable.create(arena, CITIES, { record: City, key: 'id', capacity })
}

/** Opens it in another. */
export function openCities(arena: Arena) {
  return HashTable.open(arena, CITIES, { record: City, key: 'id' })
}
export type CityTable = ReturnType<typeof openCities>

/** All that the checksum is computed from. */
export type Facts = Omit<City, 'checksum'>

/** A city as it goes into the table. */
export function seal(facts: Facts): City {
  const { id, population, version, lat, lon, country, name } = facts
  return { ...facts, checksum: checksum(id, population, version, lat, lon, country, name) }
}

/** Whether the record says what its checksum says. In place: only the two strings are copied. */
export function isWhole(arena: Arena, item: Item): boolean {
  const { get } = City
  const sum = checksum(
    get.id(arena, item),
    get.population(arena, item),
    get.version(arena, item),
    get.lat(arena, item),
    get.lon(arena, item),
    get.country(arena, item),
    get.name(arena, item),
  )
  return sum === get.checksum(arena, item)
}

// FNV-1a, by words and characters instead of bytes, with a shift that brings high bits down.
const OFFSET_BASIS = 0x811c9dc5
const PRIME = 0x01000193
const HALF = 15

function mix(hash: number, word: number): number {
  const next = Math.imul(hash ^ word, PRIME)
  return next ^ (next >>> HALF)
}

function mixText(hash: number, text: string): number {
  let next = mix(hash, text.length)
  for (let i = 0; i < text.length; i++) next = mix(next, text.charCodeAt(i))
  return next
}

/** A float, and the same bits as two words. */
const float = new Float64Array(1)
const halves = new Int32Array(float.buffer)

function mixFloat(hash: number, value: number): number {
  float[0] = value
  return mix(mix(hash, halves[0] ?? 0), halves[1] ?? 0)
}

function checksum(
  id: number,
  population: number,
  version: number,
  lat: number,
  lon: number,
  country: string,
  name: string,
): number {
  const numbers = mix(mix(mix(OFFSET_BASIS, id), population), version)
  return mixText(mixText(mixFloat(mixFloat(numbers, lat), lon), country), name) >>> 0
}

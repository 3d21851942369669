/**
 * mnemonist's `LRUMap`: of that library the structure nearest to a keyed table of bounded size. It
 * is private to its worker. Lookups use `peek`, which leaves the order of use alone: `get` would
 * move the entry to the front and cost more.
 */
import { LRUMap } from 'mnemonist'
import { ENTRIES, type Fields, type Key } from '../harness/data.ts'
import type { TableRival } from './table.ts'

export class LruMapTable implements TableRival {
  readonly #map = new LRUMap<Key, Fields & { id: Key }>(ENTRIES)

  keyOf(key: Key): Key {
    return key
  }

  has(key: Key): boolean {
    return this.#map.has(key)
  }

  get(key: Key): Fields | undefined {
    return this.#map.peek(key)
  }

  sum(key: Key): number {
    const found = this.#map.peek(key)
    return found === undefined ? 0 : found.population + found.lat + found.lon
  }

  set(id: Key, population: number, lat: number, lon: number): void {
    this.#map.set(id, { id, population, lat, lon })
  }

  close(): void {
    this.#map.clear()
  }
}

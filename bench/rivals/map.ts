/**
 * The private JS `Map`: what a worker has when it shares nothing. Its `get` hands out the record
 * itself, no copy.
 */
import type { Fields, Key } from '../harness/data.ts'
import type { TableRival } from './table.ts'

export class MapTable implements TableRival {
  private readonly map = new Map<Key, Fields & { id: Key }>()

  keyOf(key: Key): Key {
    return key
  }

  has(key: Key): boolean {
    return this.map.has(key)
  }

  get(key: Key): Fields | undefined {
    return this.map.get(key)
  }

  sum(key: Key): number {
    const found = this.map.get(key)
    return found === undefined ? 0 : found.population + found.lat + found.lon
  }

  set(id: Key, population: number, lat: number, lon: number): void {
    this.map.set(id, { id, population, lat, lon })
  }

  close(): void {
    this.map.clear()
  }
}

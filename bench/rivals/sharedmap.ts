/**
 * sharedmap: a hash map of strings over one SharedArrayBuffer, with locks.
 *
 * It keeps strings under strings, so integer keys are turned into text beforehand and records
 * travel as JSON. It has twice the slots that it needs, and one character more in keys and values
 * than the longest (the terminator of a value of exactly the declared length lands in its
 * neighbour). A handle reaches a worker as a plain object and gets its prototype back by hand.
 */
import { ENTRIES, type Fields, type Key, LONGEST_KEY } from '../harness/data.ts'
import { loadHeavy } from '../harness/heavy.ts'
import type { TableReader, TableRival } from './table.ts'

interface SharedMap {
  has(key: string): boolean
  get(key: string): string | undefined
  set(key: string, value: string): void
}

interface SharedMapClass {
  new (maxSize: number, keySize: number, objSize: number): SharedMap
  readonly prototype: SharedMap
}

/** `{"population":9999999,"lat":-89.99999,"lon":-179.99999}` and some room. */
const LONGEST_VALUE = 71

export function createSharedMapTable(): TableRival {
  const SharedMap = loadHeavy('sharedmap') as SharedMapClass
  return new SharedMapTable(new SharedMap(2 * ENTRIES, LONGEST_KEY + 1, LONGEST_VALUE + 1))
}

export function joinSharedMapTable(ticket: unknown): TableReader {
  const SharedMap = loadHeavy('sharedmap') as SharedMapClass
  const map = ticket as SharedMap
  Object.setPrototypeOf(map, SharedMap.prototype)
  return new SharedMapTable(map)
}

class SharedMapTable implements TableRival, TableReader {
  readonly #map: SharedMap

  constructor(map: SharedMap) {
    this.#map = map
  }

  keyOf(key: Key): Key {
    return String(key)
  }

  has(key: Key): boolean {
    return this.#map.has(key as string)
  }

  get(key: Key): Fields | undefined {
    const text = this.#map.get(key as string)
    return text === undefined ? undefined : (JSON.parse(text) as Fields)
  }

  sum(key: Key): number {
    const text = this.#map.get(key as string)
    if (text === undefined) return 0
    const found = JSON.parse(text) as Fields
    return found.population + found.lat + found.lon
  }

  set(key: Key, population: number, lat: number, lon: number): void {
    this.#map.set(key as string, JSON.stringify({ population, lat, lon }))
  }

  ticket(): unknown {
    return this.#map
  }

  refresh(): void {}

  leave(): void {}

  close(): void {}
}

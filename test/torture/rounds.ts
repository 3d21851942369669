/**
 * What the members of the linearizability torture share: a table, a counter of tickets, a barrier,
 * and how a call is written down in numbers.
 *
 * The tickets are the clock: one is taken right before a call and one right after, each with an
 * atomic add on one word. All workers agree on their order, so a call whose last ticket is smaller
 * than another's first one was over before that one began.
 */

import { type Arena, HashTable, record, u32 } from 'uma-smr'

export const MEMBERS = 3
export const CALLS_EACH = 4
export const KEYS = 2

/** A row says twice which version it is: half of one and half of another shows. */
const Row = record({ key: u32, version: u32, again: u32 })

export type Table = ReturnType<typeof createTable>

/** `ctor` runs in the middle of each set. */
export function createTable(arena: Arena, ctor: () => void) {
  const sizes = { capacity: 16, bucket: 2 }
  return HashTable.create(arena, 'rows', { record: Row, key: 'key', ...sizes, ctor })
}

export function openTable(arena: Arena, ctor: () => void): Table {
  return HashTable.open(arena, 'rows', { record: Row, key: 'key', ctor })
}

export const CALLS = [
  'get',
  'has',
  'set',
  'delete',
  'insert',
  'replace',
  'update',
  'getOrInsert',
  'deleteIf',
] as const

/** One call in numbers: round, call, key, version, result, first and last ticket. */
export const NOTE_WORDS = 7

/** Waits until all members are here. A word counts arrivals, another one the times all had come. */
export class Barrier {
  private readonly words: Int32Array<SharedArrayBuffer>
  private readonly arrived: number
  private readonly times: number

  constructor(arena: Arena) {
    this.words = arena.words
    this.arrived = arena.root('arrived')
    this.times = arena.root('times')
  }

  wait(): void {
    const { words, arrived, times } = this
    const before = Atomics.load(words, times)
    if (Atomics.add(words, arrived, 1) === MEMBERS - 1) {
      Atomics.store(words, arrived, 0)
      Atomics.add(words, times, 1)
      Atomics.notify(words, times)
      return
    }
    for (let spin = 0; spin < SPINS; spin++) if (Atomics.load(words, times) !== before) return
    while (Atomics.load(words, times) === before) Atomics.wait(words, times, before, SLEEP_MS)
  }
}

const SPINS = 2000
const SLEEP_MS = 1

/** The counters of the update torture: a record says its sum twice, so half of one would show. */

import { type Arena, HashTable, record, u32 } from 'uma-smr'

const Counter = record({ id: u32, sum: u32, check: u32 })

export type Counters = ReturnType<typeof createCounters>

export function createCounters(arena: Arena) {
  return HashTable.create(arena, 'counters', {
    record: Counter,
    key: 'id',
    capacity: 16,
    bucket: 4,
  })
}

export function openCounters(arena: Arena): Counters {
  return HashTable.open(arena, 'counters', { record: Counter, key: 'id' })
}

/**
 * The record of the torture of additions: `hits` is added to in place, `kept` is what updates have carried
 * over from it, and `twin` says the same again, so that half of a record would show.
 */

import { type Arena, atomic, f64, HashTable, type RecordOf, record, u32 } from 'uma-smr'

const Hits = record({ id: u32, hits: atomic(u32), kept: f64, twin: f64 })
export type Hit = RecordOf<typeof Hits>
export type HitTable = ReturnType<typeof createHits>

export function createHits(arena: Arena) {
  return HashTable.create(arena, 'hits', { record: Hits, key: 'id', capacity: 16, bucket: 4 })
}

export function openHits(arena: Arena): HitTable {
  return HashTable.open(arena, 'hits', { record: Hits, key: 'id' })
}

export function hit(id: number, kept = 0): Hit {
  return { id, hits: 0, kept, twin: kept }
}

/** All that was added to it, and is not overwritten. */
export function totalOf(found: Hit | undefined): number {
  if (found === undefined) return 0
  if (found.kept !== found.twin) throw new Error(`half of a record: ${JSON.stringify(found)}`)
  return found.hits + found.kept
}

/** What was added goes on to the part of the record that is replaced. */
export function fold(table: HitTable, id: number): void {
  table.update(id, (old) => old && hit(id, totalOf(old)))
}

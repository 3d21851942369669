/**
 * A table in numbers, and its invariant: every record is once in the chain of its hash.
 */

import { Corruption, show } from '../base/errors.ts'
import type { HeapStats } from '../heap/stats.ts'
import type { SmrStats } from '../smr/stats.ts'
import type { ZoneStats } from '../zone/stats.ts'
import type { Blocks } from './blocks.ts'
import { sizeOf } from './chains.ts'
import type { TableParts } from './parts.ts'

/** What `table.stats()` returns. */
export interface TableStats {
  /** The name of the table. */
  readonly name: string
  /** Records in the table. */
  readonly size: number
  /** Chains in the current array. */
  readonly chains: number
  /** Records per chain on average. */
  readonly load: number
  /** Locks that writers share. */
  readonly stripes: number
  /** The zone that holds its records. */
  readonly zone: ZoneStats
  /** The heap of its fields without a maximum, if it has such. */
  readonly heap?: HeapStats
  /** The domain that protects its lookups. */
  readonly smr: SmrStats
}

/** @internal */
export function tableStats(parts: TableParts, size: number): TableStats {
  const chains = sizeOf(parts.chains.current())
  return {
    name: parts.name,
    size,
    chains,
    load: size / chains,
    stripes: 2 ** parts.stripes.bits,
    zone: parts.zone.stats(),
    ...heapStatsOf(parts.blocks),
    smr: parts.smr.stats(),
  }
}

/** The heap of a table, as its statistics have it. @internal */
export function heapStatsOf({ heap }: Blocks): { heap?: HeapStats } {
  return heap === undefined ? {} : { heap: heap.stats() }
}

/** Throws Corruption unless chains, counts and hashes agree. Only while nobody writes. @internal */
export function checkTable(table: { readonly parts: TableParts; readonly size: number }): void {
  const { chains, name } = table.parts
  const now = chains.current()
  const seen = new Set<number>()
  for (let i = 0; i < sizeOf(now); i++) {
    for (const node of chains.nodes(now, i, i + 1)) {
      const expected = chains.headFor(now, chains.hashOf(node)) - chains.headFor(now, 0)
      if (expected !== i || seen.has(node)) {
        throw new Corruption(
          `table ${show(name)}: record ${node} hangs in chain ${i}, not once in ${expected}`,
        )
      }
      seen.add(node)
    }
  }
  if (seen.size === table.size) return
  throw new Corruption(`table ${show(name)}: ${table.size} records by count, ${seen.size} by walk`)
}

/**
 * A table in numbers, and its invariant: every record is once in the chain of its hash.
 */

import { Corruption, show } from '../base/errors.ts'
import type { HeapStats } from '../heap/stats.ts'
import { StripeWords } from '../memory/layout.ts'
import type { SmrStats } from '../smr/stats.ts'
import type { ZoneStats } from '../zone/stats.ts'
import type { Blocks } from './blocks.ts'
import type { NearStats } from './near.ts'
import type { TableParts } from './parts.ts'

/** What `table.stats()` returns. */
export interface TableStats {
  /** The name of the table. */
  readonly name: string
  /** Records in the table. */
  readonly size: number
  /** Chains of all stripes. */
  readonly chains: number
  /** Records per chain on average. */
  readonly load: number
  /** Locks that writers share. */
  readonly stripes: number
  /** Whether it grows by itself. */
  readonly grow: boolean
  /** How often one of its stripes has grown by itself. */
  readonly grown: number
  /** The zone that holds its records. */
  readonly zone: ZoneStats
  /** The heap of its fields without a maximum, if it has such. */
  readonly heap?: HeapStats
  /** The domain that protects its lookups. */
  readonly smr: SmrStats
  /** The near copies of this worker, if it has asked for some. */
  readonly near?: NearStats
}

/** @internal */
export function tableStats(
  parts: TableParts,
  size: number,
  near: { stats(): NearStats } | undefined,
): TableStats {
  const { memory } = parts.arena
  const chains = chainsOf(parts)
  let grown = 0
  for (let i = 0; i < 2 ** parts.stripes.bits; i++) {
    grown += memory.peekRacy(parts.stripes.at(i) + StripeWords.grown)
  }
  return {
    name: parts.name,
    size,
    chains,
    load: size / chains,
    stripes: 2 ** parts.stripes.bits,
    grow: parts.grows,
    grown,
    zone: parts.zone.stats(),
    ...heapStatsOf(parts.blocks),
    smr: parts.smr.stats(),
    ...(near && { near: near.stats() }),
  }
}

/** The heap of a table, as its statistics have it. @internal */
export function heapStatsOf({ heap }: Blocks): { heap?: HeapStats } {
  return heap === undefined ? {} : { heap: heap.stats() }
}

/** Chains of all stripes. @internal */
export function chainsOf({ chains, stripes }: Pick<TableParts, 'chains' | 'stripes'>): number {
  let all = 0
  for (let i = 0; i < 2 ** stripes.bits; i++) all += 2 ** chains.bitsIn(chains.current(i))
  return all
}

/** Throws Corruption unless chains, counts and hashes agree. Only while nobody writes. @internal */
export function checkTable(table: { readonly parts: TableParts; readonly size: number }): void {
  const { chains, name, stripes } = table.parts
  const seen = new Set<number>()
  const all = Array.from({ length: 2 ** stripes.bits }, (_, stripe) => {
    const now = chains.current(stripe)
    const first = chains.firstIn(now, stripe)
    const end = chains.firstIn(now, stripe + 1)
    return Array.from({ length: end - first }, (__, i) => [now, first + i] as const)
  })
  for (const [now, i] of all.flat()) {
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

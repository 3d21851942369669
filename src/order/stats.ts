/**
 * An ordered table in numbers, and its invariant.
 */

import type { Item } from '../base/brands.ts'
import { Corruption, show } from '../base/errors.ts'
import type { HeapStats } from '../heap/stats.ts'
import { TrieHead, TrieLink } from '../memory/layout.ts'
import type { SmrStats } from '../smr/stats.ts'
import { heapStatsOf } from '../table/stats.ts'
import type { ZoneStats } from '../zone/stats.ts'
import type { OrderParts } from './parts.ts'

/** What `table.stats()` of an ordered table returns. */
export interface OrderedTableStats {
  /** The name of the table. */
  readonly name: string
  /** Records in the table. */
  readonly size: number
  /** The zone that holds its records. */
  readonly zone: ZoneStats
  /** The zone that holds the nodes of its tree. */
  readonly nodes: ZoneStats
  /** The heap of its fields without a maximum, if it has such. */
  readonly heap?: HeapStats
  /** The domain that protects its lookups. */
  readonly smr: SmrStats
}

/** @internal */
export function orderedStats(
  { blocks, name, nodes, smr, zone }: OrderParts,
  size: number,
): OrderedTableStats {
  const heap = heapStatsOf(blocks)
  return { name, size, zone: zone.stats(), nodes: nodes.stats(), ...heap, smr: smr.stats() }
}

/**
 * Throws Corruption unless the tree is whole: every record is found by its key, every node has two links
 * or more, a bit for each of them alone, and one way to it, the walk in order meets all, and the counts agree. Only
 * while nobody writes. Returns the nodes. @internal
 */
export function checkOrdered(table: {
  readonly parts: OrderParts
  readonly size: number
  keys(): Iterable<unknown>
}): Item[] {
  const { name, trie } = table.parts
  const { memory } = trie
  const wrong = (what: string): Corruption => new Corruption(`table ${show(name)}: ${what}`)
  const links = new Map<number, number>()
  const records = new Set<number>()
  for (const { link, node, slot } of trie.everything()) {
    if (node !== 0) {
      links.set(node, (links.get(node) ?? 0) + 1)
      if ((memory.load(node) & (1 << slot)) === 0) throw wrong(`node ${node} has no bit ${slot}`)
    }
    if ((link & TrieLink.record) !== 0) records.add(link - TrieLink.record)
    else if (links.has(link)) throw wrong(`node ${link} is met twice`)
    else links.set(link, 0)
  }
  for (const [node, count] of links) {
    if (count < 2) throw wrong(`node ${node} has ${count} links`)
    const bits = (memory.load(node) & TrieHead.slotsMask).toString(2).replaceAll('0', '')
    if (bits.length > count) throw wrong(`node ${node} has ${bits.length} bits for ${count} links`)
  }
  let met = 0
  for (const key of table.keys()) {
    met++
    trie.key.aim('checkOrdered', key)
    if (!records.has(trie.find())) throw wrong(`key ${show(key)} is not found`)
  }
  const { size } = table
  if (met !== size || records.size !== size) {
    throw wrong(`${size} records by count, ${met} in order, ${records.size} in all`)
  }
  if ((memory.load(trie.changesAt) & 1) !== 0) throw wrong('a change has not ended')
  return [...links.keys()] as Item[]
}

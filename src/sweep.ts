/**
 * Sweeping: runs of pages that nothing leads to.
 *
 * Creating and destroying named things is done under the directory's lock, and the directory entry
 * is the commit point of both. So with that lock held, a run that claims to be a domain, a zone or a
 * table, but has no entry, is what a dead worker left half made or half destroyed; and so are slabs
 * of no zone and chains of no table. All runs are walked: so it is done only where the directory says
 * that somebody did not finish. Zones that live are counted again for their domains.
 *
 * Slabs and chains come and go without the directory's lock, but not without that of the pages. So
 * what leads to them is looked at with that one held too; while it is, an array of chains may only
 * move from one word of its table to the next: building, chains, retired. Hence that order below.
 */

import type { Listing } from './memory/directory.ts'
import {
  ChainsWord,
  DomainWords,
  Named,
  RunKind,
  SlabWords,
  TableWords,
  ZoneWords,
  zoneParts,
} from './memory/layout.ts'
import type { Space } from './memory/space.ts'

/** Returns how many runs went back. The directory is locked, and `names` is all that is in it. */
export function sweepOrphans(space: Space, names: readonly Listing[]): number {
  const swept = space.pages.sweep(() => {
    const referenced = references(space, names)
    return ({ base, who }) =>
      referenced.has(who === RunKind.slab ? space.memory.glance(base + SlabWords.keg) : base)
  })
  countUsers(space, names)
  return swept
}

/** Everything that a named thing leads to: its own run, the kegs of its slabs, its arrays. */
function references(space: Space, names: readonly Listing[]): Set<number> {
  const { memory, maxWorkers } = space
  const all = new Set<number>()
  for (const { kind, address } of names) {
    all.add(address)
    if (kind === Named.zone) {
      const parts = zoneParts(address, maxWorkers)
      all.add(parts.records).add(parts.buckets)
    } else if (kind === Named.table) {
      all.add(memory.load(address + TableWords.building))
      all.add(memory.load(address + TableWords.chains) & ChainsWord.pageMask)
      all.add(memory.glance(address + TableWords.retired) & ChainsWord.pageMask)
    }
  }
  return all
}

function countUsers(space: Space, names: readonly Listing[]): void {
  for (const { kind, address } of names) {
    if (kind !== Named.domain) continue
    const zones = names.filter(
      (each) =>
        each.kind === Named.zone && space.memory.peek(each.address + ZoneWords.domain) === address,
    )
    space.memory.store(address + DomainWords.users, zones.length)
  }
}

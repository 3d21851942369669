/**
 * Sweeping: runs of pages that nothing leads to.
 *
 * Creating and destroying named things is done under the directory's lock, and the directory entry
 * is the commit point of both. So with that lock held, a run that claims to be a domain, a zone or
 * a table, but has no entry, is what a dead worker left half made or half destroyed; and so are
 * slabs of no zone and chains of no table. All runs are walked: so it is done only where the
 * directory says that somebody did not finish. Zones that live are counted again for their domains.
 *
 * Slabs and chains come and go without the directory's lock, but not without that of the pages. So
 * what leads to them is looked at with that one held too; while it is, an array of chains may only
 * move from one word of its table to the next: building, chains, retired. Hence that order below.
 */

import {
  ChainsWord,
  DomainWords,
  Named,
  RunKind,
  SlabWords,
  TableWords,
  ZoneWords,
  zoneParts,
} from '../memory/layout.ts'
import type { Listing } from '../space/directory.ts'
import type { Space } from '../space/space.ts'
import { isUsed } from '../zone/stats.ts'

/** Returns how many runs went back. The directory is locked, and `names` is all that is in it. */
export function sweepOrphans(space: Space, names: readonly Listing[]): number {
  const swept = space.pages.sweep(() => {
    const referenced = references(space, names)
    return ({ base, who }) =>
      referenced.has(who === RunKind.slab ? space.memory.peekRacy(base + SlabWords.keg) : base)
  })
  countUsers(space, names)
  return swept
}

/**
 * Takes the names of zones away that were made for a table which never came to be; what is swept
 * next gives them back. Returns the names that are left. The directory is locked.
 *
 * A zone is made before its table: whoever dies in between leaves it, with all the pages of its
 * reserve. It says who made it for a table. There is a table of it: then it is finished, whoever
 * made it, for another may have gone on. There is none, and its maker is gone, or has given it up
 * (as its caller knows, who is the maker, or has the lock of tables): nobody will finish it but one
 * who has opened it meanwhile, and then it is left to him. Otherwise it is being made.
 */
export function dropUnfinished(
  space: Space,
  names: readonly Listing[],
  isGivenUp: (name: string, maker: number) => boolean = () => false,
): readonly Listing[] {
  const { directory, memory, workers } = space
  const isDead = ({ address, kind, name }: Listing): boolean => {
    const maker = kind === Named.zone ? memory.peek(address + ZoneWords.maker) : 0
    if (maker === 0) return false
    return workers.isGone(maker) || isGivenUp(name, maker)
  }
  const dead = names.filter(isDead)
  if (dead.length === 0) return names
  const finished = new Set(
    names
      .filter(({ kind }) => kind === Named.table)
      .map(({ address }) => memory.peek(address + TableWords.zoneSerial)),
  )
  const unfinished = dead.filter(
    (each) => !finished.has(each.serial) && !isUsed(space, each.address),
  )
  for (const each of unfinished) directory.drop(each)
  return names.filter((each) => !unfinished.includes(each))
}

/** Everything that a named thing leads to: its own run, the kegs of its slabs, its arrays. */
function references(space: Space, names: readonly Listing[]): Set<number> {
  const { memory, maxWorkers } = space
  const all = new Set<number>()
  for (const { kind, address } of names) {
    all.add(address)
    if (kind === Named.zone) {
      const parts = zoneParts(address, maxWorkers)
      all.add(parts.keg).add(parts.buckets)
    } else if (kind === Named.table) {
      all.add(memory.load(address + TableWords.building))
      all.add(memory.load(address + TableWords.chains) & ChainsWord.pageMask)
      all.add(memory.peekRacy(address + TableWords.retired) & ChainsWord.pageMask)
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

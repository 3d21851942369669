/**
 * Sweeping: releasing runs of pages that nothing refers to.
 *
 * Creating and destroying named things is done under the directory's lock, and the directory entry
 * is the commit point of both. So with that lock held, a domain, zone, heap or table without an entry
 * is half made or half destroyed; and so are slabs of no zone, blocks and zones of no heap, and
 * chains of no table. All runs are
 * walked, so this is done only when the directory says that a worker did not finish. The zones of
 * each domain are counted again.
 *
 * Slabs, blocks and chains come and go without the directory's lock, but only under that of the pages. So
 * references to them are read with that lock held too; meanwhile an array of chains can only move
 * from one word of its table to the next: see `tableArrays`.
 */

import { tableArrays } from '../memory/arrays.ts'
import {
  DomainWords,
  HeapWords,
  Named,
  OrderWords,
  RunKind,
  RunWords,
  SlabWords,
  TableWords,
  ZoneWords,
  zoneParts,
} from '../memory/layout.ts'
import type { Listing, NamedKind } from '../space/directory.ts'
import type { Space } from '../space/space.ts'
import { isUsed } from '../zone/stats.ts'

/** Returns how many runs went back. The directory is locked, and `names` is all that is in it. */
export function sweepOrphans(space: Space, names: readonly Listing[]): number {
  const swept = space.pages.sweep(() => {
    const referenced = references(space, names)
    return ({ base, who }) => referenced.has(ownerOf(space, base, who))
  })
  countUsers(space, names)
  return swept
}

/** What must be referred to, so that a run is wanted. */
function ownerOf({ memory }: Space, base: number, kind: number): number {
  if (kind === RunKind.slab) return memory.peekRacy(base + SlabWords.keg)
  return kind === RunKind.block ? memory.peekRacy(base + RunWords.heap) : base
}

/**
 * Drops the names of zones that were made for a table that was never finished, of heaps whose table
 * has ended, and of the zones of heaps that have ended; the next sweep releases them. Returns the names that are left. The
 * directory is locked.
 *
 * A zone is made before its table: a death in between leaves it, with all the pages of its reserve.
 * It names the worker that made it for a table. Cases: there is a table of it, then it is finished;
 * or there is none, and its maker is dead or has given it up (the caller of `isGivenUp` is the
 * maker, or holds the lock of tables), then only a worker that has opened it meanwhile may use it,
 * and it is kept for that. Otherwise it is being made.
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
  const finished = new Set(names.flatMap((each) => zonesOf(space, each)))
  const unfinished = dead.filter(
    (each) => !finished.has(each.serial) && !isUsed(space, each.address),
  )
  for (const each of unfinished) directory.drop(each)
  return dropLeft(
    space,
    names.filter((each) => !unfinished.includes(each)),
  )
}

/**
 * The same for heaps of tables that have ended, and for zones of heaps that have: whoever ended them has
 * said that nobody uses them. A heap is made when the zone of its table is there, and a zone when its
 * heap is.
 */
function dropLeft({ directory, memory }: Space, names: readonly Listing[]): readonly Listing[] {
  const without = (kind: NamedKind, word: number, of: NamedKind, from: readonly Listing[]) => {
    const there = new Set(from.filter((each) => each.kind === of).map((each) => each.serial))
    const left = from.filter((each) => {
      const owner = each.kind === kind ? memory.peek(each.address + word) : 0
      return owner !== 0 && !there.has(owner)
    })
    for (const each of left) directory.drop(each)
    return left.length === 0 ? from : from.filter((each) => !left.includes(each))
  }
  const rest = without(Named.heap, HeapWords.zone, Named.zone, names)
  return without(Named.zone, ZoneWords.heap, Named.heap, rest)
}

/** The serials of the zones of a table, of either kind. */
function zonesOf({ memory }: Space, { address, kind }: Listing): number[] {
  if (kind === Named.table) return [memory.peek(address + TableWords.zoneSerial)]
  if (kind !== Named.ordered) return []
  return [OrderWords.zoneSerial, OrderWords.nodesSerial].map((word) => memory.peek(address + word))
}

/** Everything that named things refer to: their own runs, the kegs of their slabs, their arrays. */
function references(space: Space, names: readonly Listing[]): Set<number> {
  const { memory, maxWorkers } = space
  const all = new Set<number>()
  for (const { kind, address } of names) {
    all.add(address)
    if (kind === Named.zone) {
      const parts = zoneParts(address, maxWorkers)
      all.add(parts.keg).add(parts.buckets)
    } else if (kind === Named.table) {
      for (const base of tableArrays(memory, address)) all.add(base)
    }
  }
  return all
}

function countUsers(space: Space, names: readonly Listing[]): void {
  for (const { kind, address } of names) {
    if (kind !== Named.domain) continue
    const bound = names.filter((each) => domainOf(space, each) === address)
    space.memory.store(address + DomainWords.users, bound.length)
  }
}

/** The domain that a zone or a heap is bound to, 0 for none. */
function domainOf({ memory }: Space, { address, kind }: Listing): number {
  if (kind === Named.zone) return memory.peek(address + ZoneWords.domain)
  return kind === Named.heap ? memory.peek(address + HeapWords.domain) : 0
}

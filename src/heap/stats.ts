/**
 * Numbers of a heap: its zones' and its runs'. For print; those of other workers may be a moment
 * old.
 */

import { HeapWords, Named, PAGE_WORDS, ZoneWords } from '../memory/layout.ts'
import { BYTES_PER_WORD } from '../memory/memory.ts'
import type { Listing } from '../space/directory.ts'
import type { Space } from '../space/space.ts'
import { zoneStats } from '../zone/stats.ts'

/** Blocks of one size. */
export interface SizeStats {
  /** Room in each. */
  readonly bytes: number
  /** Allocated and not freed. */
  readonly live: number
  /** Freed, and waiting for readers. */
  readonly pending: number
  /** Free for use: in workers' caches, in the depot, in slabs. */
  readonly free: number
}

/** What `heap.stats()` returns. */
export interface HeapStats {
  /** The name that it was created with. */
  readonly name: string
  /** Blocks that are allocated and not freed. */
  readonly blocks: number
  /** Their bytes: the room in them, not what was asked for. */
  readonly bytes: number
  /** Blocks that are freed, and wait for readers. */
  readonly pending: number
  /** Bytes of all slabs, buckets and runs of pages that the heap has. */
  readonly held: number
  /** Sizes up to 32 KiB that have been used, smallest first. */
  readonly sizes: readonly SizeStats[]
  /** Larger blocks: each is a run of pages, all of which count as its bytes. */
  readonly large: { readonly live: number; readonly bytes: number; readonly pending: number }
}

const PAGE_BYTES = PAGE_WORDS * BYTES_PER_WORD

/** Numbers of the heap at `at`; needs no handle. `names`: what has a name in the arena. */
export function heapStats(
  space: Space,
  at: number,
  name: string,
  names: readonly Listing[],
): HeapStats {
  const { memory } = space
  const serial = memory.peek(at + HeapWords.serial)
  const zones = names
    .filter((each) => each.kind === Named.zone)
    .filter(({ address }) => memory.peek(address + ZoneWords.heap) === serial)
    .map((each) => zoneStats(space, each.address, each.name))
    .sort((a, b) => a.itemBytes - b.itemBytes)
  const sizes = zones.map(({ itemBytes, live, pending, cached, safe, inSlabs }) => ({
    bytes: itemBytes,
    live,
    pending,
    free: cached + safe + inSlabs,
  }))
  const count = (word: number): number => memory.peekRacy(at + word)
  const large = {
    live: count(HeapWords.live),
    bytes: count(HeapWords.livePages) * PAGE_BYTES,
    pending: count(HeapWords.retired),
  }
  const sum = (of: (size: SizeStats) => number): number =>
    sizes.reduce((total, size) => total + of(size), 0)
  const pages = count(HeapWords.livePages) + count(HeapWords.retiredPages)
  return {
    name,
    blocks: sum(({ live }) => live) + large.live,
    bytes: sum(({ bytes, live }) => bytes * live) + large.bytes,
    pending: sum(({ pending }) => pending) + large.pending,
    held: zones.reduce((total, zone) => total + zone.bytes, pages * PAGE_BYTES),
    sizes,
    large,
  }
}

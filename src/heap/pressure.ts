/**
 * Memory pressure, as far as heaps are concerned: large blocks that were freed hold pages until
 * their readers have left, and are asked about at every allocation of that heap. Here they are
 * asked about for others: before a call throws Exhausted, and by `arena.reclaim`.
 */

import { HeapWords, Named } from '../memory/layout.ts'
import { Smr } from '../smr/domain.ts'
import type { Listing } from '../space/directory.ts'
import type { Space } from '../space/space.ts'
import { Runs } from './runs.ts'

/** Gives retired runs of all heaps back, as far as goals are met. Returns how many. The directory is locked. */
export function collectRuns(space: Space, names: readonly Listing[], urgent: boolean): number {
  let released = 0
  for (const { address, kind, name } of names) {
    if (kind !== Named.heap || space.memory.load(address + HeapWords.oldest) === 0) continue
    const domain = domainOf(space, names, address)
    if (domain !== undefined) released += new Runs(space, address, name, domain).collect(urgent)
  }
  return released
}

function domainOf(space: Space, names: readonly Listing[], heap: number): Smr | undefined {
  const at = space.memory.peek(heap + HeapWords.domain)
  const found = names.find(({ address, kind }) => kind === Named.domain && address === at)
  return found && new Smr(space, found.name, found.address, found.serial)
}

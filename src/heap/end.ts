/**
 * The end of a heap. Its zones end first, each by itself, then its retired runs, then its name: so
 * whenever this stops, the heap is either there, and makes again what it needs, or gone.
 */

import { Exhausted, Misuse, show } from '../base/errors.ts'
import { DomainWords, HeapWords, Named } from '../memory/layout.ts'
import type { Smr } from '../smr/domain.ts'
import type { Listing } from '../space/directory.ts'
import type { Space } from '../space/space.ts'
import { until, type WaitOptions } from '../space/wait.ts'
import type { Zone } from '../zone/zone.ts'
import type { Runs } from './runs.ts'

/** What the end needs of a heap. */
interface Ending {
  readonly name: string
  readonly serial: number
  readonly at: number
  readonly space: Space
  readonly domain: Smr | undefined
  readonly runs: Runs
  allZones(): Zone[]
  listed(names: readonly Listing[]): Listing[]
}

const CALL = 'heap.destroy'

/** `heap.destroy`. */
export function endHeap(heap: Ending, options: WaitOptions | undefined): void {
  const { domain, name, runs, serial, space } = heap
  const owner = space.memory.peek(heap.at + HeapWords.zone)
  if (owner !== 0 && space.directory.names(owner)) {
    throw new Misuse(`${CALL}: heap ${show(name)}: it is a table's, and ends with the table`, {
      heap: name,
    })
  }
  const zones = heap.allZones()
  const live = zones.reduce((sum, zone) => sum + zone.stats().live, runs.counts().live)
  if (live !== 0) {
    throw new Misuse(`${CALL}: heap ${show(name)}: ${live} blocks are live; free them first`, {
      heap: name,
      live,
    })
  }
  for (const zone of zones) zone.destroy(options)
  const isDrained = (): boolean => {
    runs.collect(true)
    return runs.counts().retired === 0
  }
  if (!until(space, domain?.patience(options?.timeoutMs) ?? 0, isDrained)) {
    const { retired } = runs.counts()
    throw new Exhausted(
      `${CALL}: heap ${show(name)}: ${retired} blocks are still pending after the wait`,
      { heap: name, pending: retired },
    )
  }
  const isIdle = (names: () => Listing[]): boolean =>
    heap.listed(names()).length + runs.liveBlocks().length + runs.counts().retired === 0
  if (space.directory.remove(serial, () => dismantle(heap), isIdle)) return
  if (!space.directory.names(serial)) return
  throw new Misuse(`${CALL}: heap ${show(name)}: another worker has used it meanwhile`, {
    heap: name,
  })
}

/** Gives its memory back. Its name is gone, and the directory is locked. */
function dismantle({ at, domain, runs, space }: Ending): void {
  if (domain !== undefined) space.memory.add(domain.address + DomainWords.users, -1)
  runs.abolish()
  space.pages.release(at)
}

/**
 * Ends a heap with all that is in it: no reader can see any of it, and nobody uses it. The name of
 * the heap goes first: after a death behind that, what is left of it is swept.
 */
export function abolishHeap(heap: Pick<Ending, 'serial' | 'space' | 'listed'>): void {
  const { serial, space } = heap
  const { directory } = space
  directory.whileLocked((names) => {
    const own = names.filter((each) => each.kind === Named.heap && each.serial === serial)
    for (const each of [...own, ...heap.listed(names)]) directory.drop(each)
  })
  space.sweep()
}

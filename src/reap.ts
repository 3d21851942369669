/**
 * Reaping: what the others do when a worker is gone without having left.
 *
 * `worker.terminate()` and uncaught errors stop a thread anywhere: in a section, under a lock,
 * between pop and publish. Kernels never had to deal with that. Everything shared is therefore kept
 * such that one store commits a step, or a few words say how to finish it; reaping does the rest:
 *
 *   1 its slot's generation rises: locks it signed are anybody's, and repaired by whoever takes them
 *   2 its section words are cleared: it holds no read hand back any more. It is dead, so its last
 *     read happens before the host told us so, and before this store
 *   3 *then* its freed buckets are retired under new goals, its alloc buckets are given to all
 *   4 pages that it had reserved, and things it had half made or half destroyed, go back
 *   5 its slot is free for a successor, which is another generation
 *
 * Every step can be done twice, so a reaper may die as well: the next one starts over.
 *
 * What nobody can know is which items the dead worker had allocated and not linked anywhere: they
 * count as live. `zone.audit(reachable)` finds them, and the caller may free them.
 */

import { Misuse } from './errors.ts'
import { UNKNOWN_THREAD } from './host.ts'
import type { Listing } from './memory/directory.ts'
import {
  BucketWords,
  CacheWords,
  Entry,
  MAX_WORKERS,
  Named,
  ZoneWords,
  zoneParts,
} from './memory/layout.ts'
import type { Space } from './memory/space.ts'
import { slotOf } from './memory/workers.ts'
import { Smr } from './smr/domain.ts'
import { clearReader, dropCallsOf, readerPulse } from './smr/reap.ts'
import { sweepOrphans } from './sweep.ts'
import type { WorkerId } from './words.ts'
import { type Adopted, adoptCache } from './zone/adopt.ts'
import { zoneStats } from './zone/stats.ts'

/** What `arena.reap` did. */
export interface ReapReport {
  readonly workerId: WorkerId
  /** False: the slot was free, or somebody else is reaping it. Nothing was done. */
  readonly reaped: boolean
  /** Domains in which the worker had a section open. */
  readonly sections: readonly string[]
  /** Domains in which it had queued callbacks that had not run, and never will: how many. */
  readonly calls: readonly { readonly name: string; readonly lost: number }[]
  /** Named locks that it held: the next to lock them hears 'owner-died'. */
  readonly locks: readonly string[]
  /** Zones in which it had buckets, and the zone's live items now: some may have been in its hands. */
  readonly zones: readonly (Adopted & { readonly name: string; readonly live: number })[]
  /** Runs of pages that it had reserved, half made or half destroyed. */
  readonly runs: number
}

const CALL = 'arena.reap'

/**
 * Reaps a slot whose worker is certainly dead. `from`: only while its owner word says so, for it may
 * have been reaped, and claimed by another, since the caller looked.
 */
export function reapSlot(space: Space, slot: number, from?: number): ReapReport {
  const { directory, locks, workers } = space
  if (!workers.beginReap(slot, locks.signature, from)) return nothing(slot)
  // A dead reaper may not have come so far that the locks of whom it reaped are anybody's: before
  // anything is locked here, its work is taken over - from it, not from who may have the slot by now.
  for (const other of workers.abandoned()) reapSlot(space, other.slot, other.owner)
  // Nothing may be destroyed, and its pages used again, while we visit it.
  const report = directory.whileLocked((names) => reapNames(space, slot, names))
  workers.release(slot)
  return report
}

function reapNames(space: Space, slot: number, names: readonly Listing[]): ReapReport {
  const { pages } = space
  const domainAt = (address: number): Smr | undefined => {
    const it = names.find((each) => each.kind === Named.domain && each.address === address)
    return it && new Smr(space, it.name, it.address, it.serial)
  }
  const held = lockedBy(space, names, slot)
  const sections: string[] = []
  const calls: { name: string; lost: number }[] = []
  for (const each of names) {
    if (each.kind !== Named.domain) continue
    if (clearReader(space, each.address, slot)) sections.push(each.name)
    const lost = dropCallsOf(space, each.address, slot)
    if (lost > 0) calls.push({ name: each.name, lost })
  }
  const zones: (Adopted & { name: string; live: number })[] = []
  for (const { kind, address, name } of names) {
    if (kind !== Named.zone) continue
    const adopted = adoptCache(
      space,
      address,
      name,
      domainAt(space.memory.peek(address + ZoneWords.domain)),
      slot,
    )
    if (adopted.pending + adopted.safe === 0) continue
    zones.push({ name, ...adopted, live: zoneStats(space, address, name).live })
  }
  const runs = pages.releaseReservedBy(slot) + sweepOrphans(space, names)
  return { workerId: slot as WorkerId, reaped: true, sections, calls, locks: held, zones, runs }
}

/**
 * Misuse unless the slot may be somebody dead's. A worker that was seen to exit, or that no living
 * thread answers for, may be reaped; oneself, one's own thread, and a supervised worker that has not
 * exited may not.
 */
export function assertReapable(
  space: Space,
  slot: number,
  thread: number,
  supervised: (thread: number) => boolean,
): void {
  const owner = space.workers.threadOf(slot)
  if (slot === space.slot || (owner !== UNKNOWN_THREAD && owner === thread)) {
    throw new Misuse(`${CALL}: worker ${slot} is this very thread's; detach it instead`, {
      worker: slot,
    })
  }
  const alive =
    owner !== UNKNOWN_THREAD && supervised(owner)
      ? 'it is supervised and has not exited'
      : showsLife(space, slot) && 'its words have just changed'
  if (alive === false) return
  throw new Misuse(`${CALL}: worker ${slot} is alive: ${alive}`, { worker: slot })
}

const WATCH_MS = 10

/**
 * Whether the worker did anything while we watched. A worker that idles cannot be told from a dead
 * one like this: it only catches the wrong number for a busy one. `supervise` knows.
 */
function showsLife(space: Space, slot: number): boolean {
  if (!space.workers.isAttached(slot)) return false
  const before = pulse(space, slot)
  space.beforeSleep()
  space.memory.nap(WATCH_MS)
  return pulse(space, slot) !== before
}

/** A sum over words that only the slot's worker changes. */
function pulse(space: Space, slot: number): number {
  const { memory, maxWorkers } = space
  let sum = 0
  for (const { kind, address } of space.directory.list()) {
    if (kind === Named.domain) sum += readerPulse(space, address, slot)
    else if (kind === Named.zone) {
      const cache = zoneParts(address, maxWorkers).caches + slot * CacheWords.WORDS
      for (const bucket of [CacheWords.alloc, CacheWords.free]) {
        sum += memory.glance(memory.glance(cache + bucket) + BucketWords.count)
      }
      sum += memory.tallied(cache + CacheWords.loaded) + memory.tallied(cache + CacheWords.freed)
    }
  }
  return sum
}

/** Named locks whose word the slot's worker signed. */
function lockedBy(space: Space, names: readonly Listing[], slot: number): string[] {
  return names
    .filter(({ kind, entry }) => {
      const word = kind === Named.lock ? space.memory.load(entry + Entry.word) : 0
      return word !== 0 && slotOf(word) === slot
    })
    .map(({ name }) => name)
}

/** The slot of a worker's name. Misuse for what no worker can be called. */
export function slotOfId(space: Space, workerId: unknown): number {
  const { maxWorkers } = space
  if (Number.isInteger(workerId) && (workerId as number) >= 0) {
    const slot = (workerId as number) % MAX_WORKERS
    if (slot < maxWorkers) return slot
  }
  throw new Misuse(`${CALL}: worker ${String(workerId)} does not exist; pass an arena's workerId`)
}

export function nothing(workerId: number): ReapReport {
  return {
    workerId: workerId as WorkerId,
    reaped: false,
    sections: [],
    calls: [],
    locks: [],
    zones: [],
    runs: 0,
  }
}

/**
 * Reaping: taking over what a dead worker has left.
 *
 * `worker.terminate()` and uncaught errors stop a thread anywhere: in a section, under a lock,
 * between pop and publish. Kernels do not have this problem. So every shared step is either
 * committed by one store or first written down, so that another worker can finish it; reaping does
 * the rest:
 *
 *   1 the generation of its slot rises, if it is still that of the worker that was seen (workers.ts
 *     [B]): locks it signed can be taken over, and are repaired by their next owner
 *   2 with the directory locked, its section words are cleared: it holds no read hand back any
 *     more. It is dead, so its last read happens before the host told us so, and before this store
 *   3 *then* what it had in its hands for tables goes back (hands.ts), its freed buckets are retired
 *     under new goals, its alloc buckets go to the depot
 *   4 pages that it had reserved, and things it had half made or half destroyed, go back
 *   5 threads that it supervised are dead too: the host ends them with it. Their workers are marked
 *     as dead, and reaped by the same reaper
 *   6 its slot is free for a successor, which is another generation
 *
 * Every step can be done twice. A reaper that dies under the directory's lock, or throws, leaves an
 * odd generation: the next call of `reap`, by any worker, goes on. One worker reaps at a time.
 *
 * The cost depends on what the dead worker had, not on the arena: zones that it never opened cost a
 * few reads each; in the others the zone's buckets are walked, not its records. All runs of pages
 * are walked only if it died while it took or released pages, or made or destroyed something named.
 *
 * Items that the dead worker had allocated in other zones than those of tables, and not linked
 * anywhere, cannot be found here: they count as live. `zone.audit(reachable)` finds them, and the caller
 * may free them.
 */

import type { WorkerId } from '../base/brands.ts'
import { Misuse, show } from '../base/errors.ts'
import { report, UNKNOWN_THREAD } from '../base/host.ts'
import {
  BucketWords,
  CacheWords,
  Entry,
  MAX_WORKERS,
  Named,
  ZoneWords,
  zoneParts,
} from '../memory/layout.ts'
import { Smr } from '../smr/domain.ts'
import { clearReader, dropCallsOf, readerPulse } from '../smr/reap.ts'
import type { Listing } from '../space/directory.ts'
import type { Space } from '../space/space.ts'
import { type Seen, tokenOf } from '../space/workers.ts'
import { type Adopted, adoptCache } from '../zone/adopt.ts'
import { liveIn } from '../zone/stats.ts'
import { settleDead } from './hands.ts'
import { dropUnfinished, sweepOrphans } from './sweep.ts'

/** What `arena.reap` did. */
export interface ReapReport {
  /** The worker that was reaped. */
  readonly workerId: WorkerId
  /** False: the slot was free, or another worker is reaping it. Nothing was done. */
  readonly reaped: boolean
  /** Domains in which the worker had a section open. */
  readonly sections: readonly string[]
  /** Domains in which it had queued callbacks that will never run, and how many. */
  readonly calls: readonly { readonly name: string; readonly lost: number }[]
  /** Named locks that it held: their next owners get 'owner-died'. */
  readonly locks: readonly string[]
  /**
   * Zones in which it had buckets, and their live items now, some of which it may have allocated
   * and not linked.
   */
  readonly zones: readonly (Adopted & { readonly name: string; readonly live: number })[]
  /** Runs of pages that it had reserved, half made or half destroyed. */
  readonly runs: number
}

const CALL = 'arena.reap'

/**
 * Reaps the worker that has the slot, or had it in `generation`, and is certainly dead. Does
 * nothing if it was reaped or has detached, or if another living worker is reaping it. Also reaps
 * workers that died with it and those whose reaper has died, and reports them to `others`.
 */
export function reapSlot(
  space: Space,
  slot: number,
  generation: number = space.workers.generation(slot),
  others: (report: ReapReport) => void = () => {},
): ReapReport {
  const { locks, workers } = space
  const did = reapOne(space, workers.beginReap(slot, locks.signature, generation))
  if (did === undefined) return nothing(slot)
  reapOthers(space, others)
  return did
}

/** Each by itself, and each once; their errors are reported, not thrown. */
function reapOthers(space: Space, tell: (report: ReapReport) => void): void {
  const { locks, workers } = space
  const tried = new Set<number>()
  const next = (): Seen | undefined => workers.unreaped().find(({ slot }) => !tried.has(slot))
  // Each of them may bring more.
  for (let seen = next(); seen !== undefined; seen = next()) {
    tried.add(seen.slot)
    try {
      const dead = workers.beginReap(seen.slot, locks.signature, seen.generation)
      const did = reapOne(space, dead)
      if (did !== undefined) tell(did)
    } catch (error) {
      report(error)
    }
  }
}

function reapOne(space: Space, dead: Seen | undefined): ReapReport | undefined {
  if (dead === undefined) return undefined
  const { directory, events, locks, workers } = space
  let over = false
  try {
    // While the directory is locked nothing is destroyed, and no other worker reaps.
    const did = directory.whileLocked((names) => {
      // Another worker may have taken us for dead, and finished this.
      if (!workers.isBuried(dead)) return undefined
      const done = reapNames(space, dead, names)
      workers.release(dead.slot, dead.generation)
      return done
    })
    over = true
    if (did !== undefined) events.publish('reap', did)
    return did
  } finally {
    if (!over) workers.cancelReap(dead, locks.signature)
  }
}

function reapNames(space: Space, dead: Seen, names: readonly Listing[]): ReapReport {
  const { directory, memory, pages, workers } = space
  const { slot } = dead
  const workerId = workers.nameOf(dead) as WorkerId
  const domains = new Map<number, Smr>()
  const held = lockedBy(space, names, dead)
  const sections: string[] = []
  const calls: { name: string; lost: number }[] = []
  for (const { address, kind, name, serial } of names) {
    if (kind !== Named.domain) continue
    domains.set(address, new Smr(space, name, address, serial))
    if (clearReader(space, address, slot)) sections.push(name)
    const lost = dropCallsOf(space, address, slot)
    if (lost > 0) calls.push({ name, lost })
  }
  const domainAt = (zone: number): Smr | undefined =>
    domains.get(memory.peek(zone + ZoneWords.domain))
  settleDead(space, names, slot, domainAt)
  const zones: (Adopted & { name: string; live: number })[] = []
  for (const { kind, address, name } of names) {
    if (kind !== Named.zone) continue
    const adopted = adoptCache(space, address, name, domainAt(address), slot)
    if (adopted.pending + adopted.safe === 0) continue
    zones.push({ name, ...adopted, live: liveIn(space, address) })
  }
  let runs = pages.releaseReservedBy(slot)
  const left = dropUnfinished(space, names)
  if (directory.isUnswept) {
    runs += sweepOrphans(space, left)
    directory.swept()
  }
  buryWards(space, dead)
  return { workerId, reaped: true, sections, calls, locks: held, zones, runs }
}

/** The host has ended the threads that the dead worker supervised. */
function buryWards({ workers }: Space, dead: Seen): void {
  const token = tokenOf(dead.slot, dead.generation - 1)
  for (const thread of workers.wardsOf(token)) {
    for (const seen of workers.claimedBy(thread)) workers.bury(seen)
  }
  workers.unwatchAll(token)
}

/**
 * Misuse if the worker is known to be alive: one of this thread, or one that is supervised and has
 * not exited, or one whose words change. Others may be reaped.
 */
export function assertReapable(space: Space, { slot, generation }: Seen, thread: number): void {
  const { workers } = space
  // It is marked as dead already.
  if (generation % 2 !== 0) return
  const id = workers.idOf(slot)
  if (slot === space.slot || (thread !== UNKNOWN_THREAD && workers.isOfThread(slot, thread))) {
    throw new Misuse(`${CALL}: worker ${id} is this very thread's; detach it instead`, {
      worker: id,
    })
  }
  const warden = workers.wardenOf(slot)
  const alive =
    warden === undefined
      ? showsLife(space, { slot, generation }) && 'its words have just changed'
      : `it is supervised${warden === space.slot ? '' : ` by worker ${workers.idOf(warden)}`} and has not exited`
  if (alive === false) return
  throw new Misuse(`${CALL}: worker ${id} is alive: ${alive}`, { worker: id })
}

const WATCH_MS = 10

/**
 * Whether the worker did anything while we watched. An idle worker looks like a dead one: this only
 * catches a wrong id that is a busy worker's. `supervise` knows for certain.
 */
function showsLife(space: Space, { slot, generation }: Seen): boolean {
  if (!space.workers.isAttached(slot)) return false
  const before = pulse(space, slot)
  space.beforeSleep()
  space.memory.sleep(WATCH_MS)
  const same = pulse(space, slot) === before
  // If the slot has a new owner by now, the words that changed are not those of this worker.
  return !same && space.workers.generation(slot) === generation
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
        sum += memory.peekRacy(memory.peekRacy(cache + bucket) + BucketWords.count)
      }
      sum += memory.tallied(cache + CacheWords.loaded) + memory.tallied(cache + CacheWords.freed)
    }
  }
  return sum
}

/** Named locks that the dead worker holds. */
function lockedBy(space: Space, names: readonly Listing[], dead: Seen): string[] {
  const token = tokenOf(dead.slot, dead.generation - 1)
  return names
    .filter(({ kind, entry }) => {
      return kind === Named.lock && (space.memory.load(entry + Entry.word) & ~1) === token
    })
    .map(({ name }) => name)
}

/** Misuse unless it could be the id of a worker of this arena. */
export function assertWorkerId(space: Space, workerId: unknown): void {
  const isId = Number.isSafeInteger(workerId) && (workerId as number) >= 0
  if (isId && (workerId as number) % MAX_WORKERS < space.maxWorkers) return
  throw new Misuse(`${CALL}: worker ${show(workerId)} does not exist; pass an arena's workerId`)
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

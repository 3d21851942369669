/**
 * Reaping: what the others do when a worker is gone without having left.
 *
 * `worker.terminate()` and uncaught errors stop a thread anywhere: in a section, under a lock,
 * between pop and publish. Kernels never had to deal with that. Everything shared is therefore kept
 * such that one store commits a step, or a few words say how to finish it; reaping does the rest:
 *
 *   1 its slot's generation rises, if it is still that of the worker that was seen (workers.ts
 *     [B]): locks it signed are anybody's, and repaired by whoever takes them
 *   2 with the directory locked, its section words are cleared: it holds no read hand back any
 *     more. It is dead, so its last read happens before the host told us so, and before this store
 *   3 *then* its freed buckets are retired under new goals, its alloc buckets are given to all
 *   4 pages that it had reserved, and things it had half made or half destroyed, go back
 *   5 threads that it supervised are as dead as it is: the host ends them with it. Their workers
 *     are buried, and reaped by whoever reaps this one
 *   6 its slot is free for a successor, which is another generation
 *
 * Every step can be done twice. A reaper that dies under the directory's lock leaves an odd
 * generation, and so does one that throws: the next call of `reap` goes on, whoever makes it. One
 * reaps at a time.
 *
 * It costs what the dead worker had, not what the arena has: zones that it never opened are a look
 * at a few words each; in the others the zone's buckets are walked, not its records. All runs of
 * pages are walked only where it died while it took or gave back pages, or made or ended something
 * named.
 *
 * What nobody can know is which items the dead worker had allocated and not linked anywhere: they
 * count as live. `zone.audit(reachable)` finds them, and the caller may free them.
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
import { dropUnfinished, sweepOrphans } from './sweep.ts'

/** What `arena.reap` did. */
export interface ReapReport {
  /** The worker that was reaped. */
  readonly workerId: WorkerId
  /** False: the slot was free, or somebody else is reaping it. Nothing was done. */
  readonly reaped: boolean
  /** Domains in which the worker had a section open. */
  readonly sections: readonly string[]
  /** Domains in which it had queued callbacks that had not run, and never will: how many. */
  readonly calls: readonly { readonly name: string; readonly lost: number }[]
  /** Named locks that it held: the next to lock them hears 'owner-died'. */
  readonly locks: readonly string[]
  /**
   * Zones in which it had buckets, and the zone's live items now: some may have been in its hands.
   */
  readonly zones: readonly (Adopted & { readonly name: string; readonly live: number })[]
  /** Runs of pages that it had reserved, half made or half destroyed. */
  readonly runs: number
}

const CALL = 'arena.reap'

/**
 * Reaps the worker that has the slot, or had it in `generation`, and is certainly dead. Nothing is
 * done where it has been reaped, or has left, or somebody else who lives is at it. With it go those
 * that died with it, and those whose reaper died: they are told to `others`.
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

/** Each by itself, and each once: what goes wrong with them is not about who was to be reaped. */
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
  const { directory, locks, workers } = space
  let over = false
  try {
    // Nothing may be destroyed, and its pages used again, while we visit it; and one reaps at a
    // time.
    const did = directory.whileLocked((names) => {
      // Somebody may have taken us for dead, and gone on for us.
      if (!workers.isBuried(dead)) return undefined
      const done = reapNames(space, dead, names)
      workers.release(dead.slot, dead.generation)
      return done
    })
    over = true
    return did
  } finally {
    if (!over) workers.giveUp(dead, locks.signature)
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
  const zones: (Adopted & { name: string; live: number })[] = []
  for (const { kind, address, name } of names) {
    if (kind !== Named.zone) continue
    const domain = domains.get(memory.peek(address + ZoneWords.domain))
    const adopted = adoptCache(space, address, name, domain, slot)
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

/** The host has ended the threads that the dead worker supervised, with its own. */
function buryWards({ workers }: Space, dead: Seen): void {
  const token = tokenOf(dead.slot, dead.generation - 1)
  for (const thread of workers.wardsOf(token)) {
    for (const seen of workers.claimedBy(thread)) workers.bury(seen)
  }
  workers.unwatchAll(token)
}

/**
 * Misuse unless the worker may be dead. One that was seen to exit, or that no living thread answers
 * for, may be reaped; oneself, one's own thread, and a worker that anybody supervises and that has
 * not exited may not.
 */
export function assertReapable(space: Space, { slot, generation }: Seen, thread: number): void {
  const { workers } = space
  // It was buried: whoever did that knew.
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
 * Whether the worker did anything while we watched. A worker that idles cannot be told from a dead
 * one like this: it only catches the wrong number for a busy one. `supervise` knows.
 */
function showsLife(space: Space, { slot, generation }: Seen): boolean {
  if (!space.workers.isAttached(slot)) return false
  const before = pulse(space, slot)
  space.beforeSleep()
  space.memory.sleep(WATCH_MS)
  const same = pulse(space, slot) === before
  // If somebody else has it by now, it is not the one whose words have changed.
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

/** Named locks whose word the slot's worker signed. */
function lockedBy(space: Space, names: readonly Listing[], dead: Seen): string[] {
  const token = tokenOf(dead.slot, dead.generation - 1)
  return names
    .filter(({ kind, entry }) => {
      return kind === Named.lock && (space.memory.load(entry + Entry.word) & ~1) === token
    })
    .map(({ name }) => name)
}

/** Misuse for what no worker of this arena can be called. */
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

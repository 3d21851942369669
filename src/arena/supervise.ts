/**
 * Supervision: hearing that a thread has exited, and reaping its workers.
 *
 * The host tells one thread, the parent, and it may have several attachments to the arena. So it is
 * the thread that supervises, not the handle that was asked to: when that handle leaves, another
 * one of the thread goes on, and if there is none, the next that attaches. A supervisor that dies
 * takes its children with it - the host ends nested threads with their parent -, and whoever reaps
 * it reaps them too (reap.ts).
 *
 * All this runs where the host calls a listener, and there nothing may be thrown: or the others
 * that listen would not hear, and `await worker.terminate()` would never end. Each worker is reaped
 * by itself; what goes wrong is reported.
 */

import { Exhausted, Misuse, show } from '../base/errors.ts'
import { exitingThread, report, type SupervisedWorker, sleep } from '../base/host.ts'
import type { Handle, Space } from '../space/space.ts'
import type { Seen } from '../space/workers.ts'
import { type ReapReport, reapSlot } from './reap.ts'

/** A supervisor that blocked for longer would not hear of the death that it is waiting for. */
const SUPERVISOR_PATIENCE_MS = 1000
const REAPER_PATIENCE_MS = 30
const REAP_AGAIN_MS = 5

/** A thread that has not exited yet. */
interface Ward {
  readonly thread: number
  readonly onReaped: ((report: ReapReport) => void) | undefined
}

/** What one thread supervises in one arena, whichever of its attachments was told to. */
export class Supervision {
  private readonly members = new Set<Space>()
  private readonly wards = new Set<Ward>()
  /** Those that exited while this thread had no attachment. */
  private readonly unreaped: Ward[] = []
  /** Whom to tell of workers that are dead and not reaped yet, by their names. */
  private readonly dying = new Map<number, Ward>()

  /** This thread attaches once more: what nobody could do meanwhile is done. */
  join(space: Space): void {
    // Of those that were reaped nobody says that they leave.
    for (const each of this.members) if (!each.isOpen || !each.isOurs) this.members.delete(each)
    this.members.add(space)
    if (this.wards.size > 0 && this.members.size === 1) this.watchAll(space)
    for (const ward of this.unreaped.splice(0)) this.exited(ward)
    this.reapAbandoned(space)
  }

  /**
   * All slots are taken, and who attaches can reap nobody before it has one: another attachment of
   * this thread does. Whether there is room now.
   */
  makeRoom(): boolean {
    for (const space of this.members) {
      if (!space.isOpen || !space.isOurs) continue
      const before = space.workers.unreaped().length
      this.reapAbandoned(space)
      if (space.workers.unreaped().length < before) return true
    }
    return false
  }

  /** Reaps the worker's slots when it exits, and tells. */
  add(space: Space, worker: SupervisedWorker, onReaped?: (report: ReapReport) => void): void {
    const thread = exitingThread(worker)
    if (onReaped !== undefined && typeof onReaped !== 'function') {
      throw new Misuse(`arena.supervise: onReaped is ${show(onReaped)}; give a function`)
    }
    const ward = { thread, onReaped }
    this.wards.add(ward)
    this.watch(space, ward)
    worker.once('exit', () => {
      this.wards.delete(ward)
      this.exited(ward)
    })
  }

  /** An attachment leaves, or was taken: another one goes on. Says so if there is none. */
  leave(space: Space): void {
    this.members.delete(space)
    const { workers, locks, isOurs } = space
    if (!isOurs) return
    const [heir] = this.members
    if (heir !== undefined) {
      heir.locks.patienceMs = Math.min(heir.locks.patienceMs, locks.patienceMs)
      heir.locks.supervises ||= locks.supervises
      workers.handOver(locks.signature, heir.locks.signature)
      return
    }
    workers.unwatchAll(locks.signature)
    if (this.wards.size === 0) return
    const threads = [...this.wards].map(({ thread }) => thread).join(', ')
    report(
      new Exhausted(
        `arena.detach: nobody supervises thread ${threads} any more; if it dies, its workers are reaped when this thread attaches again`,
        { threads },
      ),
    )
  }

  // ---- what the host tells -----------------------------------------------------------------

  private exited(ward: Ward): void {
    const space = this.reaper(ward.thread)
    if (space === undefined) {
      this.unreaped.push(ward)
      return
    }
    try {
      const { locks, workers } = space
      const { signature } = locks
      // First of all, and without any lock: what they had locked can be taken over.
      const dead = workers
        .claimedBy(ward.thread)
        .flatMap(({ slot, generation }) => workers.beginReap(slot, signature, generation) ?? [])
      for (const each of this.members) each.workers.unwatch(each.locks.signature, ward.thread)
      for (const seen of dead) this.dying.set(workers.nameOf(seen), ward)
      for (const seen of dead) this.reap(ward, seen)
      this.reapAbandoned(space)
    } catch (error) {
      report(error)
    }
  }

  /**
   * Reaps now or, where a lock is held by another worker that may have died too, after its exit has
   * had a chance to be heard. Whoever reaps one reaps all that are dead: each is told of its own.
   */
  private reap(ward: Ward, seen: Seen): void {
    const space = this.reaper(ward.thread)
    // Without one left, the next to attach to the arena takes over what is buried.
    if (space === undefined) return
    const { slot, generation } = seen
    const workerId = space.workers.nameOf(seen) as ReapReport['workerId']
    if (!this.dying.has(workerId)) return
    try {
      const others = (done: ReapReport): void => this.tell(ward, done)
      const reap = () => reapSlot(space, slot, generation, others)
      const done = space.locks.withPatience(REAPER_PATIENCE_MS, reap)
      this.tell(ward, { ...done, workerId })
    } catch (error) {
      if (!isLocked(error)) report(error)
      else void sleep(REAP_AGAIN_MS).then(() => this.reap(ward, seen))
    }
  }

  /**
   * Tells who asked to hear of this worker; of one that died with another's thread, who asked for
   * that.
   */
  private tell(ward: Ward, done: ReapReport): void {
    const { onReaped } = this.dying.get(done.workerId) ?? ward
    this.dying.delete(done.workerId)
    try {
      onReaped?.(done)
    } catch (error) {
      report(error)
    }
  }

  /** What a reaper left that died, or gave up, or a worker that could not finish its leaving. */
  private reapAbandoned(space: Space): void {
    const { locks, workers } = space
    for (const seen of workers.unreaped()) {
      // It is tried again, and then somebody is told.
      if (this.dying.has(workers.nameOf(seen))) continue
      const { slot, generation } = seen
      try {
        locks.withPatience(REAPER_PATIENCE_MS, () => reapSlot(space, slot, generation))
      } catch (error) {
        if (!isLocked(error)) report(error)
      }
    }
  }

  /** An attachment that is no worker of the thread which has exited. */
  private reaper(thread: number): Space | undefined {
    return [...this.members].find(
      ({ isOpen, isOurs, slot, workers }) => isOpen && isOurs && !workers.isOfThread(slot, thread),
    )
  }

  private watchAll(space: Space): void {
    for (const ward of this.wards) this.watch(space, ward)
  }

  /** Beyond as many threads as there are slots others do not see that one is supervised. */
  private watch({ locks, workers }: Space, { thread }: Ward): void {
    locks.patienceMs = Math.min(locks.patienceMs, SUPERVISOR_PATIENCE_MS)
    locks.supervises = true
    workers.watch(locks.signature, thread)
  }
}

/** Somebody holds a lock, who may have died, and whose exit is still to be heard. */
function isLocked(error: unknown): boolean {
  return error instanceof Exhausted && 'lock' in error.facts
}

const ofThisThread = new WeakMap<Handle['buffer'], Supervision>()

/** What this thread supervises in the arena that lies in `buffer`. */
export function supervisionOf({ buffer }: Handle): Supervision {
  let found = ofThisThread.get(buffer)
  if (found === undefined) {
    found = new Supervision()
    ofThisThread.set(buffer, found)
  }
  return found
}

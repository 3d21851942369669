/**
 * Supervision: hearing that a thread has exited, and reaping its workers.
 *
 * The host tells one thread, the parent, which may have several attachments to the arena. So the
 * thread supervises, not the handle: when that handle detaches, another one of the thread takes
 * over, or the next that attaches. When a supervisor dies, the host ends its nested threads, and
 * its reaper reaps their workers too (reap.ts).
 *
 * All this runs in a listener of the host, which must not throw: other listeners would not be
 * called, and `await worker.terminate()` would never end. Each worker is reaped by itself; errors
 * are reported.
 */

import { Exhausted, Misuse, show } from '../base/errors.ts'
import { exitingThread, report, type SupervisedWorker, sleep } from '../base/host.ts'
import type { Handle, Space } from '../space/space.ts'
import type { Seen } from '../space/workers.ts'
import { type ReapReport, reapSlot } from './reap.ts'

/** While a supervisor blocks it cannot hear of the death that it may be waiting for. */
const SUPERVISOR_PATIENCE_MS = 1000
const REAPER_PATIENCE_MS = 30
const REAP_AGAIN_MS = 5

/** A thread that has not exited yet. */
interface Ward {
  readonly thread: number
  readonly onReaped: ((report: ReapReport) => void) | undefined
}

/** The supervision of one thread in one arena, for all its attachments. */
export class Supervision {
  private readonly members = new Set<Space>()
  private readonly wards = new Set<Ward>()
  /** Threads that exited while this thread had no attachment. */
  private readonly unreaped: Ward[] = []
  /** Workers that are dead and not reaped yet, by id, with the callback to tell. */
  private readonly dying = new Map<number, Ward>()

  /** This thread attaches: does what could not be done without an attachment. */
  join(space: Space): void {
    // Attachments that were reaped have not called `leave`.
    for (const each of this.members) if (!each.isOpen || !each.isOurs) this.members.delete(each)
    this.members.add(space)
    if (this.wards.size > 0 && this.members.size === 1) this.watchAll(space)
    for (const ward of this.unreaped.splice(0)) this.exited(ward)
    this.reapAbandoned(space)
  }

  /**
   * All slots are taken, and an attachment needs one before it can reap: another attachment of this
   * thread reaps. Returns whether a slot is free now.
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

  /** Reaps the worker's slots when it exits, and calls `onReaped`. */
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

  /** An attachment detaches or was reaped: another one takes over. Reports it if there is none. */
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
      // First, and without any lock: from now on the locks that they held can be taken over.
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
   * Reaps now or, if a lock is held by another worker, which may have died too, a little later,
   * when its exit may have been heard. Reaping one reaps all that are dead: each callback gets its
   * own report.
   */
  private reap(ward: Ward, seen: Seen): void {
    const space = this.reaper(ward.thread)
    // Without an attachment, the next worker that attaches to the arena reaps it.
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
   * Calls the callback for this worker; for one that died with another's thread, that thread's
   * callback.
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

  /**
   * Reaps what a reaper that died or gave up has left, or a worker that could not finish `detach`.
   */
  private reapAbandoned(space: Space): void {
    const { locks, workers } = space
    for (const seen of workers.unreaped()) {
      // `reap` will try again, and call its callback.
      if (this.dying.has(workers.nameOf(seen))) continue
      const { slot, generation } = seen
      try {
        locks.withPatience(REAPER_PATIENCE_MS, () => reapSlot(space, slot, generation))
      } catch (error) {
        if (!isLocked(error)) report(error)
      }
    }
  }

  /** An attachment that is not itself a worker of the thread that exited. */
  private reaper(thread: number): Space | undefined {
    return [...this.members].find(
      ({ isOpen, isOurs, slot, workers }) => isOpen && isOurs && !workers.isOfThread(slot, thread),
    )
  }

  private watchAll(space: Space): void {
    for (const ward of this.wards) this.watch(space, ward)
  }

  /** If more threads are supervised than there are slots, others do not see it for the rest. */
  private watch({ locks, workers }: Space, { thread }: Ward): void {
    locks.patienceMs = Math.min(locks.patienceMs, SUPERVISOR_PATIENCE_MS)
    locks.supervises = true
    workers.watch(locks.signature, thread)
  }
}

/** A lock could not be had: its owner may have died, and its exit has not been heard yet. */
function isLocked(error: unknown): boolean {
  return error instanceof Exhausted && 'lock' in error.facts
}

const ofThisThread = new WeakMap<Handle['buffer'], Supervision>()

/** This thread's supervision in the arena of `buffer`. */
export function supervisionOf({ buffer }: Handle): Supervision {
  let found = ofThisThread.get(buffer)
  if (found === undefined) {
    found = new Supervision()
    ofThisThread.set(buffer, found)
  }
  return found
}

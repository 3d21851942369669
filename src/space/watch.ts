/**
 * Repairs what calls that did not finish have left behind in this worker, in turns of their own.
 *
 * A thread survives a stack overflow, and `node:vm` ends a script that takes too long without
 * running its `finally`. Either can end a call between any two of its steps, and leave a section
 * open that no code is in, or a word published that nobody needs. Each call orders its steps so
 * that this is safe; what remains is to notice it. A *turn of its own* is the place: no call of the
 * library is on the stack then, so whatever belongs to one was left behind.
 *
 * (A host that runs its event loop inside a call, as some addons for Node do, breaks that premise,
 * and turn sections with it.)
 */

import { repeat, report } from '../base/host.ts'

/** Something that a call may leave behind. */
export interface Watched {
  /** In a turn of its own: repairs what was left, reports what only the user can. @internal */
  check(): void
}

/** Short beside every time-out of the library, and two checks a second cost nothing. */
const EVERY_MS = 500

export class Watch {
  /**
   * Schedules the check every `ms`, or once after this turn with 0; tests that are their own event
   * loop replace it.
   */
  every: (watch: Watch, ms: number) => void = inTurns
  private readonly watched = new Set<Watched>()
  /** Those whose check has failed, which has been reported. */
  private readonly failing = new Set<Watched>()
  private started = false
  private stopped = false

  /** Checks `it` from `start` on, until it is removed. */
  add(it: Watched): void {
    this.watched.add(it)
  }

  remove(it: Watched): void {
    this.watched.delete(it)
    this.failing.delete(it)
  }

  /** Starts the checks. Called when there is something that can be left behind; may be repeated. */
  start(): void {
    if (this.started || this.stopped) return
    this.every(this, EVERY_MS)
    this.started = true
  }

  /** Checks at the end of this turn as well. */
  soon(): void {
    this.every(this, 0)
  }

  /** The worker leaves. */
  stop(): void {
    this.stopped = true
    this.watched.clear()
    this.failing.clear()
  }

  /** Only in a turn of its own. False when no more checks are needed. */
  check(): boolean {
    for (const each of this.watched) {
      try {
        each.check()
        this.failing.delete(each)
      } catch (error) {
        if (!this.failing.has(each)) report(error)
        this.failing.add(each)
      }
    }
    return !this.stopped
  }
}

function inTurns(watch: Watch, ms: number): void {
  // The timer must not keep alive an arena that the program has dropped.
  const self = new WeakRef(watch)
  repeat(() => (self.deref()?.check() ?? false) && ms > 0, ms)
}

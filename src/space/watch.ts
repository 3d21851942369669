/**
 * What a worker looks after in turns of its own: what an exception, or a call that was cut off, has
 * left behind.
 *
 * A thread survives a stack overflow, and `node:vm` ends a script that takes too long without running
 * its `finally`. Either can end a call between any two of its steps, and leave a section open that
 * nobody is in, or a word published that nobody needs. Each call leaves its words so that this is
 * safe; what is left to do is to notice. A turn of its own is the place: nothing of ours is on the
 * stack then, so whatever belongs to a call and is still there was left behind.
 *
 * (A host that runs its event loop inside a call, as some addons for Node do, breaks that premise, and
 * turn sections with it.)
 */

import { repeat, report } from '../base/host.ts'

/** Something that a call may leave behind. */
export interface Watched {
  /** Called in a turn of its own: mends what was left, reports what only the user can mend. @internal */
  check(): void
}

/** A wait of this length is short beside every time-out of ours, and two looks a second cost nothing. */
const EVERY_MS = 500

export class Watch {
  /**
   * Has the check called every `ms`, or once after this turn with 0; tests that are their own event
   * loop take this over.
   */
  every: (watch: Watch, ms: number) => void = inTurns
  private readonly watched = new Set<Watched>()
  /** Whose check has failed, and has been reported. */
  private readonly failing = new Set<Watched>()
  private started = false
  private stopped = false

  /** Has `it` checked once `start` was called, until it is removed. */
  add(it: Watched): void {
    this.watched.add(it)
  }

  remove(it: Watched): void {
    this.watched.delete(it)
    this.failing.delete(it)
  }

  /** From now on. Called when there is something that can be left behind; again, it does nothing. */
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

  /** Only in a turn of its own. False when there is nothing to come back for. */
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

/**
 * The end of a turn of the event loop: what turn sections have published is cleared then, and also
 * before the worker blocks, and before it leaves.
 *
 * A synchronous section is never open when a task ends. Turn sections rest on that: what they
 * publish stays between sections, and has to be cleared once per turn, for all domains together.
 * Otherwise a worker with nothing to do would hold memory back for ever. A worker that is about to
 * block clears it first, since no turn ends while its thread sleeps.
 */

import { endOfTurn, later } from '../base/host.ts'

/** Something published that is not needed between sections. */
export interface Published {
  /** Clears it. False while a section needs it. @internal */
  letGo(): boolean
}

/** An open section is checked at the end of this many turns, then after delays up to this one. */
const PATIENT_TURNS = 32
const LONGEST_WAIT_MS = 256

export class Turn {
  /** Calls back at the end of this turn; tests that are their own event loop replace it. */
  schedule: (end: () => void) => void = endOfTurn
  /** Runs an action in a later turn; they replace this too. */
  later: (action: () => void, ms: number, keepAlive: boolean) => void = later
  /** Calls back after `ms`, which does not keep the thread alive. Likewise. */
  after: (callback: () => void, ms: number) => void = (callback, ms) => later(callback, ms, false)
  private held: Published[] = []
  private armed = false
  /** How many turns in a row have ended while something was still needed. */
  private kept = 0
  private readonly ended = (): void => {
    this.armed = false
    this.letGo()
    this.kept = this.held.length > 0 ? this.kept + 1 : 0
    if (this.kept > 0) this.arm()
  }

  /** Keeps `it` until the turn ends, or until this worker blocks. */
  hold(it: Published): void {
    if (!this.held.includes(it)) this.held.push(it)
    if (!this.armed) this.arm()
  }

  /** Clears all that no open section needs. */
  letGo(): void {
    if (this.held.length > 0) this.held = this.held.filter((each) => !each.letGo())
  }

  /**
   * What an open section still needs at the end of a turn is checked again: at the end of the next
   * turn and, if the section stays open over an `await`, less and less often, or an idle worker
   * would do nothing but check. If the host refuses, `armed` stays false, and the next `hold` tries
   * again.
   */
  private arm(): void {
    if (this.kept <= PATIENT_TURNS) this.schedule(this.ended)
    else this.after(this.ended, Math.min(2 ** (this.kept - PATIENT_TURNS), LONGEST_WAIT_MS))
    this.armed = true
  }
}

/**
 * The end of a turn of the event loop: what a worker lets go of before others run on its thread,
 * before it sleeps, and before it leaves.
 *
 * A synchronous section can never be open when a task ends: that is what a turn section rests on,
 * which stays published between sections. Somebody has to clear it in the end, once per turn for all
 * domains together, or a worker with nothing to do would hold memory back for ever. And a worker
 * that is about to block its thread does it first, since no turn ends while it sleeps.
 */

import { endOfTurn, later } from '../base/host.ts'

/** Something published that a worker can do without between sections. */
export interface Published {
  /** Lets go of it. False while a section needs it. @internal */
  letGo(): boolean
}

/** How many turns in a row are asked for the end of one section, and how long it then takes at most. */
const PATIENT_TURNS = 32
const LONGEST_WAIT_MS = 256

export class Turn {
  /** How the end of this turn is heard of; tests that are their own event loop take it over. */
  schedule: (end: () => void) => void = endOfTurn
  /** How what shall happen in a later turn is put off; they take this over too. */
  later: (action: () => void, ms: number, keepAlive: boolean) => void = later
  /** Calls back after `ms` if this worker is there by then; it need not stay for it. Likewise. */
  after: (callback: () => void, ms: number) => void = (callback, ms) => later(callback, ms, false)
  private held: Published[] = []
  private armed = false
  /** How many turns in a row have ended with something still needed. */
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

  /** Lets go of all that no open section needs. */
  letGo(): void {
    if (this.held.length > 0) this.held = this.held.filter((each) => !each.letGo())
  }

  /**
   * What an open section needs at the end of its turn is looked at again: in the next turn, and when
   * it stays open (somebody awaits in it, for who knows how long) ever more seldom, or a worker that
   * has nothing to do would spend all its time on asking. If the host refuses, nothing is noted: the
   * next to hold something asks again.
   */
  private arm(): void {
    if (this.kept <= PATIENT_TURNS) this.schedule(this.ended)
    else this.after(this.ended, Math.min(2 ** (this.kept - PATIENT_TURNS), LONGEST_WAIT_MS))
    this.armed = true
  }
}

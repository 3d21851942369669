/**
 * Slots of calls that have not finished attaching: if such a call fails, its slot goes back.
 *
 * Until `Arena.attach` has returned, only that call knows the slot that it has claimed. If an
 * exception ends the call, the slot goes back at once. If the call is cut off (a time-out of
 * `node:vm`, which runs no `finally`), the slot goes back in a turn of its own: no call is on the
 * stack then, so none that has claimed a slot will ever finish. Otherwise the slot, and all that it
 * had locked, would stay with a thread that lives, and nobody could reap it.
 */

import { repeat, report } from '../base/host.ts'

/** Delay before a slot that could not be given back, because of a lock, is tried again. */
const AGAIN_MS = 500

/** A slot that is being claimed, and as much of its worker as exists. */
export class Claim {
  /** Set right after the claiming CAS, without a call between the two. */
  slot = -1
  generation = 0
  /** The slots that it is one of. */
  workers: { release(slot: number, generation: number): boolean } | undefined
  /** The worker, once it may hold more than its slot. */
  space: { giveUp(): void } | undefined

  /** May be done again if it throws. */
  giveUp(): void {
    if (this.space !== undefined) this.space.giveUp()
    else if (this.slot >= 0) this.workers?.release(this.slot, this.generation)
  }
}

/** The claims of one thread that are not finished. */
export class Claims {
  /** Schedules a check in a turn of its own; tests that are their own event loop replace it. */
  every: (check: () => boolean, ms: number) => void = repeat
  private readonly open = new Set<Claim>()

  /** Runs `make`, which claims a slot; if it throws, the slot goes back. */
  make<T>(make: (claim: Claim) => T): T {
    const claim = new Claim()
    this.every(() => this.checkSoon(), 0)
    this.open.add(claim)
    let made: T
    try {
      made = make(claim)
    } catch (error) {
      this.giveUp(claim)
      throw error
    }
    this.open.delete(claim)
    return made
  }

  /** In a turn of its own: gives back slots of calls that were cut off. False: none is left. */
  check(): boolean {
    for (const claim of this.open) this.giveUp(claim)
    return this.open.size > 0
  }

  private checkSoon(): boolean {
    if (this.check()) this.every(() => this.check(), AGAIN_MS)
    return false
  }

  private giveUp(claim: Claim): void {
    try {
      claim.giveUp()
      this.open.delete(claim)
    } catch (error) {
      // A later turn tries again.
      report(error)
    }
  }
}

/** The claims of this thread. */
export const CLAIMS: Claims = new Claims()

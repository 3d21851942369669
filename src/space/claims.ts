/**
 * Attachments in the making: a slot that was claimed in vain is given back.
 *
 * Until `Arena.attach` has returned, nobody but that call knows of the slot that it has claimed. If an
 * exception ends it the slot goes back at once. If it is cut off (a time-out of `node:vm`, no `finally`
 * is run) that is done in a turn of its own: a call of ours is not on the stack then, so whatever is
 * still in the making will never be made. Otherwise the slot would stay claimed by a thread that lives,
 * with all that it had locked by then, and nobody could reap it.
 */

import { repeat, report } from '../base/host.ts'

/** How long until what could not be given back, a lock being held by somebody else, is tried again. */
const AGAIN_MS = 500

/** A slot that is being claimed, and what of its worker there is. */
export class Claim {
  /** Set with the claim itself, and no call lies between the two. */
  slot = -1
  generation = 0
  /** Where the slot is. */
  workers: { release(slot: number, generation: number): boolean } | undefined
  /** The worker, as soon as it may hold more than its slot. */
  space: { giveUp(): void } | undefined

  /** May be done again if it throws. */
  giveUp(): void {
    if (this.space !== undefined) this.space.giveUp()
    else if (this.slot >= 0) this.workers?.release(this.slot, this.generation)
  }
}

/** What one thread has in the making. */
export class Claims {
  /** How turns of their own are had; tests that are their own event loop take this over. */
  every: (check: () => boolean, ms: number) => void = repeat
  private readonly open = new Set<Claim>()

  /** Returns what `make` makes with a slot that it claims; if it throws, the slot goes back. */
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

  /** In a turn of its own: gives up what calls that were cut off have left. False: nothing is left. */
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

/** Those of this thread. */
export const CLAIMS: Claims = new Claims()

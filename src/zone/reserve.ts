/**
 * The reserve of a zone, kept for callers that ask for it: UMA's M_USE_RESERVE.
 *
 * An allocation takes items from the slabs only as far as the reserve stays there, and below the limit;
 * what it could not have is left for callers inside `useReserve`, one item at a time. Items that come
 * back fill the reserve first: as long as it is short, a refill gives to the slabs what its worker caches
 * and what has expired in the depot.
 *
 * All of it is counted under the lock of the keg (keg.ts `take`). Two cases for two workers that want the
 * last items: the one that does not ask has the lock first, then it leaves the reserve; or it comes
 * second, then it finds that no more than the reserve is left. Otherwise (counted before the lock) both
 * could take an item that only one of them may have.
 */

import { noFunction } from '../base/errors.ts'
import { ZoneWords } from '../memory/layout.ts'
import type { Parts } from './parts.ts'

export class Reserve {
  /** Items that an allocation leaves to those who ask; 0: the reserve is open to all. */
  readonly kept: number
  private readonly parts: Parts
  private users = 0

  constructor(parts: Parts) {
    const { memory } = parts.space
    const isKept = memory.peek(parts.at + ZoneWords.keepReserve) !== 0
    this.kept = isKept ? memory.peek(parts.at + ZoneWords.reserve) : 0
    this.parts = parts
  }

  /** Whether the caller of this worker has asked for it. */
  get isOpen(): boolean {
    return this.users > 0
  }

  /** Whether less is left than is to be kept, and nobody has asked; possibly a moment old. */
  get isShort(): boolean {
    return this.kept > 0 && !this.isOpen && this.parts.keg.isShortOf(this.kept)
  }

  /** Runs `fn`; what it allocates may be of the reserve. */
  use<T>(fn: () => T): T {
    if (typeof fn !== 'function') throw noFunction('zone.useReserve', fn)
    this.users++
    try {
      return fn()
    } finally {
      this.users--
    }
  }
}

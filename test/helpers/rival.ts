/** A worker that has, now and then, the very lock that another wants; and what may be thrown then. */

import { Arena, Exhausted } from '#src/index.ts'
import type { Random } from './random.ts'

/** While it is on, each lock that these workers want is another's, once in `every` times. */
export class Rival {
  every = 0
  hits = 0
  private readonly arena: Arena
  private readonly random: Random

  constructor(first: Arena, random: Random) {
    this.arena = Arena.attach(first.handle)
    this.random = random
  }

  against({ space }: Arena): void {
    const { locks } = space
    const own = this.arena.space.locks
    const acquire = locks.acquire.bind(locks)
    locks.patienceMs = 0
    locks.acquire = (at, what) => {
      const takes = this.every > 0 && this.random.oneIn(this.every) && own.tryLock(at) === 'ok'
      if (!takes) return acquire(at, what)
      this.hits++
      try {
        return acquire(at, what)
      } finally {
        own.unlock(at)
      }
    }
  }

  /** Runs `act` while all locks are free. */
  rest(act: () => void): void {
    const { every } = this
    this.every = 0
    act()
    this.every = every
  }

  leave(): void {
    this.every = 0
    this.arena.detach()
  }
}

/** What `act` throws must be a lock that was not to be had, or memory that is not there. */
export function attempt<T>(act: () => T): { readonly value?: T; readonly error?: Exhausted } {
  try {
    return { value: act() }
  } catch (error) {
    if (!(error instanceof Exhausted)) throw error
    return { error }
  }
}

/**
 * Named locks: the mutex that serializes writers, shared by name.
 *
 * Readers of a structure under SMR take no lock; its writers take one against each other. This one
 * is robust: when its owner dies, the next to lock it hears 'owner-died' and can repair.
 */

import { Exhausted, Misuse, show } from './errors.ts'
import { Entry, Named } from './memory/layout.ts'
import type { Taken } from './memory/lock.ts'
import {
  type AsyncWaitOptions,
  timeoutOf,
  untilAsync,
  type WaitOptions,
} from './memory/patience.ts'
import type { Space } from './memory/space.ts'

const CALL = 'arena.lock'

export function openLock(space: Space, name: string): NamedLock {
  const found = space.directory.open(CALL, Named.lock, name, () => LOCK_HAS_NO_RUN)
  if (found === undefined) throw new Exhausted(`${CALL}: no room for lock ${show(name)}`)
  return new NamedLock(space, name, found.entry + Entry.lock)
}

/** A lock lives in its directory entry; the directory wants some address that is not 0. */
const LOCK_HAS_NO_RUN = 1

/** A mutex that all workers of the arena know by name. Get it with `arena.lock(name)`. */
export class NamedLock {
  readonly name: string
  private readonly space: Space
  private readonly at: number

  /** @internal */
  constructor(space: Space, name: string, at: number) {
    this.space = space
    this.name = name
    this.at = at
  }

  /**
   * Takes the lock; blocks at most `timeoutMs` (default 30 s), then throws Exhausted, naming the
   * holder. Tells 'owner-died' when the last owner died with it: what it protects may be half done.
   * Not recursive (Misuse). Do not hold it across an `await`.
   */
  lock(options?: WaitOptions): Taken {
    this.space.assertOpen('lock.lock')
    return this.space.locks.lock(this.at, this.what, timeoutOf('lock.lock', options))
  }

  /** Takes the lock if that needs no waiting, and tells as `lock` does; false otherwise. */
  tryLock(): Taken | false {
    this.space.assertOpen('lock.tryLock')
    return this.space.locks.tryLock(this.at)
  }

  /** Gives the lock back. Misuse when this worker does not hold it. */
  unlock(): void {
    if (!this.held)
      throw new Misuse(`lock.unlock: ${this.what} is not held by this worker`, { lock: this.name })
    this.space.locks.unlock(this.at)
  }

  /** Whether this worker holds it. */
  get held(): boolean {
    return this.space.locks.holds(this.at)
  }

  /** Runs `fn` with the lock held. `fn` hears how it was taken. A returned promise is Misuse. */
  withLock<T>(fn: (taken: Taken) => T, options?: WaitOptions): T {
    const taken = this.lock(options)
    try {
      const result = fn(taken)
      if (result instanceof Promise) {
        result.catch(() => {})
        throw new Misuse(
          `lock.withLock: ${this.what}: the function returned a promise; use lockAsync`,
          {
            lock: this.name,
          },
        )
      }
      return result
    } finally {
      this.unlock()
    }
  }

  /** `lock` that waits between turns of the event loop. The caller unlocks. */
  async lockAsync(options?: AsyncWaitOptions): Promise<Taken> {
    let taken: Taken | false = false
    const timeoutMs = timeoutOf('lock.lockAsync', options)
    if (this.held)
      throw new Misuse(`lock.lockAsync: ${this.what} is held by this worker; locks do not nest`)
    const won = await untilAsync(this.space.memory, timeoutMs, options, () => {
      taken = this.tryLock()
      return taken !== false
    })
    if (won && taken !== false) return taken
    throw new Exhausted(`lock.lockAsync: ${this.what} was not to be had within ${timeoutMs} ms`, {
      lock: this.name,
      timeoutMs,
    })
  }

  private get what(): string {
    return `lock ${show(this.name)}`
  }
}

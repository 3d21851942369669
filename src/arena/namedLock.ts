/**
 * Named locks: the mutex that serializes writers, shared by name.
 *
 * Readers of a structure under SMR take no lock; its writers take one to exclude each other. This
 * one is robust: when its owner dies, the next owner gets 'owner-died' and can repair.
 */

import { Exhausted, Misuse, noFunction, show } from '../base/errors.ts'
import { INSPECT, inOneLine, type Summary, summary } from '../base/inspect.ts'
import { Entry, Named } from '../memory/layout.ts'
import type { Taken } from '../space/lock.ts'
import type { Space } from '../space/space.ts'
import {
  type AsyncWaitOptions,
  asyncTimeoutOf,
  isThenable,
  timeoutOf,
  untilAsync,
  type WaitOptions,
} from '../space/wait.ts'

const CALL = 'arena.lock'

/** A lock or root has no run: its word is in its entry, but the directory needs some address. */
const NO_RUN = 1

export function openLock(space: Space, name: string): NamedLock {
  const found = space.directory.open(CALL, Named.lock, name, () => NO_RUN)
  if (found === undefined) throw new Exhausted(`${CALL}: no room for lock ${show(name)}`)
  return new NamedLock(space, name, found.entry + Entry.word)
}

/** Address of the word that this name stands for. */
export function openRoot(space: Space, name: string): number {
  const call = 'arena.root'
  const found = space.directory.open(call, Named.root, name, () => NO_RUN)
  if (found === undefined) throw new Exhausted(`${call}: no room for root ${show(name)}`)
  return found.entry + Entry.word
}

/** A mutex that all workers of the arena know by name. Get it with `arena.lock(name)`. */
export class NamedLock {
  /** The name that `arena.lock` was called with. */
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
   * holder. Returns 'owner-died' when the last owner died with it: what it protects may be half
   * changed. Not recursive (Misuse). Do not hold it across an `await`. Legal inside a section; in
   * checked arenas Misuse there.
   */
  lock(options?: WaitOptions): Taken {
    const call = 'lock.lock'
    const patience = this.patience(call, options)
    return this.space.locks.lock(this.at, `${call}: ${this.what}`, patience)
  }

  /**
   * Takes the lock if that needs no waiting, and returns as `lock` does; otherwise false. Never
   * blocks; legal inside a section. Misuse when this worker has left.
   */
  tryLock(): Taken | false {
    this.space.assertOpen('lock.tryLock')
    return this.space.locks.tryLock(this.at)
  }

  /**
   * Gives the lock back. Misuse when this worker does not hold it. Never blocks; legal inside a
   * section.
   */
  unlock(): void {
    this.space.assertOpen('lock.unlock')
    if (!this.held)
      throw new Misuse(`lock.unlock: ${this.what} is not held by this worker`, { lock: this.name })
    this.space.locks.unlock(this.at)
  }

  /** What `JSON.stringify` shows. @internal */
  toJSON(): Summary {
    return summary('Lock', this.name, () => (this.space.isOpen ? { held: this.held } : undefined))
  }

  /** What `console.log` shows. @internal */
  [INSPECT](): string {
    return inOneLine(this.toJSON())
  }

  /** Whether this worker holds it. Never throws and never blocks; legal anywhere. */
  get held(): boolean {
    return this.space.locks.holds(this.at)
  }

  /**
   * Runs `fn` with the lock held, and returns what it returns. `fn` gets what `lock` returns.
   * Misuse if it returns a promise. If a time-out of `node:vm` cuts it off, no `finally` runs: the
   * lock is released after the turn, and the next owner gets 'owner-died'. Blocks, throws and is
   * legal as `lock`.
   */
  withLock<T>(fn: (taken: Taken) => T, options?: WaitOptions): T {
    const call = 'lock.withLock'
    if (typeof fn !== 'function') throw noFunction(call, fn)
    const { locks } = this.space
    const patience = this.patience(call, options)
    const taken = locks.lockInCall(this.at, `${call}: ${this.what}`, patience)
    try {
      const result = fn(taken)
      if (isThenable(result)) {
        result.then(undefined, () => {}) // Its rejection, if any, must not add a second error.
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

  /**
   * `lock` that waits between turns of the event loop. The caller unlocks. Resolves and rejects as
   * `lock` returns and throws; rejects with the reason of `signal` when that aborts. Never blocks
   * the thread; legal to call inside a section, but not to await there.
   */
  async lockAsync(options?: AsyncWaitOptions): Promise<Taken> {
    const { locks, memory } = this.space
    let taken: Taken | false = false
    const timeoutMs = asyncTimeoutOf('lock.lockAsync', options)
    this.space.assertOpen('lock.lockAsync')
    if (this.held)
      throw new Misuse(`lock.lockAsync: ${this.what} is held by this worker; locks do not nest`)
    const won = await untilAsync(memory, timeoutMs, options, () => {
      this.space.assertOpen('lock.lockAsync')
      taken = locks.tryLock(this.at)
      return taken !== false
    })
    if (won && taken !== false) return taken
    throw new Exhausted(`lock.lockAsync: ${this.what} was not to be had within ${timeoutMs} ms`, {
      lock: this.name,
      timeoutMs,
    })
  }

  /** Without a given time-out the worker's own applies, which is shorter in one that supervises. */
  private patience(call: string, options: WaitOptions | undefined): number | undefined {
    this.space.assertOpen(call)
    const timeoutMs = timeoutOf(call, options)
    this.space.assertSleepable(call)
    return options?.timeoutMs === undefined ? undefined : timeoutMs
  }

  private get what(): string {
    return `lock ${show(this.name)}`
  }
}

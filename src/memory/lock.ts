/**
 * A mutex on one word, that knows its owner.
 *
 *   0                 free
 *   token             held by the worker that signed
 *   token + SLEEPERS  held, and somebody may be asleep on the word
 *
 * Taking is one CAS and giving back is one exchange; only the exchange that finds the sleepers' bit
 * pays for a wake-up. (Drepper, "Futexes Are Tricky", the second mutex.) The owner's token makes
 * the lock robust: where a kernel lock would be lost with its thread, a waiter here sees that the
 * signature belongs to a worker that is gone and takes over, and `lock` says 'owner-died', as
 * POSIX's EOWNERDEAD does. Whoever hears that repairs what the lock protects before going on.
 *
 * A take-over [T] is a CAS from the very word that was seen. Two cases: if the word is still the
 * dead owner's, exactly one waiter's CAS succeeds; if another waiter was first, ours fails and we
 * look again. Otherwise (a plain store) two waiters could both believe they own it.
 *
 * Nobody waits for ever: a lock that is not to be had within `timeoutMs` is an error that names
 * the holder. Do not hold one across an `await`.
 */

import { Exhausted, Misuse } from '../errors.ts'
import type { Memory } from './memory.ts'
import { DEFAULT_TIMEOUT_MS } from './patience.ts'
import { slotOf, type Workers } from './workers.ts'

/** What taking a lock tells: after 'owner-died', what it protects may be half done. */
export type Taken = 'ok' | 'owner-died'

const FREE = 0
const SLEEPERS = 1
/** The token of a slot that no arena has: always gone. */
const NOBODY = 1022
const SPINS = 100
/** How long a sleeper sleeps before it asks again whether the owner is still there. */
const LOOK_AGAIN_MS = 20

export class Locks {
  private readonly memory: Memory
  private readonly workers: Workers
  private readonly token: number
  private readonly beforeSleep: () => void
  /**
   * How long a lock is waited for unless the caller says. A thread that supervises others sets less:
   * while it blocks it cannot hear that the owner has died.
   */
  patienceMs: number = DEFAULT_TIMEOUT_MS

  /** `beforeSleep`: what this worker lets go of before it blocks. */
  constructor(memory: Memory, workers: Workers, slot: number, beforeSleep: () => void) {
    this.memory = memory
    this.beforeSleep = beforeSleep
    this.workers = workers
    this.token = workers.token(slot)
  }

  /** Takes the lock at `at`. `what` names it in errors. Not recursive. Blocks at most `timeoutMs`. */
  lock(at: number, what: string, timeoutMs: number = this.patienceMs): Taken {
    if (this.memory.cas(at, FREE, this.token) === FREE) return 'ok'
    return this.lockSlowly(at, what, timeoutMs)
  }

  /** Runs `body` with another patience. */
  withPatience<T>(ms: number, body: () => T): T {
    const before = this.patienceMs
    this.patienceMs = ms
    try {
      return body()
    } finally {
      this.patienceMs = before
    }
  }

  /** Takes the lock; if its last owner died, runs `repair`. If that fails, the next owner has to. */
  lockAndRepair(at: number, what: string, repair: () => void): void {
    if (this.lock(at, what) === 'ok') return
    let whole = false
    try {
      repair()
      whole = true
    } finally {
      if (!whole) this.abandon(at)
    }
  }

  /** Gives the lock back as a dead worker would: whoever takes it next hears 'owner-died'. */
  abandon(at: number): void {
    const seen = this.memory.swap(at, NOBODY)
    if ((seen & SLEEPERS) !== 0) this.memory.notify(at, 1)
  }

  /** Takes the lock if that needs no waiting. */
  tryLock(at: number): Taken | false {
    const seen = this.memory.cas(at, FREE, this.token)
    if (seen === FREE) return 'ok'
    return this.takeOver(at, seen) ? 'owner-died' : false
  }

  unlock(at: number): void {
    const seen = this.memory.swap(at, FREE)
    if ((seen & SLEEPERS) !== 0) this.memory.notify(at, 1)
  }

  /** How this worker signs the locks it holds. */
  get signature(): number {
    return this.token
  }

  /** Whether this worker holds it. */
  holds(at: number): boolean {
    return (this.memory.load(at) & ~SLEEPERS) === this.token
  }

  private lockSlowly(at: number, what: string, timeoutMs: number): Taken {
    const { memory } = this
    if (this.holds(at)) {
      throw new Misuse(`${what}: this worker holds the lock already; locks do not nest`, {
        lock: what,
      })
    }
    // The dead give nothing back: for their locks there is no point in spinning.
    if (this.takeOver(at, memory.load(at))) return 'owner-died'
    for (let spin = 0; spin < SPINS; spin++) {
      if (memory.load(at) === FREE && memory.cas(at, FREE, this.token) === FREE) return 'ok'
      memory.pause()
    }
    // From here on we sign with the sleepers' bit: we cannot know that we are the only ones asleep.
    const deadline = memory.now() + timeoutMs
    for (;;) {
      const seen = memory.load(at)
      if (seen === FREE) {
        if (memory.cas(at, FREE, this.token | SLEEPERS) === FREE) return 'ok'
        continue
      }
      if (this.takeOver(at, seen)) return 'owner-died'
      const left = deadline - memory.now()
      if (left <= 0) throw this.timedOut(what, seen, timeoutMs)
      this.beforeSleep()
      if ((seen & SLEEPERS) === 0 && memory.cas(at, seen, seen | SLEEPERS) !== seen) continue
      memory.wait(at, seen | SLEEPERS, Math.min(left, LOOK_AGAIN_MS))
    }
  }

  private takeOver(at: number, seen: number): boolean {
    if (seen === FREE || !this.workers.isGone(seen)) return false
    return this.memory.cas(at, seen, this.token | SLEEPERS) === seen // [T]
  }

  private timedOut(what: string, seen: number, timeoutMs: number): Exhausted {
    const worker = slotOf(seen)
    return new Exhausted(
      `${what}: worker ${worker} has held the lock for over ${timeoutMs} ms; if it is dead, reap it, or let the event loop of its supervisor turn`,
      { lock: what, worker, timeoutMs },
    )
  }
}

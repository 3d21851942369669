/**
 * A robust mutex on one word that holds its owner's token.
 *
 *   0                 free
 *   token             held by the worker with this token
 *   token + SLEEPERS  held, and a waiter may be asleep on the word
 *
 * Locking is one CAS and unlocking is one CAS [U]. Only if that finds the sleepers' bit there is a
 * second one, and a wake-up. (Drepper, "Futexes Are Tricky", the second mutex.) The owner's token
 * makes the lock robust: a waiter that finds the token of a worker that is gone takes the lock
 * over, and `lock` returns 'owner-died', like POSIX's EOWNERDEAD. The caller then repairs what the
 * lock protects before it goes on.
 *
 * A take-over [T] is a CAS from the word that was loaded. Two cases: the word still has the dead
 * owner's token, then exactly one waiter's CAS succeeds; or another waiter was first, then ours
 * fails and we load the word again. Otherwise (a plain store) two waiters could both believe that
 * they own it.
 *
 * Unlocking [U] is a CAS from our own token, first without the sleepers' bit, then with it. Waiters
 * set that bit, and only the owner's unlock clears it. So if the first CAS fails there are two
 * cases: the word is our token with the bit, since nothing else could have changed, and the second
 * CAS succeeds; or we were reaped although we live, and another worker has taken the lock over:
 * both fail, and the lock stays with its new owner. Otherwise (an exchange) we would free the lock
 * while the new owner is inside, and let a third worker in.
 *
 * No wait is unbounded: a lock that is not free within `timeoutMs` is an error that names the
 * owner. Do not hold one across an `await`.
 *
 * A thread may survive what ends a call between any two of its steps: a stack overflow, or a
 * time-out of `node:vm`, which runs no `finally`. What is half changed then must not pass for
 * whole. So a call that is thrown out of what a lock guards does not unlock: it `abandon`s the
 * lock, which is what a death would do. If it could not do even that, the lock still has our token.
 * The library's own locks (`acquire`) are held for a few steps in which no code of the user's runs,
 * and no worker takes one twice. So if such a lock has the token of the worker that wants it:
 *   an earlier call of that worker was cut off while it held the lock; then it has the lock, and
 *   'owner-died' is true;
 *   or a call of that worker holds it now: impossible, it would have to be on the stack below us.
 *   Otherwise (Misuse, as for a lock that the user has) nobody could ever take the lock again.
 * Until that worker comes back, others would time out. So these locks are listed in private memory,
 * from before the CAS that takes them until after the one that frees them, and `check`, in a turn
 * of its own, abandons what is left.
 */

import { Exhausted, Misuse } from '../base/errors.ts'
import type { Memory } from '../memory/memory.ts'
import { DEFAULT_TIMEOUT_MS, Deadline } from './wait.ts'
import { slotOf, type Workers } from './workers.ts'

/** The result of locking. After 'owner-died', what the lock protects may be half changed. */
export type Taken = 'ok' | 'owner-died'

/** Whether the error says that a lock was not free in time. */
export function isTimeOut(error: unknown): error is Exhausted {
  return error instanceof Exhausted && 'lock' in error.facts
}

/** A lock that nobody has. */
export const FREE = 0
const SLEEPERS = 1
/** The token of a slot that no arena has: its worker counts as gone. */
const NOBODY = 1022
const SPINS = 100
/** A waiter wakes up this often to check whether the owner is gone. */
const LOOK_AGAIN_MS = 20

export class Locks {
  private readonly memory: Memory
  private readonly workers: Workers
  private readonly token: number
  private readonly beforeSleep: () => void
  private readonly whenGone: (what: string) => Misuse
  /**
   * How long to wait for a lock, or to block for readers, if the caller does not say. Less in a
   * thread that supervises others: while it blocks it cannot learn that the owner, or the reader,
   * has died.
   */
  patienceMs: number = DEFAULT_TIMEOUT_MS
  /** Whether it is less for that reason: error messages say so. */
  supervises = false
  /** Locks that calls of this worker hold or are about to take: the first `holding` elements. */
  private readonly own: number[] = []
  private holding = 0

  /**
   * `beforeSleep` clears what this worker has published but does not need, before it blocks.
   * `whenGone` is called when it was reaped although it lives: it closes the handles of the layers
   * above, and makes the error.
   */
  constructor(
    memory: Memory,
    workers: Workers,
    slot: number,
    beforeSleep: () => void,
    whenGone: (what: string) => Misuse,
  ) {
    this.memory = memory
    this.whenGone = whenGone
    this.beforeSleep = beforeSleep
    this.workers = workers
    this.token = workers.token(slot)
  }

  /**
   * Takes the user's lock at `at`. `what` names it in errors. Not recursive. Blocks at most
   * `timeoutMs`.
   */
  lock(at: number, what: string, timeoutMs: number = this.patienceMs): Taken {
    const taken = this.lockInCall(at, what, timeoutMs)
    this.handOver(at)
    return taken
  }

  /**
   * The same for a call that unlocks before it returns. If it is cut off, or thrown out where it
   * cannot unlock, `check` abandons the lock, and the next owner gets 'owner-died'.
   */
  lockInCall(at: number, what: string, timeoutMs: number = this.patienceMs): Taken {
    this.own[this.holding] = at
    this.holding++
    try {
      if (this.memory.cas(at, FREE, this.token) === FREE) return this.unlessReaped(at, what, 'ok')
      if (this.holds(at)) throw this.nested(what)
      return this.unlessReaped(at, what, this.lockSlowly(at, what, timeoutMs))
    } catch (error) {
      // Refused, so this call has not taken it. Any other error may have come after the CAS.
      if (error instanceof Misuse || error instanceof Exhausted) this.forget(at)
      throw error
    }
  }

  /** It is held by a call around this one, or was left by one that was cut off. */
  private nested(what: string): Misuse {
    return new Misuse(`${what}: this worker holds the lock already; locks do not nest`, {
      lock: what,
    })
  }

  /** The user has the lock from here on: `check` leaves it alone. */
  private handOver(at: number): void {
    const { own } = this
    let kept = 0
    for (let i = 0; i < this.holding; i++) {
      if (own[i] !== at) own[kept++] = own[i] as number
    }
    this.holding = kept
  }

  /** Takes one of the library's own locks, under which no code of the user's may run. */
  acquire(at: number, what: string): Taken {
    this.own[this.holding] = at
    this.holding++
    if (this.memory.cas(at, FREE, this.token) === FREE) return this.unlessReaped(at, what, 'ok')
    if (this.holds(at)) return this.unlessReaped(at, what, 'owner-died')
    try {
      return this.unlessReaped(at, what, this.lockSlowly(at, what, this.patienceMs))
    } catch (error) {
      this.forget(at)
      throw error
    }
  }

  /** `acquire` without waiting. */
  tryAcquire(at: number): Taken | false {
    this.own[this.holding] = at
    this.holding++
    const taken = this.attempt(at)
    if (taken !== false) return taken
    if (this.holds(at)) return 'owner-died'
    this.forget(at)
    return false
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

  /**
   * `acquire`; if the last owner died, runs `repair`. If that fails, the next owner must repair.
   */
  acquireAndRepair(at: number, what: string, repair: () => void): void {
    if (this.acquire(at, what) === 'ok') return
    let whole = false
    try {
      repair()
      whole = true
    } finally {
      if (!whole) this.abandon(at)
    }
  }

  /** Leaves the lock as a dead worker would: the next owner gets 'owner-died'. */
  abandon(at: number): void {
    this.replaceToken(at, NOBODY)
  }

  /** Takes the user's lock without waiting. */
  tryLock(at: number): Taken | false {
    this.own[this.holding] = at
    this.holding++
    const taken = this.attempt(at)
    if (taken === false) this.forget(at)
    else this.handOver(at)
    return taken
  }

  private attempt(at: number): Taken | false {
    const seen = this.memory.cas(at, FREE, this.token)
    if (seen === FREE) return 'ok'
    return this.takeOver(at, seen) ? 'owner-died' : false
  }

  unlock(at: number): void {
    this.replaceToken(at, FREE)
  }

  /** Ends what `acquire` began. Unless `whole`, the next owner has to repair. */
  release(at: number, whole: boolean): void {
    if (whole) this.unlock(at)
    else this.abandon(at)
  }

  /**
   * In a turn of its own, when no call of the library is on the stack: abandons what calls that
   * were cut off have left locked.
   */
  check(): void {
    while (this.holding > 0) {
      const at = this.own[this.holding - 1] as number
      // It may be free by now, or another worker's: then only our list is out of date.
      if (this.holds(at)) this.abandon(at)
      else this.holding--
    }
  }

  /** Whether a call of this worker holds any lock, or is taking one. */
  get isBusy(): boolean {
    return this.holding > 0
  }

  /** The token of this worker. */
  get signature(): number {
    return this.token
  }

  /** Whether it is held by a worker that is gone. */
  isOrphaned(at: number): boolean {
    const seen = this.memory.load(at)
    return seen !== FREE && this.workers.isGone(seen)
  }

  /** Whether this worker holds it. */
  holds(at: number): boolean {
    return (this.memory.load(at) & ~SLEEPERS) === this.token
  }

  /**
   * Returns `taken`, unless this worker was reaped although it lives. Then its token counts for
   * nothing, the next waiter takes the lock over, and this worker must not change what it guards.
   */
  private unlessReaped(at: number, what: string, taken: Taken): Taken {
    if (!this.workers.isGone(this.token)) return taken
    this.forget(at)
    throw this.whenGone(what)
  }

  private lockSlowly(at: number, what: string, timeoutMs: number): Taken {
    const { memory } = this
    // A dead owner never unlocks, so spinning for its lock is useless.
    if (this.takeOver(at, memory.load(at))) return 'owner-died'
    for (let spin = 0; spin < SPINS; spin++) {
      if (memory.load(at) === FREE && memory.cas(at, FREE, this.token) === FREE) return 'ok'
      memory.pause()
    }
    // From here on we lock with the sleepers' bit, since other waiters may be asleep.
    const deadline = new Deadline(memory, timeoutMs)
    for (;;) {
      const seen = memory.load(at)
      if (seen === FREE) {
        if (memory.cas(at, FREE, this.token | SLEEPERS) === FREE) return 'ok'
        continue
      }
      if (this.takeOver(at, seen)) return 'owner-died'
      const left = deadline.left()
      if (left <= 0) throw this.timedOut(what, seen, timeoutMs)
      this.beforeSleep()
      if ((seen & SLEEPERS) === 0 && memory.cas(at, seen, seen | SLEEPERS) !== seen) continue
      const ms = Math.min(left, LOOK_AGAIN_MS)
      memory.wait(at, seen | SLEEPERS, ms)
      // We may have slept less, but that matters only if the clock stands still.
      if (memory.sleeps) deadline.sleeping(ms)
    }
  }

  /** Puts `word` in place of our token, unless the lock was taken over [U]. */
  private replaceToken(at: number, word: number): void {
    const { memory, token } = this
    const seen = memory.cas(at, token, word)
    const slept = seen === (token | SLEEPERS) && memory.cas(at, seen, word) === seen
    this.forget(at)
    if (slept) memory.notify(at, 1)
  }

  /** Takes the lock off our list. The last one taken is usually the first to go. */
  private forget(at: number): void {
    const { own } = this
    for (let i = this.holding - 1; i >= 0; i--) {
      if (own[i] !== at) continue
      this.holding--
      own[i] = own[this.holding] as number
      return
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

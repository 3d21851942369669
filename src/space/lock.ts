/**
 * A mutex on one word, that knows its owner.
 *
 *   0                 free
 *   token             held by the worker that signed
 *   token + SLEEPERS  held, and somebody may be asleep on the word
 *
 * Taking is one CAS and giving back is one CAS [U]; only where the sleepers' bit is found is there a
 * second one, and a wake-up. (Drepper, "Futexes Are Tricky", the second mutex.) The owner's token makes
 * the lock robust: where a kernel lock would be lost with its thread, a waiter here sees that the
 * signature belongs to a worker that is gone and takes over, and `lock` says 'owner-died', as
 * POSIX's EOWNERDEAD does. Whoever hears that repairs what the lock protects before going on.
 *
 * A take-over [T] is a CAS from the very word that was seen. Two cases: if the word is still the
 * dead owner's, exactly one waiter's CAS succeeds; if another waiter was first, ours fails and we
 * look again. Otherwise (a plain store) two waiters could both believe they own it.
 *
 * Giving back [U] is a CAS from our own signature, first without the sleepers' bit, then with it. Who
 * sleeps sets that bit, and nobody but the owner's own giving back clears it. So of the second there
 * are two cases: the word is ours with the bit, for that was all that could have changed, and the CAS
 * succeeds; or we were reaped although we live, and somebody has taken the lock over: both fail, and
 * the lock stays his. Otherwise (an exchange) we would free it while he is inside, and let a third in.
 *
 * Nobody waits for ever: a lock that is not to be had within `timeoutMs` is an error that names
 * the holder. Do not hold one across an `await`.
 *
 * A thread may survive what ends a call between any two of its steps: a stack overflow, or a time-out
 * of `node:vm`, which ends it without running its `finally`. What is half changed then must not pass
 * for whole. So whoever is thrown out of what a lock guards does not unlock but `abandon`s it, as a
 * death would; and if not even that could be done, the lock still bears our signature. The library's
 * own locks (`acquire`) are held for a few steps in which nothing of the user's runs, and no worker
 * takes one twice. So, of such a lock that bears the signature of the very worker that wants it:
 *   an earlier call of ours was cut off while it held it, then it is ours, and 'owner-died' is true;
 *   a call of ours holds it now - that cannot be, for it would have to be on the stack below us.
 *   Otherwise (Misuse, as for a lock that the user has) nobody could ever have it again.
 * While we do not come for it others wait in vain; so these locks are written down, in private, from
 * before the CAS that takes them until after the one that gives them back, and `check`, in a turn of
 * its own, abandons what is left.
 */

import { Exhausted, Misuse } from '../base/errors.ts'
import type { Memory } from '../memory/memory.ts'
import { DEFAULT_TIMEOUT_MS, Deadline } from './wait.ts'
import { slotOf, type Workers } from './workers.ts'

/** What taking a lock tells: after 'owner-died', what it protects may be half done. */
export type Taken = 'ok' | 'owner-died'

/** Whether this says that a lock was not to be had in time. */
export function isTimeOut(error: unknown): error is Exhausted {
  return error instanceof Exhausted && 'lock' in error.facts
}

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
  private readonly whenGone: (what: string) => Misuse
  /**
   * How long a lock is waited for, and how long a call blocks for readers, unless the caller says. A
   * thread that supervises others sets less: while it blocks it cannot hear that the owner, or the
   * reader, has died.
   */
  patienceMs: number = DEFAULT_TIMEOUT_MS
  /** Whether it is less for that reason: errors say so. */
  supervises = false
  /** The library's own locks that this worker holds or is about to take: the first `holding` of it. */
  private readonly own: number[] = []
  private holding = 0

  /**
   * `beforeSleep`: what this worker lets go of before it blocks. `whenGone`: it was reaped although it
   * lives; tells the floors above, and what to throw.
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
   * The same for a call that gives it back before it returns: if it is cut off, or thrown out where it
   * cannot unlock, `check` abandons the lock, and the next owner hears 'owner-died'.
   */
  lockInCall(at: number, what: string, timeoutMs: number = this.patienceMs): Taken {
    this.own[this.holding] = at
    this.holding++
    try {
      if (this.memory.cas(at, FREE, this.token) === FREE) return this.ours(at, what, 'ok')
      if (this.holds(at)) throw this.nested(what)
      return this.ours(at, what, this.lockSlowly(at, what, timeoutMs))
    } catch (error) {
      // Refused: not taken by this call. Whatever else ends it may have come after that.
      if (error instanceof Misuse || error instanceof Exhausted) this.forget(at)
      throw error
    }
  }

  /** Somebody may hold it for a call of ours around this one, or one that was cut off has left it. */
  private nested(what: string): Misuse {
    return new Misuse(`${what}: this worker holds the lock already; locks do not nest`, {
      lock: what,
    })
  }

  /** It is the caller's from here on: nothing of it is left behind by a call of ours. */
  private handOver(at: number): void {
    const { own } = this
    let kept = 0
    for (let i = 0; i < this.holding; i++) {
      if (own[i] !== at) own[kept++] = own[i] as number
    }
    this.holding = kept
  }

  /** Takes one of the library's own locks, under which nothing of the user's may run. */
  acquire(at: number, what: string): Taken {
    this.own[this.holding] = at
    this.holding++
    if (this.memory.cas(at, FREE, this.token) === FREE) return this.ours(at, what, 'ok')
    if (this.holds(at)) return this.ours(at, what, 'owner-died')
    try {
      return this.ours(at, what, this.lockSlowly(at, what, this.patienceMs))
    } catch (error) {
      this.forget(at)
      throw error
    }
  }

  /** `acquire` if that needs no waiting. */
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

  /** `acquire`; if its last owner died, runs `repair`. If that fails, the next owner has to. */
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

  /** Gives the lock back as a dead worker would: whoever takes it next hears 'owner-died'. */
  abandon(at: number): void {
    this.giveUp(at, NOBODY)
  }

  /** Takes the user's lock if that needs no waiting. */
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
    this.giveUp(at, FREE)
  }

  /** The end of what `acquire` began: unless all of it was done, the next owner has to repair. */
  release(at: number, whole: boolean): void {
    if (whole) this.unlock(at)
    else this.abandon(at)
  }

  /**
   * In a turn of its own, when no call of ours can be on the stack: abandons what calls that were cut
   * off have left locked.
   */
  check(): void {
    while (this.holding > 0) {
      const at = this.own[this.holding - 1] as number
      // It may be free, or somebody's by now: then only our list was not told.
      if (this.holds(at)) this.abandon(at)
      else this.holding--
    }
  }

  /** How this worker signs the locks it holds. */
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
   * What taking it has told, unless this worker was reaped although it lives: then its signature counts
   * for nothing, whoever comes next takes the lock over, and it must not change what that guards.
   */
  private ours(at: number, what: string, taken: Taken): Taken {
    if (!this.workers.isGone(this.token)) return taken
    this.forget(at)
    throw this.whenGone(what)
  }

  private lockSlowly(at: number, what: string, timeoutMs: number): Taken {
    const { memory } = this
    // The dead give nothing back: for their locks there is no point in spinning.
    if (this.takeOver(at, memory.load(at))) return 'owner-died'
    for (let spin = 0; spin < SPINS; spin++) {
      if (memory.load(at) === FREE && memory.cas(at, FREE, this.token) === FREE) return 'ok'
      memory.pause()
    }
    // From here on we sign with the sleepers' bit: we cannot know that we are the only ones asleep.
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
      // It may have been less, which matters only where the clock stands.
      if (memory.sleeps) deadline.sleeping(ms)
    }
  }

  /** The word is ours no more, unless it was not ours any longer [U]. */
  private giveUp(at: number, word: number): void {
    const { memory, token } = this
    const seen = memory.cas(at, token, word)
    const slept = seen === (token | SLEEPERS) && memory.cas(at, seen, word) === seen
    this.forget(at)
    if (slept) memory.notify(at, 1)
  }

  /** No longer ours. Locks are given back in the order in which they were taken, last first. */
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

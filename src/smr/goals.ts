/**
 * Goals: how they are given, polled and waited for. This is the writers' half of the algorithm;
 * the readers' half is sections.ts, the essay with the labels is in domain.ts.
 *
 * Inside the library a goal is a bare sequence number, and so it is for callers. In a checked
 * arena callers get it together with the serial of its domain, so that a goal of another domain is
 * refused and not compared with the wrong hands.
 */

import type { Goal } from '../base/brands.ts'
import { Exhausted, type Misuse, show } from '../base/errors.ts'
import { delta, leq, MAX_DELTA, type Seq } from '../base/seq.ts'
import { DomainWords, ReaderWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Space } from '../space/space.ts'
import {
  type AsyncWaitOptions,
  asyncTimeoutOf,
  timeoutOf,
  until,
  untilAsync,
  type WaitOptions,
} from '../space/wait.ts'
import { Clock } from './clock.ts'
import { type Pace, paceOf } from './pace.ts'
import { Readers } from './poll.ts'
import { noteHolder } from './stall.ts'

/** What goals need of the worker's own sections. */
export interface Own {
  /** Clears a turn section that is still published although the worker is outside. */
  letGo(): boolean
  /** Misuse when the handle was closed meanwhile. */
  assertOpen(verb: string): void
}

/** A goal that the write hand has not reached is not met: the poll leaves the hand alone. */
export const PATIENT = 0
/** A caller waits for the goal: the poll moves the write hand there, if the clock allows it. */
export const URGENT = 1

/** A goal of a lazy clock lies two ticks ahead, and the tick it was taken in had begun already. */
const GRACE_TICKS_AT_MOST = 3

export const DEAF =
  '; this thread supervises others and cannot learn of a death while it blocks: give timeoutMs, or wait between turns'

/** In a checked arena a goal is serial x 2^32 + sequence; serials repeat after 2^20. */
const SEQUENCES = 2 ** 32
const SERIALS = 2 ** 20

export class Goals {
  readonly readers: Readers
  readonly clock: Clock
  private readonly space: Space
  private readonly memory: Memory
  private readonly name: string
  private readonly pace: Pace
  private readonly own: Own
  private readonly reader: number
  private readonly owedAt: number
  private readonly tag: number

  constructor(space: Space, name: string, domain: number, serial: number, own: Own) {
    this.space = space
    this.memory = space.memory
    this.name = name
    this.own = own
    this.clock = new Clock(space.memory, domain)
    const sleepable = space.memory.peek(domain + DomainWords.sleepable) !== 0
    this.readers = new Readers(
      space.memory,
      domain + DomainWords.WORDS,
      space.maxWorkers,
      sleepable,
    )
    this.reader = this.readers.address(space.slot)
    this.pace = paceOf(space.memory, domain, this.clock, this.reader)
    this.owedAt = domain + DomainWords.owed
    this.tag = space.checks ? (serial % SERIALS) * SEQUENCES : 0
  }

  // ---- giving ------------------------------------------------------------------------------

  /**
   * If the hands are so far apart that an advance could wrap, polls to bring them together. Called
   * before the caller takes the lock under which it calls `stamp`.
   */
  makeRoom(): void {
    if (!this.clock.hasRoom()) this.look(this.clock.wr(), PATIENT, undefined)
  }

  /**
   * The goal for what has been unlinked so far. Without `advance` it lies ahead of the write hand,
   * which does not move. Steps that it does make are counted in the word `countAt` too, unless that
   * is 0. Never blocks; legal under a lock.
   */
  stamp(advance = true, countAt = 0): Seq {
    return advance ? this.pace.goal(countAt) : this.defer()
  }

  /** A goal ahead of the write hand, which does not move. */
  defer(): Seq {
    return this.clock.ahead(this.pace.reach / this.clock.step)
  }

  /**
   * Moves the write hand to a deferred goal, unless it is there, or only time moves it. At the
   * wrap guard the polls that follow do it. False for a goal that this clock cannot have given.
   */
  commit(goal: Seq): boolean {
    this.makeRoom()
    const rd = this.clock.rd()
    const wr = this.clock.wr()
    const ahead = delta(goal, wr)
    if (ahead <= 0) return true
    if (ahead > this.pace.reach || ahead % this.clock.step !== 0) return false
    if (delta(wr, rd) < MAX_DELTA) this.pace.moveTo(wr, goal)
    else this.memory.store(this.owedAt, 1)
    return true
  }

  // ---- asking ------------------------------------------------------------------------------

  /**
   * Whether the goal is met. `foreign` makes the error for a goal that this domain cannot have
   * issued. Without it the goal is certainly the domain's own: if it does not lie between the
   * hands, it was met before they wrapped past it.
   */
  look(goal: Seq, urgency: number, foreign: ((goal: Seq, wr: Seq) => Misuse) | undefined): boolean {
    const { clock, memory, pace, reader } = this
    memory.tally(reader + ReaderWords.polls, 1)
    pace.pass() // A lazy clock first moves the write hand to the present tick.
    const rd = clock.rd()
    // [S1] Met already: the read hand has passed the goal. This load reads from the CAS [S3] of a
    //      poller, whose scan then happened before. If it has not passed, we scan ourselves.
    //      Otherwise (a plain read of the hand) that scan would not happen before our reuse.
    if (leq(goal, rd)) return true
    // Our own turn section, if nobody is in it, must not hold the goal back.
    this.own.letGo()
    let wr = clock.wr()
    const ahead = delta(goal, wr)
    if (ahead > 0) {
      // The write hand has not reached the goal. If it lies farther ahead than this clock gives
      // goals, or between two steps, it is foreign; or it is ours, and was met long ago.
      if (ahead > pace.reach || ahead % clock.step !== 0) {
        if (foreign !== undefined) throw foreign(goal, wr)
        return true
      }
      // Below the wrap guard the hand may move. A patient poll leaves it where it is, unless
      // goals were given ahead at the guard (`owed`), which nobody else would move it for.
      if (delta(wr, rd) < MAX_DELTA) {
        if (urgency === PATIENT && memory.load(this.owedAt) === 0) return this.fail()
        pace.moveTo(wr, goal)
      }
      wr = clock.wr() // The scan needs a hand that was loaded before it.
    }
    // The oldest open section decides. The read hand goes there, even if that is short of the goal.
    memory.tally(reader + ReaderWords.pollScans, 1)
    const candidate = this.readers.oldest(rd, wr)
    clock.forwardRead(rd, candidate)
    if (leq(goal, candidate)) return true
    // Not met: for `stalled`, note the section in the way; none is if the write hand lags behind.
    const { holder } = this.readers
    if (holder >= 0) noteHolder(memory, this.readers.address(holder), wr)
    return this.fail()
  }

  /**
   * `look` for a goal of a zone. With the default clock such a goal is ahead of the hand only at
   * the wrap guard, or if it is so old that it seems to be; then the poll moves the hand. The
   * other clocks, and zones that pace themselves (`patient`), keep their pace.
   */
  expired(goal: Seq, patient = false): boolean {
    return this.look(goal, this.pace.defers || patient ? PATIENT : URGENT, undefined)
  }

  private fail(): boolean {
    this.memory.tally(this.reader + ReaderWords.pollFails, 1)
    return false
  }

  // ---- waiting -----------------------------------------------------------------------------

  waitFor(
    verb: string,
    goal: Seq,
    options: WaitOptions | undefined,
    foreign: ((goal: Seq, wr: Seq) => Misuse) | undefined,
  ): boolean {
    timeoutOf(`smr.${verb}`, options)
    const timeoutMs = this.patience(options?.timeoutMs)
    const met = until(this.space, timeoutMs, () => this.look(goal, URGENT, foreign))
    if (met || options?.timeoutMs !== undefined) return met
    const why = this.space.locks.supervises ? DEAF : ''
    throw this.unmet(verb, goal, timeoutMs, why)
  }

  async waitForAsync(
    verb: string,
    goal: Seq,
    options: AsyncWaitOptions | undefined,
    foreign: ((goal: Seq, wr: Seq) => Misuse) | undefined,
  ): Promise<boolean> {
    // Between turns a thread learns of deaths, so one that supervises waits as long as any other.
    const usualMs = asyncTimeoutOf(`smr.${verb}`, options)
    const timeoutMs = options?.timeoutMs ?? usualMs + this.graceMs
    const met = await untilAsync(this.memory, timeoutMs, options, () => {
      this.own.assertOpen(verb) // Detached or destroyed between two turns.
      return this.look(goal, URGENT, foreign)
    })
    if (met || options?.timeoutMs !== undefined) return met
    throw this.unmet(verb, goal, timeoutMs, '')
  }

  private unmet(verb: string, goal: Seq, timeoutMs: number, more: string): Exhausted {
    const rd = this.clock.rd()
    const workers = this.readers.holders(rd, goal, this.space.workers.attached())
    const why =
      workers.length > 0
        ? `sections of worker ${workers.join(', ')} are still open`
        : `no section is in the way, but the clock has not got there: ${this.pace.tickMs === 0 ? 'commit the goal' : `its tick is ${this.pace.tickMs} ms, and a goal lies two ticks ahead`}`
    const what = `goal ${goal} is not met after ${timeoutMs / 1000} s`
    return new Exhausted(`smr.${verb}: ${what}; ${why}${more}`, {
      domain: this.name,
      goal,
      workers: workers.join(','),
    })
  }

  /**
   * How long to block for readers: the time that the caller gave; else the patience of this
   * worker, which is shorter if it supervises, and what a lazy clock needs in any case.
   */
  patience(timeoutMs: number | undefined): number {
    return timeoutMs ?? this.space.locks.patienceMs + this.graceMs
  }

  /** Time that a lazy clock needs to reach a goal even without readers. */
  get graceMs(): number {
    return GRACE_TICKS_AT_MOST * this.pace.tickMs
  }

  // ---- goals as callers have them ------------------------------------------------------------

  /** The goal as callers get it. */
  toGoal(goal: Seq): Goal {
    return (this.tag === 0 ? goal : this.tag + (goal >>> 0)) as unknown as Goal
  }

  /** The sequence of a goal that a caller passed; undefined for no goal, or another domain's. */
  fromGoal(goal: unknown): Seq | undefined {
    if (typeof goal !== 'number' || !Number.isInteger(goal)) return undefined
    const seq = this.tag === 0 ? goal : goal - this.tag
    const isWord = this.tag === 0 ? (seq | 0) === seq : Math.floor(seq / SEQUENCES) === 0
    return isWord && (seq & 1) === 1 ? ((seq | 0) as Seq) : undefined
  }

  /** Why `fromGoal` refused it. */
  whyRefused(goal: unknown): string {
    const seq = typeof goal === 'number' ? goal % SEQUENCES : Number.NaN
    return this.tag !== 0 && Number.isInteger(goal) && (seq & 1) === 1
      ? `goal ${show(goal)} is another domain's; poll it where it was taken`
      : `${show(goal)} is no goal; pass what advance() returned`
  }
}

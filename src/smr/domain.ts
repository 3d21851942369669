/**
 * Safe memory reclamation: when may a record that has been unlinked be used again?
 *
 * The algorithm is FreeBSD's GUS (global unbounded sequences, Roberson 2019; XNU tells it again
 * with proofs). A domain is a clock with two hands. Writers move the *write hand*; what it shows
 * after an unlink is the unlinked record's *goal*. A reader that opens a *section* publishes what
 * the write hand shows. A poll finds the oldest published sequence and forwards the *read hand* to
 * it: everything with a goal up to the read hand can no longer be seen by anybody.
 *
 *      behind us               rd                              wr           not yet issued
 *   ----------------------------+-------------------------------+--------------------------->
 *      goals here are met       |     A            B            |
 *      (poll says yes at once)  |  sections observed these      |  an error, not a yes
 *
 * Here a poll would forward rd to A. A worker in no section holds nothing back. The hands may get
 * far apart: advancing and looking are separate deeds, so a writer stamps now and polls much later,
 * when the answer is almost surely yes. And they may wrap; seq.ts is about that.
 *
 * Where things happen (one total order, since every atomic is sequentially consistent):
 *
 *   [R1] enter: load wr, publish it, load wr again      this file
 *   [R2] exit: clear the word                           this file
 *   [I]  the nap inside enter, between load and store   this file
 *   [W]  advance: the write hand moves                  clock.ts
 *   [S1] poll's fast path: rd has passed the goal       this file
 *   [S2] poll's look at one reader's word               poll.ts
 *   [S3] poll forwards the read hand                    clock.ts
 *
 * What has to hold, for a record unlinked by U, stamped by [W], found expired by a poller and
 * written again by V, and for a reader's accesses between its [R1] and [R2]:
 *
 *   1) the poller saw the reader outside, before it entered: then the reader's second load of wr
 *      comes after the poller's, returns the goal or later, and U happens before its accesses;
 *   2) the poller saw the reader outside, after it left: its look read from [R2], so the reader's
 *      accesses happen before V;
 *   3) the poller saw a sequence at or past the goal: that load of wr read from [W] or from a later
 *      step, and U happens before the reader's accesses;
 *   4) it saw an earlier one: it says no.
 *
 * Differences from FreeBSD: JavaScript has no fences, and plain accesses are ordered with nothing,
 * so enter loads the write hand twice where the kernel has one fence. Workers may be descheduled
 * anywhere, so the read hand is forwarded from the value read first. At the wrap limit an advance
 * does not spin: it hands out a goal one step ahead, and the poll that follows moves the clock.
 */

import { Exhausted, Misuse, show } from '../errors.ts'
import { DomainWords, ReaderWords, RunKind } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import {
  type AsyncWaitOptions,
  isThenable,
  timeoutOf,
  until,
  untilAsync,
  type WaitOptions,
} from '../memory/patience.ts'
import type { Space } from '../memory/space.ts'
import { delta, leq, MAX_DELTA, type Seq } from '../seq.ts'
import type { Goal } from '../words.ts'
import { Clock } from './clock.ts'
import { destroySmr } from './destroy.ts'
import { Readers } from './poll.ts'
import { noteHolder, type Stall, stalledReaders } from './stall.ts'
import { type SmrStats, smrStats } from './stats.ts'

/** What the worker is doing in this domain, as far as its own handle knows. */
const OUTSIDE = 0
const INSIDE = 1
const CLOSED = 2

/** A section may have observed at most this much less than the write hand shows when it begins. */
const NEAR = MAX_DELTA / 2

/** One domain, as one worker sees it. Get it with `arena.smr(name)`. */
export class Smr {
  readonly name: string
  /** @internal */
  readonly serial: number
  /** @internal */
  readonly address: number
  /** @internal */
  readonly space: Space
  private readonly memory: Memory
  private readonly clock: Clock
  private readonly readers: Readers
  private readonly wrAt: number
  private readonly reader: number
  private state = OUTSIDE
  /** Whether the last `stamp` moved the write hand. @internal */
  stepped = false

  /** @internal */
  constructor(space: Space, name: string, address: number, serial: number) {
    this.space = space
    this.memory = space.memory
    this.name = name
    this.address = address
    this.serial = serial
    this.clock = new Clock(space.memory, address)
    this.readers = new Readers(space.memory, address + DomainWords.WORDS, space.maxWorkers)
    this.wrAt = address + DomainWords.wr
    this.reader = this.readers.address(space.slot)
  }

  // ---- sections ----------------------------------------------------------------------------

  /**
   * Opens a read section: until `exit`, no record that this worker can reach is used again.
   * Never blocks, never allocates. Does not nest within one domain (Misuse); sections of different
   * domains may. Must not be open across an `await`. FreeBSD smr_enter(9).
   */
  enter(): void {
    if (this.state !== OUTSIDE) throw this.refuse('enter')
    this.state = INSIDE
    const { memory, wrAt, reader } = this
    const seen = memory.load(wrAt)
    // [I]  We may nap here for any time. The sequence we then publish may lie behind the read hand:
    //      poll.ts [S2] pins it.
    memory.store(reader + ReaderWords.seq, seen)
    // [R1] If a poller's look at our word [S2] comes after the store, it sees us and refuses every
    //      later goal. If it comes before, so did its load of the write hand, and the load below
    //      returns its goal or a later one: all that was unlinked for it happens before our reads.
    //      Otherwise (no second load) our plain reads are ordered with nothing, and may find a
    //      record that a poller has declared unreachable. (FreeBSD PR 265974 was this.)
    const again = memory.load(wrAt)
    if ((again - seen) >>> 0 > NEAR) this.publishAgain(again)
  }

  /** Closes the section. Never blocks. Misuse when none is open. FreeBSD smr_exit(9). */
  exit(): void {
    if (this.state !== INSIDE) throw this.refuse('exit')
    this.state = OUTSIDE
    // [R2] If a poller's look [S2] reads this 0, our reads happen before whatever it allows.
    //      If it reads what stood before, it refuses. Otherwise (a plain store) the record could be
    //      written while our last reads are still under way.
    this.memory.store(this.reader + ReaderWords.seq, 0)
  }

  /** Whether this worker has a section open. */
  get entered(): boolean {
    return this.state === INSIDE
  }

  /**
   * Runs `fn` in a section and returns what it returns. A returned promise is Misuse: a section
   * must not stay open across an `await`.
   */
  read<T>(fn: () => T): T {
    this.enter()
    try {
      return this.within(fn)
    } finally {
      this.exit()
    }
  }

  /** Misuse unless this worker has a section open. OpenBSD SMR_ASSERT_CRITICAL. */
  assertEntered(): void {
    if (this.state !== INSIDE) throw this.misuse('assertEntered', 'no section is open')
  }

  /** Misuse if this worker has a section open. OpenBSD SMR_ASSERT_NONCRITICAL. */
  assertNotEntered(): void {
    if (this.state === INSIDE) throw this.misuse('assertNotEntered', 'a section is open')
  }

  // ---- the clock ---------------------------------------------------------------------------

  /**
   * Moves the write hand and returns the goal: once it is met, nobody can see what this worker
   * unlinked before the call. Never blocks. Misuse inside a section. FreeBSD smr_advance(9), except
   * that at the wrap limit (2^30 between the hands) it does not spin but gives a goal one step
   * ahead, which polling then makes true.
   */
  advance(): Goal {
    this.assertOutside('advance')
    this.makeRoom()
    return this.stamp()
  }

  /**
   * Whether the goal is met: nobody can see what was unlinked before it any more. Never blocks; at
   * most one look at each attached worker. Legal inside a section, whose own worker then holds back
   * later goals. Misuse for a goal that this domain cannot have issued. FreeBSD smr_poll(9).
   */
  poll(goal: Goal): boolean {
    this.checkGoal('poll', goal)
    return this.look(goal, true)
  }

  /**
   * Blocks until the goal is met. With `timeoutMs` it answers false when the time is over; without,
   * it throws Exhausted after 30 s and names the workers that hold the goal back. Misuse inside a
   * section of this domain. FreeBSD smr_wait(9).
   */
  wait(goal: Goal, options?: WaitOptions): boolean {
    this.assertOutside('wait')
    this.checkGoal('wait', goal)
    return this.outlast('wait', goal, options, true)
  }

  /** `wait` between turns of the event loop. Rejects with its reason when `signal` aborts. */
  async waitAsync(goal: Goal, options?: AsyncWaitOptions): Promise<boolean> {
    this.assertOutside('waitAsync')
    this.checkGoal('waitAsync', goal)
    return this.outlastAsync('waitAsync', goal, options, true)
  }

  /**
   * Advances and waits: on return, nobody can see what this worker unlinked before. Answers, throws
   * and blocks as `wait`. Expensive; a zone's batching exists so that this is rarely needed.
   * FreeBSD smr_synchronize(9).
   */
  synchronize(options?: WaitOptions): boolean {
    this.assertOutside('synchronize')
    timeoutOf(this.callName('synchronize'), options) // Before the clock moves.
    return this.outlast('synchronize', this.advance(), options, false)
  }

  /** `synchronize` between turns of the event loop. */
  async synchronizeAsync(options?: AsyncWaitOptions): Promise<boolean> {
    this.assertOutside('synchronizeAsync')
    timeoutOf(this.callName('synchronizeAsync'), options) // Before the clock moves.
    return this.outlastAsync('synchronizeAsync', this.advance(), options, false)
  }

  /**
   * Sections that have been holding memory back for at least `olderThanMs` milliseconds, longest
   * first. Time counts from the first failed poll, or the first call of this, that met the section.
   * Never blocks on readers; legal inside a section.
   */
  stalled(olderThanMs: number): Stall[] {
    if (this.state === CLOSED) throw this.refuse('stalled')
    if (!(olderThanMs >= 0)) {
      throw this.misuse(
        'stalled',
        `olderThanMs is ${show(olderThanMs)}; give milliseconds from 0 on`,
      )
    }
    const { address, memory, readers, space } = this
    const pending = space.pendingIn(address)
    const { workers } = space
    return stalledReaders(memory, readers, address, workers, olderThanMs, pending)
  }

  /** Counters of all workers, and where the hands stand. Numbers may be a moment old. */
  stats(): SmrStats {
    if (this.state === CLOSED) throw this.refuse('stats')
    return smrStats(this.space, this.address, this.name)
  }

  /**
   * Ends the domain: waits for its readers, then gives its memory back. All workers must have
   * stopped using it. Misuse while zones are bound to it; Exhausted if sections are still open after
   * `timeoutMs` (default 30 s), the domain then goes on. FreeBSD smr_destroy(9), which does not ask.
   */
  destroy(options?: WaitOptions): void {
    this.assertOutside('destroy')
    destroySmr(this, options)
  }

  // ---- for zones and tables ----------------------------------------------------------------

  /** `read` in a section that is open already. @internal */
  within<T>(fn: () => T): T {
    this.assertEntered()
    const result = fn()
    if (isThenable(result)) throw this.heldOverAwait(result)
    return result
  }

  /**
   * If the hands are so far apart that an advance could wrap, tries to bring them together. Called
   * before a lock is taken under which `stamp` is called.
   * @internal
   */
  makeRoom(): void {
    const rd = this.clock.rd()
    const wr = this.clock.wr()
    if (delta(wr, rd) >= MAX_DELTA) this.look(wr as unknown as Goal, false)
  }

  /** The goal for what has been unlinked so far. Never blocks; legal under a lock. @internal */
  stamp(): Goal {
    const { clock, memory, reader } = this
    const rd = clock.rd()
    const wr = clock.wr()
    this.stepped = delta(wr, rd) < MAX_DELTA
    if (this.stepped) {
      memory.tally(reader + ReaderWords.advances, 1)
      return clock.advance() as unknown as Goal
    }
    memory.tally(reader + ReaderWords.advanceWaits, 1)
    return clock.defer() as unknown as Goal
  }

  /**
   * `poll` for a goal that certainly is this domain's own. Such a goal lies between rd and wr until
   * it is met; found anywhere else, it was met before the hands wrapped past it. @internal
   */
  expired(goal: Goal): boolean {
    return this.look(goal, false)
  }

  /** Whether the domain still exists: another worker may have destroyed it. @internal */
  isAlive(): boolean {
    const { address, memory, serial, space } = this
    return (
      space.pages.find(address, RunKind.domain) === address &&
      memory.peek(address + DomainWords.serial) === serial
    )
  }

  /** Misuse when this worker has a section open. @internal */
  assertOutside(verb: string): void {
    if (this.state !== OUTSIDE) throw this.refuse(verb)
  }

  /** This worker leaves. @internal */
  close(): void {
    this.state = CLOSED
  }

  // ---- slow paths --------------------------------------------------------------------------

  private look(target: Goal, strict: boolean): boolean {
    const { clock, memory, reader } = this
    const goal = target as unknown as Seq
    memory.tally(reader + ReaderWords.polls, 1)
    const rd = clock.rd()
    // [S1] If the read hand has passed the goal, a poller that had scanned put it there [S3]: this
    //      load reads from its CAS and stands where it stood. If not, we scan ourselves.
    //      Otherwise (a plain read of the hand) its scan would not happen before our reuse.
    if (leq(goal, rd)) return true
    memory.tally(reader + ReaderWords.pollScans, 1)
    let wr = clock.wr()
    const ahead = delta(goal, wr)
    if (ahead > 0) {
      if (ahead > this.furthest() || ahead % clock.step !== 0) {
        if (strict) throw this.foreignGoal(goal, wr)
        return true
      }
      if (delta(wr, rd) < MAX_DELTA) clock.commit(wr, goal)
      wr = clock.wr()
    }
    const candidate = this.readers.oldest(rd, wr)
    clock.forwardRead(rd, candidate)
    const met = leq(goal, candidate)
    if (!met) {
      memory.tally(reader + ReaderWords.pollFails, 1)
      if (this.readers.holder >= 0) noteHolder(memory, this.readers.address(this.readers.holder))
    }
    return met
  }

  /** How far ahead of the write hand a goal may lie that this clock has issued. */
  private furthest(): number {
    return this.clock.step
  }

  /**
   * The worker napped so long inside enter that what it published is too old to compare with. The
   * hand only moves forward, so the distance is measured all the way round (unsigned): by its sign a
   * nap of more than half a circle would look like a step back, and a scan would take what we
   * published for a sequence still to come, which holds nothing back.
   */
  private publishAgain(seen: number): void {
    for (let wr = seen; ; ) {
      this.memory.store(this.reader + ReaderWords.seq, wr)
      const again = this.memory.load(this.wrAt)
      if ((again - wr) >>> 0 <= NEAR) return
      wr = again
    }
  }

  /** `strict`: the goal is the caller's, not one that this domain certainly has issued. */
  private outlast(
    verb: string,
    goal: Goal,
    options: WaitOptions | undefined,
    strict: boolean,
  ): boolean {
    const timeoutMs = timeoutOf(this.callName(verb), options)
    const met = until(this.memory, timeoutMs, () => this.look(goal, strict))
    return this.answer(verb, goal, options, met)
  }

  private async outlastAsync(
    verb: string,
    goal: Goal,
    options: AsyncWaitOptions | undefined,
    strict: boolean,
  ): Promise<boolean> {
    const timeoutMs = timeoutOf(this.callName(verb), options)
    const met = await untilAsync(this.memory, timeoutMs, options, () => {
      if (this.state === CLOSED) throw this.refuse(verb) // Detached or destroyed between two turns.
      return this.look(goal, strict)
    })
    return this.answer(verb, goal, options, met)
  }

  private answer(
    verb: string,
    goal: Goal,
    options: WaitOptions | undefined,
    met: boolean,
  ): boolean {
    if (met || options?.timeoutMs !== undefined) return met
    const rd = this.clock.rd()
    const workers = this.readers.holders(rd, goal as unknown as Seq, this.space.workers.attached())
    throw new Exhausted(
      `${this.callName(verb)}: goal ${goal} is not met after 30 s; sections of worker ${workers.join(', ')} are still open`,
      { domain: this.name, goal, workers: workers.join(',') },
    )
  }

  private checkGoal(verb: string, goal: Goal): void {
    if (this.state === CLOSED) throw this.refuse(verb)
    if (typeof goal === 'number' && (goal | 0) === goal && (goal & 1) === 1) return
    throw this.misuse(verb, `${show(goal)} is no goal; pass what advance() returned`)
  }

  private foreignGoal(goal: Seq, wr: Seq): Misuse {
    return this.misuse(
      'poll',
      `goal ${goal} lies ${delta(goal, wr)} ahead of the write hand ${wr}: it is another domain's, or over 2^30 steps old`,
    )
  }

  private heldOverAwait(promise: PromiseLike<unknown>): Misuse {
    promise.then(undefined, () => {}) // Its rejection, if any, must not add a second error.
    return this.misuse(
      'read',
      'the function returned a promise; a section must not be open across an await',
    )
  }

  private refuse(verb: string): Misuse {
    if (this.state === CLOSED)
      return this.misuse(verb, 'this handle was closed by detach or destroy')
    if (verb === 'exit') return this.misuse(verb, 'no section is open; call enter first')
    const why =
      verb === 'enter'
        ? 'sections of one domain do not nest'
        : 'it could wait for this very section'
    return this.misuse(verb, `a section is open; ${why}: exit first`)
  }

  private misuse(verb: string, what: string): Misuse {
    return new Misuse(`${this.callName(verb)}: domain ${show(this.name)}: ${what}`, {
      domain: this.name,
    })
  }

  private callName(verb: string): string {
    return `smr.${verb}`
  }
}

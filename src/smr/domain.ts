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
 *   [R1] enter: load wr, publish it, load wr again      this file, publish.ts
 *   [R2] exit: clear the word                           this file
 *   [R3] enter of a turn section: a glance at wr        this file
 *   [I]  the nap inside enter, between load and store   publish.ts
 *   [W]  advance: the write hand moves                  clock.ts
 *   [S1] poll's fast path: rd has passed the goal       goals.ts
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
 * A *turn section* (SMR_LAZY's place) does not clear its word at exit. Between publications the word
 * shows the same sequence all the time, so for a poller every later section of the worker is part of
 * the one that was published: the four cases hold with [R2] at the next publication, or where the
 * turn of the event loop ends, or before the worker blocks. FreeBSD's lazy section needs no fence
 * because clock interrupts visit every CPU; ours, because a turn cannot end inside a section.
 *
 * Differences from FreeBSD: JavaScript has no fences, and plain accesses are ordered with nothing,
 * so enter loads the write hand twice where the kernel has one fence. Workers may be descheduled
 * anywhere, so the read hand is forwarded from the value read first. At the wrap limit an advance
 * does not spin: it hands out a goal one step ahead, and the poll that follows moves the clock.
 */

import { Misuse, show } from '../errors.ts'
import { DomainWords, ReaderWords, RunKind } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import {
  type AsyncWaitOptions,
  isThenable,
  timeoutOf,
  type WaitOptions,
} from '../memory/patience.ts'
import type { Space } from '../memory/space.ts'
import type { Published } from '../memory/turn.ts'
import { delta, INVALID, type Seq } from '../seq.ts'
import type { Goal } from '../words.ts'
import { destroySmr } from './destroy.ts'
import { Goals, PATIENT, URGENT } from './goals.ts'
import { SECTIONS } from './options.ts'
import { NEAR, publish, publishFrom } from './publish.ts'
import { type Stall, stalledReaders } from './stall.ts'
import { type SmrStats, smrStats } from './stats.ts'

/** What the worker is doing in this domain, as far as its own handle knows. */
const OUTSIDE = 0
const OFFLINE = 1
const INSIDE = 2
const CLOSED = 3

/** One domain, as one worker sees it. Get it with `arena.smr(name)`. */
export class Smr implements Published {
  readonly name: string
  /** @internal */
  readonly serial: number
  /** @internal */
  readonly address: number
  /** @internal */
  readonly space: Space
  private readonly memory: Memory
  private readonly goals: Goals
  private readonly wrAt: number
  private readonly reader: number
  /** Whether what a section published stays until the turn ends. */
  private readonly turning: boolean
  /** What this worker's word shows between turn sections, INVALID when it shows none. */
  private seen: Seq = INVALID
  private state = OUTSIDE

  /** @internal */
  constructor(space: Space, name: string, address: number, serial: number) {
    this.space = space
    this.memory = space.memory
    this.name = name
    this.address = address
    this.serial = serial
    this.goals = new Goals(space, name, address, serial, this)
    this.wrAt = address + DomainWords.wr
    this.reader = this.goals.readers.address(space.slot)
    this.turning = SECTIONS[space.memory.peek(address + DomainWords.sections)] === 'turn'
  }

  // ---- sections ----------------------------------------------------------------------------

  /**
   * Opens a read section: until `exit`, no record that this worker can reach is used again.
   * Never blocks, never allocates. Does not nest within one domain (Misuse); sections of different
   * domains may. Must not be open across an `await`. FreeBSD smr_enter(9), smr_lazy_enter(9).
   */
  enter(): void {
    if (this.state !== OUTSIDE) throw this.refuse('enter')
    this.state = INSIDE
    const { memory, wrAt, reader } = this
    if (this.turning) {
      // [R3] If the glance finds what our word shows, that stands there since we published it, and
      //      this section is part of that one. If not, we publish anew. Otherwise nothing: a glance
      //      that misses a step of the hand only decides that reclamation waits a little longer.
      if (memory.glance(wrAt) !== this.seen) this.publishForTurn()
      return
    }
    const seen = memory.load(wrAt)
    // [I]  We may nap here for any time. The sequence we then publish may lie behind the read hand:
    //      poll.ts [S2] pins it.
    memory.store(reader + ReaderWords.seq, seen)
    // [R1] What the second load is for: see publish.ts.
    const again = memory.load(wrAt)
    if ((again - seen) >>> 0 > NEAR) publishFrom(memory, wrAt, reader + ReaderWords.seq, again)
  }

  /** Closes the section. Never blocks. Misuse when none is open. FreeBSD smr_exit(9). */
  exit(): void {
    if (this.state !== INSIDE) throw this.refuse('exit')
    this.state = OUTSIDE
    if (this.turning) return
    // [R2] If a poller's look [S2] reads this 0, our reads happen before whatever it allows.
    //      If it reads what stood before, it refuses. Otherwise (a plain store) the record could be
    //      written while our last reads are still under way.
    this.memory.store(this.reader + ReaderWords.seq, INVALID)
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

  /**
   * This worker will not enter for long: nothing of it holds memory back until `online`. Only a
   * worker that computes for long in one turn needs it, and only with turn sections; with the others
   * it changes nothing but that `enter` is Misuse meanwhile. Misuse inside a section. Never blocks.
   */
  offline(): void {
    this.assertOutside('offline')
    this.letGo()
    this.state = OFFLINE
  }

  /** Ends `offline`: `enter` is legal again. Misuse inside a section. Never blocks. */
  online(): void {
    this.assertOutside('online')
    this.state = OUTSIDE
  }

  // ---- the clock ---------------------------------------------------------------------------

  /**
   * Returns a goal: once it is met, nobody can see what this worker unlinked before the call. The
   * default clock moves the write hand for it, the others only now and then: see pace.ts. Never
   * blocks. Misuse inside a section. FreeBSD smr_advance(9), except that at the wrap limit (2^30
   * between the hands) it does not spin but gives a goal one step ahead, which polls make true.
   */
  advance(): Goal {
    this.assertOutside('advance')
    this.goals.makeRoom()
    return this.goals.give(this.goals.stamp())
  }

  /**
   * A goal ahead of the write hand, which stays where it is: for a writer that wants to set the pace
   * of the clock itself. It is met only after `commit`, a wait for it, or any later `advance`. Never
   * blocks. Misuse inside a section. XNU smr_deferred_advance.
   */
  deferredAdvance(): Goal {
    this.assertOutside('deferredAdvance')
    this.goals.makeRoom()
    return this.goals.give(this.goals.defer())
  }

  /**
   * Moves the write hand to a deferred goal; does nothing if it is there, and nothing to a lazy
   * clock, which only time moves. Never blocks. Misuse inside a section, and for a goal that this
   * domain cannot have issued. XNU smr_deferred_advance_commit.
   */
  commit(goal: Goal): void {
    this.assertOutside('commit')
    const seq = this.taken('commit', goal)
    if (!this.goals.commit(seq)) throw this.foreignGoal('commit', seq)
  }

  /**
   * Whether the goal is met: nobody can see what was unlinked before it any more. Never blocks; at
   * most one look at each attached worker. Legal inside a section, whose own worker then holds back
   * later goals. Misuse for a goal that this domain cannot have issued. FreeBSD smr_poll(9).
   */
  poll(goal: Goal): boolean {
    const seq = this.taken('poll', goal)
    return this.goals.look(seq, PATIENT, (foreign) => this.foreignGoal('poll', foreign))
  }

  /**
   * Blocks until the goal is met. With `timeoutMs` it answers false when the time is over; without,
   * it throws Exhausted after 30 s and names the workers that hold the goal back. Moves a deferred
   * clock itself; on a lazy one it waits for its ticks. Misuse inside a section of this domain.
   * FreeBSD smr_wait(9), which a lazy clock does not have there.
   */
  wait(goal: Goal, options?: WaitOptions): boolean {
    this.assertOutside('wait')
    const seq = this.taken('wait', goal)
    return this.goals.outlast('wait', seq, options, (it) => this.foreignGoal('wait', it))
  }

  /** `wait` between turns of the event loop. Rejects with its reason when `signal` aborts. */
  async waitAsync(goal: Goal, options?: AsyncWaitOptions): Promise<boolean> {
    this.assertOutside('waitAsync')
    const seq = this.taken('waitAsync', goal)
    const foreign = (it: Seq): Misuse => this.foreignGoal('waitAsync', it)
    return this.goals.outlastAsync('waitAsync', seq, options, foreign)
  }

  /**
   * Advances and waits: on return, nobody can see what this worker unlinked before. Answers, throws
   * and blocks as `wait`. Expensive; a zone's batching exists so that this is rarely needed.
   * FreeBSD smr_synchronize(9).
   */
  synchronize(options?: WaitOptions): boolean {
    this.assertOutside('synchronize')
    timeoutOf('smr.synchronize', options) // Before the clock moves.
    this.goals.makeRoom()
    return this.goals.outlast('synchronize', this.goals.stamp(), options, undefined)
  }

  /** `synchronize` between turns of the event loop. */
  async synchronizeAsync(options?: AsyncWaitOptions): Promise<boolean> {
    this.assertOutside('synchronizeAsync')
    timeoutOf('smr.synchronizeAsync', options) // Before the clock moves.
    this.goals.makeRoom()
    return this.goals.outlastAsync('synchronizeAsync', this.goals.stamp(), options, undefined)
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
    const { address, goals, space } = this
    return stalledReaders(space, goals.readers, address, olderThanMs, space.pendingIn(address))
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

  /** Brings the hands together where an advance could wrap; called before a lock is. @internal */
  makeRoom(): void {
    this.goals.makeRoom()
  }

  /** The goal for what has been unlinked so far. Never blocks; legal under a lock. @internal */
  stamp(): Seq {
    return this.goals.stamp()
  }

  /** Steps of the write hand that the last `stamp` made. @internal */
  get steps(): number {
    return this.goals.steps
  }

  /** `poll` for a goal that certainly is this domain's own. @internal */
  expired(goal: Seq): boolean {
    return this.goals.expired(goal)
  }

  /** `expired` for somebody who waits: moves the write hand to a goal ahead of it. @internal */
  expiredUrgently(goal: Seq): boolean {
    return this.goals.look(goal, URGENT, undefined)
  }

  /** Lets go of what stays published between turn sections. False inside one. @internal */
  letGo(): boolean {
    if (this.seen === INVALID) return true
    if (this.state === INSIDE) return false
    this.seen = INVALID
    // [R2] The end of every section since the publication, as exit's store is of one.
    this.memory.store(this.reader + ReaderWords.seq, INVALID)
    return true
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
    if (this.state >= INSIDE) throw this.refuse(verb)
  }

  /** Misuse when the handle was closed. @internal */
  assertOpen(verb: string): void {
    if (this.state === CLOSED) throw this.refuse(verb)
  }

  /** This worker leaves. @internal */
  close(): void {
    if (this.state !== CLOSED && this.isAlive()) this.letGo()
    this.state = CLOSED
  }

  // ---- slow paths --------------------------------------------------------------------------

  private publishForTurn(): void {
    this.seen = publish(this.memory, this.wrAt, this.reader + ReaderWords.seq)
    this.space.turn.hold(this)
  }

  private taken(verb: string, goal: Goal): Seq {
    this.assertOpen(verb)
    const seq = this.goals.take(goal)
    if (seq === undefined) throw this.misuse(verb, this.goals.blame(goal))
    return seq
  }

  private foreignGoal(verb: string, goal: Seq): Misuse {
    const wr = this.goals.clock.wr()
    return this.misuse(
      verb,
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
    if (this.state === OFFLINE)
      return this.misuse(verb, 'this worker is offline; call online first')
    const why =
      verb === 'enter'
        ? 'sections of one domain do not nest'
        : 'it could wait for this very section'
    return this.misuse(verb, `a section is open; ${why}: exit first`)
  }

  private misuse(verb: string, what: string): Misuse {
    return new Misuse(`smr.${verb}: domain ${show(this.name)}: ${what}`, { domain: this.name })
  }
}

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
 * far apart: advancing and looking are separate actions, so a writer stamps now and polls much later,
 * when the answer is almost surely yes. And they may wrap; seq.ts is about that.
 *
 * Where things happen (one total order, since every atomic is sequentially consistent):
 *
 *   [R1] enter: load wr, publish it, load wr again      sections.ts, memory/compound.ts, clock.ts
 *   [R2] exit: clear the word                           sections.ts, memory/compound.ts
 *   [R3] enter of a turn section: a racy peek at wr        sections.ts
 *   [X1] enter beside an older async section            trackers.ts
 *   [X2] the oldest async section leaves                trackers.ts
 *   [I]  the nap inside enter, between load and store   sections.ts, memory/compound.ts, clock.ts
 *   [W]  advance: the write hand moves                  clock.ts
 *   [S1] poll's fast path: rd has passed the goal       goals.ts
 *   [S2] poll's look at one reader's word               poll.ts
 *   [S3] poll forwards the read hand                    clock.ts
 *   [C]  a callback is completed                          call.ts
 *   [L]  what an async section is called                stall.ts
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

import type { Goal } from '../base/brands.ts'
import { Exhausted, Misuse, onlyOptions, show } from '../base/errors.ts'
import { report } from '../base/host.ts'
import { delta, type Seq } from '../base/seq.ts'
import { DomainWords } from '../memory/layout.ts'
import type { Space } from '../space/space.ts'
import {
  type AsyncWaitOptions,
  asyncTimeoutOf,
  timeoutOf,
  until,
  untilAsync,
  type WaitOptions,
} from '../space/wait.ts'
import { type CallOptions, Calls, Queued } from './call.ts'
import { Goals, PATIENT, URGENT } from './goals.ts'
import { Sections } from './sections.ts'
import { type Stall, stalledReaders } from './stall.ts'
import { type SmrStats, smrStats } from './stats.ts'

/** One domain, as one worker sees it. Get it with `arena.smr(name)`. */
export class Smr extends Sections {
  private readonly goals: Goals
  private calls: Calls | undefined

  /** @internal */
  constructor(space: Space, name: string, address: number, serial: number) {
    super(space, name, address, serial)
    this.goals = new Goals(space, name, address, serial, this)
  }

  // ---- callbacks ---------------------------------------------------------------------------

  /**
   * Runs `callback` on this worker, between two turns of its event loop and outside any section, as
   * soon as nobody can see any more what was unlinked before this call. Callbacks of one worker run
   * in order. One that throws, or whose promise is rejected, is reported as a warning, and the
   * others run. `bytes` is roughly what it will free: many bytes, or many callbacks, move the clock
   * at once, as `expedite` does. How many may wait is not limited: whoever queues them in one turn
   * has to stop some time. Never blocks. Misuse inside a section. OpenBSD smr_call(9), XNU smr_call;
   * a worker that dies takes its callbacks with it, which `ReapReport.calls` and `stats` say.
   */
  call(callback: () => void, options: CallOptions = {}): void {
    this.assertOutside('call')
    if (typeof callback !== 'function') {
      throw this.misuse('call', `${show(callback)} is no function`)
    }
    onlyOptions('smr.call', options, ['bytes', 'expedite'])
    const { bytes = 0, expedite = false } = options
    if (!(typeof bytes === 'number' && bytes >= 0)) {
      throw this.misuse('call', `bytes is ${show(bytes)}; give a number from 0 on`)
    }
    if (typeof expedite !== 'boolean') {
      throw this.misuse('call', `expedite is ${show(expedite)}; give true or false`)
    }
    this.myCalls().queue(callback, bytes, expedite)
  }

  /**
   * `call`, inside a section as well: its goal is taken after the unlink like any other, and is not met
   * before the section ends. It counts at once, so a barrier of whomever waits for it. @internal
   */
  callAnywhere(callback: () => void): void {
    if (!this.inside) this.assertOutside('call')
    this.myCalls().queue(callback, 0, false)
  }

  /** @internal */
  override check(): void {
    super.check()
    if (this.isAlive()) this.calls?.check()
  }

  /**
   * Resolves when all callbacks that any worker has queued before are run, and all readers of that
   * time have left. Answers as `waitAsync`: true, or false when `timeoutMs` is over; Exhausted
   * after 30 s without it, naming the workers that are in the way: busy ones, or dead ones that
   * nobody has reaped. Misuse inside a section, also an async one. Hold no lock that a callback
   * takes. OpenBSD smr_barrier(9), XNU smr_barrier. Never blocks the thread.
   */
  async barrier(options?: AsyncWaitOptions): Promise<boolean> {
    return this.outlastCalls('barrier', options)
  }

  /**
   * `barrier` in a hurry: all workers move the clock on for what they have queued. Answers, rejects
   * and refuses as `barrier`. OpenBSD smr_flush(9). Misuse inside a section. Never blocks the
   * thread.
   */
  async flush(options?: AsyncWaitOptions): Promise<boolean> {
    return this.outlastCalls('flush', options)
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
   * it throws Exhausted after 30 s and names the workers that hold the goal back; after 1 s in a worker
   * that supervises, which cannot hear of a death while it blocks. Moves a deferred clock itself; on a
   * lazy one it waits for its ticks, up to three more. Misuse inside a section of this domain.
   * FreeBSD smr_wait(9), which a lazy clock does not have there.
   */
  wait(goal: Goal, options?: WaitOptions): boolean {
    this.assertOutside('wait')
    const seq = this.taken('wait', goal)
    if (this.trackers?.holdsBack(seq)) throw this.ownSection('wait')
    this.space.assertSleepable('smr.wait')
    return this.goals.outlast('wait', seq, options, (it) => this.foreignGoal('wait', it))
  }

  /**
   * `wait` between turns of the event loop, 30 s also in a worker that supervises. Rejects with its
   * reason when `signal` aborts. Misuse and Exhausted as `wait`, inside a section too; never blocks
   * the thread.
   */
  async waitAsync(goal: Goal, options?: AsyncWaitOptions): Promise<boolean> {
    this.assertOutside('waitAsync')
    const seq = this.taken('waitAsync', goal)
    if (this.trackers?.isInside(seq)) throw this.ownSection('waitAsync')
    const foreign = (it: Seq): Misuse => this.foreignGoal('waitAsync', it)
    return this.goals.outlastAsync('waitAsync', seq, options, foreign)
  }

  /**
   * Advances and waits: on return, nobody can see what this worker unlinked before. Answers, throws
   * and blocks as `wait`. Expensive; a zone's batching exists so that this is rarely needed.
   * FreeBSD smr_synchronize(9). Misuse inside a section.
   */
  synchronize(options?: WaitOptions): boolean {
    this.assertOutside('synchronize')
    this.assertNoneOpen('synchronize')
    timeoutOf('smr.synchronize', options) // Before the clock moves.
    this.space.assertSleepable('smr.synchronize')
    this.goals.makeRoom()
    return this.goals.outlast('synchronize', this.goals.stamp(), options, undefined)
  }

  /**
   * `synchronize` between turns of the event loop. Answers, rejects and refuses as `waitAsync`,
   * also inside a section.
   */
  async synchronizeAsync(options?: AsyncWaitOptions): Promise<boolean> {
    this.assertOutside('synchronizeAsync')
    if (this.trackers?.isInside(undefined)) throw this.ownSection('synchronizeAsync')
    asyncTimeoutOf('smr.synchronizeAsync', options) // Before the clock moves.
    this.goals.makeRoom()
    return this.goals.outlastAsync('synchronizeAsync', this.goals.stamp(), options, undefined)
  }

  /**
   * Sections that have been holding memory back for at least `olderThanMs` milliseconds, longest
   * first. Time counts from the first failed poll, or the first call of this, that met the section.
   * Never blocks on readers; legal inside a section. Misuse unless that is a number from 0 on.
   */
  stalled(olderThanMs: number): Stall[] {
    this.assertOpen('stalled')
    if (typeof olderThanMs !== 'number' || !(olderThanMs >= 0)) {
      throw this.misuse(
        'stalled',
        `olderThanMs is ${show(olderThanMs)}; give milliseconds from 0 on`,
      )
    }
    const { address, goals, space } = this
    return stalledReaders(space, goals.readers, address, olderThanMs, space.pendingIn(address))
  }

  /**
   * Counters of all workers, and where the hands stand. Numbers may be a moment old. Misuse when
   * the domain has ended. Never blocks; legal inside a section.
   */
  stats(): SmrStats {
    this.assertOpen('stats')
    return smrStats(this.space, this.address, this.name)
  }

  /**
   * Ends the domain: waits for its readers and for all callbacks, then gives its memory back. All
   * workers must have stopped using it. Misuse while zones are bound to it, and in a section of
   * either kind; Exhausted if sections are still open, or callbacks have not run, after `timeoutMs`
   * (default as for `wait`), the domain then goes on. FreeBSD smr_destroy(9), which does not ask.
   * Blocks for both.
   */
  destroy(options?: WaitOptions): void {
    this.assertOutside('destroy')
    this.assertNoneOpen('destroy')
    this.space.assertSleepable('smr.destroy')
    destroySmr(this, options)
  }

  // ---- for zones and tables ----------------------------------------------------------------

  /** Brings the hands together where an advance could wrap; called before a lock is. @internal */
  makeRoom(): void {
    this.goals.makeRoom()
  }

  /**
   * How long to block for readers: not at all for one of this worker's own async sections; else as
   * `wait` does when it is given this for a time. @internal
   */
  patience(timeoutMs: number | undefined): number {
    if (this.trackers !== undefined && this.trackers.size > 0) return 0
    return this.goals.patience(timeoutMs)
  }

  /** What `patience` allows for a lazy clock besides. @internal */
  get graceMs(): number {
    return this.goals.graceMs
  }

  /**
   * The goal for what has been unlinked so far; a step ahead of the clock unless `advance`. Never
   * blocks; legal under a lock. @internal
   */
  stamp(advance = true): Seq {
    return this.goals.stamp(advance)
  }

  /** Steps of the write hand that the last `stamp` made. @internal */
  get steps(): number {
    return this.goals.steps
  }

  /** `poll` for a goal that is this domain's own; `patient`: others move the clock. @internal */
  expired(goal: Seq, patient = false): boolean {
    return this.goals.expired(goal, patient)
  }

  /** `expired` for somebody who waits: moves the write hand to a goal ahead of it. @internal */
  expiredUrgently(goal: Seq): boolean {
    return this.goals.look(goal, URGENT, undefined)
  }

  /** Runs this worker's callbacks that may run now; it is about to leave. @internal */
  runDueCalls(): void {
    if (!this.isClosed && this.isAlive()) this.calls?.runDue()
  }

  /** This worker leaves: what it has queued and not run never will. @internal */
  leave(): void {
    const lost = this.isClosed ? 0 : (this.calls?.drop() ?? 0)
    this.close()
    if (lost === 0) return
    report(
      new Exhausted(
        `arena.detach: ${lost} callbacks of domain ${show(this.name)} had not run, and never will; await smr.flush() first`,
        { domain: this.name, lost },
      ),
    )
  }

  /** The end of the domain: all callbacks have to run, this worker's own ones here. @internal */
  runAllCalls(timeoutMs: number): void {
    const queued = new Queued(this.space, this.goals.readers)
    const allRun = (): boolean => {
      const own = this.calls?.runDue() ?? true
      return queued.areCompleted() && own
    }
    if (until(this.space, timeoutMs, allRun)) return
    throw queued.notCompleted('smr.destroy', this.name, timeoutMs)
  }

  /** @internal */
  override forget(): void {
    this.calls?.forget()
    super.forget()
  }

  /** @internal */
  override close(): void {
    this.calls?.forget()
    super.close()
  }

  // ---- slow paths --------------------------------------------------------------------------

  private myCalls(): Calls {
    const hurryAt = this.address + DomainWords.hurry
    this.calls ??= new Calls(this.space, this.goals, hurryAt, () => this.isAlive())
    return this.calls
  }

  private async outlastCalls(
    verb: 'barrier' | 'flush',
    options: AsyncWaitOptions | undefined,
  ): Promise<boolean> {
    this.assertOutside(verb)
    if (this.trackers?.isInside(undefined)) throw this.ownSection(verb)
    const { goals, memory } = this
    const timeoutMs = asyncTimeoutOf(`smr.${verb}`, options)
    if (verb === 'flush') memory.add(this.address + DomainWords.hurry, 1)
    this.calls?.seal(true)
    if (verb === 'flush') this.calls?.hurry()
    const queued = new Queued(this.space, goals.readers)
    goals.makeRoom()
    const deadline = memory.now() + timeoutMs
    if (!(await goals.outlastAsync(verb, goals.stamp(), options, undefined))) return false
    const left = Math.max(0, deadline - memory.now())
    const completed = await untilAsync(memory, left, options, () => {
      this.assertOpen(verb) // Detached or destroyed between two turns.
      return queued.areCompleted()
    })
    if (completed || options?.timeoutMs !== undefined) return completed
    throw queued.notCompleted(`smr.${verb}`, this.name, timeoutMs)
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
}

// The end of a domain: its readers leave, its callbacks run, its zones are gone already, its memory
// goes back.

/**
 * Ends a domain: waits for its readers, then gives its memory back. Misuse while zones are bound
 * to it; Exhausted if readers do not leave in time, it then goes on.
 */
export function destroySmr(smr: Smr, options: WaitOptions | undefined): void {
  const { space, address, name } = smr
  const users = space.memory.load(address + DomainWords.users)
  if (users !== 0) {
    throw new Misuse(
      `smr.destroy: domain ${show(name)}: ${users} zones are bound to it; destroy them first`,
      {
        domain: name,
        zones: users,
      },
    )
  }
  timeoutOf('smr.destroy', options)
  const timeoutMs = smr.patience(options?.timeoutMs)
  if (!smr.synchronize({ timeoutMs })) {
    throw new Exhausted(
      `smr.destroy: domain ${show(name)}: sections are still open after the wait`,
      {
        domain: name,
      },
    )
  }
  smr.runAllCalls(timeoutMs)
  const unused = (): boolean => space.memory.load(address + DomainWords.users) === 0
  const { directory } = space
  const ended = directory.remove(smr.serial, () => space.pages.release(address), unused)
  if (!ended && directory.names(smr.serial)) {
    throw new Misuse(`smr.destroy: domain ${show(name)}: a zone was bound to it meanwhile`, {
      domain: name,
    })
  }
  // Its name is gone. If its memory is not, a call that was to end it has failed in the middle.
  if (!ended && smr.isAlive()) space.sweep()
  smr.close()
}

// A domain as a worker of a checked arena sees it: it remembers where its sections were entered.

export class CheckedSmr extends Smr {
  private enteredAt: Error | undefined

  override enter(): void {
    super.enter()
    this.enteredAt = new Error('entered here')
  }

  protected override whereEntered(): string {
    const frames = this.enteredAt?.stack?.split('\n').slice(1).join('\n')
    return frames === undefined ? '' : `\nIt was entered\n${frames}`
  }
}

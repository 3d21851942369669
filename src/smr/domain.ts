/**
 * Safe memory reclamation: when may a record that has been unlinked be used again?
 *
 * The algorithm is FreeBSD's GUS (global unbounded sequences, Roberson 2019; XNU's smr.c has the
 * same with proofs). A domain is a clock with two hands. Writers move the *write hand*; what it
 * shows after an unlink is the *goal* of the unlinked record. A reader that opens a *section*
 * publishes what the write hand shows. A poll finds the oldest published sequence and forwards the
 * *read hand* to it: no reader can reach a record whose goal the read hand has passed.
 *
 *      behind us               rd                              wr           not yet issued
 *   ----------------------------+-------------------------------+--------------------------->
 *      goals here are met       |     A            B            |
 *      (poll says yes at once)  |  sections observed these      |  an error, not a yes
 *
 * Here a poll would forward rd to A. A worker in no section holds nothing back. The hands may get
 * far apart: advancing and polling are separate, so a writer stamps now and polls much later, when
 * the answer is almost surely yes. And the hands may wrap; seq.ts is about that.
 *
 * Where things happen (there is one total order, since every atomic is sequentially consistent):
 *
 *   [R1] enter: load wr, publish it, load wr again      sections.ts, memory/compound.ts, clock.ts
 *   [R2] exit: clear the word                           sections.ts, memory/compound.ts
 *   [R3] enter of a turn section: racy peek at wr       sections.ts
 *   [X1] enter beside an older async section            trackers.ts
 *   [X2] the oldest async section leaves                trackers.ts
 *   [I]  descheduled in enter, between load and store   sections.ts, memory/compound.ts, clock.ts
 *   [W]  advance: the write hand moves                  clock.ts
 *   [S1] poll's fast path: rd has passed the goal       goals.ts
 *   [S2] poll loads one reader's word                   poll.ts
 *   [S3] poll forwards the read hand                    clock.ts
 *   [C]  a callback is completed                        call.ts
 *   [L]  the label of an async section                  stall.ts
 *
 * What has to hold. U unlinks a record, [W] stamps it, a poller finds the goal met, and then V
 * writes the record again. For a reader's accesses between its [R1] and [R2] there are four cases:
 *
 *   1) the poller found the reader outside, before it entered: the reader's second load of wr
 *      comes after the poller's load and returns the goal or later, so U happens before the
 *      reader's accesses;
 *   2) the poller found the reader outside, after it left: its load [S2] read from [R2], so the
 *      reader's accesses happen before V;
 *   3) the poller found a sequence at or past the goal: the reader's load of wr read from [W] or
 *      from a later step, so U happens before the reader's accesses;
 *   4) the poller found an earlier sequence: the poll says no.
 *
 * A *turn section* (where FreeBSD has SMR_LAZY) is QSBR whose quiescent state is the end of a turn
 * of the event loop: `exit` leaves the worker's word as it is. Between two publications the word
 * shows one sequence all the time, so for a poller all sections of that time are one section. The
 * four cases hold with [R2] at the next publication, at the end of the turn, or before the worker
 * blocks. FreeBSD's lazy section needs no fence because clock interrupts visit every CPU; this one
 * needs none because a turn cannot end inside a section.
 *
 * Differences from FreeBSD: JavaScript has no fences, and plain accesses are not ordered with
 * anything, so enter loads the write hand twice where the kernel has one fence. A worker may be
 * descheduled anywhere, so the read hand is forwarded by a CAS from the value that was read before
 * the scan. At the wrap limit an advance does not spin: it returns a goal one step ahead, and the
 * polls that follow move the clock.
 */

import type { Goal } from '../base/brands.ts'
import { Exhausted, Misuse, onlyOptions, show } from '../base/errors.ts'
import { report } from '../base/host.ts'
import { INSPECT, inOneLine, type Summary, summary } from '../base/inspect.ts'
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
import { CLOCKS } from './options.ts'
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
   * Runs `callback` on this worker, between two turns of its event loop and outside any section,
   * as soon as no reader can reach what was unlinked before this call. Callbacks of one worker run
   * in order. One that throws, or whose promise is rejected, is reported as a warning, and the
   * others run. `bytes` is roughly what it will free: many bytes, or many callbacks, move the
   * clock at once, as `expedite` does. The number of waiting callbacks is not limited: do not
   * queue for ever in one turn. Never blocks. Misuse inside a section. OpenBSD smr_call(9), XNU
   * smr_call; the callbacks of a worker that dies are lost, and `ReapReport.calls` and `stats`
   * count them.
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
   * `call` that is legal inside a section too: its goal is taken after the unlink like any other,
   * and is not met before the section ends. It counts at once: later barriers wait for it.
   * @internal
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
   * Resolves when all callbacks that any worker has queued before have run, and all readers of
   * that time have left. Answers as `waitAsync`: true, or false when `timeoutMs` is over;
   * Exhausted after 30 s without it. The error names the workers in the way: busy ones, or dead
   * ones that nobody has reaped. Misuse inside a section, also an async one. Hold no lock that a
   * callback takes. OpenBSD smr_barrier(9), XNU smr_barrier. Never blocks the thread.
   */
  async barrier(options?: AsyncWaitOptions): Promise<boolean> {
    return this.waitForCalls('barrier', options)
  }

  /**
   * An urgent `barrier`: every worker moves the clock for what it has queued. Answers, rejects and
   * refuses as `barrier`. OpenBSD smr_flush(9). Misuse inside a section. Never blocks the thread.
   */
  async flush(options?: AsyncWaitOptions): Promise<boolean> {
    return this.waitForCalls('flush', options)
  }

  // ---- the clock ---------------------------------------------------------------------------

  /**
   * Returns a goal: once it is met, no reader can reach what this worker unlinked before the call.
   * The default clock moves the write hand each time, the others less often: see pace.ts. Never
   * blocks. Misuse inside a section. FreeBSD smr_advance(9), except that at the wrap limit (2^30
   * between the hands) it does not spin: it returns a goal one step ahead, which polls make true.
   */
  advance(): Goal {
    this.assertOutside('advance')
    this.goals.makeRoom()
    return this.goals.toGoal(this.goals.stamp())
  }

  /**
   * A goal ahead of the write hand, which does not move: for a writer that decides itself when the
   * clock moves. It is met only after `commit`, a wait for it, or any later `advance`. Never
   * blocks. Misuse inside a section. XNU smr_deferred_advance.
   */
  deferredAdvance(): Goal {
    this.assertOutside('deferredAdvance')
    this.goals.makeRoom()
    return this.goals.toGoal(this.goals.defer())
  }

  /**
   * Moves the write hand to a deferred goal. Does nothing if the hand is there already, or if the
   * clock is lazy: only time moves that one. Never blocks. Misuse inside a section, and for a goal
   * that this domain cannot have issued. XNU smr_deferred_advance_commit.
   */
  commit(goal: Goal): void {
    this.assertOutside('commit')
    const seq = this.seqOf('commit', goal)
    if (!this.goals.commit(seq)) throw this.foreignGoal('commit', seq)
  }

  /**
   * Whether the goal is met: no reader can reach what was unlinked before it. Never blocks; loads
   * at most two words of each attached worker. Legal inside a section, which then holds back later
   * goals itself. Misuse for a goal that this domain cannot have issued. FreeBSD smr_poll(9).
   */
  poll(goal: Goal): boolean {
    const seq = this.seqOf('poll', goal)
    return this.goals.look(seq, PATIENT, (foreign) => this.foreignGoal('poll', foreign))
  }

  /**
   * Blocks until the goal is met. With `timeoutMs` it returns false when the time is over;
   * without, it throws Exhausted after 30 s and names the workers that hold the goal back. In a
   * worker that supervises it does so after 1 s, since a blocked thread cannot learn of a death.
   * Moves a deferred clock itself; on a lazy one it waits for up to three more ticks. Misuse
   * inside a section of this domain. FreeBSD smr_wait(9), which a lazy clock does not have there.
   */
  wait(goal: Goal, options?: WaitOptions): boolean {
    this.assertOutside('wait')
    const seq = this.seqOf('wait', goal)
    if (this.trackers?.holdsBack(seq)) throw this.ownSection('wait')
    this.space.assertSleepable('smr.wait')
    return this.goals.waitFor('wait', seq, options, (it) => this.foreignGoal('wait', it))
  }

  /**
   * `wait` between turns of the event loop, for 30 s also in a worker that supervises. Rejects
   * with the reason of `signal` when that aborts. Misuse and Exhausted as `wait`, inside a section
   * too; never blocks the thread.
   */
  async waitAsync(goal: Goal, options?: AsyncWaitOptions): Promise<boolean> {
    this.assertOutside('waitAsync')
    const seq = this.seqOf('waitAsync', goal)
    if (this.trackers?.isInside(seq)) throw this.ownSection('waitAsync')
    const foreign = (it: Seq): Misuse => this.foreignGoal('waitAsync', it)
    return this.goals.waitForAsync('waitAsync', seq, options, foreign)
  }

  /**
   * Advances and waits: on return, no reader can reach what this worker unlinked before. Answers,
   * throws and blocks as `wait`. Expensive; zones free in batches so that this is rarely needed.
   * FreeBSD smr_synchronize(9). Misuse inside a section.
   */
  synchronize(options?: WaitOptions): boolean {
    this.assertOutside('synchronize')
    this.assertNoneOpen('synchronize')
    timeoutOf('smr.synchronize', options) // Before the clock moves.
    this.space.assertSleepable('smr.synchronize')
    this.goals.makeRoom()
    return this.goals.waitFor('synchronize', this.goals.stamp(), options, undefined)
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
    return this.goals.waitForAsync('synchronizeAsync', this.goals.stamp(), options, undefined)
  }

  /**
   * Sections that have held memory back for at least `olderThanMs` milliseconds, longest first.
   * Time counts from the first poll that failed because of the section, or the first call of this
   * verb that found it. Never blocks on readers; legal inside a section. Misuse unless
   * `olderThanMs` is a number from 0 on.
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
    return stalledReaders(space, goals.readers, address, olderThanMs)
  }

  /**
   * Counters of all workers, and where the hands stand. Numbers of other workers may be a moment
   * old. Misuse when the domain has ended. Never blocks; legal inside a section.
   */
  stats(): SmrStats {
    this.assertOpen('stats')
    return smrStats(this.space, this.address, this.name)
  }

  /**
   * Ends the domain: waits for its readers and for all callbacks, then frees its memory. All
   * workers must have stopped using it. Misuse while zones are bound to it, and in a section of
   * either kind. Exhausted if sections are still open, or callbacks have not run, after
   * `timeoutMs` (default as for `wait`); the domain then stays. FreeBSD smr_destroy(9), which does
   * not check. Blocks for both.
   */
  destroy(options?: WaitOptions): void {
    this.assertOutside('destroy')
    this.assertNoneOpen('destroy')
    this.space.assertSleepable('smr.destroy')
    destroySmr(this, options)
  }

  /** What `JSON.stringify` shows. @internal */
  toJSON(): Summary {
    return summary('Smr', this.name, () => {
      if (!this.space.isOpen || !this.isAlive()) return undefined
      const { lag } = smrStats(this.space, this.address, this.name)
      const clock = CLOCKS[this.memory.peek(this.address + DomainWords.clock)] ?? 'unknown'
      return { clock, entered: this.entered, lag }
    })
  }

  /** What `console.log` shows. @internal */
  [INSPECT](): string {
    return inOneLine(this.toJSON())
  }

  // ---- for zones and tables ----------------------------------------------------------------

  /** Polls if the hands are too far apart to advance. Call it before a lock is taken. @internal */
  makeRoom(): void {
    this.goals.makeRoom()
  }

  /**
   * How long to block for readers: not at all while this worker has an async section open; else as
   * `wait` with this `timeoutMs`. @internal
   */
  patience(timeoutMs: number | undefined): number {
    if (this.trackers !== undefined && this.trackers.size > 0) return 0
    return this.goals.patience(timeoutMs)
  }

  /** What a lazy clock adds to `patience`. @internal */
  get graceMs(): number {
    return this.goals.graceMs
  }

  /**
   * The goal for what has been unlinked so far; a step ahead of the clock unless `advance`. Never
   * blocks; legal under a lock. @internal
   */
  stamp(advance = true, countAt = 0): Seq {
    return this.goals.stamp(advance, countAt)
  }

  /** `poll` for a goal of this domain; `patient`: does not move the clock. @internal */
  expired(goal: Seq, patient = false): boolean {
    return this.goals.expired(goal, patient)
  }

  /** `expired` for a caller that waits: moves the write hand to a goal ahead of it. @internal */
  expiredUrgently(goal: Seq): boolean {
    return this.goals.look(goal, URGENT, undefined)
  }

  /**
   * Runs those of this worker's callbacks that may run now, since it is about to leave. @internal
   */
  runDueCalls(): void {
    if (!this.isClosed && this.isAlive()) this.calls?.runDue()
  }

  /** This worker leaves: its callbacks that have not run never will. @internal */
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

  /** The domain ends: waits for all callbacks, and runs this worker's own. @internal */
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

  private async waitForCalls(
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
    if (!(await goals.waitForAsync(verb, goals.stamp(), options, undefined))) return false
    const left = Math.max(0, deadline - memory.now())
    const completed = await untilAsync(memory, left, options, () => {
      this.assertOpen(verb) // Detached or destroyed between two turns.
      return queued.areCompleted()
    })
    if (completed || options?.timeoutMs !== undefined) return completed
    throw queued.notCompleted(`smr.${verb}`, this.name, timeoutMs)
  }

  private seqOf(verb: string, goal: Goal): Seq {
    this.assertOpen(verb)
    const seq = this.goals.fromGoal(goal)
    if (seq === undefined) throw this.misuse(verb, this.goals.whyRefused(goal))
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

// ---- the end of a domain -------------------------------------------------------------------

/**
 * Ends a domain: waits for its readers and callbacks, then frees its memory. Misuse while zones
 * are bound to it; Exhausted if they do not end in time, and the domain stays.
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
  // Its name is gone. If its memory is not, an earlier call failed between the two steps.
  if (!ended && smr.isAlive()) space.sweep()
  smr.close()
}

/** The domain of a checked arena: it remembers where its section was entered. */

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

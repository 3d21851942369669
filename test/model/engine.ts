/**
 * One schedule: whose turn it is, from the first verb to the last.
 *
 * A verb that others could notice asks for its turn before it acts. The engine picks who goes on;
 * as long as it is the same thread, nothing happens and the verb is performed: a schedule costs
 * little more than its verbs. To switch, the other thread is simply run *on top* of this one, from
 * inside the verb that asked. If it ends, or is suspended, we are back in the verb as if nothing had
 * been. Only when a thread further down the stack is to go on, those above it are unwound with the
 * token, to be re-run from their logs when their time comes. So a preemption by a thread that then
 * runs to its end costs no re-run at all, and no more than one stack frame per thread is ever live.
 *
 * A loop that goes on in spite of all fairness (waiting.ts) is cut after `maxVerbs` verbs: it does not
 * terminate.
 */

import type { Cells } from './cells.ts'
import { History } from './history.ts'
import { PastValues } from './pastValues.ts'
import type { FullRules } from './rules.ts'
import type { Strategy } from './schedule.ts'
import { fingerprint } from './stateKey.ts'
import type { StoreBuffers } from './storeBuffer.ts'
import { DEAD, ENDED, ModelThread, READY, TOKEN, UNBORN } from './thread.ts'
import type { Clocks } from './vectorClock.ts'
import { LAST_STEP } from './verbs.ts'
import { Waiting } from './waiting.ts'

/** Nobody: the schedule is over. */
const ROOT = -1

const MISFITS =
  'the schedule does not fit: this is not the scenario that the replay string came from, or its threads are not deterministic'

export interface Mishap {
  readonly message: string
  readonly error?: unknown
}

export class Engine {
  readonly threads: readonly ModelThread[]
  readonly cells: Cells
  readonly clocks: Clocks
  readonly buffers: StoreBuffers
  readonly rules: FullRules
  readonly history = new History()
  readonly waiting: Waiting
  readonly past: PastValues
  /** False in setup, preparation and the final check: verbs act at once, unchecked and unlogged. */
  scheduled = false
  current: ModelThread
  failure: Mishap | undefined
  /** The schedule was cut off at a state that has been reached before. */
  pruned = false
  /** Steps performed since the exploration began; recalled ones do not count. */
  steps = 0
  last = ROOT
  preemptions = 0
  /** How often somebody may still wake who need not. */
  surprises = 0
  /** The running thread gives way of its own accord: a switch costs nothing. */
  free = false
  choices: number[] = []
  /** Fingerprint of the last state that was looked up. */
  keyA = 0
  keyB = 0
  watch: ((t: ModelThread, verb: number, at: number, answer: number) => void) | undefined
  private readonly outside = new ModelThread(0, 'setup', -1)
  private readonly program: (t: ModelThread) => unknown
  private readonly pruning: boolean
  private strategy: Strategy
  private verbs = 0
  /** Who goes on when the token has arrived. */
  private target = ROOT

  constructor(
    threads: readonly ModelThread[],
    cells: Cells,
    clocks: Clocks,
    buffers: StoreBuffers,
    rules: FullRules,
    strategy: Strategy,
    program: (t: ModelThread) => unknown,
  ) {
    this.threads = threads
    this.waiting = new Waiting(threads)
    this.cells = cells
    this.clocks = clocks
    this.past = new PastValues(clocks, (at) => cells.atFirst(at))
    this.buffers = buffers
    this.rules = rules
    this.strategy = strategy
    this.pruning = strategy.prunes
    this.program = program
    this.current = this.outside
    cells.hashing = this.pruning
  }

  /** Runs `body` in the name of `t`, at once and undisturbed; its answers go into the log of `t`. */
  prepare(t: ModelThread, body: () => void): void {
    this.current = t
    body()
    t.keepPrepared()
    this.current = this.outside
  }

  /** Whether verbs need not be logged: nobody will be re-run. */
  get unlogged(): boolean {
    return this.current === this.outside
  }

  /** One schedule, from what setup left to the last thread's end. */
  runSchedule(): void {
    this.begin()
    this.scheduled = true
    let next = this.pick()
    while (next !== ROOT) next = this.run(this.threads[next] as ModelThread)
    this.scheduled = false
    if (this.failure === undefined && !this.pruned) this.buffers.drainAll(this)
  }

  // ---- turns -------------------------------------------------------------------------------

  /** Before a verb that others could notice: returns when `t` is to perform it. */
  turn(t: ModelThread): void {
    if (t.unwinding) throw TOKEN
    if (t.granted || !this.scheduled) {
      t.granted = false
      return
    }
    let next = this.pick()
    while (next !== t.index) {
      const other = this.threads[next]
      if (other === undefined || other.onStack) this.unwind(t, next)
      next = this.run(other as ModelThread)
    }
    t.granted = false
  }

  /** Before a verb that commutes with everything others may rightly do. */
  quietTurn(t: ModelThread): void {
    if (t.unwinding) throw TOKEN
    if (this.rules.plainSteps || this.rules.delayed) this.turn(t)
  }

  /** The verb has been performed: logs it; a thread whose last step this was stops here. */
  done(t: ModelThread, verb: number, at: number, answer: number): void {
    if (t === this.outside) return
    t.record(verb, at, answer)
    if (!this.scheduled) return
    if (this.watch !== undefined) this.watch(t, verb, at, answer)
    if (++this.verbs > this.rules.maxVerbs) {
      this.fail(t, `does not terminate: ${this.rules.maxVerbs} verbs and no end`)
    }
    if (verb <= LAST_STEP) this.step(t)
  }

  /** A step, or half of one, that `t` may die after. */
  step(t: ModelThread): void {
    if (!this.scheduled) return
    this.steps++
    if (t.operation !== undefined) this.history.begin(t, this.threads)
    if (++t.steps !== t.killAfter) return
    this.end(t, DEAD)
    this.unwind(t, this.pick())
  }

  fail(t: ModelThread, message: string): never {
    if (!this.scheduled) throw new Error(message)
    this.failure ??= { message: `${t.name}: ${message}` }
    this.unwind(t, ROOT)
  }

  /** One of `n` answers that nothing in the model decides. */
  choose(n: number): number {
    if (!this.scheduled || n < 2) return 0
    const answer = this.strategy.data(n)
    if (answer < 0) this.fail(this.current, MISFITS)
    this.choices.push(-1 - answer)
    return answer
  }

  // ---- changes, spin and sleep -----------------------------------------------------------

  changed(t: ModelThread): void {
    this.waiting.changed(t)
  }

  plainStoreLands(t: number, at: number, value: number): void {
    this.clocks.drop(at)
    if (this.rules.hostile) this.past.note(at, value, t)
    if (this.cells.write(at, value, 0, t + 1)) this.changed(this.threads[t] as ModelThread)
  }

  /** Gives way until somebody has changed something since the last spin, or `ms` have passed. */
  giveWay(t: ModelThread, ms: number): void {
    if (t.unwinding) throw TOKEN
    if (!this.scheduled) return
    if (!t.begun) {
      t.begun = true
      t.granted = false
      if (!this.waiting.news(t)) this.waiting.giveWay(t, ms)
      this.free = true
    }
    this.turn(t)
    t.begun = false
    this.waiting.notice(t)
  }

  /** Goes to sleep on a word; returns when woken, or when time has run out and nobody else can run. */
  sleep(t: ModelThread, at: number, ms: number): void {
    t.begun = true
    this.waiting.sleep(t, at, ms)
    this.step(t)
    this.turn(t)
  }

  /** Wakes up to `count` sleepers of a word; all that the waker has done happens before they go on. */
  wake(t: ModelThread, at: number, count: number): number {
    let woken = 0
    while (woken < count) {
      const sleeper = this.waiting.rouseFirst(at, t.stamp())
      if (sleeper === undefined) break
      this.clocks.join(sleeper.index, t.index)
      woken++
    }
    return woken
  }

  // ---- the schedule ------------------------------------------------------------------------

  private begin(): void {
    this.cells.restore()
    this.buffers.clear()
    this.clocks.begin()
    this.history.clear()
    this.past.clear()
    this.waiting.clear()
    this.choices.length = 0
    this.failure = undefined
    this.pruned = false
    this.last = ROOT
    this.preemptions = 0
    this.surprises = this.rules.impatience
    this.free = false
    this.verbs = 0
    for (const t of this.threads) {
      t.restart()
      if (t.status === READY) this.waiting.becomeReady(t)
    }
    for (const t of this.threads) if (t.killAfter === 0 && t.status === READY) this.end(t, DEAD)
  }

  /** Who performs the next verb. ROOT when the schedule is over, for better or worse. */
  private pick(): number {
    if (this.failure !== undefined) return ROOT
    while (this.waiting.ready === 0) if (!this.passTime()) return ROOT
    if (this.surprises > 0 && !this.maySurprise()) return ROOT
    const { last, free, strategy } = this
    const { ready } = this.waiting
    const goesOn = last >= 0 && (ready & (1 << last)) !== 0
    const alone = (ready & (ready - 1)) === 0
    if (this.pruning && !(alone && goesOn)) {
      fingerprint(this, goesOn)
      if (strategy.seen(this.keyA, this.keyB, this.preemptions)) {
        this.pruned = true
        return ROOT
      }
    }
    this.free = false
    const mask = goesOn && !free && this.preemptions >= this.rules.bound ? 1 << last : ready
    const forced = (mask & (mask - 1)) === 0
    const next = forced ? 31 - Math.clz32(mask) : strategy.thread(mask, goesOn ? last : ROOT)
    if (next < 0) {
      this.failure = { message: MISFITS }
      return ROOT
    }
    if (!alone) this.choices.push(next)
    if (goesOn && next !== last && !free) this.preemptions++
    this.last = next
    const chosen = this.threads[next] as ModelThread
    chosen.granted = true
    return next
  }

  /** Lets somebody wake who need not, or not. False when a plan does not fit. */
  private maySurprise(): boolean {
    const surprises = this.waiting.surprises(this.last)
    if (surprises.length === 0) return true
    const answer = this.strategy.data(surprises.length + 1, true)
    if (answer < 0) {
      this.failure = { message: MISFITS }
      return false
    }
    this.choices.push(-1 - answer)
    if (answer === 0) return true
    this.surprises--
    surprises[answer - 1]?.()
    // Whoever wakes does not wait for somebody who is slow.
    this.free = true
    while (this.waiting.ready === 0) if (!this.passTime()) return false
    return true
  }

  private passTime(): boolean {
    const stuck = this.waiting.passTime(this.landStores, this.buffers)
    if (stuck) this.failure = { message: `deadlock: ${stuck}` }
    return stuck === undefined
  }

  private readonly landStores = (): void => this.buffers.drainAll(this)

  /** Runs `t` from its start, up to its end or its suspension. Answers who is next. */
  private run(t: ModelThread): number {
    const below = this.current
    t.rerun()
    t.onStack = true
    this.current = t
    let next = ROOT
    try {
      const result = this.program(t)
      if (t.unwinding) next = this.target
      else {
        t.result = result
        this.end(t, ENDED)
        next = this.pick()
      }
    } catch (error) {
      if (t.unwinding) next = this.target
      else this.failure ??= { message: `${t.name}: ${said(error)}`, error }
    }
    t.onStack = false
    this.current = below
    return next
  }

  private unwind(t: ModelThread, target: number): never {
    t.unwinding = true
    this.target = target
    throw TOKEN
  }

  private end(t: ModelThread, status: number): void {
    this.waiting.leave(t, status)
    this.changed(t)
    for (const heir of this.threads) {
      if (heir.after !== t.index || heir.status !== UNBORN) continue
      this.buffers.drain(this, t.index)
      this.clocks.join(heir.index, t.index)
      this.waiting.becomeReady(heir)
      if (heir.killAfter === 0) this.end(heir, DEAD)
    }
  }
}

function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

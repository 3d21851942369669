/**
 * What threads say about themselves: remarks, and operations with a beginning and an end.
 *
 * `Control` is handed to every body. Whatever it writes down is written when it happens for the
 * first time and not again when the thread is re-run. An operation's interval is drawn as tightly as
 * is honest: it begins with its first step (a caller could have called just then) and ends right
 * after its last, so that fewer pairs count as concurrent and more histories can be refuted.
 *
 * States that differ only in what has been said so far must not be merged when somebody will judge
 * it. Remarks count with their whole order. Operations count with what linearizability looks at:
 * which operations of the others had ended when this one began.
 */

import type { Memory } from '#src/memory/memory.ts'
import type { Engine } from './engine.ts'
import { isFault } from './faultyMemory.ts'
import { mixA, mixB } from './hash.ts'
import type { Operation } from './linearizable.ts'
import { DEAD, ENDED, type ModelThread, TOKEN } from './thread.ts'
import { BEGIN, CAUGHT, CHOOSE, END, EVENT, LOOK } from './verbs.ts'

export interface Remark {
  readonly thread: number
  readonly payload: unknown
}

export class History {
  readonly remarks: Remark[] = []
  readonly operations: Operation[] = []
  hashA = 0
  hashB = 0
  private moment = 0

  clear(): void {
    this.remarks.length = 0
    this.operations.length = 0
    this.hashA = 0
    this.hashB = 0
    this.moment = 0
  }

  remark(t: ModelThread, payload: unknown): void {
    this.remarks.push({ thread: t.index, payload })
    this.hashA = mixA(this.hashA, t.index)
    this.hashB = mixB(this.hashB, t.index)
  }

  /** The operation that `t` has announced begins now, if it has not yet. */
  begin(t: ModelThread, threads: readonly ModelThread[]): void {
    const { operation } = t
    if (operation === undefined || operation.start !== 0) return
    operation.start = ++this.moment
    this.operations.push(operation)
    for (const other of threads) t.mix(other.operationsEnded)
  }

  end(t: ModelThread, result: unknown): void {
    const operation = t.operation as Operation
    operation.result = result
    operation.end = ++this.moment
    t.operation = undefined
    t.operationsEnded++
  }
}

export class Control {
  private readonly engine: Engine
  private readonly t: ModelThread
  private readonly lent: Memory

  constructor(engine: Engine, t: ModelThread, lent: Memory) {
    this.engine = engine
    this.t = t
    this.lent = lent
  }

  /** Appends a remark to the history, right after the verb performed before it. */
  event(payload: unknown): void {
    const { engine, t } = this
    if (this.recalled(EVENT)) return
    engine.history.remark(t, payload)
    engine.done(t, EVENT, 0, 0)
  }

  /** Runs `body` as one operation of the history that `linearizable` judges. */
  operation<T>(call: string, args: readonly unknown[], body: () => T): T {
    const { engine, t } = this
    if (!this.recalled(BEGIN)) {
      const end = Number.POSITIVE_INFINITY
      t.operation = { thread: t.index, call, args, result: undefined, start: 0, end }
      engine.done(t, BEGIN, 0, 0)
    }
    const result = body()
    if (!this.recalled(END)) {
      engine.history.begin(t, engine.threads)
      engine.history.end(t, result)
      engine.done(t, END, 0, 0)
    }
    return result
  }

  /** The memory for handles that a body makes itself: calls in attempts may fail. */
  get library(): Memory {
    return this.lent
  }

  /**
   * Runs `body` as something that may end with an exception which the thread survives: that of the
   * rule `fault`. Answers whether it came to its end. All other exceptions pass.
   */
  attempt(body: () => void): boolean {
    const { engine, t } = this
    if (t.fault === undefined) {
      body()
      return true
    }
    t.attempts++
    let ended = false
    try {
      body()
      // A cut that somebody has caught is a cut all the same.
      ended = !t.cut
    } catch (error) {
      if (!isFault(t, error)) throw error
    }
    t.attempts--
    if (ended) return true
    if (t.cut) t.restore()
    t.cut = false
    if (!this.recalled(CAUGHT)) {
      // The operation has taken effect or not; nobody will ever hear what it returned.
      t.operation = undefined
      engine.done(t, CAUGHT, 0, 0)
    }
    return false
  }

  /** Whether an attempt was ended by a cut: what it has left is mended in a turn of its own. */
  get wasCut(): boolean {
    return this.t.struck && this.t.fault?.kind === 'cut'
  }

  /** One of 0 .. n-1; the explorer tries them all. */
  choose(n: number): number {
    const { engine, t } = this
    if (t.cursor < t.logged) return t.recall(CHOOSE, n)
    if (t.unwinding) throw TOKEN
    const answer = engine.choose(n)
    engine.done(t, CHOOSE, n, answer)
    return answer
  }

  /** Whether that thread has been killed. A look at shared state, like a load. */
  dead(name: string): boolean {
    return this.look(name) === DEAD
  }

  /** Whether that thread has been killed or has come to its end. */
  ended(name: string): boolean {
    return this.look(name) >= ENDED
  }

  private look(name: string): number {
    const { engine, t } = this
    const other = engine.threads.find((each) => each.name === name)
    if (other === undefined) throw new Error(`no thread is named "${name}"`)
    if (t.cursor < t.logged) return t.recall(LOOK, other.index)
    engine.turn(t)
    const status = other.status >= ENDED ? other.status : 0
    if (status !== 0) engine.clocks.join(t.index, other.index)
    engine.done(t, LOOK, other.index, status)
    return status
  }

  private recalled(verb: number): boolean {
    const { t } = this
    if (t.cursor < t.logged) {
      t.recall(verb, 0)
      return true
    }
    if (t.unwinding) throw TOKEN
    return false
  }
}

/**
 * One thread of a scenario: its log, and what the scheduler knows of it.
 *
 * A thread is ordinary synchronous code. To take it off the processor we throw a private token
 * through it; to put it back we run it again from the start and answer its first verbs from this
 * log, without any effect. That works because a thread is a deterministic function of the answers
 * it gets. A log entry is a tag (verb and address) and one answer or more; a re-run that asks
 * another question than last time is told so at once.
 *
 * The log's fingerprint therefore *is* the thread's private state, which is what makes it possible
 * to recognise a state of the whole model without looking into anybody's local variables.
 */

import { mixA, mixB, SEED_A, SEED_B } from './hash.ts'
import type { Operation } from './linearizable.ts'
import type { Fault } from './rules.ts'
import { nameOf } from './verbs.ts'

/** Thrown through a thread to suspend it. Code under test must let it pass; `report` knows it by this name. */
export const TOKEN: unique symbol = Symbol.for('uma-smr: suspend this thread')

export const READY = 0
/** Breathing or sleeping: runs again when somebody has changed a word, or when time passes. */
export const PAUSED = 1
/** Asleep on a word. */
export const WAITING = 2
/** Starts when the thread it comes after has ended. */
export const UNBORN = 3
export const ENDED = 4
/** Killed. */
export const DEAD = 5

const VERB_BITS = 5
const STAMP_BITS = 4
export const MAX_THREADS: number = 2 ** STAMP_BITS - 1

export class ModelThread {
  readonly index: number
  readonly name: string
  /** Which thread this one comes after, or -1. */
  readonly after: number
  /** How many entries' worth of log there are, and how many of them this run has used. */
  logged = 0
  cursor = 0
  hashA: number = SEED_A
  hashB: number = SEED_B
  status: number = READY
  /** Chosen to perform its next verb; no need to ask again. */
  granted = false
  /** The token is on its way through. */
  unwinding = false
  onStack = false
  /** In the middle of a verb of two phases (pause, sleep, wait). */
  begun = false
  waitsAt = 0
  wakesAt = 0
  /** Changes made by others up to the last spin, and changes made by this thread. */
  noticed = 0
  own = 0
  /** Steps taken, and the one that is its last. -1: lives. */
  steps = 0
  killAfter = -1
  /** The exception that this thread survives, and whether it has met it. */
  fault: Fault | undefined = undefined
  struck = false
  /** In this run: attempts that it is in, calls made in attempts, and whether one is being cut off. */
  attempts = 0
  calls = 0
  cut = false
  /** What `prepare` has returned in this run, and what puts all of it back as it was at the cut. */
  handles: unknown = undefined
  restore: () => void = () => {}
  result: unknown = undefined
  /** The operation that this thread is in, for the history. */
  operation: Operation | undefined = undefined
  operationsEnded = 0
  private log = new Int32Array(256)
  private prepared = 0

  constructor(index: number, name: string, after: number) {
    this.index = index
    this.name = name
    this.after = after
  }

  /** What has been logged so far is the same in every schedule. */
  keepPrepared(): void {
    this.prepared = this.logged
  }

  restart(): void {
    this.logged = this.prepared
    this.cursor = 0
    this.hashA = SEED_A
    this.hashB = SEED_B
    this.status = this.after < 0 ? READY : UNBORN
    this.granted = false
    this.begun = false
    this.noticed = 0
    this.own = 0
    this.steps = 0
    this.struck = false
    this.result = undefined
    this.operation = undefined
    this.operationsEnded = 0
  }

  /** From the start, with the log as it is. */
  rerun(): void {
    this.cursor = 0
    this.unwinding = false
    this.attempts = 0
    this.calls = 0
    this.cut = false
  }

  /** The next answer of the log, to the same question. */
  recall(verb: number, at: number): number {
    const { log, cursor } = this
    if (log[cursor] !== ((at << VERB_BITS) | verb)) {
      const tag = log[cursor] as number
      throw new Error(
        `thread ${this.name} is not deterministic: re-run, it asks for ${nameOf(verb)} ${at} where it asked for ${nameOf(tag & (2 ** VERB_BITS - 1))} ${tag >> VERB_BITS}; a body must build its own handles and depend on nothing but its verbs`,
      )
    }
    this.cursor = cursor + 2
    return log[cursor + 1] as number
  }

  /** For verbs without an answer: whether this one has been performed before. */
  recalled(verb: number, at: number): boolean {
    if (this.cursor === this.logged) return false
    this.recall(verb, at)
    return true
  }

  /** A further word of the answer just recalled. */
  recallMore(): number {
    return this.log[this.cursor++] as number
  }

  record(verb: number, at: number, answer: number): void {
    const place = this.logged
    if (place + 2 > this.log.length) this.grow()
    this.log[place] = (at << VERB_BITS) | verb
    this.log[place + 1] = answer
    this.logged = place + 2
    this.cursor = place + 2
    this.mix(answer)
  }

  recordMore(answer: number): void {
    if (this.logged === this.log.length) this.grow()
    this.log[this.logged++] = answer
    this.cursor = this.logged
    this.mix(answer)
  }

  /** Takes into the thread's state something that its answers alone do not show. */
  mix(value: number): void {
    this.hashA = mixA(this.hashA, value)
    this.hashB = mixB(this.hashB, value)
  }

  /** Names the write that this thread performs next: who, and where in its log. Never 0. */
  stamp(): number {
    return (this.logged << STAMP_BITS) | (this.index + 1)
  }

  private grow(): void {
    const larger = new Int32Array(this.log.length * 2)
    larger.set(this.log)
    this.log = larger
  }
}

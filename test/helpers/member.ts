/**
 * The worker's side of spawn.ts: one member of a team.
 *
 *     const member = new Member<Task>()          // what this worker was told
 *     ...                                        // attach, open, prepare
 *     member.begin()                             // all members begin together
 *     while (!member.stopped) ...                // until the time is over
 *     member.report({ reads, writes })           // and say what was seen
 *
 * Start and stop are words of shared memory, not messages: a worker in a tight loop never returns to
 * its event loop, where messages wait. What a member finds wrong is a violation: it is counted where
 * the parent can read it even if the member never reports, and the first few are told in words.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { Random } from './random.ts'

/** Words of the line that parent and members share. */
export const GO = 0
export const STOP = 1
export const VIOLATIONS = 2
export const LINE_WORDS = 3

const MOST_NOTES = 4

/** What spawn.ts tells each member. */
export interface Orders<T> {
  readonly index: number
  readonly seed: number
  readonly line: Int32Array<SharedArrayBuffer>
  /** Whether the first violation ends the run. */
  readonly stopAtFirst: boolean
  /** What kind of member this is: for messages. */
  readonly role: string
  /** What the worker file itself wants to know. */
  readonly task: T
}

/** What a member says at the end. */
export interface Report {
  readonly counts: Readonly<Record<string, number>>
  readonly violations: number
  /** The first few violations, in words. */
  readonly notes: readonly string[]
  /** What only one test wants to hear. */
  readonly extra: unknown
}

export type Message = 'ready' | Report

export class Member<T> {
  readonly index: number
  readonly role: string
  readonly task: T
  readonly random: Random
  private readonly line: Int32Array<SharedArrayBuffer>
  private readonly stopAtFirst: boolean
  private readonly notes: string[] = []
  private violations = 0

  constructor() {
    const orders = workerData as Orders<T>
    this.index = orders.index
    this.role = orders.role
    this.task = orders.task
    this.line = orders.line
    this.stopAtFirst = orders.stopAtFirst
    this.random = new Random(orders.seed, orders.index)
  }

  /** Waits at the start line until every member is there. */
  begin(): void {
    parentPort?.postMessage('ready' satisfies Message)
    Atomics.wait(this.line, GO, 0)
  }

  /** Whether the run is over. */
  get stopped(): boolean {
    return Atomics.load(this.line, STOP) !== 0
  }

  /** Something was seen that must never be. */
  violation(what: string): void {
    this.violations++
    Atomics.add(this.line, VIOLATIONS, 1)
    if (this.notes.length < MOST_NOTES) this.notes.push(`${this.role} ${this.index}: ${what}`)
    if (this.stopAtFirst) Atomics.store(this.line, STOP, 1)
  }

  /** Runs `fn`; an error that it throws is a violation too. */
  guard(fn: () => void): void {
    try {
      fn()
    } catch (error) {
      this.violation(`threw ${String(error)}`)
    }
  }

  report(counts: Readonly<Record<string, number>>, extra?: unknown): void {
    const { violations, notes } = this
    parentPort?.postMessage({ counts, violations, notes, extra } satisfies Message)
  }
}

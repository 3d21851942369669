/**
 * Callbacks that run when nobody can see any more what their caller has unlinked: OpenBSD's
 * smr_call, XNU's smr_call.
 *
 *   call -> the open batch -> sealed under one goal -> polled between turns -> run, in order
 *
 * Batching is the same idea as in a zone: one goal, and so one step of the clock, for all that a
 * worker queues in a turn of its event loop; for less when the batch grows beyond what XNU caps it
 * at, in callbacks or in the bytes that they say they will free. A batch runs on the worker that
 * queued it, between turns, outside any section; a long one is spread over turns, so that the event
 * loop stays responsive. A callback that throws does not keep the others from running.
 *
 * Functions are private memory: nobody else can run them. What others can see are two counters in
 * the worker's words, how many it has queued and how many of these are settled. A barrier reads the
 * first of each worker and waits for the second to get there. [C] The counter of settled ones moves
 * after the callback has returned, by an atomic store: if a barrier's load reads it, all that the
 * callback did happens before; if it reads less, the barrier waits. A worker that leaves or dies
 * settles what it had queued without having run it, and that is counted as lost.
 */

import { later, report } from '../host.ts'
import { ReaderWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Space } from '../memory/space.ts'
import type { Seq } from '../seq.ts'
import { type Goals, PATIENT, URGENT } from './goals.ts'
import { dropCalls } from './reap.ts'

/** What `smr.call` can be told. */
export interface CallOptions {
  /** Roughly how many bytes the callback will free, from 0 on. Default 0. */
  readonly bytes?: number
  /** Not to be delayed for the sake of batching. */
  readonly expedite?: boolean
}

/** XNU's caps: a batch with so many callbacks, or bytes to free, moves the clock at once. */
const BATCH_CALLBACKS = 128
const BATCH_BYTES = 2 ** 18
/** How long callbacks may run in one turn before the event loop gets its chance. */
const BUDGET_MS = 2
/** How often a batch is polled before the clock is urged on for it. */
const PATIENT_POLLS = 2
const LONGEST_DELAY_MS = 8
/** Callbacks keep their worker's event loop alive for so long while readers do not leave. */
const KEEP_ALIVE_MS = 30_000

interface Batch {
  readonly goal: Seq
  readonly callbacks: readonly (() => void)[]
  /** How many of them have been run. */
  next: number
}

/** The callbacks of one worker in one domain. */
export class Calls {
  private readonly memory: Memory
  private readonly goals: Goals
  private readonly reader: number
  private readonly isAlive: () => boolean
  private readonly hurryAt: number
  private open: (() => void)[] = []
  private openBytes = 0
  private readonly batches: Batch[] = []
  private scheduled = false
  private closed = false
  private polls = 0
  private since = 0
  private hurried = 0

  constructor(space: Space, goals: Goals, hurryAt: number, isAlive: () => boolean) {
    this.memory = space.memory
    this.goals = goals
    this.reader = goals.readers.address(space.slot)
    this.isAlive = isAlive
    this.hurryAt = hurryAt
    this.hurried = this.memory.load(hurryAt)
  }

  /** How many wait. */
  get size(): number {
    const { memory, reader } = this
    return (memory.load(reader + ReaderWords.queued) - this.settled()) | 0
  }

  queue(callback: () => void, bytes: number, expedite: boolean): void {
    const { memory, reader } = this
    this.open.push(callback)
    this.openBytes += bytes
    memory.add(reader + ReaderWords.queued, 1)
    memory.tally(reader + ReaderWords.calls, 1)
    const full = this.open.length >= BATCH_CALLBACKS || this.openBytes >= BATCH_BYTES
    if (full || expedite) this.seal(true)
    if (expedite) this.polls = PATIENT_POLLS
    this.schedule(0)
  }

  /** Closes the open batch under a goal. `force`: the write hand shall get there. */
  seal(force: boolean): void {
    if (this.open.length === 0) return
    const { goals } = this
    goals.makeRoom()
    const goal = goals.stamp()
    if (force) goals.commit(goal)
    this.batches.push({ goal, callbacks: this.open, next: 0 })
    this.open = []
    this.openBytes = 0
  }

  /** What the worker does between two turns. @internal */
  pump(): void {
    this.scheduled = false
    if (this.closed) return
    if (!this.isAlive()) {
      this.drop()
      return
    }
    this.seal(false)
    const hurry = this.memory.load(this.hurryAt)
    if (hurry !== this.hurried) this.polls = PATIENT_POLLS
    this.hurried = hurry
    const done = this.runExpired(this.memory.now() + BUDGET_MS)
    if (this.batches.length > 0 || this.open.length > 0) {
      this.schedule(done ? Math.min(2 ** this.polls, LONGEST_DELAY_MS) : 0)
    }
  }

  /**
   * The worker leaves, or the domain ends: runs what may run now, and drops the rest. Returns how
   * many were dropped.
   */
  close(): number {
    if (this.closed) return 0
    this.seal(true)
    this.polls = PATIENT_POLLS
    this.runExpired(Number.POSITIVE_INFINITY)
    this.closed = true
    return this.drop()
  }

  /** Runs batches whose goal is met, oldest first. False when the budget ended before they did. */
  private runExpired(deadline: number): boolean {
    for (let batch = this.batches[0]; batch !== undefined; batch = this.batches[0]) {
      const mood = this.polls < PATIENT_POLLS ? PATIENT : URGENT
      if (batch.next === 0 && !this.goals.look(batch.goal, mood, undefined)) {
        if (this.polls === 0) this.since = this.memory.now()
        this.polls++
        return true
      }
      this.polls = 0
      while (batch.next < batch.callbacks.length) {
        if (this.closed) return true
        this.run(batch.callbacks[batch.next] as () => void, batch)
        if (this.memory.now() >= deadline && batch.next < batch.callbacks.length) return false
      }
      this.batches.shift()
      if (this.memory.now() >= deadline) return this.batches.length === 0
    }
    return true
  }

  private run(callback: () => void, batch: Batch): void {
    const { memory, reader } = this
    batch.next++
    try {
      callback()
    } catch (error) {
      memory.tally(reader + ReaderWords.callErrors, 1)
      report(error)
    }
    if (!this.closed) memory.add(reader + ReaderWords.settled, 1) // [C]
  }

  private drop(): number {
    this.closed = true
    this.open = []
    this.batches.length = 0
    return this.isAlive() ? dropCalls(this.memory, this.reader) : 0
  }

  private schedule(ms: number): void {
    if (this.scheduled || this.closed) return
    this.scheduled = true
    const stuck = this.polls > 0 && this.memory.now() - this.since > KEEP_ALIVE_MS
    later(() => this.pump(), ms, !stuck)
  }

  private settled(): number {
    return this.memory.load(this.reader + ReaderWords.settled)
  }
}

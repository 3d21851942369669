/**
 * Callbacks that run when no reader can reach what their caller has unlinked (OpenBSD's and XNU's
 * smr_call), and waiting for the callbacks of all workers (smr_barrier).
 *
 *   call -> the open batch -> sealed under one goal -> polled between turns -> run, in order
 *
 * Batching is as in a zone: one goal, and so one step of the clock, for all that a worker queues
 * in a turn of its event loop; a batch that grows beyond XNU's caps, in callbacks or in the bytes
 * that they will free, is sealed at once. A batch runs on the worker that queued it, between
 * turns, outside any section; a long one is spread over several turns, so that the event loop
 * stays responsive. A callback that throws does not keep the others from running.
 *
 * Functions are private memory: no other worker can run them. Two shared counters of the worker
 * tell how many it has queued and how many of these are completed. A barrier reads the first of
 * each worker and waits until the second has got there. [C] The counter of completed ones moves
 * after the callback has returned, by an atomic add: if a barrier's load reads it, all that the
 * callback did happens before; if it reads less, the barrier waits. Otherwise (moved before, or
 * plainly) the barrier could end while a callback is still running. A worker that leaves or dies
 * completes what it had queued without running it. How many are lost is computed: all, less those
 * that ran, less those that wait. So a death between two counters cannot make it wrong.
 *
 * A callback may also detach its worker or destroy the domain. Those verbs run the rest of the
 * queue themselves, in the middle of one of its callbacks. So every loop here asks anew what comes
 * next, and the callback that runs counts as completed when it calls such a verb.
 */

import { Exhausted } from '../base/errors.ts'
import { report } from '../base/host.ts'
import type { Seq } from '../base/seq.ts'
import { ReaderWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Space } from '../space/space.ts'
import type { Turn } from '../space/turn.ts'
import { isThenable } from '../space/wait.ts'
import { type Goals, PATIENT, URGENT } from './goals.ts'
import type { Readers } from './poll.ts'
import { dropCalls } from './reap.ts'
import { outside } from './trackers.ts'

/** Options of `smr.call`. */
export interface CallOptions {
  /** Roughly how many bytes the callback will free, from 0 on. Default 0. */
  readonly bytes?: number
  /** Moves the clock at once, and does not wait for a batch to fill. Default false. */
  readonly expedite?: boolean
}

/**
 * XNU's caps: a batch with so many callbacks, or so many bytes to free, moves the clock at once.
 */
export const BATCH_CALLBACKS = 128
export const BATCH_BYTES: number = 2 ** 18
/** How long callbacks may run in one turn. The rest run in later turns. */
const BUDGET_MS = 2
/** How often a batch is polled before a poll moves the clock for it. */
const PATIENT_POLLS = 2
const LONGEST_DELAY_MS = 8
/**
 * While readers do not leave, waiting callbacks keep the event loop alive for at most this long.
 */
export const KEEP_ALIVE_MS = 30_000

interface Batch {
  /** Batches of a worker are numbered in the order in which they were sealed. */
  readonly number: number
  readonly goal: Seq
  readonly callbacks: readonly (() => void)[]
  /** How many of them have been called. */
  next: number
}

/** The callbacks of one worker in one domain. */
export class Calls {
  private readonly memory: Memory
  private readonly turn: Turn
  private readonly goals: Goals
  private readonly reader: number
  private readonly isAlive: () => boolean
  private readonly hurryAt: number
  private open: (() => void)[] = []
  private openBytes = 0
  private readonly batches: Batch[] = []
  private sealed = 0
  /** Batches up to this number are urgent. */
  private urgent = 0
  /** Number of the pump that is scheduled, 0 none. An older one that comes late does nothing. */
  private due = 0
  /** The delay with which it was scheduled. */
  private dueIn = 0
  private pumps = 0
  private running = false
  private closed = false
  /** Failed polls for the oldest batch, and the time of the first. */
  private polls = 0
  private since: number | undefined
  private hurried = 0
  /** Callbacks queued, and callbacks run, that the shared tallies do not count yet. */
  private uncounted = 0
  private uncountedRun = 0

  constructor(space: Space, goals: Goals, hurryAt: number, isAlive: () => boolean) {
    this.memory = space.memory
    this.turn = space.turn
    this.goals = goals
    this.reader = goals.readers.address(space.slot)
    this.isAlive = isAlive
    this.hurryAt = hurryAt
    this.hurried = this.memory.load(hurryAt)
  }

  queue(callback: () => void, bytes: number, expedite: boolean): void {
    const { memory, reader } = this
    // Counted before it is queued: a barrier never takes for completed what has still to run. If an
    // exception comes in between, one too many is counted: see `reconcile`.
    memory.add(reader + ReaderWords.queued, 1)
    this.open.push(callback)
    this.uncounted++
    this.openBytes += bytes
    this.count()
    const full = this.open.length >= BATCH_CALLBACKS || this.openBytes >= BATCH_BYTES
    if (full || expedite) this.seal(true)
    if (expedite) this.hurry()
    else if (this.due === 0) this.schedule(0)
  }

  /** Makes all sealed batches urgent: their polls move the clock, and come without a delay. */
  hurry(): void {
    this.urgent = this.sealed
    const isDueNow = this.due !== 0 && this.dueIn === 0
    if (this.batches.length > 0 && !isDueNow) this.schedule(0)
  }

  /** In a turn of its own: schedules a pump if a call queued callbacks and failed before it did. */
  check(): void {
    if (this.due === 0 && this.batches.length + this.open.length > 0) this.schedule(0)
  }

  /** Seals the open batch with a goal. `force`: also moves the write hand there. */
  seal(force: boolean): void {
    if (this.open.length === 0) return
    const { goals } = this
    goals.makeRoom()
    const goal = goals.stamp()
    if (force) goals.commit(goal)
    // No calls from here on, so no exception can come in between: each callback is in one batch.
    this.sealed++
    this.batches[this.batches.length] = {
      number: this.sealed,
      goal,
      callbacks: this.open,
      next: 0,
    }
    this.open = []
    this.openBytes = 0
  }

  /** Runs between two turns: seals, polls, runs what is due. @internal */
  pump(): void {
    this.due = 0
    if (this.closed) return
    if (!this.isAlive()) {
      this.forget()
      return
    }
    this.reconcile()
    this.seal(false)
    const hurry = this.memory.load(this.hurryAt)
    if (hurry !== this.hurried) this.urgent = this.sealed
    this.hurried = hurry
    const inTime = this.runExpired(this.memory.now() + BUDGET_MS)
    if (this.due === 0 && (this.batches.length > 0 || this.open.length > 0)) {
      this.schedule(inTime ? Math.min(2 ** this.polls, LONGEST_DELAY_MS) : 0)
    }
  }

  /**
   * The worker is about to leave, or to destroy the domain: runs now all whose goal is met. True
   * when nothing is left. May be called by a callback.
   */
  runDue(): boolean {
    if (!this.closed && this.isAlive()) this.reconcile()
    this.seal(true)
    this.urgent = this.sealed
    outside(() => this.runExpired(Number.POSITIVE_INFINITY))
    return this.batches.length === 0 && this.open.length === 0
  }

  /** The worker leaves: what has not run never will. Returns how many are lost. */
  drop(): number {
    this.completeRunning()
    const isOver = this.closed || !this.isAlive()
    if (!isOver) this.count()
    const lost = isOver ? 0 : dropCalls(this.memory, this.reader)
    this.forget()
    return lost
  }

  /** The worker has left, or the domain is gone: touches shared words no more. */
  forget(): void {
    this.closed = true
    this.open = []
    this.batches.length = 0
  }

  /**
   * Runs batches whose goal is met, oldest first, but none that these callbacks fill. False when
   * the deadline came first.
   */
  private runExpired(deadline: number): boolean {
    const last = this.sealed
    for (let batch = this.batches[0]; batch !== undefined; batch = this.batches[0]) {
      if (batch.number > last) return true
      if (batch.next === 0 && !this.isMet(batch)) return true
      let inTime = true
      while (batch.next < batch.callbacks.length && inTime && !this.closed) {
        this.run(batch)
        inTime = this.memory.now() < deadline
      }
      // A callback may have run the rest itself, and perhaps the next batch too.
      if (batch.next === batch.callbacks.length && this.batches[0] === batch) this.batches.shift()
      if (!inTime) return this.batches.length === 0
    }
    return true
  }

  private isMet(batch: Batch): boolean {
    const hurry = batch.number <= this.urgent || this.polls >= PATIENT_POLLS
    if (this.goals.look(batch.goal, hurry ? URGENT : PATIENT, undefined)) {
      this.polls = 0
      this.since = undefined
      return true
    }
    this.polls++
    this.since ??= this.memory.now()
    return false
  }

  private run(batch: Batch): void {
    const callback = batch.callbacks[batch.next] as () => unknown
    batch.next++
    this.running = true
    try {
      const result = callback()
      if (isThenable(result)) result.then(undefined, (error: unknown) => this.failed(error))
    } catch (error) {
      this.failed(error)
    }
    this.completeRunning()
  }

  /**
   * Called between two turns, or by a callback that runs the rest: no call of this queue is under
   * way, so what was queued is completed or waits here. If the counter says more, a call has
   * counted and then failed. That is completed here, or a barrier would wait for it for ever.
   */
  private reconcile(): void {
    const { memory, reader } = this
    this.completeRunning()
    this.count()
    let left = this.open.length
    for (const { callbacks, next } of this.batches) left += callbacks.length - next
    const completed = memory.load(reader + ReaderWords.completed)
    const lost = (memory.load(reader + ReaderWords.queued) - completed - left) | 0
    if (lost > 0) memory.add(reader + ReaderWords.completed, lost)
  }

  /** Writes both tallies. If an exception comes in between, the next call does the rest. */
  private count(): void {
    if (this.closed) return
    const { memory, reader } = this
    if (this.uncounted > 0) {
      memory.tally(reader + ReaderWords.calls, this.uncounted)
      this.uncounted = 0
    }
    if (this.uncountedRun === 0) return
    memory.tally(reader + ReaderWords.callsRun, this.uncountedRun)
    this.uncountedRun = 0
  }

  private completeRunning(): void {
    if (!this.running) return
    this.running = false
    this.uncountedRun++
    this.count()
    if (this.closed) return
    this.memory.add(this.reader + ReaderWords.completed, 1) // [C]
  }

  private failed(error: unknown): void {
    if (!this.closed && this.isAlive()) {
      this.memory.tally(this.reader + ReaderWords.callErrors, 1)
    }
    report(error)
  }

  /** Schedules a pump, outside the running task: it serves callbacks of many tasks. */
  private schedule(ms: number): void {
    if (this.closed) return
    const pump = ++this.pumps
    const stuck = this.since !== undefined && this.memory.now() - this.since > KEEP_ALIVE_MS
    const run = (): void => {
      if (pump === this.pumps) this.pump()
    }
    outside(() => this.turn.later(run, ms, !stuck))
    this.dueIn = ms
    this.due = pump
  }
}

// ---- waiting for the callbacks of all workers -----------------------------------------------

// No worker is interrupted or asked. The waiter reads each worker's count of queued callbacks, and
// then, between turns, its count of completed ones, until all have got there. A worker that left or
// died has completed all; the generation of its slot has risen, so its successor is not mistaken
// for it.

/** How many callbacks a worker had queued at some time. */
interface Mark {
  readonly slot: number
  readonly workerId: number
  readonly queued: number
}

/** The callbacks that all workers have queued so far. */
export class Queued {
  private readonly space: Space
  private readonly readers: Readers
  private marks: readonly Mark[]

  constructor(space: Space, readers: Readers) {
    const { memory, workers } = space
    this.space = space
    this.readers = readers
    // First the id, then the counter: a successor's counter is never less than its predecessor's.
    this.marks = workers.attached().map((slot) => ({
      slot,
      workerId: workers.idOf(slot),
      queued: memory.load(readers.address(slot) + ReaderWords.queued),
    }))
  }

  /** Whether all of them have run, or will never run. */
  areCompleted(): boolean {
    const { memory, workers } = this.space
    this.marks = this.marks.filter(({ slot, workerId, queued }) => {
      const completed = memory.load(this.readers.address(slot) + ReaderWords.completed)
      return workers.idOf(slot) === workerId && ((completed - queued) | 0) < 0
    })
    return this.marks.length === 0
  }

  /** The error that names the workers whose callbacks have not run. */
  notCompleted(call: string, domain: string, timeoutMs: number): Exhausted {
    // No mark is left: then it is our own callbacks, which queue new ones all the time.
    const own = this.space.workers.idOf(this.space.slot)
    const workers = this.marks.map(({ workerId }) => workerId).join(', ') || String(own)
    return new Exhausted(
      `${call}: callbacks of worker ${workers} have not run after ${timeoutMs} ms; it blocks its thread, or is dead: reap it`,
      { domain, workers },
    )
  }
}

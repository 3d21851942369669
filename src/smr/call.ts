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
 * the worker's words, how many it has queued and how many of these are completed. A barrier reads the
 * first of each worker and waits for the second to get there. [C] The counter of completed ones moves
 * after the callback has returned, by an atomic add: if a barrier's load reads it, all that the
 * callback did happens before; if it reads less, the barrier waits. Otherwise (moved before, or
 * plainly) somebody could take for done what is still being done. A worker that leaves or dies
 * completes what it had queued without having run it: what was called, has not run and does not wait
 * is lost. It is counted by what is left, so that a death between two counts cannot make it wrong.
 *
 * Callbacks may do anything, also what ends their own worker's attachment or their domain. Those
 * verbs run what is left of the queue themselves, in the middle of one of it: so every loop here
 * asks anew what comes next, and the one that runs counts as completed when it calls such a verb.
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

/** What `smr.call` can be told. */
export interface CallOptions {
  /** Roughly how many bytes the callback will free, from 0 on. Default 0. */
  readonly bytes?: number
  /** Not to be delayed for the sake of batching. */
  readonly expedite?: boolean
}

/** XNU's caps: a batch with so many callbacks, or bytes to free, moves the clock at once. */
export const BATCH_CALLBACKS = 128
export const BATCH_BYTES: number = 2 ** 18
/** How long callbacks may run in one turn before the event loop gets its chance. */
const BUDGET_MS = 2
/** How often a batch is polled before the clock is urged on for it. */
const PATIENT_POLLS = 2
const LONGEST_DELAY_MS = 8
/** Callbacks keep their worker's event loop alive for so long while readers do not leave. */
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
  /** Up to this batch, somebody is in a hurry. */
  private urgent = 0
  /** The number of the pump that is due; 0 when none is. An older one that comes late does nothing. */
  private due = 0
  /** Milliseconds that it was put off for. */
  private dueIn = 0
  private pumps = 0
  private running = false
  private closed = false
  /** How often, and since when, the oldest batch has been polled in vain. */
  private polls = 0
  private since: number | undefined
  private hurried = 0
  /** Callbacks that wait here, and that have run, since the tallies of these were last written. */
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
    // Counted before it waits here: a barrier never takes for completed what is still to run. If an
    // exception comes in between, one is counted that nobody has: see `reconcile`.
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

  /** Somebody waits for what is sealed: no batch up to it is polled patiently, or after a pause. */
  hurry(): void {
    this.urgent = this.sealed
    const isDueNow = this.due !== 0 && this.dueIn === 0
    if (this.batches.length > 0 && !isDueNow) this.schedule(0)
  }

  /** In a turn of its own: callbacks that were queued by a call which has then failed get their turn. */
  check(): void {
    if (this.due === 0 && this.batches.length + this.open.length > 0) this.schedule(0)
  }

  /** Closes the open batch under a goal. `force`: the write hand shall get there. */
  seal(force: boolean): void {
    if (this.open.length === 0) return
    const { goals } = this
    goals.makeRoom()
    const goal = goals.stamp()
    if (force) goals.commit(goal)
    // No call from here on, so nothing can come in between: each callback is in one batch.
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

  /** What the worker does between two turns. @internal */
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
   * The worker is about to leave, or to end the domain: runs at once what may run now. True when
   * nothing is left. A callback may have called for this.
   */
  runDue(): boolean {
    if (!this.closed && this.isAlive()) this.reconcile()
    this.seal(true)
    this.urgent = this.sealed
    outside(() => this.runExpired(Number.POSITIVE_INFINITY))
    return this.batches.length === 0 && this.open.length === 0
  }

  /** The worker leaves: what has not run never will. Returns how many that were. */
  drop(): number {
    this.completeRunning()
    const isOver = this.closed || !this.isAlive()
    if (!isOver) this.count()
    const lost = isOver ? 0 : dropCalls(this.memory, this.reader)
    this.forget()
    return lost
  }

  /** The worker has left, or the domain is gone: nothing here touches its words any more. */
  forget(): void {
    this.closed = true
    this.open = []
    this.batches.length = 0
  }

  /**
   * Runs batches whose goal is met, oldest first, but none that these callbacks fill. False when the
   * time was over before that.
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
      // Unless one of them has run the rest itself, and perhaps the next batch as well.
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
   * Between two turns, and where one of the callbacks calls for the rest, nothing of this queue is under
   * way: what was queued is completed, or waits here. What is more was counted by a call that has then
   * failed, or lost in one; nobody shall wait for it, nor this worker itself where it blocks.
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

  /** Both tallies. If an exception keeps one from being written, the next to count does that. */
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

  /** In a later turn, which is nobody's task: it serves callbacks of many. */
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

// Waiting for the callbacks of all workers: OpenBSD's and XNU's smr_barrier.
//
// Nobody is interrupted, and nobody is asked: each worker counts in its own words what it has queued
// and what is completed. Whoever waits notes the first counter of each worker, and looks at the second
// between turns until all have got there. A worker that left or died meanwhile has completed all; its
// slot's generation has risen, so a successor in the slot is not taken for it.

/** What a worker had queued at some time. */
interface Mark {
  readonly slot: number
  readonly workerId: number
  readonly queued: number
}

/** The callbacks queued so far, by whomever. */
export class Queued {
  private readonly space: Space
  private readonly readers: Readers
  private marks: readonly Mark[]

  constructor(space: Space, readers: Readers) {
    const { memory, workers } = space
    this.space = space
    this.readers = readers
    // The name before the counter: a successor's counter can only be later than his predecessor's.
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

  /** Who has not run theirs yet. */
  notCompleted(call: string, domain: string, timeoutMs: number): Exhausted {
    // None left: then it is our own callbacks that do not come to an end.
    const own = this.space.workers.idOf(this.space.slot)
    const workers = this.marks.map(({ workerId }) => workerId).join(', ') || String(own)
    return new Exhausted(
      `${call}: callbacks of worker ${workers} have not run after ${timeoutMs} ms; it blocks its thread, or is dead: reap it`,
      { domain, workers },
    )
  }
}

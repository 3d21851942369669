/**
 * Waiting for the callbacks of all workers: OpenBSD's and XNU's smr_barrier.
 *
 * Nobody is interrupted, and nobody is asked: each worker counts in its own words what it has queued
 * and what is settled. Whoever waits notes the first counter of each worker, and looks at the second
 * between turns until all have got there. A worker that left or died meanwhile has settled all; its
 * slot's generation has risen, so a successor in the slot is not taken for it.
 */

import { Exhausted } from '../errors.ts'
import { ReaderWords } from '../memory/layout.ts'
import type { Space } from '../memory/space.ts'
import type { Readers } from './poll.ts'

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
  areSettled(): boolean {
    const { memory, workers } = this.space
    this.marks = this.marks.filter(({ slot, workerId, queued }) => {
      const settled = memory.load(this.readers.address(slot) + ReaderWords.settled)
      return workers.idOf(slot) === workerId && ((settled - queued) | 0) < 0
    })
    return this.marks.length === 0
  }

  /** Who has not run theirs yet. */
  notSettled(call: string, domain: string, timeoutMs: number): Exhausted {
    // None left: then it is our own callbacks that do not come to an end.
    const own = this.space.workers.idOf(this.space.slot)
    const workers = this.marks.map(({ workerId }) => workerId).join(', ') || String(own)
    return new Exhausted(
      `${call}: callbacks of worker ${workers} have not run after ${timeoutMs} ms; it blocks its thread, or is dead: reap it`,
      { domain, workers },
    )
  }
}

/**
 * The other end of `peers/table-reader`: starts a reader, watches its rate, stops it.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { BATCH, BATCHES, type ReaderOrder, STOP } from '../peers/order.ts'

const WORDS = 2
const SETTLE_MS = 300

export class Reading {
  readonly #worker: Worker
  readonly #control: Int32Array<SharedArrayBuffer>

  private constructor(worker: Worker, control: Int32Array<SharedArrayBuffer>) {
    this.#worker = worker
    this.#control = control
  }

  /** A reader that has been reading for a while, so that its code is compiled. */
  static async start(order: Omit<ReaderOrder, 'control'>): Promise<Reading> {
    const control = new Int32Array(new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT))
    const worker = new Worker(new URL('../peers/tableReader.js', import.meta.url), {
      workerData: { ...order, control } satisfies ReaderOrder,
    })
    let failure: unknown
    worker.on('error', (error) => {
      failure = error
    })
    while (Atomics.load(control, BATCHES) === 0) {
      if (failure !== undefined) throw failure
      await sleep(5)
    }
    await sleep(SETTLE_MS)
    return new Reading(worker, control)
  }

  /** A mark from which `rateSince` counts. */
  mark(): Mark {
    return { at: performance.now(), batches: Atomics.load(this.#control, BATCHES) }
  }

  /** Lookups per second since the mark. */
  rateSince(mark: Mark): number {
    const now = this.mark()
    return (((now.batches - mark.batches) | 0) * BATCH * 1000) / (now.at - mark.at)
  }

  async stop(): Promise<void> {
    const exited = once(this.#worker, 'exit')
    Atomics.store(this.#control, STOP, 1)
    await exited
  }
}

export interface Mark {
  readonly at: number
  readonly batches: number
}

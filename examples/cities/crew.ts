/**
 * Worker threads, as the main thread sees them: hired, listened to, stopped, gone.
 *
 * The data is in the arena; what goes through messages here is only the order at the beginning, the
 * word to stop, and a few counts, twenty times a second.
 */

import { Worker } from 'node:worker_threads'
import { type Order, type Report, STOP } from './reports.ts'

export class Member<R extends Report> {
  readonly name: string
  /** Its newest report. */
  latest: R
  /** Its last report, once the thread has ended. Rejects when it ended in any other way. */
  readonly ended: Promise<R>
  private readonly worker: Worker

  /** `file` is a built one: Node 20 runs no TypeScript. `nothing` stands until the first report. */
  constructor(name: string, file: string, order: Order, nothing: R) {
    this.name = name
    this.latest = nothing
    const worker = new Worker(new URL(file, import.meta.url), { workerData: order })
    this.worker = worker
    worker.on('message', (report: R) => {
      this.latest = report
    })
    this.ended = new Promise((resolve, reject) => {
      worker.once('error', reject)
      worker.once('exit', () => {
        if (this.latest.last) resolve(this.latest)
        else reject(new Error(`${name} ended before its time`))
      })
    })
  }

  /** Asks it to finish its turn, leave the arena and end. */
  stop(): void {
    this.worker.postMessage(STOP)
  }

  /** Ends the thread wherever it stands. */
  terminate(): void {
    void this.worker.terminate()
  }
}

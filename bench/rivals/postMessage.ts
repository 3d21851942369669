/**
 * A worker that owns a `Map` and is asked by message: how JavaScript's threads share a table
 * without shared memory. One question is under way at a time, because what is asked here is the
 * latency of a lookup.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Fields, Key, KeyKind } from '../harness/data.ts'

export class PostMessageTable {
  readonly #worker: Worker
  #answered: (fields: Fields | undefined) => void = () => {}

  private constructor(worker: Worker) {
    this.#worker = worker
    worker.on('message', (fields: Fields | undefined) => {
      this.#answered(fields)
    })
  }

  static async open(kind: KeyKind): Promise<PostMessageTable> {
    const worker = new Worker(new URL('../peers/mapServer.js', import.meta.url), {
      workerData: kind,
    })
    await once(worker, 'message')
    return new PostMessageTable(worker)
  }

  async sum(key: Key): Promise<number> {
    const found = await this.#ask(key)
    return found === undefined ? 0 : found.population + found.lat + found.lon
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }

  #ask(key: Key): Promise<Fields | undefined> {
    return new Promise((resolve) => {
      this.#answered = resolve
      this.#worker.postMessage(key)
    })
  }
}

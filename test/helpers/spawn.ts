/**
 * Real threads under test: starts workers, lets them begin together, hears them out, ends them.
 *
 *   start all -> all say ready -> GO -> seconds pass (or somebody sounds the alarm) -> STOP -> reports
 *
 * A test with threads must end, whatever they do. So there is one time-out over everything; a worker
 * that throws, or ends without a report, fails the run at once and is named; and at the end, good or
 * bad, every worker is terminated before this returns. The worker's side is member.ts.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { built } from './built.ts'
import {
  GO,
  LINE_WORDS,
  type Message,
  type Orders,
  type Report,
  STOP,
  VIOLATIONS,
} from './member.ts'

export interface Muster<T> {
  /** The worker's source below test/, for example 'torture/ages.worker.ts'. */
  readonly script: string
  readonly members: readonly { readonly role: string; readonly task: T }[]
  readonly seed: number
  /** From the start line to the stop word. */
  readonly seconds: number
  /** For everything; then all are terminated and the run has failed. */
  readonly timeoutMs: number
  readonly stopAtFirst?: boolean
}

export interface Service {
  readonly reports: readonly Report[]
  /** From the start line to the last report. */
  readonly seconds: number
  readonly violations: number
}

/** A started worker, and the two things it has to say. */
class Recruit {
  readonly name: string
  readonly ready: Promise<unknown>
  readonly report: Promise<Report>
  readonly worker: Worker
  state = 'starting'

  constructor(script: string, orders: Orders<unknown>) {
    this.name = `${script}, ${orders.role} ${orders.index}`
    this.worker = new Worker(built(script), { workerData: orders })
    const failed = this.failure()
    const said = this.messages()
    this.ready = Promise.race([said.ready, failed])
    this.report = Promise.race([said.report, failed])
    // Whoever waits for one of them hears of a failure; the other must not cry out on its own.
    this.ready.catch(() => {})
    this.report.catch(() => {})
  }

  private messages(): { ready: Promise<void>; report: Promise<Report> } {
    let onReady: () => void
    const ready = new Promise<void>((resolve) => {
      onReady = resolve
    })
    const report = new Promise<Report>((resolve) => {
      this.worker.on('message', (message: Message) => {
        this.state = message === 'ready' ? 'running' : 'done'
        if (message === 'ready') onReady()
        else resolve(message)
      })
    })
    return { ready, report }
  }

  private failure(): Promise<never> {
    return new Promise((_, reject) => {
      this.worker.on('error', (cause) =>
        reject(new Error(`${this.name}: ${String(cause)}`, { cause })),
      )
      this.worker.on('exit', (code) => {
        if (this.state === 'done') return
        reject(new Error(`${this.name}: ended (${code}) while ${this.state}, without a report`))
      })
    })
  }
}

/** Runs a team. Rejects when a member throws, ends early or is not done in time. */
export async function spawn<T>(muster: Muster<T>): Promise<Service> {
  const { script, members, seed, seconds, timeoutMs, stopAtFirst = false } = muster
  const line = new Int32Array(new SharedArrayBuffer(LINE_WORDS * Int32Array.BYTES_PER_ELEMENT))
  const team = members.map(({ role, task }, index) => {
    return new Recruit(script, { index, seed, line, stopAtFirst, role, task })
  })
  const over = new AbortController()
  const { signal } = over
  try {
    const run = async (): Promise<Service> => {
      await Promise.all(team.map((each) => each.ready))
      const start = performance.now()
      Atomics.store(line, GO, 1)
      Atomics.notify(line, GO)
      const done = Promise.all(team.map((each) => each.report))
      await Promise.race([done, sleep(seconds * 1000, undefined, { signal })])
      Atomics.store(line, STOP, 1)
      const reports = await done
      const elapsed = (performance.now() - start) / 1000
      return { reports, seconds: elapsed, violations: Atomics.load(line, VIOLATIONS) }
    }
    return await Promise.race([run(), alarm(team, timeoutMs, signal)])
  } finally {
    over.abort()
    await Promise.all(team.map((each) => each.worker.terminate()))
  }
}

async function alarm(
  team: readonly Recruit[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<never> {
  await sleep(timeoutMs, undefined, { signal })
  const late = team.filter((each) => each.state !== 'done')
  const names = late.map((each) => `${each.name} (${each.state})`)
  throw new Error(`not done after ${timeoutMs} ms: ${names.join('; ')}`)
}

/**
 * Damage: what the library does when words of its arena are changed by somebody who should not. It
 * is no defence against a worker that means harm; it is that a stray write ends as a typed error that
 * can be read, and in time, and not as a thread that hangs or a process that is gone.
 *
 *   node build/test/torture/damageRun.js --trials 10000 --seed 1
 *
 * Trials run in a worker each of many (damage.worker.ts). A watchdog ends one whose verb does not,
 * says which trial it was, and goes on behind it.
 */

import { Worker } from 'node:worker_threads'
import type { Outcome, Task } from './damage.worker.ts'

export interface Damage {
  readonly outcomes: readonly Outcome[]
  /** Verbs that did not end. */
  readonly hangs: readonly string[]
  /** Workers that ended by themselves. */
  readonly deaths: readonly string[]
}

const LINE_WORDS = 3
const LOOK_MS = 250

/** Runs so many trials in workers of this script, damage.worker.ts as it was built. A verb that takes longer than `patienceMs` hangs. */
export async function damage(
  script: URL,
  first: number,
  trials: number,
  patienceMs: number,
  hear: (what: string) => void = () => {},
): Promise<Damage> {
  const outcomes: Outcome[] = []
  const hangs: string[] = []
  const deaths: string[] = []
  for (let seed = first; seed < first + trials; ) {
    const line = new Int32Array(new SharedArrayBuffer(LINE_WORDS * 4))
    const task: Task = { first: seed, trials: first + trials - seed, line }
    const end = await life(script, task, patienceMs, (outcome) => outcomes.push(outcome))
    if (end === undefined) break
    const at = Math.max(seed, Atomics.load(line, 0))
    const where = `trial ${at}, verb ${Atomics.load(line, 1)}`
    if (end === 'hangs') hangs.push(where)
    else deaths.push(`${where}: ${end}`)
    hear(`${where}: ${end}`)
    seed = at + 1
  }
  return { outcomes, hangs, deaths }
}

/** One worker: how it ended before its time, undefined if it did not. */
async function life(
  script: URL,
  task: Task,
  patienceMs: number,
  hear: (outcome: Outcome) => void,
): Promise<string | undefined> {
  const worker = new Worker(script, { workerData: task })
  let error: unknown
  worker.on('error', (thrown) => {
    error = thrown
  })
  worker.on('message', hear)
  let verbs = -1
  let since = performance.now()
  let hung = false
  const watchdog = setInterval(() => {
    const now = Atomics.load(task.line, 2)
    if (now !== verbs) {
      verbs = now
      since = performance.now()
    } else if (performance.now() - since > patienceMs) {
      hung = true
      void worker.terminate()
    }
  }, LOOK_MS)
  const code = await new Promise((resolve) => worker.once('exit', resolve))
  clearInterval(watchdog)
  if (hung) return 'hangs'
  if (error === undefined && code === 0) return undefined
  return String((error as Error | undefined)?.stack ?? `exit code ${code}`)
}

const SLOW_MS = 1000

/** A table of areas, and below it what must not be. */
export function tell({ outcomes, hangs, deaths }: Damage): string {
  const names = [...new Set(outcomes.map(({ area }) => area))].sort()
  const count = (of: readonly Outcome[], what: (it: Outcome) => boolean): number =>
    of.filter(what).length
  const row = (name: string, of: readonly Outcome[]): string =>
    [
      name.padEnd(13),
      of.length,
      count(of, (it) => it.errors.includes('Corruption')),
      count(of, (it) => it.errors.length > 0 && !it.errors.includes('Corruption')),
      count(of, (it) => it.errors.length === 0 && it.wrong.length === 0),
      count(of, (it) => it.wrong.length > 0),
      count(of, (it) => it.violations.length > 0),
      count(of, (it) => it.slowestMs > SLOW_MS),
    ]
      .map((cell) => String(cell).padStart(11))
      .join('')
  const head = [
    'area',
    'trials',
    'corruption',
    'other error',
    'no effect',
    'wrong',
    'violation',
    'slow',
  ]
  const rows = names.map((name) =>
    row(
      name,
      outcomes.filter(({ area }) => area === name),
    ),
  )
  const faults = outcomes.flatMap(({ seed, area, violations }) =>
    violations.slice(0, 1).map((what) => `trial ${seed} (${area}): ${what}`),
  )
  return [
    head.map((cell, i) => (i === 0 ? cell.padEnd(13) : cell).padStart(11)).join(''),
    ...rows,
    row('all', outcomes),
    ...faults,
    ...hangs.map((each) => `hangs: ${each}`),
    ...deaths.map((each) => `died: ${each}`),
  ].join('\n')
}

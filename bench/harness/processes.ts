/**
 * From variants to figures: a process for each, several times, in turns.
 *
 * The processes of one group are interleaved (first run of every variant, second run of every
 * variant, ...), so that a machine that is busy for some seconds is unkind to all of them alike.
 * What is kept of a variant is the best sample of all processes and the median of the processes'
 * medians.
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Group, Heavy, Outcome, Result, Settings, Variant } from './question.ts'

/** What a variant's process sends. */
export type Reply =
  | { readonly outcome: Outcome; readonly checksum: number }
  | { readonly skipped: string }
  | { readonly failed: string }

export interface Plan {
  readonly question: string
  readonly group: Group
  readonly processes: number
  readonly settings: Settings
  /** The Node binary that the variants run on. */
  readonly engine: string
  /** Rivals that are not there, and why. */
  readonly absent: ReadonlyMap<Heavy, string>
  /** Told before each process. */
  progress(variant: string, round: number): void
}

const SCRIPT = fileURLToPath(new URL('../variant.js', import.meta.url))
const PROCESS_LIMIT_MS = 180_000

/** Runs a group to its end. */
export async function runGroup(plan: Plan): Promise<Result[]> {
  const found = new Map<Variant, Outcome[]>()
  const notes = new Map<Variant, string>()
  for (const variant of plan.group.variants) {
    found.set(variant, [])
    const why = variant.needs === undefined ? undefined : plan.absent.get(variant.needs)
    if (why !== undefined) notes.set(variant, `skipped: ${why}`)
  }
  for (let round = 1; round <= plan.processes; round++) {
    for (const [variant, outcomes] of found) {
      if (notes.has(variant)) continue
      plan.progress(variant.name, round)
      const reply = await runProcess(plan, variant)
      if ('outcome' in reply) outcomes.push(reply.outcome)
      else notes.set(variant, 'skipped' in reply ? `skipped: ${reply.skipped}` : reply.failed)
    }
  }
  return Array.from(found, ([variant, outcomes]) => fold(variant, outcomes, notes.get(variant)))
}

function fold(variant: Variant, outcomes: readonly Outcome[], note: string | undefined): Result {
  if (note !== undefined || outcomes.length === 0) {
    return { variant: variant.name, note: note ?? 'no figures' }
  }
  const timings = outcomes.flatMap((o) => (o.timing ? [o.timing] : []))
  const facts = foldFacts(outcomes.flatMap((o) => (o.facts ? [o.facts] : [])))
  const warning = outcomes.find((o) => o.warning !== undefined)?.warning
  return {
    variant: variant.name,
    outcome: {
      ...(timings.length > 0 && {
        timing: {
          best: Math.min(...timings.map((t) => t.best)),
          median: median(timings.map((t) => t.median)),
          samples: timings.reduce((sum, t) => sum + t.samples, 0),
        },
      }),
      ...(facts !== undefined && { facts }),
      ...(warning !== undefined && { warning }),
    },
  }
}

function foldFacts(all: readonly Readonly<Record<string, number>>[]) {
  if (all.length === 0) return undefined
  const names = new Set(all.flatMap((facts) => Object.keys(facts)))
  const pairs = Array.from(names, (name) => {
    return [name, median(all.map((facts) => facts[name] ?? Number.NaN))] as const
  })
  return Object.fromEntries(pairs)
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[sorted.length >> 1] ?? Number.NaN
  const lower = sorted[(sorted.length - 1) >> 1] ?? Number.NaN
  return (upper + lower) / 2
}

function runProcess(plan: Plan, variant: Variant): Promise<Reply> {
  const { timeMs, warmupMs } = plan.settings
  const args = [plan.question, plan.group.name, variant.name, `${timeMs}`, `${warmupMs}`]
  const child = fork(SCRIPT, args, {
    execPath: plan.engine,
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  return new Promise((resolve) => {
    let reply: Reply | undefined
    const limit = setTimeout(() => {
      reply ??= { failed: `gave no answer in ${PROCESS_LIMIT_MS / 1000} s` }
      child.kill('SIGKILL')
    }, PROCESS_LIMIT_MS)
    child.on('message', (message) => {
      reply = message as Reply
    })
    child.on('error', (error) => {
      reply ??= { failed: error.message }
    })
    child.on('close', (code, signal) => {
      clearTimeout(limit)
      resolve(reply ?? { failed: `ended with ${signal ?? `code ${code}`} and no answer` })
    })
  })
}

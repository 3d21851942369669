/**
 * What all tortures share: how long, with how many threads, under which clock, from which seed; and
 * one line at the end of each run that says what happened.
 *
 *   TORTURE_SECONDS=600 TORTURE_SEED=7 npx vitest run --config test/vitest.config.ts torture
 *
 * The honest runs are long and must end without a violation. The sabotaged ones end at the first
 * violation, and must have one.
 */

import { env } from 'node:process'
import type { SmrOptions } from 'uma-smr'
import { expect } from 'vitest'
import type { Report } from '../helpers/member.ts'
import { spawn } from '../helpers/spawn.ts'
import { CONFIGS, type Config } from '../helpers/tiny.ts'
import type { Sabotage } from './sabotage.ts'

/** Seconds of an honest run on the ordinary clock; those near the wrap take a second each. */
const { TORTURE_SECONDS = 5, TORTURE_SEED } = env
const SECONDS = Number(TORTURE_SECONDS)
const WRAP_SECONDS = Math.max(1, SECONDS / 5)
/** Seconds of a run on another clock, or with other sections. */
const COMBO_SECONDS = SECONDS / 10
/** How long a sabotaged run may look for its first violation. */
const SABOTAGE_SECONDS = 18
const SABOTAGE_TIMEOUT_MS = 20_000
/** What an honest run may take for starting and ending. */
const GRACE_MS = 30_000
/** What a test may take after its team has been given up: so that it is told which member hangs. */
const AFTERMATH_MS = 10_000
const THREADS = [2, 4]
/** A step of which 2^16 go once around. */
const SMALLER = 2 ** 16
const SEEDS = 2 ** 31

/** What every run begins with, so that a failed one can be had again. */
export const SEED = Number(TORTURE_SEED ?? Math.floor(Math.random() * SEEDS))

export interface Run {
  readonly name: string
  readonly threads: number
  readonly config: Config
  readonly seconds: number
  /** For the team, and for the whole test. */
  readonly timeoutMs: number
  readonly testMs: number
  readonly sabotage: Sabotage | undefined
  /** The domain's options. */
  readonly smr: SmrOptions
  /** Whether members let their turns end now and then. */
  readonly turns: boolean
}

/**
 * Every number of threads under every clock. `pollers` of so many threads ask whether goals are met.
 *
 * The giant steps of CONFIGS go round in 64: one poller that sleeps for a moment in the middle of its
 * scan may find the read hand where it was, once round, and move it past a reader (src/smr/clock.ts
 * [S3] names the assumption). So where two can poll, steps are smaller: still round several times a
 * second, but never within one sleep.
 */
export function honestRuns(pollers: (threads: number) => number): Run[] {
  return CONFIGS.flatMap((ordinary, i) =>
    THREADS.map((threads): Run => {
      const { first, step } = ordinary.sequence
      const sequence = { first, step: pollers(threads) === 1 ? step : Math.min(step, SMALLER) }
      const config = { ...ordinary, sequence }
      const seconds = i === 0 ? SECONDS : WRAP_SECONDS
      const timeoutMs = seconds * 1000 + GRACE_MS
      const name = `${threads} threads, clock ${config.name}`
      const testMs = timeoutMs + AFTERMATH_MS
      const plain = { sabotage: undefined, smr: {}, turns: false }
      return { name, threads, config, seconds, timeoutMs, testMs, ...plain }
    }),
  )
}

const CLOCKS = ['default', 'deferred', 'lazy'] as const
const SECTIONS = ['fenced', 'turn'] as const

/** The clocks and sections that `honestRuns` does not have, one short run of each. */
export function comboRuns(): Run[] {
  return CLOCKS.flatMap((clock) =>
    SECTIONS.filter((sections) => clock !== 'default' || sections !== 'fenced').map(
      (sections, i): Run => {
        const ordinary = CONFIGS[i % CONFIGS.length] as Config
        const { first, step } = ordinary.sequence
        const config = { ...ordinary, sequence: { first, step: Math.min(step, SMALLER) } }
        const timeoutMs = COMBO_SECONDS * 1000 + GRACE_MS
        return {
          name: `${clock} clock, ${sections} sections, clock ${config.name}`,
          threads: 4,
          config,
          seconds: COMBO_SECONDS,
          timeoutMs,
          testMs: timeoutMs + AFTERMATH_MS,
          sabotage: undefined,
          smr: { clock, sections },
          turns: sections === 'turn',
        }
      },
    ),
  )
}

/** Turn sections on the two clocks that differ most, with every kind of sabotage. */
export function sabotagedTurns(kinds: readonly Sabotage[]): Run[] {
  return sabotagedRuns(kinds).flatMap((run) =>
    (['default', 'lazy'] as const).map((clock): Run => {
      const name = `${run.name}, ${clock} clock, turn sections`
      return { ...run, name, smr: { clock, sections: 'turn' }, turns: true }
    }),
  )
}

/** Every number of threads with every kind of sabotage. */
export function sabotagedRuns(kinds: readonly Sabotage[]): Run[] {
  const config = CONFIGS[0]
  if (config === undefined) throw new Error('no clock to sabotage')
  return kinds.flatMap((sabotage) =>
    THREADS.map((threads): Run => {
      const name = `${threads} threads, ${sabotage}`
      const timeoutMs = SABOTAGE_TIMEOUT_MS
      const testMs = timeoutMs + AFTERMATH_MS
      const more = { sabotage, smr: {}, turns: false }
      return { name, threads, config, seconds: SABOTAGE_SECONDS, timeoutMs, testMs, ...more }
    }),
  )
}

export interface Outcome {
  readonly reports: readonly Report[]
  readonly violations: number
  /** What the members counted, summed up. */
  readonly counts: Readonly<Record<string, number>>
  readonly seconds: number
}

/** Runs one team and says what it saw. */
export async function torture<T>(
  script: string,
  run: Run,
  members: readonly { readonly role: string; readonly task: T }[],
): Promise<Outcome> {
  const { name, sabotage, seconds, timeoutMs } = run
  const stopAtFirst = sabotage !== undefined
  const worker = `torture/${script}.worker.ts`
  try {
    const muster = { script: worker, members, seed: SEED, seconds, timeoutMs, stopAtFirst }
    const service = await spawn(muster)
    return { ...service, counts: total(service.reports) }
  } catch (cause) {
    throw new Error(`torture ${script}: ${name}, seed ${SEED}: ${String(cause)}`, { cause })
  }
}

/** The line that every run ends with, and what the first violations were. */
export function tell(
  what: string,
  run: Run,
  outcome: Outcome,
  more: Readonly<Record<string, number | string>> = {},
): void {
  const { counts, reports, seconds, violations } = outcome
  const numbers = Object.entries({ ...counts, ...more, violations })
  const said = numbers.map(([name, n]) => `${n.toLocaleString('en-US')} ${name}`).join(', ')
  const notes = reports.flatMap((each) => each.notes).slice(0, 6)
  const head = `torture ${what}: ${run.name}, ${seconds.toFixed(1)} s, seed ${SEED}: ${said}`
  console.log([head, ...notes.map((note) => `    ${note}`)].join('\n'))
}

/** No member has seen anything wrong. If one has, the failure says what it saw. */
export function expectNoViolations({
  reports,
  violations,
}: Pick<Outcome, 'reports' | 'violations'>): void {
  const notes = reports.flatMap((each) => each.notes)
  expect({ violations, notes }, `seed ${SEED}`).toEqual({ violations: 0, notes: [] })
}

function total(reports: readonly Report[]): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const { counts } of reports) {
    for (const [name, n] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + n
  }
  return sum
}

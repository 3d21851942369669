/**
 * A million callbacks from four workers, with barriers in between: every one runs, once and in order,
 * no record is freed under a reader, and what waits stays bounded. See calls.worker.ts.
 *
 *   TORTURE_CALLS=10000000 npx vitest run --config test/vitest.config.ts torture/calls
 */

import { env } from 'node:process'
import { Arena, type Item, type Smr, type SmrOptions, type Zone } from 'uma-smr'
import { expect, it } from 'vitest'
import { COMBOS } from '../helpers/combos.ts'
import type { Report } from '../helpers/member.ts'
import { spawn } from '../helpers/spawn.ts'
import type { Sabotage, Task } from './calls.worker.ts'
import { CANARY_WORDS } from './canary.ts'
import { expectNoViolations, SEED } from './torture.ts'

const { TORTURE_CALLS = 1_000_000 } = env
const CALLS = Number(TORTURE_CALLS)
/** The other clocks are driven with fewer. */
const FEWER = 0.04
const MEMBERS = 4
const SLOTS = 64
const WORD_BYTES = 4
const RECORD_BYTES = CANARY_WORDS * WORD_BYTES
/** Every callback that waits has a record to free, so no more can wait than there are records. */
const LIMIT = 8192
const TIMEOUT_MS = 120_000

interface Run {
  readonly reports: readonly Report[]
  readonly seconds: number
  readonly violations: number
  readonly arena: Arena
  readonly smr: Smr
  readonly zone: Zone
  /** Records that stand in the slots. */
  readonly standing: readonly Item[]
}

async function run(options: SmrOptions, each: number, sabotage?: Sabotage): Promise<Run> {
  const arena = Arena.create({ bytes: 2 ** 23, maxWorkers: 8 })
  const smr = arena.smr('calls', options)
  const zone = arena.zone('records', { bytes: RECORD_BYTES, limit: LIMIT })
  const tableWords = SLOTS + 2 * MEMBERS
  const table = arena.zone('table', { bytes: tableWords * WORD_BYTES }).zalloc()
  arena.words.fill(0, table, table + tableWords)
  const { handle } = arena
  const task: Task = { handle, table, slots: SLOTS, members: MEMBERS, calls: each, sabotage }
  const service = await spawn({
    script: 'torture/calls.worker.ts',
    members: Array.from({ length: MEMBERS }, () => ({ role: 'worker', task })),
    seed: SEED,
    seconds: TIMEOUT_MS / 1000,
    timeoutMs: TIMEOUT_MS,
  })
  const standing = [...arena.words.subarray(table, table + SLOTS)].filter(
    (it) => it !== 0,
  ) as Item[]
  return { ...service, arena, smr, zone, standing }
}

function total({ reports }: Run, what: string): number {
  return reports.reduce((all, { counts }) => all + (counts[what] ?? 0), 0)
}

/** How many waited along the way, in all and at most in one worker; and the line that says so. */
function tell(name: string, it: Run): { peak: number } {
  const { reports, seconds, smr, zone } = it
  const extras = reports.map(({ extra }) => extra as { peak: number; curve: number[] })
  const curve = (extras[0]?.curve ?? []).map((first, i) =>
    Math.max(first, ...extras.map((each) => each.curve[i] ?? 0)),
  )
  const peak = Math.max(...curve)
  const own = Math.max(...extras.map((each) => each.peak))
  const said = ['ran', 'reads', 'barriers', 'full'].map((what) => `${total(it, what)} ${what}`)
  console.log(
    [
      `torture calls: ${name}, ${seconds.toFixed(1)} s, seed ${SEED}: ${said.join(', ')}, ${smr.stats().advances} advances`,
      `    most that waited: ${peak} callbacks, ${(peak * RECORD_BYTES) / 1024} KiB; of one worker ${own}; records ${zone.stats().created}`,
      `    waiting, along the way: ${curve.join(' ')}`,
      ...reports.flatMap(({ notes }) => notes.map((note) => `    ${note}`)),
    ].join('\n'),
  )
  return { peak }
}

it.each(COMBOS)('all callbacks run: $name', { timeout: TIMEOUT_MS + 10_000 }, async (combo) => {
  const share = combo.name === 'default, fenced' ? 1 : FEWER
  const each = Math.ceil((CALLS * share) / MEMBERS)
  const all = each * MEMBERS
  const it = await run(combo.options, each)
  const { peak } = tell(combo.name, it)
  const { arena, smr, standing, zone } = it
  expectNoViolations(it)
  expect([total(it, 'queued'), total(it, 'ran')]).toEqual([all, all])
  const expected = { calls: all, callsPending: 0, callErrors: 0, callsLost: 0 }
  expect(smr.stats()).toMatchObject(expected)
  expect(total(it, 'reads')).toBeGreaterThan(0)
  expect(peak).toBeLessThanOrEqual(zone.stats().created)
  expect(zone.stats().live).toBe(standing.length)
  expect(zone.audit(standing)).toEqual({ leaked: [] })
  arena.detach()
})

const SABOTAGES: readonly Sabotage[] = [
  'calls run early',
  'barriers do not wait',
  'barriers wait for their own',
]

it.each(SABOTAGES)('the alarm rings when %s', { timeout: TIMEOUT_MS + 10_000 }, async (kind) => {
  const it = await run({}, CALLS / MEMBERS / 4, kind)
  tell(kind, it)
  expect(it.violations).toBeGreaterThan(0)
  it.arena.detach()
})

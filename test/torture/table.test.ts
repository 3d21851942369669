/**
 * Torture of the hash table: writers that share no key, readers that check all they see, resizes in
 * between. The workers and what they insist on are in table.worker.ts. Afterwards the table holds
 * exactly what its writers say, every record hangs where it belongs, and every item of its zone is in
 * one place.
 */

import { Arena } from 'uma-smr'
import { describe, expect, it } from 'vitest'
import { checkTable } from '#src/table/stats.ts'
import { ZONE_SABOTAGES } from './sabotage.ts'
import type { Belief, Task } from './table.worker.ts'
import { createTable, entry, isWhole, type Table } from './tableRecord.ts'
import {
  comboRuns,
  expectNoViolations,
  honestRuns,
  type Outcome,
  type Run,
  sabotagedRuns,
  tell,
  torture,
} from './torture.ts'

const KEYS = 48
const ALWAYS = 16
const BUCKET = 2
/** Few: a long queue of pending records would hide a grace period that is a little too short. */
const LIMIT = 160

interface Churned extends Outcome {
  readonly arena: Arena
  readonly table: Table
}

/** Half of the members write, the others read. */
async function churn(run: Run, checks: boolean): Promise<Churned> {
  const { sequence } = run.config
  const arena = Arena.create({ bytes: 2 ** 23, maxWorkers: 8, sequence, checks })
  const table = createTable(arena, BUCKET, LIMIT, arena.smr('table', run.smr))
  for (let key = 0; key < ALWAYS; key++) table.set(entry(key, 1))
  const writers = run.threads / 2
  const { handle } = arena
  const { sabotage, turns } = run
  const task: Task = { handle, sabotage, turns, keys: KEYS, writers, always: ALWAYS }
  const members = Array.from({ length: run.threads }, (_, i) => {
    return { role: i < writers ? 'writer' : 'reader', task }
  })
  const outcome = await torture('table', run, members)
  const { retired, pollHits, created } = table.zone.stats()
  const { advances } = table.smr.stats()
  tell('table', run, outcome, { advances, retired, reuses: pollHits, created })
  return { ...outcome, arena, table }
}

/** All workers have left: the table is what its writers believe, and its zone is in order. */
function agreed({ arena, reports, table }: Churned): void {
  const believed = new Map(reports.flatMap((each) => [...(each.extra as Belief)]))
  expect(table.size).toBe(believed.size)
  for (const [key, version] of believed) expect(table.get(key)).toEqual(entry(key, version))
  const met = [...table.entries()]
  expect(new Set(met.map((each) => each.key))).toEqual(new Set(believed.keys()))
  expect(met.filter((each) => !isWhole(each))).toEqual([])
  checkTable(table)
  table.zone.check()
  expect(table.zone.stats().live).toBe(table.size)
  expect(table.zone.audit(table.items())).toEqual({ leaked: [] })
  for (const key of believed.keys()) expect(table.delete(key)).toBe(true)
  expect(table.zone.reclaim('all').remaining).toBe(0)
  arena.detach()
}

describe('a table under churn', () => {
  for (const [i, run] of [...honestRuns((threads) => threads / 2), ...comboRuns()].entries()) {
    const checks = i % 2 === 1
    const name = `${run.name}${checks ? ', checked arena' : ''}`
    it(`shows whole records and loses none: ${name}`, { timeout: run.testMs }, async () => {
      const churned = await churn(run, checks)
      expectNoViolations(churned)
      for (const what of ['reads', 'walks', 'writes', 'resizes']) {
        expect(churned.counts[what]).toBeGreaterThan(0)
      }
      agreed(churned)
    })
  }
})

describe('the alarm rings', () => {
  for (const run of sabotagedRuns(ZONE_SABOTAGES)) {
    it(run.name, { timeout: run.testMs }, async () => {
      const { arena, violations } = await churn(run, false)
      expect(violations).toBeGreaterThan(0)
      arena.detach()
    })
  }
})

/**
 * Torture of the grace period itself: synchronize against sections, nothing else. The workers and
 * what they look for are in gracePeriod.worker.ts.
 */

import { Arena } from 'uma-smr'
import { describe, expect, it } from 'vitest'
import type { Task } from './gracePeriod.worker.ts'
import { CLOCK_SABOTAGES, TURN_SABOTAGES } from './sabotage.ts'
import {
  comboRuns,
  expectNoViolations,
  honestRuns,
  type Outcome,
  type Run,
  sabotagedRuns,
  sabotagedTurns,
  tell,
  torture,
} from './torture.ts'

const LINES_BYTES = 128

/** Half of the members write, each its own pair; the others read all of them. */
async function graces(run: Run): Promise<Outcome> {
  const arena = Arena.create({ bytes: 2 ** 20, maxWorkers: 8, sequence: run.config.sequence })
  const smr = arena.smr('grace', run.smr)
  const zone = arena.zone('pairs', { bytes: LINES_BYTES, align: LINES_BYTES })
  const pairs = Array.from({ length: run.threads / 2 }, () => zone.zalloc())
  const members = Array.from({ length: run.threads }, (_, i) => {
    const own = pairs[i]
    const { sabotage, turns } = run
    const task: Task = { handle: arena.handle, sabotage, turns, pairs, own }
    return { role: own === undefined ? 'reader' : 'writer', task }
  })
  const outcome = await torture('gracePeriod', run, members)
  tell('grace period', run, outcome, { advances: smr.stats().advances })
  arena.detach()
  return outcome
}

describe('a grace period', () => {
  for (const run of [...honestRuns((threads) => threads / 2), ...comboRuns()]) {
    it(`is never too short: ${run.name}`, { timeout: run.testMs }, async () => {
      const outcome = await graces(run)
      expectNoViolations(outcome)
      const { reads, writes } = outcome.counts
      expect(reads).toBeGreaterThan(0)
      expect(writes).toBeGreaterThan(0)
    })
  }
})

describe('the alarm rings', () => {
  for (const run of [...sabotagedRuns(CLOCK_SABOTAGES), ...sabotagedTurns(TURN_SABOTAGES)]) {
    it(run.name, { timeout: run.testMs }, async () => {
      const { violations } = await graces(run)
      expect(violations).toBeGreaterThan(0)
    })
  }
})

/**
 * Torture of zfreeSmr: at which age do readers meet a freed item? The workers and what the ages mean
 * are in ages.worker.ts; the histogram is printed for every run, and its tail must be empty.
 */

import { Arena } from 'uma-smr'
import { describe, expect, it } from 'vitest'
import type { Task } from './ages.worker.ts'
import { TURN_SABOTAGES, ZONE_SABOTAGES } from './sabotage.ts'
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

const SLOTS = 4
const WORD_BYTES = 4
const ITEM_BYTES = 32
/** Few: a long queue of pending items would hide a grace period that is a little too short. */
const LIMIT = 48

interface Aged extends Outcome {
  readonly histogram: readonly number[]
  readonly advances: number
  readonly retired: number
}

/** Half of the members replace items, the others look at them. */
async function ages(run: Run): Promise<Aged> {
  const arena = Arena.create({ bytes: 2 ** 22, maxWorkers: 8, sequence: run.config.sequence })
  const { words } = arena
  const smr = arena.smr('ages', run.smr)
  const dtor = (): void => {}
  const zone = arena.zone('ages', { bytes: ITEM_BYTES, smr, bucket: 2, limit: LIMIT, dtor })
  const table = arena.zone('slots', { bytes: SLOTS * WORD_BYTES }).zalloc()
  words.fill(0, table, table + SLOTS)
  const { sabotage, turns } = run
  const task: Task = { handle: arena.handle, sabotage, turns, table, slots: SLOTS }
  const members = Array.from({ length: run.threads }, (_, i) => {
    return { role: i < run.threads / 2 ? 'writer' : 'reader', task }
  })
  const outcome = await torture('ages', run, members)
  const histogram = sumUp(outcome.reports.map((each) => each.extra as number[]))
  const { advances, retired, pollHits, imports, peakPending } = zone.stats()
  const more = { advances, retired, reuses: pollHits, imports, peakPending }
  tell('ages', run, outcome, { ...more, ages: `[${histogram.join(' ')}]` })
  zone.check()
  expect(zone.stats().live).toBe(words.subarray(table, table + SLOTS).filter(Boolean).length)
  arena.detach()
  return { ...outcome, histogram, advances, retired }
}

function sumUp(histograms: readonly (readonly number[])[]): number[] {
  const length = Math.max(...histograms.map((each) => each.length))
  return Array.from({ length }, (_, age) => {
    return histograms.reduce((sum, each) => sum + (each[age] ?? 0), 0)
  })
}

describe('freed items', () => {
  for (const run of [...honestRuns((threads) => threads / 2), ...comboRuns()]) {
    it(`are never met past age 1: ${run.name}`, { timeout: run.testMs }, async () => {
      const outcome = await ages(run)
      const { advances, histogram, retired } = outcome
      expect(histogram.slice(2)).toEqual([0, 0, 0])
      expectNoViolations(outcome)
      // One step of the clock for each bucket, but where the hands are at the wrap limit.
      const { clock = 'default' } = run.smr
      if (clock !== 'default') expect(advances).toBeLessThan(retired)
      else if (run.config.sequence.step === 2) expect(advances).toBe(retired)
      expect(histogram[0]).toBeGreaterThan(0)
      expect(histogram[1]).toBeGreaterThan(0)
    })
  }
})

describe('the alarm rings', () => {
  for (const run of [...sabotagedRuns(ZONE_SABOTAGES), ...sabotagedTurns(TURN_SABOTAGES)]) {
    it(run.name, { timeout: run.testMs }, async () => {
      const { histogram, violations } = await ages(run)
      expect(violations).toBeGreaterThan(0)
      expect(histogram.slice(2)).not.toEqual([0, 0, 0])
    })
  }
})

/**
 * Torture of zones: many workers, one zone with smr and one without, a small limit, everything at
 * random. The workers and their canaries are in zones.worker.ts. Afterwards, when all have left, every
 * item is in exactly one place, what is live is what stands in the slots, no more was ever created
 * than the limit allows, and all of it can be given back.
 */

import { Arena, type Item, type Zone } from 'uma-smr'
import { describe, expect, it } from 'vitest'
import { CANARY_WORDS } from './canary.ts'
import { ZONE_SABOTAGES } from './sabotage.ts'
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
import type { Task } from './zones.worker.ts'

const SLOTS = 6
const WORD_BYTES = 4
const BUCKET = 3
const SHARED_LIMIT = 96
const PLAIN_LIMIT = 60

interface Churned extends Outcome {
  readonly arena: Arena
  readonly shared: Zone
  readonly plain: Zone
  /** Items that stand in the slots of either zone. */
  readonly standing: { readonly shared: Item[]; readonly plain: Item[] }
}

/** `checks`: a checked arena, where the zones look for double frees and stray writes themselves. */
async function churn(run: Run, checks: boolean): Promise<Churned> {
  const { sequence } = run.config
  const arena = Arena.create({ bytes: 2 ** 22, maxWorkers: 8, sequence, checks })
  const { words } = arena
  const smr = arena.smr('churn', run.smr)
  const bytes = CANARY_WORDS * WORD_BYTES
  const shared = arena.zone('shared', { bytes, smr, bucket: BUCKET, limit: SHARED_LIMIT })
  const plain = arena.zone('plain', { bytes, bucket: BUCKET, limit: PLAIN_LIMIT })
  const table = arena.zone('slots', { bytes: 2 * SLOTS * WORD_BYTES }).zalloc()
  words.fill(0, table, table + 2 * SLOTS)
  const { sabotage, turns } = run
  const task: Task = { handle: arena.handle, sabotage, turns, table, slots: SLOTS }
  const members = Array.from({ length: run.threads }, () => ({ role: 'worker', task }))
  const outcome = await torture('zones', run, members)
  const { advances, retired, pollHits, imports, created } = shared.stats()
  tell('zones', run, outcome, { advances, retired, reuses: pollHits, imports, created })
  const standing = (from: number): Item[] => {
    return [...words.subarray(from, from + SLOTS)].filter((item) => item !== 0) as Item[]
  }
  return {
    ...outcome,
    arena,
    shared,
    plain,
    standing: { shared: standing(table), plain: standing(table + SLOTS) },
  }
}

/** All workers have left: every item is where it belongs, and all memory comes back. */
function conserved({ arena, plain, shared, standing }: Churned): void {
  for (const [zone, items, limit] of [
    [shared, standing.shared, SHARED_LIMIT],
    [plain, standing.plain, PLAIN_LIMIT],
  ] as const) {
    zone.check()
    expect(zone.audit(items)).toEqual({ leaked: [] })
    const { created, live, slabs } = zone.stats()
    expect(live).toBe(items.length)
    // A slab is added only while less than the limit is out, so by one slab at most it goes beyond.
    expect(created).toBeLessThanOrEqual(limit + created / slabs)
    for (const item of items) zone === plain ? zone.zfree(item) : zone.zfreeSmr(item)
    expect(zone.reclaim('all').remaining).toBe(0)
    expect(zone.stats().inSlabs).toBe(zone.stats().created)
    zone.check()
    zone.destroy()
  }
  arena.detach()
}

describe('zones under churn', () => {
  for (const [i, run] of [...honestRuns((threads) => threads), ...comboRuns()].entries()) {
    const checks = i % 2 === 1
    const name = `${run.name}${checks ? ', checked arena' : ''}`
    it(`keep every item whole: ${name}`, { timeout: run.testMs }, async () => {
      const churned = await churn(run, checks)
      const { frees, reads } = churned.counts
      expectNoViolations(churned)
      expect(reads).toBeGreaterThan(0)
      expect(frees).toBeGreaterThan(0)
      conserved(churned)
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

/**
 * The torture of the grace period once more: with intrinsics, without, and with both in one arena,
 * where the sections of one kind have to hold back the pollers of the other.
 */

import { Arena } from 'uma-smr'
import { describe, expect, it } from 'vitest'
import type { Task } from './gracePeriod.worker.ts'
import { expectNoViolations, honestRuns, type Run, tell, torture } from './torture.ts'

const LINES_BYTES = 128
const SECONDS = 2

const KINDS: Readonly<Record<string, (member: number) => boolean>> = {
  'with intrinsics': () => true,
  'without intrinsics': () => false,
  // Writers come first, and then as many readers: of either, every other one has them.
  'with both': (member) => member % 2 === 0,
}

async function graces(run: Run, kind: string): Promise<void> {
  const arena = Arena.create({ bytes: 2 ** 20, maxWorkers: 8, sequence: run.config.sequence })
  const smr = arena.smr('grace', run.smr)
  const zone = arena.zone('pairs', { bytes: LINES_BYTES, align: LINES_BYTES })
  const pairs = Array.from({ length: run.threads / 2 }, () => zone.zalloc())
  const { sabotage, turns } = run
  const members = Array.from({ length: run.threads }, (_, i) => {
    const own = pairs[i]
    const intrinsics = KINDS[kind]?.(i) ?? false
    const task: Task = { handle: arena.handle, sabotage, turns, pairs, own, intrinsics }
    return { role: own === undefined ? 'reader' : 'writer', task }
  })
  const outcome = await torture('gracePeriod', run, members)
  tell(`grace period, ${kind}`, run, outcome, { advances: smr.stats().advances })
  arena.detach()
  expectNoViolations(outcome)
  const { reads, writes } = outcome.counts
  expect(reads).toBeGreaterThan(0)
  expect(writes).toBeGreaterThan(0)
}

describe.each(Object.keys(KINDS))('a grace period %s', (kind) => {
  const runs = honestRuns((threads) => threads / 2).filter(({ threads }) => threads === 4)
  for (const honest of runs) {
    const run = { ...honest, seconds: Math.min(honest.seconds, SECONDS) }
    it(run.name, { timeout: run.testMs }, () => graces(run, kind))
  }
})

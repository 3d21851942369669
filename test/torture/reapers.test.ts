/**
 * Two reapers of one dead worker, and its successor, in threads of their own: nobody who lives is
 * reaped, and what the host or an arena has of slots and pages is as it was in the end.
 */

import { Arena } from 'uma-smr'
import { expect, it } from 'vitest'
import { checkPages } from '#src/space/pages.ts'
import { spawn } from '../helpers/spawn.ts'
import type { Task } from './reapers.worker.ts'
import { SEED } from './torture.ts'

const { TORTURE_SECONDS } = process.env
const SECONDS = Number(TORTURE_SECONDS ?? 0.5)
const TIMEOUT_MS = (SECONDS + 60) * 1000

it('two reapers and a successor', { timeout: TIMEOUT_MS }, async () => {
  // One slot for each who stays, and one for the one that dies and comes back.
  const arena = Arena.create({ bytes: 2 ** 18, maxWorkers: 4 })
  arena.smr('d')
  const dead = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const task: Task = { handle: arena.handle, dead }
  const { reports, violations } = await spawn<Task>({
    script: 'torture/reapers.worker.ts',
    members: ['reaper', 'reaper', 'mortal'].map((role) => ({ role, task })),
    seed: SEED,
    seconds: SECONDS,
    timeoutMs: TIMEOUT_MS,
  })
  const notes = reports.flatMap((each) => each.notes)
  expect({ violations, notes, seed: SEED }).toEqual({ violations: 0, notes: [], seed: SEED })
  const sum = (key: string): number => reports.reduce((n, each) => n + (each.counts[key] ?? 0), 0)
  expect(sum('lives')).toBeGreaterThan(1)
  // Each life but the last was ended once.
  expect(sum('lives') - sum('reaped')).toBeLessThanOrEqual(1)
  expect(sum('lives') - sum('reaped')).toBeGreaterThanOrEqual(0)
  checkPages(arena.memory, arena.space.pages)
})

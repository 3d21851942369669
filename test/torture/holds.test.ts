/**
 * Records that are held stay as they are: workers hold and let go of the same few records, while others
 * replace and delete them and use their memory again, and holders are terminated in the middle of it.
 *
 *     HOLDS_MS=60000 npx vitest run --config test/vitest.config.ts torture/holds
 */

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { expect, it } from 'vitest'
import { checkTable } from '#src/table/stats.ts'
import { built } from '../helpers/built.ts'
import { createHeld, KEYS, type Report, rowOf, type Task } from './heldRows.ts'

const FOR_MS = Number(process.env['HOLDS_MS'] ?? 2500)
const LEAST_KILLS = 8
const LEAST_HOLDS = 100
const SEED = 77
/** Writes after which every worker has looked for those that are gone. */
const MANY = 64

it('no record changes while it is held, and each is freed', {
  timeout: 120_000 + FOR_MS,
}, async () => {
  const arena = Arena.create({ bytes: 2 ** 22, maxWorkers: 10, checks: true })
  const table = createHeld(arena)
  for (let key = 0; key < KEYS; key++) table.set(rowOf(key, 0))
  const isOver = arena.root('over')
  let started = 0
  const start = (role: Task['role']): Worker => {
    const task: Task = { handle: arena.handle, role, seed: SEED + started++ }
    const worker = new Worker(built('torture/holds.worker.ts'), { workerData: task })
    arena.supervise(worker)
    return worker
  }
  const steady = [start('holder'), start('holder'), start('writer'), start('writer')]
  const reports = steady.map((worker) => once(worker, 'message') as Promise<[Report]>)
  const ends = steady.map((worker) => once(worker, 'exit'))
  const until = performance.now() + FOR_MS
  let kills = 0
  while (performance.now() < until || kills < LEAST_KILLS) {
    const victim = start('victim')
    await once(victim, 'message')
    await sleep(1 + (kills % 7) * 3)
    await victim.terminate()
    kills++
  }
  Atomics.store(arena.words, isOver, 1)
  const told = (await Promise.all(reports)).map(([report]) => report)
  await Promise.all(ends)
  const sum = (what: keyof Report): number => told.reduce((all, each) => all + each[what], 0)
  console.log(
    `torture holds: ${sum('holds')} holds, ${sum('gone')} of them outlived their row, ${sum('writes')} writes, ${kills} kills, seed ${SEED}`,
  )
  expect(sum('wrong')).toBe(0)
  expect(sum('holds')).toBeGreaterThan(LEAST_HOLDS)
  for (let i = 0; i < MANY; i++) table.set(rowOf(0, i))
  checkTable(table)
  table.zone.check()
  expect(table.parts.holds?.held()).toEqual([])
  // A victim may have had one record that it had not put yet, or that it was the last to hold.
  expect(table.zone.stats().live - table.size).toBeLessThanOrEqual(kills)
  arena.detach()
})

/**
 * Near copies are never stale: readers look up keys that others replace and delete, while workers that do
 * both are terminated in the middle, the table is resized, and its zone gives slabs back.
 *
 *     TORTURE_SECONDS=600 npx vitest run --config test/vitest.config.ts torture/near
 */

import { once } from 'node:events'
import { env } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { expect, it } from 'vitest'
import { checkTable } from '#src/table/stats.ts'
import { built } from '../helpers/built.ts'
import type { Task } from './near.worker.ts'
import { createNotes, nameOf, putNext, VISIBLE, versionOf } from './nearNotes.ts'

const SECONDS = Number(env['TORTURE_SECONDS'] ?? 4)
const READERS = 2
const KEYS = 24
/** The writer has the even keys, one victim after the other the odd ones. */
const SHARES = 2
const CAPACITIES = [16, 256, 4096]
const SEED = 31

interface Told {
  readonly writes: number
  readonly looks: number
  readonly hits: number
  readonly misses: number
  readonly wrong: readonly string[]
}

it('no hit is older than what was there before it', {
  timeout: 60_000 + SECONDS * 2000,
}, async () => {
  const arena = Arena.create({ bytes: 2 ** 22, maxWorkers: 16 })
  const table = createNotes(arena)
  const isOver = arena.root('over')
  const visibleAt = Array.from({ length: KEYS }, (_, i) => arena.root(`${VISIBLE}${i}`))
  for (let i = 0; i < KEYS; i++) {
    putNext(table, i, 1)
    Atomics.store(arena.words, visibleAt[i] as number, 1)
  }
  let started = 0
  const start = (role: Task['role'], first = 0): Worker => {
    const seed = SEED + started++
    const task: Task = { handle: arena.handle, role, keys: KEYS, first, step: SHARES, seed }
    const worker = new Worker(built('torture/near.worker.ts'), { workerData: task })
    arena.supervise(worker)
    return worker
  }
  const told = [start('writer'), ...Array.from({ length: READERS }, () => start('reader'))].map(
    async (worker) => {
      const left = once(worker, 'exit')
      const [report] = (await once(worker, 'message')) as [Told]
      expect(await left).toEqual([0])
      return report
    },
  )
  const until = Date.now() + SECONDS * 1000
  let kills = 0
  for (let i = 0; Date.now() < until; i++) {
    const victim = start('victim', 1)
    const left = once(victim, 'exit')
    await once(victim, 'message')
    await sleep(5 + (i % 5) * 9)
    table.resize(CAPACITIES[i % CAPACITIES.length] as number)
    table.zone.reclaim('all', { timeoutMs: 0 })
    await victim.terminate()
    await left
    kills++
  }
  Atomics.store(arena.words, isOver, 1)
  const reports = await Promise.all(told)
  const sum = (of: 'writes' | 'looks' | 'hits' | 'misses') =>
    reports.reduce((all, each) => all + each[of], 0)
  console.log(
    `torture near: ${sum('writes')} writes, ${sum('looks')} looks, ${sum('hits')} hits, ${sum('misses')} misses, ${kills} kills, seed ${SEED}`,
  )
  expect(reports.flatMap(({ wrong }) => wrong)).toEqual([])
  for (const what of ['writes', 'looks', 'hits', 'misses'] as const) {
    expect(sum(what)).toBeGreaterThan(0)
  }
  for (let i = 0; i < KEYS; i++) {
    const visible = Atomics.load(arena.words, visibleAt[i] as number)
    expect(versionOf(table.get(nameOf(i)), i)).toBeGreaterThanOrEqual(visible)
  }
  checkTable(table)
  table.zone.check()
  arena.detach()
})

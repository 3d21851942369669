/**
 * No addition is lost: workers add to the same few counters by `table.update` while the table is
 * resized and other workers, in the middle of updates of the same keys, are terminated.
 */

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { expect, it } from 'vitest'
import { checkTable } from '#src/table/stats.ts'
import { built } from '../helpers/built.ts'
import { createCounters } from './counters.ts'
import type { Task } from './update.worker.ts'

const MEMBERS = 3
const KEYS = 3
const ROUNDS = 30_000
const CAPACITIES = [16, 64, 256]

it('every addition of every worker is in the sums', { timeout: 120_000 }, async () => {
  const arena = Arena.create({ bytes: 2 ** 22, maxWorkers: 16 })
  const counters = createCounters(arena)
  const start = (rounds: number): Worker => {
    const task: Task = { handle: arena.handle, keys: KEYS, rounds }
    const worker = new Worker(built('torture/update.worker.ts'), { workerData: task })
    arena.supervise(worker)
    return worker
  }
  const members = Array.from({ length: MEMBERS }, () => once(start(ROUNDS), 'exit'))
  let isOver = false
  const all = Promise.all(members).finally(() => {
    isOver = true
  })
  let kills = 0
  for (let i = 0; !isOver || kills === 0; i++) {
    const victim = start(0)
    await sleep(20 + (i % 7) * 5)
    counters.resize(CAPACITIES[i % CAPACITIES.length] as number)
    await victim.terminate()
    kills++
  }
  expect(await all).toEqual(members.map(() => [0]))
  const found = [...counters]
  console.log(`torture update: ${MEMBERS * ROUNDS} additions, ${kills} kills`)
  expect(found.every(({ sum, check }) => sum === check)).toBe(true)
  expect(found.reduce((all, { sum }) => all + sum, 0)).toBe(MEMBERS * ROUNDS)
  checkTable(counters)
  counters.zone.check()
  // What a victim had not put yet has gone back.
  expect(counters.zone.audit(counters.items())).toEqual({ leaked: [] })
  arena.detach()
})

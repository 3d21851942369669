/**
 * The nearest key is never missed and never torn: readers ask for it while movers let keys come and go
 * around it, and others, in the middle of writes to the same tree, are terminated.
 */

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { expect, it } from 'vitest'
import { checkOrdered } from '#src/order/stats.ts'
import { built } from '../helpers/built.ts'
import type { Task } from './order.worker.ts'
import { BLOCKS, createRows } from './orderRows.ts'
import { SEED } from './torture.ts'

const MOVERS = 2
const READERS = 2
const ROUNDS = { mover: 25_000, reader: 25_000, victim: 0 } as const

it('every answer is right, whatever comes, goes and dies', { timeout: 120_000 }, async () => {
  const arena = Arena.create({ bytes: 2 ** 22, maxWorkers: 16 })
  const table = createRows(arena)
  const start = (role: Task['role'], index: number): Worker => {
    const plan = { role, index, seed: SEED, rounds: ROUNDS[role], movers: MOVERS }
    const task: Task = { handle: arena.handle, ...plan }
    const worker = new Worker(built('torture/order.worker.ts'), { workerData: task })
    arena.supervise(worker)
    return worker
  }
  const team = [
    ...Array.from({ length: MOVERS }, (_, i) => start('mover', i)),
    ...Array.from({ length: READERS }, (_, i) => start('reader', MOVERS + i)),
  ]
  const reports = Promise.all(team.map((each) => once(each, 'message')))
  const exits = Promise.all(team.map((each) => once(each, 'exit')))
  let isOver = false
  const all = exits.finally(() => {
    isOver = true
  })
  let kills = 0
  for (; !isOver || kills === 0; kills++) {
    const victim = start('victim', 100 + kills)
    await once(victim, 'message')
    await sleep(3 + (kills % 7))
    await victim.terminate()
  }
  expect(await all).toEqual(team.map(() => [0]))
  console.log(`torture order: seed ${SEED}, ${kills} kills, ${table.size} rows in the end`)
  expect(await reports).toEqual(team.map(() => [0]))
  // Victims have put some, and have not been in vain.
  expect(table.size).toBeGreaterThan(2 * BLOCKS)
  const nodes = checkOrdered(table)
  table.zone.check()
  table.nodes.check()
  // What a victim had not put yet has gone back, and so have nodes.
  expect(table.zone.audit(table.items())).toEqual({ leaked: [] })
  expect(table.nodes.audit(nodes)).toEqual({ leaked: [] })
  arena.detach()
})

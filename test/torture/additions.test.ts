/**
 * Additions are exact: workers add to the same few records in place, while others replace, update and
 * delete these records, the table is resized, and workers in the middle of all that are terminated.
 *
 *     ADDITIONS=20000000 npx vitest run --config test/vitest.config.ts torture/additions
 */

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { expect, it } from 'vitest'
import { checkTable } from '#src/table/stats.ts'
import { built } from '../helpers/built.ts'
import type { Task } from './additions.worker.ts'
import { createHits, totalOf } from './hits.ts'

const ADDERS = 4
const KEYS = 3
const EACH = Number(process.env['ADDITIONS'] ?? 1_000_000)
/** Victims at a time. */
const CHAINS = 3
const LEAST_KILLS = 12
const CAPACITIES = [16, 64, 256]
const SEED = 12

it('every addition of every worker is in the sum', { timeout: 120_000 + EACH }, async () => {
  const arena = Arena.create({ bytes: 2 ** 22, maxWorkers: 16 })
  const table = createHits(arena)
  const isOver = arena.root('over')
  let started = 0
  const start = (role: Task['role'], rounds = 0): Worker => {
    const task: Task = { handle: arena.handle, role, keys: KEYS, rounds, seed: SEED + started++ }
    const worker = new Worker(built('torture/additions.worker.ts'), { workerData: task })
    arena.supervise(worker)
    return worker
  }
  const writer = start('writer')
  const taken = once(writer, 'message') as Promise<[number]>
  const left = once(writer, 'exit')
  let isDone = false
  const adders = Array.from({ length: ADDERS }, () => once(start('adder', EACH), 'exit'))
  const all = Promise.all(adders).finally(() => {
    isDone = true
    Atomics.store(arena.words, isOver, 1)
  })
  let kills = 0
  const killOneByOne = async (chain: number): Promise<void> => {
    for (let i = chain; !isDone || kills < LEAST_KILLS; i++) {
      const victim = start('victim')
      await once(victim, 'message')
      await sleep(1 + (i % 7) * 3)
      if (chain === 0) table.resize(CAPACITIES[i % CAPACITIES.length] as number)
      await victim.terminate()
      kills++
    }
  }
  await Promise.all(Array.from({ length: CHAINS }, (_, chain) => killOneByOne(chain)))
  expect(await all).toEqual(adders.map(() => [0]))
  const [sum] = await taken
  expect(await left).toEqual([0])
  const found = [...table].filter(({ id }) => id < KEYS)
  const inTable = found.reduce((all, record) => all + totalOf(record), 0)
  console.log(
    `torture additions: ${ADDERS} x ${EACH}, ${kills} kills, ${sum} taken out, ${inTable} in the table, seed ${SEED}`,
  )
  expect(sum + inTable).toBe(ADDERS * EACH)
  checkTable(table)
  table.zone.check()
  // What a victim had not put yet has gone back.
  expect(table.zone.audit(table.items())).toEqual({ leaked: [] })
  arena.detach()
})

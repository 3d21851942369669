/**
 * Scarcity: three zones with destructors, together larger than their arena. Workers fill one after
 * the other while limits rise and fall and others are terminated. Nothing is torn or lost, and when
 * all have left, each zone can have nearly everything.
 */

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Arena, type Item } from 'uma-smr'
import { expect, it } from 'vitest'
import { built } from '../helpers/built.ts'
import { Random } from '../helpers/random.ts'
import { writeCanary } from './canary.ts'
import { openZones, type Task } from './scarcity.worker.ts'

const BYTES = 2 ** 20
const MEMBERS = 3
const ROUNDS = 300
const SEED = 12

it('what one zone does not need, another has', { timeout: 120_000 }, async () => {
  const arena = Arena.create({ bytes: BYTES, maxWorkers: 8 })
  const zones = openZones(arena)
  const random = new Random(SEED)
  const start = (rounds: number, seed: number): Worker => {
    const task: Task = { handle: arena.handle, rounds, seed }
    const worker = new Worker(built('torture/scarcity.worker.ts'), { workerData: task })
    arena.supervise(worker)
    return worker
  }
  const members = Array.from({ length: MEMBERS }, (_, i) =>
    once(start(ROUNDS, SEED + 1000 * i), 'exit'),
  )
  let isOver = false
  const all = Promise.all(members).finally(() => {
    isOver = true
  })
  let kills = 0
  while (!isOver || kills === 0) {
    const victim = start(0, 7 * kills)
    await sleep(30 + random.below(30))
    for (const zone of zones) zone.tune({ limit: 1 + random.below(300) })
    expect(arena.diagnose()).not.toBe('')
    await victim.terminate()
    for (const zone of zones) zone.tune({ limit: Number.POSITIVE_INFINITY })
    kills++
  }
  expect(await all).toEqual(members.map(() => [0]))
  console.log(`torture scarcity: ${arena.counter('taken').value} items, ${kills} kills`)
  expect(arena.counter('taken').value).toBeGreaterThan(MEMBERS * ROUNDS)
  for (const zone of zones) {
    zone.check()
    // What victims held when they died is lost with them: it has no canary, or a whole one.
    for (const item of zone.audit([]).leaked) {
      writeCanary(arena.words, item, 1)
      zone.zfreeSmr(item)
    }
    expect([...zone.items()]).toEqual([])
  }
  for (const [i, zone] of zones.entries()) {
    const { itemBytes } = zone.stats()
    const items: Item[] = []
    for (let item = zone.tryZallocSmr(); item !== 0; item = zone.tryZallocSmr()) {
      writeCanary(arena.words, item, 2 * i + 1)
      items.push(item)
    }
    expect(items.length * itemBytes, zone.name).toBeGreaterThan(BYTES * 0.7)
    for (const item of items) zone.zfreeSmr(item)
  }
  for (const zone of zones) zone.check()
  arena.detach()
})

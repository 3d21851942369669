/**
 * A heap, and a table whose records own blocks, under workers that allocate, check, free to one
 * another, and are terminated in the middle of it: no block is used under its reader, none belongs to
 * two, and at most what a dead worker had in its hands is lost.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Arena, type Item } from 'uma-smr'
import { expect, it } from 'vitest'
import { checkTable } from '#src/table/stats.ts'
import { built } from '../helpers/built.ts'
import type { Report, Task } from './heap.worker.ts'
import { createNotes, isWhole } from './notes.ts'

const MEMBERS = 2
const PLACES = 32
const ROUNDS = 2500
const SEED = 20_261_121

it('every block is whole, and what the dead held is all that is lost', {
  timeout: 120_000,
}, async () => {
  const arena = Arena.create({ bytes: 2 ** 26, maxWorkers: 16 })
  const smr = arena.smr('heap')
  const heap = arena.heap('blocks', { smr })
  const notes = createNotes(arena)
  const board = arena.zone('board', { bytes: PLACES * 4 }).zalloc()
  arena.words.fill(0, board, board + PLACES)
  const start = (stream: number, rounds: number): Worker => {
    const task: Task = { handle: arena.handle, seed: SEED, stream, board, rounds }
    const worker = new Worker(built('torture/heap.worker.ts'), { workerData: task })
    arena.supervise(worker)
    return worker
  }
  let isOver = false
  const members = Array.from({ length: MEMBERS }, (_, i) => {
    const worker = start(i, ROUNDS)
    return new Promise<Report>((resolve, reject) => {
      let report: Report | undefined
      worker.once('message', (said: Report) => {
        report = said
      })
      worker.once('exit', () => report && resolve(report))
      worker.once('error', reject)
    })
  })
  const all = Promise.all(members).finally(() => {
    isOver = true
  })
  let kills = 0
  for (let i = 0; !isOver || kills === 0; i++) {
    const victim = start(100 + i, 0)
    await sleep(40 + (i % 7) * 10)
    await victim.terminate()
    kills++
  }
  const reports = await all
  const sum = (of: (report: Report) => number): number =>
    reports.reduce((total, report) => total + of(report), 0)
  console.log(
    `torture heap: ${sum(({ reads }) => reads)} reads, ${sum(({ swaps }) => swaps)} swaps, ${kills} kills, seed ${SEED}`,
  )
  expect(reports.flatMap(({ wrong }) => wrong)).toEqual([])
  expect([...notes].filter((each) => !isWhole(each))).toEqual([])
  // Nobody uses them any more.
  const held = [...arena.words.subarray(board, board + PLACES)].filter((block) => block !== 0)
  heap.check()
  notes.zone.check()
  checkTable(notes)
  const own = arena.heap('notes')
  own.check()
  expect(heap.audit(held as Item[]).leaked.length).toBeLessThanOrEqual(kills)
  // A table loses nothing.
  expect(notes.zone.audit(notes.items())).toEqual({ leaked: [] })
  expect(own.audit(notes.blocks())).toEqual({ leaked: [] })
  // What was lost can be freed, and then nothing is left.
  for (const block of [...heap.audit(held as Item[]).leaked, ...(held as Item[])])
    heap.freeSmr(block)
  heap.reclaim('all')
  expect(heap.stats()).toMatchObject({ blocks: 0, pending: 0 })
  arena.detach()
})

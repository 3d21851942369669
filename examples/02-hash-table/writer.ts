/**
 * The writer: changes prices, deletes products and puts them back, without a pause.
 *
 * Every change but a first put leaves an old node behind, so it frees as often as it allocates: a
 * hundred thousand times and more in a second, through the same few buckets.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { KEPT, type Order, PRODUCTS, type WriterReport } from './order.ts'
import { PriceTable } from './table.ts'

const CHANGES_PER_LOOK_AT_THE_CLOCK = 64
const DELETED_OF_100 = 30
const MOST = 1_000_000

const order = workerData as Order
const arena = Arena.attach(order.arena)
const table = new PriceTable(arena, order.heads)

let puts = 0
let deletes = 0
/** What the table should hold; `main.ts` compares. */
const present = new Set(Array.from({ length: PRODUCTS }, (_, key) => key))

const until = performance.now() + order.forMs
while (performance.now() < until) {
  for (let i = 0; i < CHANGES_PER_LOOK_AT_THE_CLOCK; i++) {
    const key = upTo(PRODUCTS)
    if (key >= KEPT && upTo(100) < DELETED_OF_100) {
      if (table.delete(key)) deletes++
      present.delete(key)
    } else {
      table.put(key, upTo(MOST), upTo(MOST))
      present.add(key)
      puts++
    }
  }
}

function upTo(limit: number): number {
  return Math.floor(Math.random() * limit)
}

const report: WriterReport = { worker: arena.workerId, puts, deletes, present: present.size }
arena.detach()
parentPort?.postMessage(report)

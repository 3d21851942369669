/**
 * A reader: looks up random products as fast as it can, and verifies every node that it finds.
 *
 * It takes no lock, so neither the writer nor another reader can make it wait; and while it is
 * inside a section nobody waits for it either.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { Arena, type Item } from 'uma-smr'
import { KEPT, type Order, PRODUCTS, type ReaderReport } from './order.ts'
import { Node, PriceTable, sumOf } from './table.ts'

const READS_PER_LOOK_AT_THE_CLOCK = 512

const order = workerData as Order
const arena = Arena.attach(order.arena)
const table = new PriceTable(arena, order.heads)

let torn = 0
let lost = 0
let absent = 0
let reads = 0

const until = performance.now() + order.forMs
while (performance.now() < until) {
  for (let i = 0; i < READS_PER_LOOK_AT_THE_CLOCK; i++) {
    const key = Math.floor(Math.random() * PRODUCTS)
    const isWhole = table.lookup(key, (node) => verify(node, key))
    if (isWhole === false) torn++
    if (isWhole === undefined) {
      absent++
      if (key < KEPT) lost++
    }
    reads++
  }
}

/** In the section: all fields must be of one version, and of the product that was asked for. */
function verify(node: Item, key: number): boolean {
  const { get } = Node
  const sum = sumOf(get.key(arena, node), get.price(arena, node), get.stock(arena, node))
  return get.key(arena, node) === key && get.sum(arena, node) === sum
}

const report: ReaderReport = { worker: arena.workerId, reads, absent, torn, lost }
arena.detach() // What this worker has cached goes back to everybody.
parentPort?.postMessage(report)

/** A reader: looks up random names and verifies what it finds, until it is told to stop. */

import { setImmediate as nextTurn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { KEPT, NAMES, type Order, READY, type Report } from './hashOrder.ts'
import { NameTable } from './hashTable.ts'

const READS_PER_TURN = 512

const order = workerData as Order
const arena = Arena.attach(order.arena)
const table = new NameTable(arena, order.heads)

let reads = 0
let torn = 0
let lost = 0
let stopping = false
parentPort?.once('message', () => {
  stopping = true
})
turn()
parentPort?.postMessage(READY)
while (!stopping) {
  await nextTurn() // So that it can be told to stop.
  turn()
}

function turn(): void {
  for (let i = 0; i < READS_PER_TURN; i++) {
    const id = Math.floor(Math.random() * NAMES)
    const isWhole = table.lookup(id)
    if (isWhole === false) torn++
    if (isWhole === undefined && id < KEPT) lost++
    reads++
  }
}

const report: Report = { worker: arena.workerId, reads, torn, lost }
arena.detach()
parentPort?.postMessage(report)

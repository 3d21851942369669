/** One thread: reads, or replaces connections, until its time is over; then reports. */

import { parentPort, workerData } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { Inpcbs, sumOf } from './inpcbs.ts'
import { addressOf, KEPT, type Order, PORTS, type Report } from './order.ts'

const TURNS_PER_LOOK_AT_THE_CLOCK = 64
const WRITERS = 2

const { arena: handle, role, index, forMs } = workerData as Order
const arena = Arena.attach(handle)
const inpcbs = new Inpcbs(arena)

let done = 0
let torn = 0
let lost = 0

const turn = role === 'reader' ? read : replace
const until = performance.now() + forMs
while (performance.now() < until) for (let i = 0; i < TURNS_PER_LOOK_AT_THE_CLOCK; i++) turn()

function read(): void {
  const port = Math.floor(Math.random() * PORTS)
  const found = inpcbs.lookup(port)
  if (found === undefined) {
    if (port < KEPT) lost++
  } else if (found.sum !== sumOf(port, found.address)) torn++
  else done++
}

/** Each writer has ports of its own, so that all are there in the end. */
function replace(): void {
  const port =
    KEPT + Math.floor(Math.random() * ((PORTS - KEPT) / WRITERS)) * WRITERS + (index % WRITERS)
  if (inpcbs.remove(port) && inpcbs.insert(port, addressOf(port, ++done))) return
  throw new Error(`port ${port} is not as this writer left it`)
}

const report: Report = { role, worker: arena.workerId, done, torn, lost }
arena.detach()
parentPort?.postMessage(report)

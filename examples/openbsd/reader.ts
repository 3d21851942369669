/**
 * A CPU that forwards packets: looks up addresses as fast as it can, and verifies what it finds.
 *
 * It knows nothing of the module but its list, and does not notice that it is unloaded: from some
 * time on it finds nothing. Sections are turn sections, so what it has seen is held until
 * its turn ends; hence it takes a turn for each burst of packets, as a CPU gets idle now and then.
 */

import { setImmediate as nextTurn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { smr_startup } from 'uma-smr/openbsd'
import { GONE, LOADED, Lookup, stateOf } from './etherbridge.ts'
import { ADDRESSES, type Order, READY, type Report } from './order.ts'

const BURSTS = 32
const PACKETS = 8

const order = workerData as Order
const arena = Arena.attach(order.arena)
const { smr_read_enter, smr_read_leave } = smr_startup(arena)
const bridge = new Lookup(arena)
const state = stateOf(arena)

let hits = 0
let misses = 0
let torn = 0
let lost = 0
let late = 0

let stopping = false
parentPort?.once('message', () => {
  stopping = true
})
turn()
parentPort?.postMessage(READY)
while (!stopping) {
  await nextTurn()
  turn()
}

function turn(): void {
  for (let burst = 0; burst < BURSTS; burst++) {
    // One section around several packets; each lookup opens its own within. In OpenBSD they nest.
    smr_read_enter()
    for (let packet = 0; packet < PACKETS; packet++) receive(Math.floor(Math.random() * ADDRESSES))
    smr_read_leave()
  }
}

function receive(addr: number): void {
  const before = Atomics.load(arena.words, state)
  const isWhole = bridge.find(addr, (ebe) => bridge.isWhole(ebe))
  if (isWhole === undefined) {
    misses++
    if (Atomics.load(arena.words, state) === LOADED) lost++
    return
  }
  if (isWhole) hits++
  else torn++
  if (before === GONE) late++
}

const report: Report = { worker: arena.workerId, hits, misses, torn, lost, late }
arena.detach()
parentPort?.postMessage(report)

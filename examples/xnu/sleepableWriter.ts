/**
 * The writer of sleepable.ts: replaces all entries, once a millisecond, until it is told to stop.
 *
 * How many callbacks may wait is not limited, so whoever queues them has to limit the rate: here the
 * pause does.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { smr_barrier, smr_call, smr_serialized_load, smr_serialized_store } from 'uma-smr/xnu'
import {
  domainOf,
  Entry,
  fill,
  type Order,
  READY,
  type Report,
  STOP,
  scribble,
  slotsOf,
} from './sleepableSlots.ts'

const order = workerData as Order
const arena = Arena.attach(order.arena)
const smr = domainOf(arena)
const slots = slotsOf(arena, order.slots)
const zone = arena.zone('entries', { record: Entry })

let replaced = 0
let retired = 0
let mostPending = 0
let stopping = false
parentPort?.once('message', (word) => {
  stopping = word === STOP
})
parentPort?.postMessage(READY)

while (!stopping) {
  for (const slot of slots) {
    const entry = zone.zalloc()
    fill(arena, entry, ++replaced)
    const old = smr_serialized_load(slot) // We are the only writer.
    smr_serialized_store(slot, entry)
    smr_call(smr, old, Entry.bytes, (node) => {
      scribble(arena, node)
      zone.zfree(node)
      retired++
    })
  }
  mostPending = Math.max(mostPending, smr.stats().callsPending)
  await sleep(1)
}

await smr_barrier(smr)
const report: Report = { replaced, retired, mostPending }
arena.detach()
parentPort?.postMessage(report)

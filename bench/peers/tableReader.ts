/**
 * A worker that does nothing but read one table, as fast as it can, until it is told to stop.
 *
 * It counts in batches, in two words that it shares with the writer's thread, and never ends its
 * turn while it reads: the hardest reader there is for reclamation, and the rate that a server's
 * worker would have at full load.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { makeProbes, makeRows, PROBE_MASK } from '../harness/data.ts'
import { joinTable } from '../rivals/open.ts'
import { BATCH, BATCHES, type ReaderOrder, STOP } from './order.ts'

async function main(order: ReaderOrder): Promise<number> {
  const { control, kind } = order
  const reader = await joinTable(order.table, order.ticket)
  const rows = makeRows(kind)
  const probes = makeProbes(rows, 0xbead).map((key) => reader.keyOf(key))
  let sum = 0
  let at = 0
  while (Atomics.load(control, STOP) === 0) {
    for (let i = 0; i < BATCH; i++) {
      sum += reader.sum(probes[at] ?? 0)
      at = (at + 1) & PROBE_MASK
    }
    reader.refresh()
    Atomics.add(control, BATCHES, 1)
  }
  await reader.leave()
  return sum
}

parentPort?.postMessage(await main(workerData as ReaderOrder))

/**
 * A worker that puts its half of the records into a table, and measures how long each call takes.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { Arena, HashTable } from 'uma-smr'
import {
  DONE,
  type GrowthOrder,
  NAME,
  putAll,
  READY,
  Row,
  START,
  type Waits,
  WRITERS,
} from './growthOrder.ts'

function write({ handle, control, each, writer }: GrowthOrder): Waits {
  const arena = Arena.attach(handle)
  const table = HashTable.open(arena, NAME, { record: Row, key: 'id' })
  Atomics.add(control, READY, 1)
  Atomics.wait(control, START, 0)
  const waits = putAll(each, (i) => {
    const id = i * WRITERS + writer
    table.set({ id, size: id, time: i })
    Atomics.store(control, DONE + writer, i + 1)
  })
  arena.detach()
  return waits
}

parentPort?.postMessage(write(workerData as GrowthOrder))

/**
 * A worker that reads records which must be there, chosen by chance, while two others add to the table
 * and for some time after.
 *
 * One read takes some 100 nanoseconds and the clock a third of that, so batches are timed. The keys of
 * a batch are chosen before its clock runs.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { Arena, HashTable, type Item } from 'uma-smr'
import { randomness } from '../harness/data.ts'
import {
  BATCH,
  DONE,
  type GrowthOrder,
  NAME,
  type Quantiles,
  READY,
  type Reads,
  Row,
  STILL,
  STOP,
} from './growthOrder.ts'

const NS_PER_MS = 1e6
const SEED = 0x6204

function read({ handle, control }: GrowthOrder): Reads {
  const arena = Arena.attach(handle)
  const table = HashTable.open(arena, NAME, { record: Row, key: 'id' })
  const sizeOf = (item: Item): number => Row.get.size(arena, item)
  const random = randomness(SEED)
  const keys = new Uint32Array(BATCH)
  const growing: number[] = []
  const still: number[] = []
  Atomics.add(control, READY, 1)
  while (Atomics.load(control, STOP) === 0) {
    const times = Atomics.load(control, STILL) === 0 ? growing : still
    const pairs = Math.min(Atomics.load(control, DONE), Atomics.load(control, DONE + 1))
    if (pairs === 0) {
      Atomics.wait(control, STOP, 0, 1)
      continue
    }
    for (let i = 0; i < BATCH; i++) keys[i] = random() * 2 * pairs
    let wrong = 0
    const start = performance.now()
    for (const key of keys) if (table.read(key, sizeOf) !== key) wrong++
    times.push(((performance.now() - start) * NS_PER_MS) / BATCH)
    if (wrong > 0) throw new Error(`${wrong} of ${BATCH} records were not found`)
  }
  arena.detach()
  return { growing: quantiles(growing), still: quantiles(still) }
}

function quantiles(times: number[]): Quantiles {
  times.sort((x, y) => x - y)
  const at = (part: number) => times[Math.floor(times.length * part)] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99) }
}

parentPort?.postMessage(read(workerData as GrowthOrder))

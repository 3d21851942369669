/**
 * A worker that allocates and frees in the zone of another, as fast as it can, until it is stopped.
 */
import { workerData } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { churn } from '../knobs/churn.ts'
import { HOLDS, READY, type ReaderPlan, STOP } from './knobOrder.ts'

const { handle, control } = workerData as ReaderPlan
const arena = Arena.attach(handle)
const zone = arena.zone('bench')
Atomics.store(control, READY, 1)
while (Atomics.load(control, STOP) === 0) {
  churn(zone)
  Atomics.add(control, HOLDS, 1)
}
arena.detach()

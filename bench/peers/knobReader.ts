/**
 * A worker that holds read sections of a given length, one after the other.
 *
 * It computes while it is inside, as a reader does who walks a structure, so the other thread has a
 * core of its own and no more. A turn section ends with the turn of the event loop: there one turn
 * is one hold.
 */
import { workerData } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { HOLDS, LONGEST_US, READY, type ReaderPlan, STOP } from './knobOrder.ts'

const { handle, control, holdMs } = workerData as ReaderPlan
const arena = Arena.attach(handle)
const smr = arena.smr('bench')

while (Atomics.load(control, STOP) === 0) {
  const start = performance.now()
  smr.enter()
  Atomics.store(control, READY, 1)
  while (performance.now() - start < holdMs);
  smr.exit()
  // A turn section stays published until the turn is over.
  await new Promise((resolve) => setImmediate(resolve))
  const us = Math.ceil((performance.now() - start) * 1000)
  if (us > (control[LONGEST_US] ?? 0)) Atomics.store(control, LONGEST_US, us)
  Atomics.add(control, HOLDS, 1)
}
arena.detach()

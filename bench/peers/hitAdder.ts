/**
 * A worker that adds to the same few numbers as another thread, as fast as it can, until it is told to stop.
 */
import { workerData } from 'node:worker_threads'
import { adderOf, type HitOrder, KEYS, READY, STOP } from './hitOrder.ts'

const order = workerData as HitOrder
const add = adderOf(order)
Atomics.store(order.control, READY, 1)
for (let i = 0; Atomics.load(order.control, STOP) === 0; i++) add(i % KEYS)

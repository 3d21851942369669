/** A reader: walks all routes, one section each time, until it is told to stop. */

import { parentPort, workerData } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { Routes as After } from './after.ts'
import { Routes as Before } from './before.ts'
import { type Order, type Report, STOP } from './route.ts'

const { arena: handle, variant } = workerData as Order
const arena = Arena.attach(handle)
const routes = variant === 'before' ? new Before(arena) : new After(arena)
const stop = arena.root(STOP)

let walks = 0
let torn = 0
parentPort?.postMessage('ready')
for (; Atomics.load(arena.words, stop) === 0; walks++) torn += routes.walk()

const report: Report = { walks, torn }
arena.detach()
parentPort?.postMessage(report)

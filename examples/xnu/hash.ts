/**
 * XNU's queues and zones at work: a hash table that two threads read while this one changes it.
 *
 *     npm run build && node build/examples/xnu/hash.js
 *
 * hashTable.ts is the lesson; read it first. This one replaces names by others, sweeps whole chains
 * with the cursor and puts the names back. The readers verify each element that they find, and
 * that no name is missing which is never removed. Exit code 1 if there was a single violation.
 */

import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { KEPT, NAMES, type Order, type Report, STOP } from './hashOrder.ts'
import { CHAINS, NameTable } from './hashTable.ts'

const READERS = 2
const FOR_MS = 300
const PUTS_PER_TURN = 256
const PATIENCE_MS = 30_000

const arena = Arena.create({ bytes: 2 ** 24 })
const table = new NameTable(arena)
for (let id = 0; id < NAMES; id++) table.put(id, 0)
const watchdog = setTimeout(giveUp, PATIENCE_MS)
const readers = await Promise.all(Array.from({ length: READERS }, start))
console.log(`${NAMES} names in ${CHAINS} chains, ${READERS} readers, one writer\n`)

// ---- writing ---------------------------------------------------------------------------------

let puts = 0
let swept = 0
for (const until = performance.now() + FOR_MS; performance.now() < until; await nextTurn()) {
  for (let i = 0; i < PUTS_PER_TURN; i++) table.put(Math.floor(Math.random() * NAMES), ++puts)
  swept += table.sweep(Math.floor(Math.random() * CHAINS), (id) => id >= KEPT)
}

// ---- what happened ---------------------------------------------------------------------------

const reports = await Promise.all(readers.map(stop))
clearTimeout(watchdog)
for (const { worker, reads, torn, lost } of reports) {
  console.log(`worker ${worker}  ${n(reads)} lookups verified, ${torn} torn, ${lost} lost`)
}
const { frees, retired, advances, live, bucket } = table.zone.zone.stats()
console.log(`worker ${arena.workerId}  ${n(puts)} puts, ${n(swept)} names swept`)
console.log(`zone "names": ${n(frees)} frees in ${n(retired)} buckets of ${bucket}\n`)
table.zone.zone.check() // Throws unless every element is in exactly one place.

claim(
  reports.every(({ reads, torn }) => reads > 0 && torn === 0),
  'no reader saw an element that was freed',
)
claim(
  reports.every(({ lost }) => lost === 0),
  'no reader missed a name that is never removed',
)
claim(table.count() === live, 'the chains hold every element that is not free')
claim(advances === retired, 'the clock was moved once per bucket')
arena.detach()

// ---- helpers ---------------------------------------------------------------------------------

async function start(): Promise<Worker> {
  const order: Order = { arena: arena.handle, heads: table.heads }
  const worker = new Worker(new URL('./hashReader.js', import.meta.url), { workerData: order })
  arena.supervise(worker)
  await once(worker, 'message') // READY. Rejects when the worker throws.
  return worker
}

async function stop(worker: Worker): Promise<Report> {
  worker.postMessage(STOP)
  const [report] = await once(worker, 'message')
  return report as Report
}

function giveUp(): void {
  console.error(`the readers did not end within ${PATIENCE_MS / 1000} s`)
  process.exit(2)
}

function claim(isSo: boolean, what: string): void {
  console.log(`  ${isSo ? 'yes' : 'NO '}  ${what}`)
  if (!isSo) process.exitCode = 1
}

function n(value: number): string {
  return value.toLocaleString('en-US')
}

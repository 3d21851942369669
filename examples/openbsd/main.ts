/**
 * OpenBSD's smr_call(9) and smr_barrier(9): a module that is used while it is changed, and then unloaded.
 *
 *     npm run build && node build/examples/openbsd/main.js
 *
 * etherbridge.ts is the lesson; read it first. Here its list is looked at by two threads without a lock,
 * while this one replaces entries and frees the old ones by smr_call. Then the module is
 * unloaded under the readers' feet, in the order that every kernel has to keep:
 *
 *   1. remove everything, so that no reader finds anything new
 *   2. smr_barrier: readers that had found something have left, and all callbacks have run
 *   3. nothing of the module is needed any more: its memory is given back, and used for other things
 *
 * Without the second step, callbacks of a module that is gone would run, and readers would look at
 * memory that is somebody else's. The example counts both. Exit code 1 if there was a single one.
 */

import { once } from 'node:events'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { smr_startup } from 'uma-smr/openbsd'
import { Etherbridge, GONE, stateOf, UNLOADING } from './etherbridge.ts'
import { ADDRESSES, type Order, type Report, STOP } from './order.ts'

const READERS = 2
const LOADED_MS = 250
const UNLOADED_MS = 100
const PORTS = 8
const LEARNT_PER_TURN = 16
const PATIENCE_MS = 30_000

// ---- load ------------------------------------------------------------------------------------

const arena = Arena.create({ bytes: 2 ** 24 })
const { smr, smr_barrier } = smr_startup(arena)
const bridge = new Etherbridge(arena)
for (let addr = 0; addr < ADDRESSES; addr++) bridge.learn(addr, addr % PORTS, 0)
console.log(`etherbridge loaded: ${ADDRESSES} addresses, ${READERS} readers, one writer`)

const watchdog = setTimeout(giveUp, PATIENCE_MS)
const readers = await Promise.all(Array.from({ length: READERS }, startReader))

// ---- use -------------------------------------------------------------------------------------

let learnt = 0
for (const until = performance.now() + LOADED_MS; performance.now() < until; ) {
  for (let i = 0; i < LEARNT_PER_TURN; i++) {
    const addr = Math.floor(Math.random() * ADDRESSES)
    bridge.learn(addr, Math.floor(Math.random() * PORTS), ++learnt)
  }
  await nextTurn() // Callbacks run between turns.
}
const { calls, advances } = smr.stats()
console.log(`${n(calls)} entries replaced, ${n(advances)} grace periods for them`)

// ---- unload ----------------------------------------------------------------------------------

Atomics.store(arena.words, stateOf(arena), UNLOADING)
bridge.flush()
console.log(`unload: ${n(bridge.pending)} entries are removed and not free yet`)
await smr_barrier()
const pendingAfter = bridge.pending
console.log(`smr_barrier: ${n(pendingAfter)}`)
bridge.unload()
Atomics.store(arena.words, stateOf(arena), GONE)

// Somebody else takes the memory, and writes all over it. The readers are still looking.
const other = arena.zone('other', { bytes: 4096 })
for (let page = other.tryZalloc(); page !== 0; page = other.tryZalloc()) {
  arena.words.fill(0x5555_5555, page, page + 1024)
}

// ---- what happened ---------------------------------------------------------------------------

await sleep(UNLOADED_MS)
const read = await Promise.all(readers.map(stopReader))
clearTimeout(watchdog)
for (const { worker, hits, misses, torn } of read) {
  console.log(`worker ${worker}: ${n(hits)} entries verified, ${n(misses)} not found, ${torn} torn`)
}
claim(
  read.every(({ hits, torn }) => hits > 0 && torn === 0),
  'no reader saw an entry that was freed',
)
claim(
  read.every(({ lost }) => lost === 0),
  'no reader missed an entry while the module was loaded',
)
claim(
  read.every(({ misses, late }) => misses > 0 && late === 0),
  'no reader found one when it was gone',
)
claim(
  bridge.removed === learnt + ADDRESSES && bridge.freed === bridge.removed,
  'every entry was freed, once',
)
claim(pendingAfter === 0 && bridge.late === 0, 'no callback ran after smr_barrier')
arena.detach()

// ---- helpers ---------------------------------------------------------------------------------

async function startReader(): Promise<Worker> {
  const order: Order = { arena: arena.handle }
  const worker = new Worker(new URL('./reader.js', import.meta.url), { workerData: order })
  arena.supervise(worker)
  await once(worker, 'message') // READY. Rejects when the worker throws.
  return worker
}

async function stopReader(worker: Worker): Promise<Report> {
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

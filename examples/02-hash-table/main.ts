/**
 * A hash table made by hand on zallocSmr and zfreeSmr, used by three threads at once.
 *
 *     npm run build && node build/examples/02-hash-table/main.js
 *
 * table.ts is the lesson; read it first. This file makes a table of products, sets two readers and
 * a writer upon it for a second and a half, and then counts. The readers verify a checksum in every
 * node that they find, and that no product is missing which is never deleted. Exit code 1 if there
 * was a single violation, 2 if the workers did not end.
 */

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { type Order, PRODUCTS, type ReaderReport, type WriterReport } from './order.ts'
import { CHAINS, PriceTable } from './table.ts'

const READERS = 2
const FOR_MS = 1500
const PATIENCE_MS = 30_000

// ---- a table ---------------------------------------------------------------------------------

const arena = Arena.create({ bytes: 2 ** 24 })
const table = new PriceTable(arena)
for (let key = 0; key < PRODUCTS; key++) table.put(key, key * 100, 1)

// ---- three threads ---------------------------------------------------------------------------

console.log(`${n(PRODUCTS)} products in ${n(CHAINS)} chains, ${READERS} readers and a writer\n`)

const order: Order = { arena: arena.handle, heads: table.heads, forMs: FOR_MS }
const writer = start<WriterReport>('./writer.js')
const readers = Array.from({ length: READERS }, () => start<ReaderReport>('./reader.js'))
const watchdog = setTimeout(giveUp, PATIENCE_MS)
const reports = Promise.all(readers.map((each) => each.report))
const [wrote, read] = await Promise.all([writer.report, reports])
clearTimeout(watchdog)

// ---- what happened ---------------------------------------------------------------------------

for (const { worker, reads, absent, torn, lost } of read.toSorted(byWorker)) {
  const found = `${n(reads - absent)} nodes verified, ${n(absent)} products absent`
  console.log(`worker ${worker}  read   ${found}, ${torn} torn, ${lost} lost`)
}
console.log(`worker ${wrote.worker}  wrote  ${n(wrote.puts)} puts, ${n(wrote.deletes)} deletes\n`)

const { frees, retired, advances, peakPending, bucket, itemBytes } = table.nodes.stats()
const most = `${n(peakPending)} nodes, ${n(Math.ceil((peakPending * itemBytes) / 1024))} KiB`
console.log(
  `${n(frees)} frees in ${n(retired)} buckets of ${bucket}: ${n(advances)} clock advances`,
)
console.log(`most nodes ever waiting for a reader to leave: ${most}\n`)

const items = table.items()
const { leaked } = table.nodes.audit(items)
table.nodes.check() // Throws unless every node of the zone is in exactly one place.

claim(
  read.every(({ torn }) => torn === 0),
  'no reader saw a torn or recycled node',
)
claim(
  read.every(({ lost }) => lost === 0),
  'no reader missed a product that is never deleted',
)
claim(items.length === wrote.present, `the table holds the writer's ${n(wrote.present)} products`)
claim(leaked.length === 0, 'every other node is free, and free only once')
claim(advances === retired, 'the clock was moved once per bucket')
arena.detach()

// ---- helpers ---------------------------------------------------------------------------------

function start<Report>(file: string): { worker: Worker; report: Promise<Report> } {
  // The built file: Node 20 runs no TypeScript. The compiler rewrites imports, but not a URL.
  const worker = new Worker(new URL(file, import.meta.url), { workerData: order })
  // `once` also rejects on 'error': a worker that throws ends this program with its stack.
  return { worker, report: once(worker, 'message').then(([report]) => report as Report) }
}

function giveUp(): void {
  console.error(`the workers have not ended within ${PATIENCE_MS / 1000} s`)
  for (const { worker } of [writer, ...readers]) void worker.terminate()
  process.exit(2)
}

function byWorker(a: ReaderReport, b: ReaderReport): number {
  return a.worker - b.worker
}

function claim(isSo: boolean, what: string): void {
  console.log(`  ${isSo ? 'yes' : 'NO '}  ${what}`)
  if (!isSo) process.exitCode = 1
}

function n(value: number): string {
  return value.toLocaleString('en-US')
}

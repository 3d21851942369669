/**
 * FreeBSD's own use of smr(9), with four threads: two look connections up, two insert and remove.
 *
 *     npm run build && node build/examples/freebsd/main.js
 *
 * inpcbs.ts is the lesson; read it first. Exit code 1 if a reader saw anything that it should not.
 */

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { uma_zone_get_cur, uma_zone_get_smr } from 'uma-smr/freebsd'
import { Inpcbs } from './inpcbs.ts'
import { addressOf, type Order, PORTS, type Report, type Role } from './order.ts'

const FOR_MS = 800

const arena = Arena.create({ bytes: 2 ** 22 })
const inpcbs = new Inpcbs(arena)
for (let port = 0; port < PORTS; port++) inpcbs.insert(port, addressOf(port, 0))

const roles: readonly Role[] = ['reader', 'reader', 'writer', 'writer']
const reports = await Promise.all(roles.map(run))

for (const { role, worker, done, torn, lost } of reports) {
  const what = role === 'reader' ? 'lookups verified' : 'connections replaced'
  console.log(`${role} ${worker}  ${n(done)} ${what}, ${torn} torn, ${lost} lost`)
}

const { frees, bucket, retired, advances } = arena.zone('inpcb').stats()
const { polls, pollScans } = uma_zone_get_smr(inpcbs.zone).stats()
console.log(
  `\n${n(frees)} frees, buckets of ${bucket}: ${n(retired)} stamps, ${n(advances)} steps of the clock`,
)
console.log(`${n(polls)} polls, ${n(pollScans)} of which had to look at the readers\n`)

const items = inpcbs.items()
arena.zone('inpcb').check() // The core's own walk: every item is in exactly one place.
claim('no reader saw a torn or recycled connection', sum('torn') === 0)
claim('no reader missed one that is never removed', sum('lost') === 0)
claim(
  'all connections are there',
  items.length === PORTS && uma_zone_get_cur(inpcbs.zone) === PORTS,
)
claim(
  'everybody got somewhere',
  reports.every(({ done }) => done > 0),
)
arena.detach()

async function run(role: Role, index: number): Promise<Report> {
  const order: Order = { arena: arena.handle, role, index, forMs: FOR_MS }
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: order })
  // Both from the beginning: the exit may be told in the same turn as the message.
  const [[report]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')])
  return report as Report
}

function sum(what: 'torn' | 'lost'): number {
  return reports.reduce((total, report) => total + report[what], 0)
}

function claim(what: string, isSo: boolean): void {
  console.log(`  ${isSo ? 'yes' : 'NO '}  ${what}`)
  if (!isSo) process.exitCode = 1
}

function n(value: number): string {
  return value.toLocaleString('en-US')
}

/**
 * A rate limiter that all workers share: each client may ask BURST times at once, and then every INTERVAL_MS.
 *
 *     npm run build && node build/examples/recipes/rateLimiter.js
 *
 * The algorithm is GCRA: of each client one number is kept, the time when it will have used up nothing. A
 * request moves that time on by one interval, unless it would be too far ahead. To read the number and to
 * write the next one must be one step, or two workers would allow a request for the price of one: so it is an
 * atomic field, and the step is `compareExchange`. If another worker was first, it tells his number, and the
 * decision is made anew. Nobody waits for anybody, and no record is replaced.
 */

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Arena, atomic, HashTable, record, type TableOf, u32, utf8 } from 'uma-smr'

const BURST = 100
const INTERVAL_MS = 50
const WORKERS = 3
const REQUESTS = 2_000
const CLIENTS = ['192.0.2.1', '192.0.2.2', '2001:db8::7']

/** `freeAt`: in milliseconds since the program began; they fit for 49 days. */
const Limit = record({ client: utf8(45), freeAt: atomic(u32) })
const NAME = 'limits'

/** Whether this client may go on; counts the request if so. */
function allow(limits: TableOf<typeof Limit, 'client'>, client: string, now: number): boolean {
  for (let seen = 0; ; ) {
    const next = Math.max(seen, now) + INTERVAL_MS
    // A client that asks too much is told by the number that is there, and stores none.
    const isAllowed = next - now <= BURST * INTERVAL_MS
    const before = limits.compareExchange(client, 'freeAt', seen, isAllowed ? next : seen)
    if (before === seen) return isAllowed
    if (before === undefined) limits.insert({ client, freeAt: 0 })
    else seen = before
  }
}

if (isMainThread) {
  // Times at which all workers ask as fast as they can, and how much each client may have then.
  const rounds = [
    { now: 1_000, allowed: BURST, what: `at first ${BURST}` },
    { now: 1_000 + 7 * INTERVAL_MS, allowed: 7, what: '7 intervals later 7 more' },
    { now: 3_600_000, allowed: BURST, what: `an hour later ${BURST} again` },
  ]
  const arena = Arena.create({ bytes: 2 ** 22 })
  HashTable.create(arena, NAME, { record: Limit, key: 'client', capacity: 1000 })
  const asked = rounds.length * WORKERS * REQUESTS
  console.log(`${WORKERS} workers asked ${asked} times for ${CLIENTS.length} clients`)
  const workers = Array.from({ length: WORKERS }, () => {
    const worker = new Worker(new URL(import.meta.url), { workerData: arena.handle })
    arena.supervise(worker)
    return worker
  })
  for (const { now, allowed, what } of rounds) {
    const counts = workers.map((worker) => {
      worker.postMessage(now)
      return new Promise<number>((resolve) => void worker.once('message', resolve))
    })
    const sum = (await Promise.all(counts)).reduce((all, count) => all + count, 0)
    const isRight = sum === allowed * CLIENTS.length
    console.log(`${isRight ? 'yes' : 'NO '}  each client was allowed exactly so many: ${what}`)
  }
  for (const worker of workers) worker.postMessage('end')
} else {
  const arena = Arena.attach(workerData)
  const limits = HashTable.open(arena, NAME, { record: Limit, key: 'client' })
  parentPort?.on('message', (now: number | 'end') => {
    if (now === 'end') {
      arena.detach()
      parentPort?.close()
      return
    }
    let allowed = 0
    for (let i = 0; i < REQUESTS; i++) {
      if (allow(limits, CLIENTS[i % CLIENTS.length] ?? '', now)) allowed++
    }
    parentPort?.postMessage(allowed)
  })
}

/**
 * A rate limiter that all workers share: at most LIMIT requests per client in a window of time.
 *
 *     npm run build && node build/examples/recipes/rateLimiter.js
 *
 * A decision reads a count and writes it again, so it is one `update`: if another worker decides about the same
 * client meanwhile, it is made anew with that worker's count. No worker ever waits for another's decision.
 */

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Arena, HashTable, record, type TableOf, u32, utf8 } from 'uma-smr'

const LIMIT = 100
const WINDOW_MS = 3_600_000
const WORKERS = 3
const REQUESTS = 2_000
const CLIENTS = ['192.0.2.1', '192.0.2.2', '2001:db8::7']

const Count = record({ client: utf8(45), window: u32, hits: u32 })

/** Whether this client may go on; counts the request if so. */
function allow(counts: TableOf<typeof Count, 'client'>, client: string, now: number): boolean {
  const window = Math.floor(now / WINDOW_MS)
  let isAllowed = false
  counts.update(client, (known) => {
    const hits = known?.window === window ? known.hits : 0
    isAllowed = hits < LIMIT
    return isAllowed ? { client, window, hits: hits + 1 } : known
  })
  return isAllowed
}

if (isMainThread) {
  const arena = Arena.create({ bytes: 2 ** 22 })
  HashTable.create(arena, 'counts', { record: Count, key: 'client', capacity: 1000 })
  let allowed = 0
  let left = WORKERS
  for (let i = 0; i < WORKERS; i++) {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { handle: arena.handle, now: Date.now() },
    })
    arena.supervise(worker)
    worker.once('message', (count: number) => {
      allowed += count
      if (--left > 0) return
      const asked = WORKERS * REQUESTS
      console.log(`${WORKERS} workers asked ${asked} times for ${CLIENTS.length} clients`)
      const isRight = allowed === LIMIT * CLIENTS.length
      console.log(
        `${isRight ? 'yes' : 'NO '}  exactly ${LIMIT} requests of each client were allowed`,
      )
    })
  }
} else {
  const arena = Arena.attach(workerData.handle)
  const counts = HashTable.open(arena, 'counts', { record: Count, key: 'client' })
  let allowed = 0
  for (let i = 0; i < REQUESTS; i++) {
    const client = CLIENTS[i % CLIENTS.length] ?? ''
    if (allow(counts, client, workerData.now)) allowed++
  }
  arena.detach()
  parentPort?.postMessage(allowed)
}

/**
 * A rate limiter that all workers share: at most LIMIT requests per client in a window of time.
 *
 *     npm run build && node build/examples/recipes/rateLimiter.js
 *
 * A decision reads a count and writes it again, so no two workers may decide about one client at the same
 * time: each takes one of 16 locks, chosen by the end of the client's address. A worker that dies while it holds a lock
 * does not keep the others waiting: its supervisor hears of the death, and the next worker gets the lock.
 */

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Arena, HashTable, type Lock, record, type TableOf, u32, utf8 } from 'uma-smr'

const LIMIT = 100
const WINDOW_MS = 3_600_000
const LOCKS = 16
const WORKERS = 3
const REQUESTS = 2_000
const CLIENTS = ['192.0.2.1', '192.0.2.2', '2001:db8::7']

const Count = record({ client: utf8(45), window: u32, hits: u32 })

class Limiter {
  private readonly counts: TableOf<typeof Count, 'client'>
  private readonly locks: readonly Lock[]

  constructor(arena: Arena, counts: TableOf<typeof Count, 'client'>) {
    this.counts = counts
    this.locks = Array.from({ length: LOCKS }, (_, i) => arena.lock(`limiter ${i}`))
  }

  /** Whether this client may go on; counts the request if so. */
  allow(client: string, now: number): boolean {
    const window = Math.floor(now / WINDOW_MS)
    const lock = this.locks[(client.codePointAt(client.length - 1) ?? 0) % LOCKS]
    return lock?.withLock(() => {
      const known = this.counts.get(client)
      const hits = known?.window === window ? known.hits : 0
      if (hits >= LIMIT) return false
      this.counts.set({ client, window, hits: hits + 1 })
      return true
    }) as boolean
  }
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
  const limiter = new Limiter(arena, counts)
  let allowed = 0
  for (let i = 0; i < REQUESTS; i++) {
    const client = CLIENTS[i % CLIENTS.length] ?? ''
    if (limiter.allow(client, workerData.now)) allowed++
  }
  arena.detach()
  parentPort?.postMessage(allowed)
}

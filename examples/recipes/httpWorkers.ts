/**
 * HTTP workers that share one table, and a supervisor that puts a new one in the place of each that dies.
 *
 *     npm run build && node build/examples/recipes/httpWorkers.js
 *
 * Three workers take orders. Every twentieth request kills the worker that gets it, in the middle of its
 * work and without any chance to tidy up. Its buckets, locks and half-done writes are taken over, a new
 * worker is started, and the client asks again. In the end every order that was confirmed is in the table.
 *
 * Each worker listens on a port of its own; in front of real ones stands a load balancer.
 */

import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Arena, HashTable, record, u32, utf8 } from 'uma-smr'

const WORKERS = 3
const ORDERS = 120
const KILLS_AT = 20

const Order = record({ id: u32, worker: u32, item: utf8(32) })

if (isMainThread) await supervise()
else serve()

async function supervise(): Promise<void> {
  const arena = Arena.create({ bytes: 2 ** 22 })
  const orders = HashTable.create(arena, 'orders', { record: Order, key: 'id', capacity: 1000 })
  const workers = new Map<number, { worker: Worker; port: Promise<number> }>()
  let deaths = 0
  let ending = false

  const start = (place: number): void => {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { handle: arena.handle, place },
    })
    // From its first moment: whatever it holds when it dies is taken over before `exit` is told to us.
    arena.supervise(worker)
    const port = new Promise<number>((resolve) => worker.once('message', resolve))
    workers.set(place, { worker, port })
    worker.once('exit', () => {
      if (ending) return
      deaths++
      start(place)
    })
  }
  for (let place = 0; place < WORKERS; place++) start(place)

  let confirmed = 0
  for (let id = 1; id <= ORDERS; id++) {
    const dies = id % KILLS_AT === 0
    let answer = await ask(await workers.get(id % WORKERS)?.port, id, dies)
    // No answer: we cannot know whether the order was taken, so we send it again. It has an id.
    for (let n = id; answer !== 'taken'; n++) {
      answer = await ask(await workers.get(n % WORKERS)?.port, id, false)
    }
    confirmed++
  }
  const found = Array.from({ length: ORDERS }, (_, i) => orders.get(i + 1))
  const inTable = found.filter((order) => order?.item === `item ${order?.id}`).length
  console.log(`${confirmed} orders confirmed, ${deaths} workers died and were replaced`)
  say(deaths === ORDERS / KILLS_AT, 'a worker died for every twentieth order')
  say(inTable === ORDERS && orders.size === ORDERS, 'every confirmed order is in the table, whole')
  const { live } = orders.zone.stats()
  say(live - inTable <= deaths, 'at most one record was in the hands of each worker that died')
  ending = true
  for (const { worker } of workers.values()) await worker.terminate()
}

/** What the worker answers, '' if it dies. */
function ask(port: number | undefined, id: number, dies: boolean): Promise<string> {
  return new Promise((resolve) => {
    const request = get(
      { port, host: '127.0.0.1', path: `/${id}${dies ? '?die' : ''}`, agent: false, timeout: 5000 },
      (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (part) => {
          body += part
        })
        response.on('end', () => resolve(body))
        response.on('error', () => resolve(''))
      },
    )
    request.on('error', () => resolve(''))
    request.on('timeout', () => request.destroy())
  })
}

function serve(): void {
  const arena = Arena.attach(workerData.handle)
  const orders = HashTable.open(arena, 'orders', { record: Order, key: 'id' })
  const server = createServer((request, response) => {
    const [path = '', dies] = (request.url ?? '').split('?')
    const id = Number(path.slice(1))
    orders.set({ id, worker: workerData.place, item: `item ${id}` })
    // The order is in the table, a record is in our hands, a lock is held: and now the end.
    if (dies !== undefined) {
      orders.zone.zallocSmr()
      arena.lock('books').lock()
      process.exit(1)
    }
    arena.lock('books').withLock(() => response.end('taken'))
  })
  server.listen(0, '127.0.0.1', () =>
    parentPort?.postMessage((server.address() as AddressInfo).port),
  )
}

function say(isSo: boolean, what: string): void {
  console.log(`${isSo ? 'yes' : 'NO '}  ${what}`)
}

/**
 * Feature flags: asked at every request in every worker, changed by one of them a few times a day.
 *
 *     npm run build && node build/examples/recipes/featureFlags.js
 *
 * No message is sent when a flag changes. Each worker has near copies (`near`): objects that it keeps, and of
 * which two loads of shared memory say at each use whether they are current. So a flag costs what it would in
 * a private `Map`, and no worker ever answers with one that has been changed.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Arena, bool, HashTable, record, type TableOf, u32, utf8 } from 'uma-smr'

const Flag = record({ name: utf8(32), on: bool, percent: u32 })
type Flags = TableOf<typeof Flag, 'name'>

const WORKERS = 2
const AFTER_MS = 100

/** Whether the flag is on for this user. */
function isOn(flags: Flags, name: string, user: number): boolean {
  const flag = flags.get(name)
  return flag?.on === true && user % 100 < flag.percent
}

if (isMainThread) {
  const arena = Arena.create({ bytes: 2 ** 20 })
  const options = { record: Flag, key: 'name', capacity: 100 } as const
  const flags = HashTable.create(arena, 'flags', options)
  flags.set({ name: 'new-checkout', on: false, percent: 20 })
  const reports: Promise<{ before: number; after: number; reads: number }>[] = []
  for (let i = 0; i < WORKERS; i++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: arena.handle })
    arena.supervise(worker)
    reports.push(new Promise((resolve) => worker.once('message', resolve)))
  }
  await sleep(AFTER_MS)
  flags.set({ name: 'new-checkout', on: true, percent: 20 })
  for (const { before, after, reads } of await Promise.all(reports)) {
    console.log(`a worker read the flag ${reads.toLocaleString('en-US')} times`)
    console.log(`${before === 0 ? 'yes' : 'NO '}  off for everybody before the change`)
    console.log(`${after === 20 ? 'yes' : 'NO '}  on for 20 of 100 users after it`)
  }
} else {
  const arena = Arena.attach(workerData)
  const flags = HashTable.open(arena, 'flags', { record: Flag, key: 'name', near: { max: 200 } })
  const users = Array.from({ length: 100 }, (_, i) => i)
  const count = (): number => users.filter((user) => isOn(flags, 'new-checkout', user)).length
  let before = 0
  let after = 0
  let reads = 0
  for (; after === 0; reads += users.length) {
    // Each call stands for a hundred requests; then the turn ends.
    const now = count()
    if (now > 0) after = count()
    else before = Math.max(before, now)
    await new Promise((resolve) => setImmediate(resolve))
  }
  arena.detach()
  parentPort?.postMessage({ before, after, reads })
}

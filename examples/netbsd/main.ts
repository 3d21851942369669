/**
 * The change of two lines from pserialize(9) to pool_cache_set_smr(9), as a race of both variants.
 *
 *     npm run build && node build/examples/netbsd/main.js
 *     diff examples/netbsd/before.ts examples/netbsd/after.ts
 *
 * Two threads walk all routes, section after section, and verify them; this one changes routes as
 * fast as it can. Numbers depend on the machine, their order does not.
 */

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { Routes as After } from './after.ts'
import { Routes as Before } from './before.ts'
import { type Order, type Report, ROUTES, STOP, type Variant } from './route.ts'

const READERS = 2
const FOR_MS = 400

interface Outcome {
  readonly changes: number
  readonly longestMs: number
  readonly advances: number
  readonly walks: number
  readonly torn: number
}

const before = await race('before')
const after = await race('after')

row(['', 'changes', 'longest, ms', 'advances', 'walks', 'torn'])
for (const [name, it] of [['before', before] as const, ['after', after] as const]) {
  row([name, it.changes, it.longestMs.toFixed(2), it.advances, it.walks, it.torn])
}
console.log()
claim('no reader saw a torn or recycled route', before.torn + after.torn === 0)
claim('before, the clock moved for every change', before.advances === before.changes)
claim('after, it moved for a bucketful at a time', after.advances * 10 < after.changes)
claim('after, there were more changes in the same time', after.changes > before.changes)

async function race(variant: Variant): Promise<Outcome> {
  const arena = Arena.create({ bytes: 2 ** 22 })
  const routes = variant === 'before' ? new Before(arena) : new After(arena)
  for (let i = 0; i < ROUTES; i++) routes.change(i, i)
  const advances = arena.smr('routes').stats().advances
  const order: Order = { arena: arena.handle, variant }
  const url = new URL('./reader.js', import.meta.url)
  const readers = Array.from({ length: READERS }, () => new Worker(url, { workerData: order }))
  await Promise.all(readers.map((each) => once(each, 'message')))

  let changes = 0
  let longestMs = 0
  const start = performance.now()
  for (let now = start; now < start + FOR_MS; changes++) {
    routes.change(changes, changes)
    const then = now
    now = performance.now()
    longestMs = Math.max(longestMs, now - then)
  }

  const steps = arena.smr('routes').stats().advances - advances
  Atomics.store(arena.words, arena.root(STOP), 1)
  const reports = await Promise.all(readers.map((each) => once(each, 'message')))
  const sum = { walks: 0, torn: 0 }
  for (const [report] of reports as [Report][]) {
    sum.walks += report.walks
    sum.torn += report.torn
  }
  arena.detach()
  return { changes, longestMs, advances: steps, ...sum }
}

function row(cells: readonly (string | number)[]): void {
  console.log(cells.map((cell) => String(cell).padStart(12)).join(''))
}

function claim(what: string, isSo: boolean): void {
  console.log(`  ${isSo ? 'yes' : 'NO '}  ${what}`)
  if (!isSo) process.exitCode = 1
}

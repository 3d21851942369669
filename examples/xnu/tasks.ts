/**
 * XNU's scalable hash tables: two threads make, look up and end the same tasks, without a lock of ours.
 *
 *     npm run build && node build/examples/xnu/tasks.js
 *
 * Both threads take every pid once. Who makes it first with `smr_shash_get_or_insert` gets null, the other
 * gets what is there. Then both want to end each task: a cursor names the element that was seen in the
 * section, and only one of them erases it. Between the two a task may be replaced by one with a new
 * generation, and a cursor for the old one must not touch that. In the end the numbers must add up. Exit
 * code 1 if they do not.
 */

import { once } from 'node:events'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Arena, record, u32 } from 'uma-smr'
import {
  SMRH_TRAITS_DEFINE_SCALAR,
  SMRSH_BALANCED,
  smr_shash_destroy,
  smr_shash_entered_find,
  smr_shash_entered_mut_abort,
  smr_shash_entered_mut_begin,
  smr_shash_entered_mut_erase,
  smr_shash_entered_mut_replace,
  smr_shash_get,
  smr_shash_get_or_insert,
  smr_shash_init,
  smrht_enter,
  smrht_leave,
} from 'uma-smr/xnu'

const TASKS = 20_000
const WORKERS = 2
const PATIENCE_MS = 1000
const Task = record({ pid: u32, maker: u32, generation: u32 })
const traits = SMRH_TRAITS_DEFINE_SCALAR(Task, 'pid')
const join = (arena: Arena) => smr_shash_init(arena, 'tasks', traits, SMRSH_BALANCED, 64)

interface Report {
  readonly made: number
  readonly renewed: number
  readonly erased: number
  readonly late: number
}

if (isMainThread) await main()
else work(workerData)

function work(handle: Arena['handle']): void {
  const arena = Arena.attach(handle)
  const tasks = join(arena)
  const cursorFor = (pid: number) => {
    smrht_enter(tasks)
    const obj = smr_shash_entered_find(tasks, pid, traits)
    const cursor = obj === 0 ? null : smr_shash_entered_mut_begin(tasks, obj, traits)
    smrht_leave(tasks)
    return cursor
  }
  meet(arena)
  const report = { made: 0, renewed: 0, erased: 0, late: 0 }
  for (let pid = 0; pid < TASKS; pid++) {
    const task = { pid, maker: arena.workerId, generation: 0 }
    if (smr_shash_get_or_insert(tasks, pid, task, traits) === null) report.made++
    const seen = cursorFor(pid)
    if (seen === null) continue
    // One in four gets a new generation instead; then the cursor of the other thread finds its element gone.
    if (pid % 4 === 0) {
      const next = { pid, maker: arena.workerId, generation: 1 }
      if (smr_shash_entered_mut_replace(seen, next, traits)) report.renewed++
      else report.late++
    } else if (pid % 4 === 1) {
      smr_shash_entered_mut_abort(seen)
    } else if (smr_shash_entered_mut_erase(tasks, seen, traits)) report.erased++
    else report.late++
  }
  arena.detach()
  parentPort?.postMessage(report)
}

/** Until all threads are here. */
function meet(arena: Arena): void {
  const { words } = arena
  const here = arena.root('here')
  Atomics.add(words, here, 1)
  Atomics.notify(words, here)
  for (let n = Atomics.load(words, here); n < WORKERS; n = Atomics.load(words, here)) {
    Atomics.wait(words, here, n, PATIENCE_MS)
  }
}

async function main(): Promise<void> {
  const arena = Arena.create({ bytes: 2 ** 24 })
  const tasks = join(arena)
  const reports = await Promise.all(
    Array.from({ length: WORKERS }, async () => {
      const worker = new Worker(new URL(import.meta.url), { workerData: arena.handle })
      arena.supervise(worker)
      const [[report]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')])
      return report as Report
    }),
  )
  const all = (key: keyof Report): number => reports.reduce((sum, each) => sum + each[key], 0)
  console.log(`${WORKERS} threads: ${all('made')} tasks made, ${all('erased')} erased,`)
  console.log(`${all('renewed')} renewed, ${all('late')} cursors came too late\n`)

  const { size } = tasks.table
  claim(all('made') - all('erased') === size, 'every task was made once and ended once')
  claim(
    all('renewed') > 0 && smr_shash_get(tasks, 0, traits)?.generation === 1,
    'a renewed task is the new one',
  )
  let left = 0
  smr_shash_destroy(tasks, traits, () => left++)
  claim(left === size && arena.stats().zones.length === 0, 'destroy has told of those left')
  arena.detach()
}

function claim(isSo: boolean, what: string): void {
  console.log(`  ${isSo ? 'yes' : 'NO '}  ${what}`)
  if (!isSo) process.exitCode = 1
}

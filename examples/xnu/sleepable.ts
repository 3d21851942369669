/**
 * XNU's sleepable sections: readers that wait in the middle of a read, while a writer retires what
 * they look at.
 *
 *     npm run build && node build/examples/xnu/sleepable.js
 *
 * Four tasks of this thread open a section each, find an entry, wait for some milliseconds, as one
 * waits for a disk or a network, and look at the same entry again. A writer in another thread
 * replaces every entry once a millisecond, so most of what is found has been replaced when the wait
 * is over. An entry must not be freed before: each task verifies that it reads what it had
 * read. An ordinary section could not do this, for it must not be open across an `await`.
 *
 * The price is in the last lines: entries are freed when the oldest section ends, so the longer the
 * sections are, the more of them wait. Exit code 1 if a task saw anything but what it had found.
 */

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Arena, type Item } from 'uma-smr'
import {
  smr_enter_sleepable,
  smr_entered_load,
  smr_init_store,
  smr_leave_sleepable,
  smr_tracker,
  smr_unsafe_load,
} from 'uma-smr/xnu'
import {
  domainOf,
  Entry,
  fill,
  type Order,
  type Report,
  STOP,
  slotsOf,
  versionOf,
} from './sleepableSlots.ts'

const TASKS = 4
const FOR_MS = 300
const LONGEST_WAIT_MS = 12
const PATIENCE_MS = 30_000

// ---- eight slots and a writer ----------------------------------------------------------------

const arena = Arena.create({ bytes: 2 ** 22 })
const smr = domainOf(arena)
const entries = arena.zone('entries', { record: Entry })
const slots = slotsOf(arena)
for (const slot of slots) {
  const entry = entries.zalloc()
  fill(arena, entry, 0)
  smr_init_store(slot, entry)
}
const watchdog = setTimeout(giveUp, PATIENCE_MS)
const writer = await startWriter()

// ---- four tasks ------------------------------------------------------------------------------

let reads = 0
let torn = 0
let overtaken = 0

const begin = performance.now()
/** On a busy machine the writer may come late. */
const isOver = (ms: number): boolean => ms > FOR_MS && (overtaken >= TASKS || ms > PATIENCE_MS)
await Promise.all(Array.from({ length: TASKS }, readAll))

async function readAll(): Promise<void> {
  const tracker = new smr_tracker() // One for each task: it tells their sections apart.
  while (!isOver(performance.now() - begin)) {
    const slot = pick(slots)
    smr_enter_sleepable(smr, tracker)
    try {
      const entry = smr_entered_load(slot)
      const before = versionOf(arena, entry)
      await sleep(Math.random() * LONGEST_WAIT_MS)
      if (before === undefined || versionOf(arena, entry) !== before) torn++
      if (smr_unsafe_load(slot) !== entry) overtaken++
      reads++
    } finally {
      smr_leave_sleepable(smr, tracker)
    }
  }
}

// ---- what happened ---------------------------------------------------------------------------

writer.postMessage(STOP)
const [report] = await once(writer, 'message')
const { replaced, retired, mostPending } = report as Report
clearTimeout(watchdog)

console.log(`${TASKS} tasks: ${n(reads)} reads across an await, ${torn} torn`)
console.log(`of these, ${n(overtaken)} entries were replaced while they were read`)
console.log(`writer: ${n(replaced)} entries replaced, ${n(retired)} retired`)
console.log(`most entries that ever waited for a reader: ${n(mostPending)}\n`)
claim(reads > 0 && torn === 0, 'no task saw an entry that was freed while it waited')
claim(overtaken > 0, 'it would have, if the writer had freed at once')
claim(mostPending > slots.length, 'entries waited for readers')
claim(retired === replaced, 'and every one was retired')
claim(entries.stats().live === slots.length, 'those in the slots are all that is left')
arena.detach()

// ---- helpers ---------------------------------------------------------------------------------

async function startWriter(): Promise<Worker> {
  const [first] = slots
  const order: Order = { arena: arena.handle, slots: first?.address as Item }
  const worker = new Worker(new URL('./sleepableWriter.js', import.meta.url), {
    workerData: order,
  })
  arena.supervise(worker)
  await once(worker, 'message') // READY. Rejects when the worker throws.
  return worker
}

function pick<T>(all: readonly T[]): T {
  return all[Math.floor(Math.random() * all.length)] as T
}

function giveUp(): void {
  console.error(`the writer did not end within ${PATIENCE_MS / 1000} s`)
  process.exit(2)
}

function claim(isSo: boolean, what: string): void {
  console.log(`  ${isSo ? 'yes' : 'NO '}  ${what}`)
  if (!isSo) process.exitCode = 1
}

function n(value: number): string {
  return value.toLocaleString('en-US')
}

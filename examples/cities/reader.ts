/**
 * A reader: looks random cities up as fast as it can, and believes nothing.
 *
 * Each record is read in place, inside a section, and every field goes into the checksum. It must
 * be the city that was asked for, and no older than what this reader has seen of it before.
 *
 * Most sections last for one lookup, about a microsecond. Once per turn there is a long look: one
 * section in which a large city is found, five thousand others are read, and then the first record
 * is read again. By then the writer may well have replaced and freed it, and used the memory of other
 * freed records again; yet in this section it must still be what it was, to the last bit. That is
 * the promise of safe memory reclamation, tested where it would hurt.
 *
 * A careless reader (CITIES_CARELESS=1) does the same without the section: it keeps an address that
 * means nothing any more. So one can see that the alarm rings.
 */

import { setImmediate as nextTurn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { Arena, type Item } from 'uma-smr'
import { City, drawPlace, isWhole, LARGEST, openCities, upTo } from './city.ts'
import { type Order, type ReaderReport, STOP } from './reports.ts'

/** How long a turn is, and so how often we report and can be stopped. */
const TURN_MS = 50
const READS_PER_LOOK_AT_THE_CLOCK = 256
const READS_IN_A_LONG_LOOK = 5000
const TURNS_KEPT = 20

const { arena: handle, ids, careless } = workerData as Order
const arena = Arena.attach(handle)
const table = openCities(arena)
const { get } = City

let reads = 0
let absent = 0
let torn = 0
let recycled = 0
let outdated = 0
/** The newest version that we have seen of each city. */
const newest = new Uint32Array(ids.length)
/** The city that we are asking for: a place in `ids`. */
let asked = 0

/** A record as it was when we found it. */
interface Kept {
  readonly item: Item
  readonly id: number
  readonly version: number
}
const kept: Kept[] = []

let stopped = false
parentPort?.on('message', (message) => {
  if (message === STOP) stopped = true
})

const start = performance.now()
while (!stopped) {
  const end = performance.now() + TURN_MS
  if (careless) lookCarelessly()
  else table.smr.read(lookLong)
  while (performance.now() < end) readSome(READS_PER_LOOK_AT_THE_CLOCK)
  report(false)
  // No section is open across an await. Sections are cheap: one opens another when one is back.
  await nextTurn()
}
arena.detach()
report(true)
// The port would keep this thread waiting for more.
parentPort?.unref()

function readSome(count: number): void {
  for (let i = 0; i < count; i++) {
    asked = drawPlace(ids.length)
    if (table.read(ids[asked] ?? 0, verify) === undefined) absent++
  }
}

/** Inside the section, on the record itself. */
function verify(item: Item): true {
  reads++
  if (get.id(arena, item) !== ids[asked]) recycled++
  if (!isWhole(arena, item)) torn++
  const version = get.version(arena, item)
  if (version < (newest[asked] ?? 0)) outdated++
  else newest[asked] = version
  return true
}

/** One section around two looks at one record, and thousands of other lookups between them. */
function lookLong(): void {
  const id = ids[upTo(LARGEST)] ?? 0
  const item = table.find(id)
  if (item === 0) return
  const version = get.version(arena, item)
  readSome(READS_IN_A_LONG_LOOK)
  verifyAgain({ item, id, version })
}

/** The mistake: the section ends with `read`, and the address lives on. For a second, say. */
function lookCarelessly(): void {
  const id = ids[upTo(LARGEST)] ?? 0
  table.read(id, (item) => kept.push({ item, id, version: get.version(arena, item) }))
  const old = kept.length > TURNS_KEPT ? kept.shift() : undefined
  if (old !== undefined) verifyAgain(old)
}

function verifyAgain({ item, id, version }: Kept): void {
  reads++
  if (get.id(arena, item) !== id || get.version(arena, item) !== version) recycled++
  if (!isWhole(arena, item)) torn++
}

function report(last: boolean): void {
  const ms = performance.now() - start
  const now: ReaderReport = { last, ms, reads, absent, torn, recycled, outdated }
  parentPort?.postMessage(now)
}

/**
 * The writer: updates cities, deletes some and puts them back, without a pause.
 *
 * An update never touches the record that readers may be looking at. It fills a new one, links it in
 * the old one's place with one store, and frees the old one through `zfreeSmr`. So each update and
 * each delete gives one record to the batching: a bucket of them costs one step of the clock.
 *
 * It keeps a ledger - who is deleted, which version everybody has - that knows nothing of shared
 * memory. At the end the table must agree with it.
 */

import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { Arena, Exhausted } from 'uma-smr'
import { type City, drawPlace, FIRST_VERSION, openCities, seal, upTo } from './city.ts'
import { type Order, STOP, type WriterReport } from './reports.ts'

const TURN_MS = 50
const CHANGES_PER_LOOK_AT_THE_CLOCK = 64
const DELETED_OF_100 = 10
/** The one that has been away for longest comes back when so many are. */
const MOST_GONE = 256
const MOST_GROWTH = 1000
const PUT_OFF_MS = 5

const { arena: handle, ids } = workerData as Order
const arena = Arena.attach(handle)
const table = openCities(arena)

let updates = 0
let deletes = 0
let inserts = 0
let lost = 0
let waits = 0
/** The ledger: deleted cities by place in `ids`, and the sum of the versions of all others. */
const gone = new Map<number, City>()
let versions = ids.length * FIRST_VERSION

let stopped = false
parentPort?.on('message', (message) => {
  if (message === STOP) stopped = true
})

const start = performance.now()
while (!stopped) {
  try {
    const end = performance.now() + TURN_MS
    while (performance.now() < end) {
      for (let i = 0; i < CHANGES_PER_LOOK_AT_THE_CLOCK; i++) change()
    }
    await nextTurn()
  } catch (error) {
    // Full: what we have freed waits for a reader. Nothing has changed; we come back later.
    if (!(error instanceof Exhausted)) throw error
    waits++
    await sleep(PUT_OFF_MS)
  }
  report(false)
}
arena.detach()
report(true)
// The port would keep this thread waiting for more.
parentPort?.unref()

/** The ledger is written after the table: if the table refuses, both are as before. */
function change(): void {
  const [oldest] = gone.keys()
  const place = oldest !== undefined && gone.size >= MOST_GONE ? oldest : drawPlace(ids.length)
  const deleted = gone.get(place)
  if (deleted === undefined) changePresent(place)
  else putBack(place, nextVersion(deleted))
}

function putBack(place: number, city: City): void {
  table.set(city)
  gone.delete(place)
  versions += city.version
  inserts++
}

function changePresent(place: number): void {
  const city = table.get(ids[place] ?? 0)
  if (city === undefined) {
    lost++
  } else if (upTo(100) < DELETED_OF_100) {
    if (!table.delete(city.id)) lost++
    gone.set(place, city)
    versions -= city.version
    deletes++
  } else {
    table.set(nextVersion(city))
    versions++
    updates++
  }
}

function nextVersion(city: City): City {
  return seal({
    id: city.id,
    population: city.population + upTo(MOST_GROWTH),
    version: city.version + 1,
    lat: city.lat,
    lon: city.lon,
    country: city.country,
    name: city.name,
  })
}

function report(last: boolean): void {
  const ms = performance.now() - start
  const present = ids.length - gone.size
  const now: WriterReport = {
    last,
    ms,
    updates,
    deletes,
    inserts,
    lost,
    waits,
    present,
    versions,
  }
  parentPort?.postMessage(now)
}

/**
 * One table of all the cities of the world, in shared memory. Readers on every core look cities up
 * and verify each record where it lies, without a lock; a writer updates, deletes and re-inserts
 * them, without a pause. Memory is recycled all the time, and no reader may ever notice.
 *
 *     npm start                               about ten seconds, then the figures; exit code 0, or
 *                                             1 if a claim did not hold, 2 if it did not end
 *     CITIES_SECONDS=60 npm start             as long as you like; Ctrl-C ends it with the figures
 *     CITIES_CARELESS=1 npm start             readers break the rule on purpose, and it shows
 *
 *     city.ts      the record and its checksum        reader.ts    what a reader does
 *     load.ts      from the package into the table    writer.ts    what the writer does
 *     crew.ts      threads                            summary.ts, verdict.ts    the figures
 */

import { availableParallelism } from 'node:os'
import { Arena } from 'uma-smr'
import { Member } from './crew.ts'
import { loadCities } from './load.ts'
import { Progress, type Sight } from './progress.ts'
import { NO_READS, NO_WRITES, type Order, type ReaderReport, type WriterReport } from './reports.ts'
import { bold, count } from './screen.ts'
import {
  printClock,
  printLoading,
  printMemory,
  printReaders,
  printWriter,
  printZones,
  sum,
} from './summary.ts'
import { verdict } from './verdict.ts'

const { CITIES_SECONDS, CITIES_CARELESS } = process.env
const DEFAULT_SECONDS = 8
const MS_PER_S = 1000
/** How much longer than planned it may take before we call it hung. */
const PATIENCE_MS = 30_000
const FEWEST_READERS = 2
/** An arena has room for 256 workers: the readers, the writer, and this thread. */
const MOST_READERS = 254

const forMs = runTime()
const readerCount = Math.min(MOST_READERS, Math.max(FEWEST_READERS, availableParallelism()))

// Ctrl-C means: enough, show me. Signals are heard between turns, and the first turn hires the crew.
// A second one, should we not end, does what it always does.
process.once('SIGINT', stop)

// ---- one arena, one table --------------------------------------------------------------------

console.log(bold(`All the cities, one table, ${readerCount} readers, 1 writer`))
const arena = Arena.create({ bytes: 2 ** 28, maxWorkers: readerCount + 2 })
const { table, ids, parseMs, storeMs } = loadCities(arena)
printLoading(ids.length, parseMs, storeMs)

// ---- everybody at once -----------------------------------------------------------------------

const order: Order = { arena: arena.handle, ids, careless: CITIES_CARELESS === '1' }
const readers = Array.from(
  { length: readerCount },
  (_, i) => new Member<ReaderReport>(`reader ${i + 1}`, './reader.js', order, NO_READS),
)
const writer = new Member<WriterReport>('writer', './writer.js', order, NO_WRITES)
const crew = [...readers, writer]

const watchdog = setTimeout(giveUp, forMs + PATIENCE_MS)
const end = setTimeout(stop, forMs)
const progress = new Progress(forMs, look)
try {
  await Promise.all(crew.map((member) => member.ended))
} catch (error) {
  for (const member of crew) member.terminate()
  progress.end()
  console.error(error)
  process.exit(1)
}
clearTimeout(watchdog)
progress.end()

// ---- the figures -----------------------------------------------------------------------------

printReaders(readers.map(({ name, latest }) => [name, latest] as const))
printWriter(writer.latest)
printZones(arena)
printClock(table)
printMemory(arena, table)
const read = sum(readers.map(({ latest }) => latest))
if (!verdict(arena, table, read, writer.latest)) process.exitCode = 1
arena.detach()

// ---- helpers ---------------------------------------------------------------------------------

function runTime(): number {
  const text = CITIES_SECONDS ?? String(DEFAULT_SECONDS)
  const value = Number(text)
  if (text.trim() !== '' && value > 0 && Number.isFinite(value)) return value * MS_PER_S
  console.error(`CITIES_SECONDS is ${JSON.stringify(text)}; give a number of seconds above 0`)
  process.exit(1)
}

function look(): Sight {
  const { updates, deletes, inserts } = writer.latest
  return {
    reads: readers.reduce((total, { latest }) => total + latest.reads, 0),
    writes: updates + deletes + inserts,
    pending: table.zone.stats().pending,
  }
}

function stop(): void {
  clearTimeout(end)
  for (const member of crew) member.stop()
}

function giveUp(): void {
  progress.end()
  const busy = crew.filter(({ latest }) => !latest.last)
  console.error(
    `not ended after ${count(forMs + PATIENCE_MS)} ms: ${busy.map(({ name }) => name).join(', ')}`,
  )
  for (const member of crew) member.terminate()
  process.exit(2)
}

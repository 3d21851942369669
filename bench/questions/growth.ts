/**
 * How long does a writer wait while a table grows by itself?
 *
 * Two workers put records into one table until it is full, and measure every call; a third reads what is
 * already there all the time. A table that begins small is put beside one that has had its chains from the
 * beginning and never grows. Three threads are busy here: on a machine with fewer free cores the longest
 * waits are those for a core or for a lock whose owner has none, and the table that never grows shows how
 * long these are. One writer alone waits for no lock: what it waits longer than without growth is the
 * growing itself.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Group, Outcome, Question, Settings, Variant } from '../harness/question.ts'
import {
  CONTROL,
  type GrowthOrder,
  LIMITS_US,
  NAME,
  putAll,
  READY,
  type Reads,
  Row,
  START,
  STILL,
  STOP,
  type Waits,
  WRITERS,
} from '../peers/growthOrder.ts'

const MANY = 1e6
const FEW = 1e5
/** Below this a run is quick. */
const QUICK_MS = 500
const SMALL = 1000
const ARENA_BYTES = 2 ** 28
const STILL_MS = 500
const POLL_MS = 5
const NS_PER_MS = 1e6
const US_PER_MS = 1000

interface Shape {
  readonly grow: boolean
  readonly stripes: number
}

async function makeTable({ grow, stripes }: Shape, records: number) {
  const { Arena, HashTable } = await import('uma-smr')
  const arena = Arena.create({ bytes: ARENA_BYTES, maxWorkers: 8 })
  const capacity = grow ? SMALL : records
  const table = HashTable.create(arena, NAME, { record: Row, key: 'id', capacity, grow, stripes })
  return { arena, table }
}

/** A worker's result, which it posts before it ends; rejected when it fails. */
async function resultOf<T>(peer: string, order: GrowthOrder): Promise<T> {
  const worker = new Worker(new URL(`../peers/${peer}.js`, import.meta.url), { workerData: order })
  const [message] = await once(worker, 'message')
  return message as T
}

async function fill(settings: Settings, shape: Shape): Promise<Outcome> {
  const records = settings.timeMs < QUICK_MS ? FEW : MANY
  const { arena, table } = await makeTable(shape, records)
  const control = new Int32Array(new SharedArrayBuffer(CONTROL * Int32Array.BYTES_PER_ELEMENT))
  const order = (writer: number): GrowthOrder => {
    return { handle: arena.handle, control, each: records / WRITERS, writer }
  }
  const reading = resultOf<Reads>('growthReader', order(0))
  const writing = Promise.all(
    Array.from({ length: WRITERS }, (_, w) => resultOf<Waits>('growthWriter', order(w))),
  )
  const failing = Promise.race([reading, writing])
  while (Atomics.load(control, READY) <= WRITERS) await Promise.race([sleep(POLL_MS), failing])
  const start = performance.now()
  Atomics.store(control, START, 1)
  Atomics.notify(control, START)
  const [waits] = await Promise.race([Promise.all([writing]), neverIfWell(reading)])
  const elapsed = performance.now() - start
  Atomics.store(control, STILL, 1)
  await Promise.race([sleep(STILL_MS), reading])
  Atomics.store(control, STOP, 1)
  const { growing, still } = await reading
  if (table.size !== records) throw new Error(`${table.size} records of ${records} are there`)
  const ns = (elapsed * NS_PER_MS) / records
  return {
    timing: { best: ns, median: ns, samples: 1 },
    facts: {
      ...histogram(waits),
      'longest ms': Math.max(...waits.map(({ longestMs }) => longestMs)),
      'read p50 ns': growing.p50,
      'p99 ns': growing.p99,
      'p50 after': still.p50,
      'p99 after': still.p99,
      'stripes grown': table.stats().grown,
    },
  }
}

/** One writer, in this thread, and no reader. */
async function fillAlone(settings: Settings, shape: Shape): Promise<Outcome> {
  const records = settings.timeMs < QUICK_MS ? FEW : MANY
  const { table } = await makeTable(shape, records)
  const start = performance.now()
  const waits = putAll(records, (i) => table.set({ id: i, size: i, time: i }))
  const ns = ((performance.now() - start) * NS_PER_MS) / records
  return {
    timing: { best: ns, median: ns, samples: 1 },
    facts: {
      ...histogram([waits]),
      'longest ms': waits.longestMs,
      'stripes grown': table.stats().grown,
    },
  }
}

/** The reader ends last: before that it can only fail. */
async function neverIfWell(reading: Promise<Reads>): Promise<never> {
  await reading
  throw new Error('the reader has ended too early')
}

/** How many calls of all writers took so long. */
function histogram(waits: readonly Waits[]): Record<string, number> {
  const names = [...LIMITS_US.map((limit) => `< ${inUnits(limit)}`), 'more']
  const sum = (at: number) => waits.reduce((n, { classes }) => n + (classes[at] ?? 0), 0)
  return Object.fromEntries(names.map((name, at) => [name, sum(at)]))
}

function inUnits(us: number): string {
  return us < US_PER_MS ? `${us} us` : `${us / US_PER_MS} ms`
}

const ALL_CHAINS = 'all chains from the beginning'

function group(name: string, run: (settings: Settings, shape: Shape) => Promise<Outcome>): Group {
  const variant = (title: string, shape: Shape): Variant => {
    return { name: title, run: (settings) => run(settings, shape) }
  }
  return {
    name,
    operation: 'one of 1,000,000 records is put (of 100,000 in a quick run)',
    baseline: ALL_CHAINS,
    variants: [
      variant(ALL_CHAINS, { grow: false, stripes: 16 }),
      variant('grows from 1,000', { grow: true, stripes: 16 }),
      variant('the same, 64 stripes', { grow: true, stripes: 64 }),
    ],
  }
}

const question: Question = {
  name: 'growth',
  asks: 'how long does a writer wait while a table grows by itself?',
  groups: [group('two writers and a reader', fill), group('one writer alone', fillAlone)],
}

export default question

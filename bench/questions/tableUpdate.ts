/**
 * What does it cost to replace a record, and what do readers feel of it?
 *
 * One writer replaces records of a table of 100,000 in random order: alone, then beside a worker
 * that looks records up as fast as it can (the same lookup as in `table-lookup`, three fields). Of
 * the reader the rate is told before the writer starts and while it works; their quotient is what
 * writing costs reading. Samples are long enough to hold what a replaced record costs later: the
 * retired bucket and its reuse, the garbage collection, the pages of the database.
 */
import {
  degrees,
  type Key,
  type KeyKind,
  makeProbes,
  makeRows,
  PROBE_MASK,
  randomness,
} from '../harness/data.ts'
import { time } from '../harness/measure.ts'
import type { Group, Heavy, Outcome, Question, Settings, Variant } from '../harness/question.ts'
import { Skip } from '../harness/question.ts'
import { Reading } from '../harness/reading.ts'
import { openTable } from '../rivals/open.ts'
import type { TableName, TableRival } from '../rivals/table.ts'

const ALONE_MS = 300
const PUTS_TOGETHER = 100

/** Sets per sample: fewer for rivals that take microseconds. */
const OPERATIONS: Readonly<Record<TableName, number>> = {
  map: 100_000,
  'lru-map': 100_000,
  uma: 100_000,
  'uma-turn': 100_000,
  'uma-typescript': 100_000,
  'uma-turn-typescript': 100_000,
  sharedmap: 10_000,
  lmdb: 5_000,
  'lmdb-bytes': 5_000,
}

interface Wanted {
  readonly table: TableName
  readonly kind: KeyKind
  /** All sets in transactions of some, where the table knows such a thing. */
  readonly together: boolean
  readonly reader: boolean
}

async function update(settings: Settings, wanted: Wanted): Promise<Outcome> {
  const rows = makeRows(wanted.kind)
  const table = await openTable(wanted.table, wanted.kind, rows)
  const probes = makeProbes(rows).map((key) => table.keyOf(key))
  const operations = OPERATIONS[wanted.table]
  const loop = wanted.together
    ? setsTogether(table, probes, operations)
    : sets(table, probes, operations)
  const outcome = wanted.reader
    ? await besideReader(table, wanted, () => time(settings, operations, loop))
    : time(settings, operations, loop)
  await table.close()
  return outcome
}

/** The values are ready beforehand: making them is nobody's price. */
const random = randomness(1)
const angles = Float64Array.from({ length: 1024 }, () => degrees(random() * 180 - 90))

function sets(table: TableRival, probes: readonly Key[], operations: number): () => number {
  let at = 0
  return () => {
    for (let i = 0; i < operations; i++) {
      const angle = angles[i & 1023] ?? 0
      table.set(probes[at] ?? 0, i, angle, angle)
      at = (at + 1) & PROBE_MASK
    }
    return at
  }
}

function setsTogether(table: TableRival, probes: readonly Key[], operations: number): () => number {
  const { together } = table
  if (together === undefined) throw new Skip('knows no transactions')
  const some = sets(table, probes, PUTS_TOGETHER)
  return () => {
    let sum = 0
    for (let i = 0; i < operations; i += PUTS_TOGETHER) {
      together.call(table, () => {
        sum += some()
      })
    }
    return sum
  }
}

async function besideReader(table: TableRival, wanted: Wanted, measure: () => Outcome) {
  if (table.ticket === undefined) throw new Skip('cannot be shared')
  const reading = await Reading.start({
    table: wanted.table,
    ticket: table.ticket(),
    kind: wanted.kind,
  })
  try {
    const alone = reading.mark()
    await new Promise((resolve) => setTimeout(resolve, ALONE_MS))
    const before = reading.rateSince(alone)
    const beside = reading.mark()
    const outcome = measure()
    const during = reading.rateSince(beside)
    const facts = {
      'M reads/s before': before / 1e6,
      'M during': during / 1e6,
      'during/before': during / before,
    }
    return { ...outcome, facts }
  } finally {
    await reading.stop()
  }
}

function groupsFor(kind: KeyKind): Group[] {
  const variants = (names: readonly (readonly [string, TableName, Heavy?])[], reader: boolean) =>
    names.map(
      ([name, table, needs]): Variant => ({
        name,
        ...(needs && { needs }),
        run: (settings) => {
          const together = name.includes('transactions')
          return update(settings, { table, kind, together, reader })
        },
      }),
    )
  const shared = [
    ['uma set', 'uma'],
    ['sharedmap.set + JSON.stringify', 'sharedmap', 'sharedmap'],
    ['lmdb putSync', 'lmdb', 'lmdb'],
    ['lmdb putSync, bytes', 'lmdb-bytes', 'lmdb'],
    [`lmdb in transactions of ${PUTS_TOGETHER}`, 'lmdb-bytes', 'lmdb'],
  ] as const
  return [
    {
      name: `${kind} key, alone`,
      operation: 'a record replaced; nobody reads',
      baseline: 'Map.set',
      variants: variants(
        [['Map.set', 'map'], ['mnemonist LRUMap.set', 'lru-map'], ...shared],
        false,
      ),
    },
    {
      name: `${kind} key, beside a reader`,
      operation: 'a record replaced, while a worker reads',
      baseline: 'uma set',
      variants: variants(shared, true),
    },
  ]
}

const question: Question = {
  name: 'table-update',
  asks: 'what does it cost to replace a record, and what do readers feel of it?',
  groups: [...groupsFor('int'), ...groupsFor('string')],
}

export default question

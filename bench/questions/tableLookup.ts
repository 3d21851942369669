/**
 * What does a lookup cost?
 *
 * 100,000 records, keys in random order, every lookup a hit. Three things are asked of every table,
 * each in a group of its own and for integer and string keys apart: is the key there; the sum of
 * three fields of its record, read in the cheapest way the table has; a whole record that the
 * caller may keep. The private `Map` is the thing to beat: it shares nothing, copies nothing and
 * needs no section. This package's table is asked in fenced and in turn sections, with its intrinsics
 * and without ("typescript"). A round trip by message is the price of asking the worker that owns a `Map`.
 */
import {
  ENTRIES,
  type Key,
  type KeyKind,
  makeProbes,
  makeRows,
  PROBE_MASK,
} from '../harness/data.ts'
import { time, timeAsync } from '../harness/measure.ts'
import type { Group, Heavy, Question, Settings, Variant } from '../harness/question.ts'
import { runNative } from '../rivals/native.ts'
import { openTable } from '../rivals/open.ts'
import type { TableName, TableRival } from '../rivals/table.ts'

const OPERATIONS = 10_000
const ROUND_TRIPS = 200
const MANY = 100
const VERY_MANY = 1000

type Ask = 'has' | 'hasMany' | 'sum' | 'get' | 'many'

async function lookUp(settings: Settings, kind: KeyKind, name: TableName, ask: Ask) {
  const rows = makeRows(kind)
  const table = await openTable(name, kind, rows)
  const probes = makeProbes(rows).map((key) => table.keyOf(key))
  const outcome = time(settings, OPERATIONS, loops[ask](table, probes))
  await table.close()
  return outcome
}

/** One loop for each call, so that none of them decides anything while the clock runs. */
const loops: Record<Ask, (table: TableRival, probes: readonly Key[]) => () => number> = {
  has: (table, probes) => {
    let at = 0
    return () => {
      let found = 0
      for (let i = 0; i < OPERATIONS; i++) {
        if (table.has(probes[at] ?? 0)) found++
        at = (at + 1) & PROBE_MASK
      }
      return found
    }
  },
  sum: (table, probes) => {
    let at = 0
    return () => {
      let sum = 0
      for (let i = 0; i < OPERATIONS; i++) {
        sum += table.sum(probes[at] ?? 0)
        at = (at + 1) & PROBE_MASK
      }
      return sum
    }
  },
  get: (table, probes) => {
    let at = 0
    return () => {
      let sum = 0
      for (let i = 0; i < OPERATIONS; i++) {
        sum += table.get(probes[at] ?? 0)?.population ?? 0
        at = (at + 1) & PROBE_MASK
      }
      return sum
    }
  },
  hasMany: (table, probes) => {
    const batches = batchesOf(probes, VERY_MANY)
    let at = 0
    return () => {
      let found = 0
      for (let i = 0; i < OPERATIONS; i += VERY_MANY) {
        for (const is of table.hasMany?.(batches[at] ?? []) ?? []) if (is) found++
        at = (at + 1) % batches.length
      }
      return found
    }
  },
  many: (table, probes) => {
    const batches = batchesOf(probes, MANY)
    let at = 0
    return () => {
      let sum = 0
      for (let i = 0; i < OPERATIONS; i += MANY) {
        for (const record of table.getMany?.(batches[at] ?? []) ?? [])
          sum += record?.population ?? 0
        at = (at + 1) % batches.length
      }
      return sum
    }
  },
}

function batchesOf(probes: readonly Key[], size: number): Key[][] {
  const batches: Key[][] = []
  for (let i = 0; i + size <= probes.length; i += size) batches.push(probes.slice(i, i + size))
  return batches
}

async function roundTrip(settings: Settings, kind: KeyKind) {
  const { PostMessageTable } = await import('../rivals/postMessage.ts')
  const table = await PostMessageTable.open(kind)
  const probes = makeProbes(makeRows(kind))
  let at = 0
  const outcome = await timeAsync(settings, ROUND_TRIPS, async () => {
    let sum = 0
    for (let i = 0; i < ROUND_TRIPS; i++) {
      sum += await table.sum(probes[at] ?? 0)
      at = (at + 1) & PROBE_MASK
    }
    return sum
  })
  await table.close()
  return outcome
}

function groupsFor(kind: KeyKind): Group[] {
  const variant = (name: string, table: TableName, ask: Ask, needs?: Heavy): Variant => ({
    name,
    ...(needs && { needs }),
    run: (settings) => lookUp(settings, kind, table, ask),
  })
  const kinds = (verb: string, ask: Ask): Variant[] => [
    variant(`uma ${verb}`, 'uma', ask),
    variant(`uma ${verb}, turn`, 'uma-turn', ask),
    variant(`uma ${verb}, typescript`, 'uma-typescript', ask),
    variant(`uma ${verb}, turn, typescript`, 'uma-turn-typescript', ask),
  ]
  return [
    {
      name: `${kind} key, has`,
      operation: `is a key among ${ENTRIES.toLocaleString('en-US')}?`,
      baseline: 'Map.has',
      variants: [
        variant('Map.has', 'map', 'has'),
        variant('mnemonist LRUMap.has', 'lru-map', 'has'),
        ...kinds('has', 'has'),
        variant(`uma hasMany, ${VERY_MANY} keys`, 'uma', 'hasMany'),
        variant(`uma hasMany, ${VERY_MANY} keys, turn`, 'uma-turn', 'hasMany'),
        variant('sharedmap.has', 'sharedmap', 'has', 'sharedmap'),
        variant('lmdb doesExist', 'lmdb', 'has', 'lmdb'),
        ...(kind === 'int'
          ? [{ name: 'C, fenced', run: (s: Settings) => runNative(s, 'lookup') }]
          : []),
      ],
    },
    {
      name: `${kind} key, three fields`,
      operation: 'a lookup and the sum of three fields',
      baseline: 'Map.get',
      variants: [
        variant('Map.get', 'map', 'sum'),
        variant('mnemonist LRUMap.peek', 'lru-map', 'sum'),
        ...kinds('read', 'sum'),
        variant('sharedmap.get + JSON.parse', 'sharedmap', 'sum', 'sharedmap'),
        variant('lmdb get', 'lmdb', 'sum', 'lmdb'),
        variant('lmdb getBinaryFast', 'lmdb-bytes', 'sum', 'lmdb'),
        { name: 'postMessage round trip', run: (s) => roundTrip(s, kind) },
      ],
    },
    {
      name: `${kind} key, whole record`,
      operation: 'a lookup that gives a record to keep',
      baseline: 'Map.get (no copy)',
      variants: [
        variant('Map.get (no copy)', 'map', 'get'),
        ...kinds('get', 'get'),
        variant(`uma getMany, ${MANY} keys`, 'uma', 'many'),
        variant(`uma getMany, ${MANY} keys, turn`, 'uma-turn', 'many'),
        variant('sharedmap.get + JSON.parse', 'sharedmap', 'get', 'sharedmap'),
        variant('lmdb get', 'lmdb', 'get', 'lmdb'),
      ],
    },
  ]
}

const question: Question = {
  name: 'table-lookup',
  asks: 'what does a lookup among 100,000 records cost, by integer and by string key?',
  groups: [...groupsFor('int'), ...groupsFor('string')],
}

export default question

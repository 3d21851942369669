/**
 * What does a lookup cost with near copies?
 *
 * 100,000 records with string keys of 8 to 24 characters, three numbers and 16 letters of text; looked up
 * are a hot set of 1,000 of them, all of them by Zipf's law, and hot integer keys. Then 50 feature flags by
 * name, where the program has each name once, as a constant. Elsewhere the strings that are looked up are
 * equal to the inserted ones and are not the same objects.
 *
 * Beside it stand a private `Map` of all records, which shares nothing, mnemonist's `LRUMap` with as many
 * entries as there are copies, in front of the table and never told when a record changes, and the same
 * table without copies: `get`, and `read` of one number.
 */
import { Buffer } from 'node:buffer'
import { LRUMap } from 'mnemonist'
import { Arena, HashTable, type Item, record, u32, utf8 } from 'uma-smr'
import { ENTRIES, makeRows, type Row, randomness } from '../harness/data.ts'
import { time } from '../harness/measure.ts'
import type { Group, Question, Settings, Variant } from '../harness/question.ts'

const OPERATIONS = 10_000
/** Of each, so many are looked up in turn. */
const PROBES = 1 << 14
const PROBE_MASK = PROBES - 1
const HOT = 1000
const FLAGS = 50
const COPIES = 4096
/** For keys by Zipf's law: a fifth of all. */
const MANY_COPIES = 20_000
const SEED = 0x2e4a

type Key = string | number

interface Entry {
  readonly id: Key
  readonly rank: number
  readonly note: string
}

const ByName = record({ id: utf8(24), rank: u32, note: utf8(16) })
const ByNumber = record({ id: u32, rank: u32, note: utf8(16) })

/** What is in the tables, what is looked up, and how many copies there may be. */
interface Data {
  readonly entries: readonly Entry[]
  readonly probes: readonly Key[]
  readonly copies: number
}

function entriesOf(rows: readonly Row[]): Entry[] {
  return rows.map(({ id }, i) => ({ id, rank: i, note: `note ${i}`.padEnd(16, '.') }))
}

/** An equal string that is another object, and flat. */
function another(key: Key): Key {
  return typeof key === 'string' ? Buffer.from(key, 'latin1').toString('latin1') : key
}

function probesOf(entries: readonly Entry[], pick: (random: number) => number): Key[] {
  const random = randomness(SEED)
  return Array.from({ length: PROBES }, () => another((entries[pick(random())] as Entry).id))
}

const hot = (kind: 'string' | 'int') => (): Data => {
  const entries = entriesOf(makeRows(kind))
  // Not those that were inserted first, which lie side by side.
  const probes = probesOf(entries, (random) => (Math.floor(random * HOT) * 97) % ENTRIES)
  return { entries, probes, copies: COPIES }
}

function zipf(): Data {
  const entries = entriesOf(makeRows('string'))
  const probes = probesOf(entries, (random) => Math.floor(ENTRIES ** random) - 1)
  return { entries, probes, copies: MANY_COPIES }
}

function flags(): Data {
  const names = Array.from({ length: FLAGS }, (_, i) => `feature-${i}`)
  const entries = names.map((id, rank) => ({ id, rank, note: 'a flag' }))
  const probes = Array.from({ length: PROBES }, (_, i) => names[(i * 17) % FLAGS] as string)
  return { entries, probes, copies: COPIES }
}

/** Looks a key up, and says a number of its record. */
type Ask = (key: Key) => number

function privateMap({ entries }: Data): Ask {
  const map = new Map(entries.map((entry) => [entry.id, { ...entry }]))
  return (key) => map.get(key)?.rank ?? 0
}

interface Kind {
  readonly near?: boolean
  readonly sections?: 'fenced' | 'turn'
}

function tableOf({ entries, copies }: Data, { near = false, sections = 'fenced' }: Kind) {
  const arena = Arena.create({ bytes: 2 ** 26, maxWorkers: 8 })
  const smr = arena.smr('entries', { sections })
  const given = near ? { near: { max: copies } } : {}
  const options = { key: 'id', capacity: ENTRIES, smr, ...given } as const
  const isText = typeof entries[0]?.id === 'string'
  const table = isText
    ? HashTable.create(arena, 'entries', { record: ByName, ...options })
    : HashTable.create(arena, 'entries', { record: ByNumber, ...options })
  const { rank } = isText ? ByName.get : ByNumber.get
  // The two are alike but for the type of the key.
  const any = table as unknown as {
    set(entry: Entry): unknown
    get(key: Key): Entry | undefined
    read(key: Key, fn: (item: Item) => number): number | undefined
  }
  for (const entry of entries) any.set(entry)
  return { any, rankOf: (item: Item) => rank(arena, item) }
}

function get(data: Data, kind: Kind): Ask {
  const { any } = tableOf(data, kind)
  return (key) => any.get(key)?.rank ?? 0
}

function read(data: Data, kind: Kind): Ask {
  const { any, rankOf } = tableOf(data, kind)
  return (key) => any.read(key, rankOf) ?? 0
}

/** What a program does that wants no round trip to the table, and does not mind old answers. */
function lru(data: Data): Ask {
  const { any } = tableOf(data, {})
  const cache = new LRUMap<Key, Entry>(data.copies)
  return (key) => {
    let found = cache.get(key)
    if (found === undefined) {
      found = any.get(key)
      if (found !== undefined) cache.set(key, found)
    }
    return found?.rank ?? 0
  }
}

const ASKS: readonly (readonly [string, (data: Data) => Ask])[] = [
  ['Map', privateMap],
  ['uma, get, near copies', (data) => get(data, { near: true })],
  ['LRUMap before the table', lru],
  ['uma, read, turn', (data) => read(data, { sections: 'turn' })],
  ['uma, read, fenced', (data) => read(data, {})],
  ['uma, get, turn', (data) => get(data, { sections: 'turn' })],
  ['uma, get, fenced', (data) => get(data, {})],
]

function group(name: string, data: () => Data): Group {
  const run = (open: (data: Data) => Ask) => (settings: Settings) => {
    const given = data()
    const ask = open(given)
    const { probes } = given
    let at = 0
    return time(settings, OPERATIONS, () => {
      let sum = 0
      for (let i = 0; i < OPERATIONS; i++) {
        sum += ask(probes[at] ?? 0)
        at = (at + 1) & PROBE_MASK
      }
      return sum
    })
  }
  const variants: Variant[] = ASKS.map(([variant, open]) => ({ name: variant, run: run(open) }))
  return { name, operation: 'a lookup, and a number of the record', baseline: 'Map', variants }
}

const question: Question = {
  name: 'near',
  asks: 'what does a lookup cost with near copies?',
  groups: [
    group('string keys, 1,000 of 100,000', hot('string')),
    group('string keys, Zipf over 100,000', zipf),
    group('50 flags by name', flags),
    group('integer keys, 1,000 of 100,000', hot('int')),
  ],
}

export default question

/**
 * What do small tables with keys and values of text cost?
 *
 * 1,000 sessions: the key is text of 24 characters, the value a number, a flag and text of 40 characters.
 * All of it fits in the nearest caches, so a private `Map` is at its best, and text is what this package
 * is worst at: a string that leaves shared memory is decoded each time.
 */
import { Arena, bool, HashTable, record, u32, utf8 } from 'uma-smr'
import { time } from '../harness/measure.ts'
import type { Group, Question, Settings, Variant } from '../harness/question.ts'

const ENTRIES = 1000
const OPERATIONS = 10_000

interface Session {
  id: string
  hits: number
  admin: boolean
  data: string
}

const Row = record({ id: utf8(24), hits: u32, admin: bool, data: utf8(64) })

function rows(): Session[] {
  return Array.from({ length: ENTRIES }, (_, i) => ({
    id: `session-${String(i * 7919).padStart(16, '0')}`,
    hits: i,
    admin: i % 10 === 0,
    data: `{"cart":[${i},${i + 1},${i + 2}],"lang":"en-GB"}`.padEnd(40),
  }))
}

/** Every key, in an order that no prefetcher guesses. */
function probes(): string[] {
  const ids = rows().map(({ id }) => id)
  return Array.from({ length: OPERATIONS }, (_, i) => ids[(i * 617) % ENTRIES] ?? '')
}

interface Store {
  has(id: string): boolean
  /** A number of the record. */
  hits(id: string): number
  get(id: string): Session | undefined
  set(session: Session): void
}

function privateMap(): Store {
  const map = new Map(rows().map((row) => [row.id, row]))
  return {
    has: (id) => map.has(id),
    hits: (id) => map.get(id)?.hits ?? 0,
    get: (id) => map.get(id),
    set: (session) => void map.set(session.id, { ...session }),
  }
}

function table(sections: 'fenced' | 'turn'): Store {
  const arena = Arena.create({ bytes: 2 ** 24 })
  const smr = arena.smr('sessions', { sections })
  const options = { record: Row, key: 'id', capacity: ENTRIES, smr } as const
  const sessions = HashTable.create(arena, 'sessions', options)
  for (const row of rows()) sessions.set(row)
  const hits = (item: Parameters<typeof Row.get.hits>[1]): number => Row.get.hits(arena, item)
  return {
    has: (id) => sessions.has(id),
    hits: (id) => sessions.read(id, hits) ?? 0,
    get: (id) => sessions.get(id),
    set: (session) => void sessions.set(session),
  }
}

const STORES: readonly (readonly [string, () => Store])[] = [
  ['Map', privateMap],
  ['uma, turn', () => table('turn')],
  ['uma, fenced', () => table('fenced')],
]

function group(
  name: string,
  operation: string,
  loop: (store: Store, ids: string[]) => number,
): Group {
  const run = (open: () => Store) => (settings: Settings) => {
    const [store, ids] = [open(), probes()]
    return time(settings, OPERATIONS, () => loop(store, ids))
  }
  const variants: Variant[] = STORES.map(([variant, open]) => ({ name: variant, run: run(open) }))
  return { name, operation, baseline: 'Map', variants }
}

const question: Question = {
  name: 'small-table',
  asks: 'what do 1,000 records with a key and a value of text cost?',
  groups: [
    group('text key, has', 'is a key there?', (store, ids) => {
      let sum = 0
      for (const id of ids) if (store.has(id)) sum++
      return sum
    }),
    group('text key, one number', 'a lookup and a number of its record', (store, ids) => {
      let sum = 0
      for (const id of ids) sum += store.hits(id)
      return sum
    }),
    group(
      'text key, whole record with text',
      'a record to keep, its text looked at',
      (store, ids) => {
        let sum = 0
        for (const id of ids) sum += store.get(id)?.data.charCodeAt(20) ?? 0
        return sum
      },
    ),
    group('text key, replace', 'a record with text is replaced', (store, ids) => {
      const session = {
        id: '',
        hits: 1,
        admin: false,
        data: '{"cart":[],"lang":"en-GB"}'.padEnd(40),
      }
      for (const id of ids) {
        session.id = id
        store.set(session)
      }
      return ids.length
    }),
  ],
}

export default question

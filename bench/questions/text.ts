/**
 * What does text cost, into a record and out of it?
 *
 * Text of 4 to 4,000 bytes, ASCII and not, through the fields' own functions: `utf8(n)` in place, and
 * `text()` in a block of a heap. Beside it stands what a program does that keeps text in a Buffer of its
 * own: `Buffer.write` and `Buffer.toString`, and TextEncoder and TextDecoder. Those check nothing and
 * forget how long it was; a field refuses what would not come back. Each loop goes over 64 strings, or
 * places, so that no string is the same as the last one.
 *
 * Then a table of 100,000 records with keys of 8 to 24 characters and a text of 16 bytes, cold.
 */
import { Buffer } from 'node:buffer'
import { Arena, HashTable, type Item, record, text, u32, utf8 } from 'uma-smr'
import { makeProbes, makeRows, PROBE_MASK } from '../harness/data.ts'
import { time } from '../harness/measure.ts'
import type { Group, Question, Settings, Variant } from '../harness/question.ts'

const OPERATIONS = 2048
const STRINGS = 64
const ROOM = 4096
const LENGTHS = [4, 8, 16, 24, 64, 256, 1024, 4000]
const SCRIPTS = { ascii: 'abcdefghijklmnop', other: 'Zürich, 漢字 ' } as const
type Script = keyof typeof SCRIPTS

/** Well-formed text of so many bytes, each beginning elsewhere, flat. */
function stringsOf(script: Script, length: number): string[] {
  const letters = SCRIPTS[script]
  return Array.from({ length: STRINGS }, (_, i) => {
    const from = i % letters.length
    const all = [...(letters.slice(from) + letters.repeat(length))]
    let made = ''
    for (let bytes = 0; bytes < length; ) {
      const each = all.shift() ?? 'x'
      const size = Buffer.byteLength(each)
      made += bytes + size > length ? 'x' : each
      bytes += bytes + size > length ? 1 : size
    }
    return Buffer.from(made).toString()
  })
}

type Make = (strings: readonly string[]) => {
  write(value: string, i: number): number
  read(i: number): string
}

const field: Make = (strings) => {
  const arena = Arena.create({ bytes: 2 ** 22 })
  const bytes = Buffer.byteLength(strings[0] ?? '')
  const Row = record({ id: u32, name: utf8(bytes) })
  const zone = arena.zone('rows', { record: Row })
  const items = strings.map(() => zone.zalloc())
  const { name: set } = Row.set
  const { name: get } = Row.get
  return {
    write: (value, i) => {
      set(arena, items[i] as Item, value)
      return i
    },
    read: (i) => get(arena, items[i] as Item),
  }
}

const block: Make = (strings) => {
  const arena = Arena.create({ bytes: 2 ** 23 })
  const Row = record({ id: u32, name: text() })
  const zone = arena.zone('rows', { record: Row })
  const heap = arena.heap('texts')
  const items = strings.map(() => zone.zalloc())
  const given = { id: 1, name: '' }
  for (const item of items) Row.write(arena, item, given, heap)
  const { name: get } = Row.get
  return {
    write: (value, i) => {
      const item = items[i] as Item
      given.name = value
      Row.free(arena, item, heap)
      Row.write(arena, item, given, heap)
      return i
    },
    read: (i) => get(arena, items[i] as Item),
  }
}

const buffer: Make = (strings) => {
  const all = strings.map(() => Buffer.alloc(ROOM))
  const bytes = Buffer.byteLength(strings[0] ?? '')
  return {
    write: (value, i) => (all[i] as Buffer).write(value, 8),
    read: (i) => (all[i] as Buffer).toString('utf8', 8, 8 + bytes),
  }
}

const coder: Make = (strings) => {
  const encoder = new TextEncoder()
  const decoder = new TextDecoder()
  const bytes = Buffer.byteLength(strings[0] ?? '')
  const all = strings.map(() => new Uint8Array(ROOM))
  return {
    write: (value, i) => encoder.encodeInto(value, all[i] as Uint8Array).written,
    read: (i) => decoder.decode((all[i] as Uint8Array).subarray(0, bytes)),
  }
}

function measure(settings: Settings, make: Make, script: Script, length: number, reads: boolean) {
  const strings = stringsOf(script, length)
  const { read, write } = make(strings)
  for (const [i, each] of strings.entries()) write(each, i)
  if (reads) {
    return time(settings, OPERATIONS, () => {
      let sum = 0
      for (let i = 0; i < OPERATIONS; i++) {
        const found = read(i % STRINGS)
        // Looked at, so that nobody leaves the work for later.
        sum += found.charCodeAt(found.length - 1)
      }
      return sum
    })
  }
  return time(settings, OPERATIONS, () => {
    let sum = 0
    for (let i = 0; i < OPERATIONS; i++) {
      sum += write(strings[(i * 7) % STRINGS] as string, i % STRINGS)
    }
    return sum
  })
}

const RIVALS: readonly (readonly [read: string, write: string, make: Make])[] = [
  ['Buffer.toString', 'Buffer.write', buffer],
  ['utf8(n)', 'utf8(n)', field],
  ['text()', 'text(), with its block', block],
  ['TextDecoder', 'TextEncoder.encodeInto', coder],
]

function groupOf(script: Script, length: number, reads: boolean): Group {
  const variants: Variant[] = RIVALS.map(([read, write, make]) => ({
    name: reads ? read : write,
    run: (settings) => measure(settings, make, script, length, reads),
  }))
  return {
    name: `${reads ? 'read' : 'write'}, ${length} bytes, ${script}`,
    operation: reads ? 'a string out of memory' : 'a string into memory',
    baseline: reads ? 'Buffer.toString' : 'Buffer.write',
    variants,
  }
}

// ---- tables ----------------------------------------------------------------------------------

const VALUE_BYTES = 16
const LOOKUPS = 10_000

interface Store {
  has(id: string): boolean
  text(id: string): string
  get(id: string): string
  set(id: string, value: string): void
}

/** Flat, as text from a file is. */
const nthValue = (i: number): string =>
  Buffer.from(`value ${String(i).padStart(10, '0')}`).toString()

function privateMap(ids: readonly string[]): Store {
  const map = new Map(ids.map((id, i) => [id, { id, value: nthValue(i) }]))
  const textOf = (id: string): string => map.get(id)?.value ?? ''
  return {
    has: (id) => map.has(id),
    text: textOf,
    get: textOf,
    set: (id, value) => void map.set(id, { id, value }),
  }
}

function table(sections: 'fenced' | 'turn', ids: readonly string[]): Store {
  const arena = Arena.create({ bytes: 2 ** 26 })
  const Row = record({ id: utf8(24), value: utf8(VALUE_BYTES) })
  const smr = arena.smr('rows', { sections })
  const rows = HashTable.create(arena, 'rows', {
    record: Row,
    key: 'id',
    capacity: ids.length,
    smr,
  })
  for (const [i, id] of ids.entries()) rows.set({ id, value: nthValue(i) })
  const { value } = Row.get
  const textOf = (item: Item): string => value(arena, item)
  return {
    has: (id) => rows.has(id),
    text: (id) => rows.read(id, textOf) ?? '',
    get: (id) => rows.get(id)?.value ?? '',
    set: (id, next) => void rows.set({ id, value: next }),
  }
}

const STORES: readonly (readonly [string, (ids: readonly string[]) => Store])[] = [
  ['Map', privateMap],
  ['uma, turn', (ids) => table('turn', ids)],
  ['uma, fenced', (ids) => table('fenced', ids)],
]

type Ask = (store: Store, id: string, value: string) => number

function tableGroup(name: string, operation: string, ask: Ask): Group {
  const run = (open: (ids: readonly string[]) => Store) => (settings: Settings) => {
    const rows = makeRows('string')
    const store = open(rows.map(({ id }) => String(id)))
    const probes = makeProbes(rows) as string[]
    const values = Array.from({ length: STRINGS }, (_, i) => nthValue(i))
    let at = 0
    return time(settings, LOOKUPS, () => {
      let sum = 0
      for (let i = 0; i < LOOKUPS; i++) {
        sum += ask(store, probes[at] as string, values[i % STRINGS] as string)
        at = (at + 1) & PROBE_MASK
      }
      return sum
    })
  }
  return {
    name,
    operation,
    baseline: 'Map',
    variants: STORES.map(([variant, open]) => ({ name: variant, run: run(open) })),
  }
}

const sides = [true, false]

const question: Question = {
  name: 'text',
  asks: 'what does text cost, into a record and out of it?',
  groups: [
    tableGroup('text key, has', 'is a key there?', (store, id) => (store.has(id) ? 1 : 0)),
    tableGroup('text key, read a text of 16 bytes', 'a lookup and its text', (store, id) =>
      store.text(id).charCodeAt(15),
    ),
    tableGroup('text key, get a record with it', 'a record to keep', (store, id) =>
      store.get(id).charCodeAt(15),
    ),
    tableGroup('text key, replace', 'a record with text is replaced', (store, id, value) => {
      store.set(id, value)
      return 1
    }),
    ...sides.flatMap((reads) =>
      (Object.keys(SCRIPTS) as Script[]).flatMap((script) =>
        LENGTHS.map((length) => groupOf(script, length, reads)),
      ),
    ),
  ],
}

export default question

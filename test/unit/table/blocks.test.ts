/**
 * Tables whose records own blocks of a heap: every verb frees what it replaces, and what is refused
 * or interrupted leaves neither a record nor a block behind.
 */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  Arena,
  data,
  Exhausted,
  HashTable,
  type Heap,
  type Item,
  json,
  Misuse,
  OrderedTable,
  record,
  text,
  u32,
} from '#src/index.ts'
import { dieAfter } from '../../helpers/death.ts'

const Note = record({ id: u32, note: text(), raw: data(), more: json<{ n: number }>() })
const TABLES = { HashTable, OrderedTable }
type Kind = keyof typeof TABLES
const KINDS = Object.keys(TABLES) as Kind[]

/** All fields follow from id and version; some are empty, some large. */
function note(id: number, version = 0) {
  const length = [0, 5, 90, 700, 40_000][(id + version) % 5] as number
  const raw = new Uint8Array((id * 7 + version) % 300).fill(id)
  return { id, note: `${id}/${version} `.repeat(length / 5), raw, more: { n: id + version } }
}

type Notes = ReturnType<typeof make>

function make(arena: Arena, kind: Kind, more: object = {}) {
  const options = { record: Note, key: 'id', capacity: 16, bucket: 3, ...more } as const
  return kind === 'HashTable'
    ? HashTable.create(arena, 'notes', options)
    : (OrderedTable.create(arena, 'notes', options) as unknown as ReturnType<typeof hash>)
}
const hash = (arena: Arena) =>
  HashTable.create(arena, 'notes', { record: Note, key: 'id', capacity: 16 })

function open(arena: Arena, kind: Kind): Notes {
  const what = { record: Note, key: 'id' } as const
  return kind === 'HashTable'
    ? HashTable.open(arena, 'notes', what)
    : (OrderedTable.open(arena, 'notes', what) as unknown as Notes)
}

/** Every record whole, every block owned by one record, nothing else live. `lost`: after a death. */
function expectWhole(arena: Arena, table: Notes, lost = 0): void {
  for (const found of table.values()) expect(found).toEqual(note(found.id, found.more.n - found.id))
  const heap = arena.heap('notes')
  heap.check()
  table.zone.check()
  expect(table.zone.audit(table.items()).leaked.length).toBeLessThanOrEqual(lost)
  expect(heap.audit(table.blocks()).leaked.length).toBeLessThanOrEqual(3 * lost)
  expect(heap.stats().blocks).toBe(table.blocks().length + heap.audit(table.blocks()).leaked.length)
}

describe.each(KINDS)('%s', (kind) => {
  let arena: Arena
  let table: Notes
  let heap: Heap

  beforeEach(() => {
    arena = Arena.create({ bytes: 2 ** 24, checks: true, maxWorkers: 4 })
    table = make(arena, kind)
    heap = arena.heap('notes')
    for (let id = 0; id < 10; id++) table.set(note(id))
  })
  afterEach(() => {
    expectWhole(arena, table)
  })

  const VERBS: Record<string, (t: Notes) => unknown> = {
    'set of a new one': (t) => t.set(note(20, 1)),
    'set of one that is there': (t) => t.set(note(3, 1)),
    'insert of a new one': (t) => t.insert(note(20, 1)),
    'insert of one that is there': (t) => t.insert(note(3, 1)),
    replace: (t) => t.replace(note(3, 1)),
    'update that replaces': (t) => t.update(3, () => note(3, 2)),
    'update that deletes': (t) => t.update(3, () => undefined),
    'getOrInsert of a new one': (t) => t.getOrInsert(20, () => note(20, 1)),
    'getOrInsert of one that is there': (t) => t.getOrInsert(3, () => note(3, 5)),
    'trySet of this version': (t) => t.trySet(note(3, 1), { ifVersion: t.version(3) }),
    'trySet of another': (t) => t.trySet(note(3, 1), { ifVersion: t.version(3) + 1 }),
    delete: (t) => t.delete(3),
    deleteIf: (t) => t.deleteIf(3, () => true),
    setMany: (t) => t.setMany([note(3, 1), note(20), note(21, 4)]),
    clear: (t) => t.clear(),
  }

  it.each(Object.entries(VERBS))('%s leaves what it should, and no more', (_name, verb) => {
    verb(table)
    expectWhole(arena, table)
    verb(table)
  })

  it('returns what it was given', () => {
    expect(table.get(4)).toEqual(note(4))
    expect(table.replace(note(4, 3))).toEqual(note(4))
    expect(table.read(4, (item) => Note.get.note(arena, item))).toBe(note(4, 3).note)
    expect([...table.values()].map(({ id }) => id).sort((a, b) => a - b)).toHaveLength(10)
    expect(table.stats().heap?.blocks).toBe(table.blocks().length)
  })

  it('is the same for another worker, which frees what it has not made', () => {
    const other = Arena.attach(arena.handle)
    const theirs = open(other, kind)
    expect(theirs.get(4)).toEqual(note(4))
    for (let id = 0; id < 10; id++) theirs.set(note(id, 2))
    theirs.delete(1)
    expect(table.get(4)).toEqual(note(4, 2))
    other.detach()
  })

  it('refuses before anything happens', () => {
    const before = heap.stats()
    const circle: { n: number; it?: unknown } = { n: 1 }
    circle.it = circle
    for (const wrong of [{ more: circle }, { note: '\ud800' }, { raw: 'x' }, { more: undefined }]) {
      const all = { ...note(3, 1), ...wrong } as unknown as ReturnType<typeof note>
      expect(() => table.set(all)).toThrow(Misuse)
      expect(() => table.setMany([note(1, 1), all])).toThrow(Misuse)
      expect(() => table.update(3, () => all)).toThrow(Misuse)
    }
    expect(heap.stats()).toEqual(before)
    expect(table.get(3)).toEqual(note(3))
  })

  it('gives everything back when there is no memory for a block, and no hook sees it', () => {
    const before = { blocks: heap.stats().blocks, live: table.zone.stats().live }
    const much = { ...note(3, 1), note: 'x'.repeat(5000), raw: new Uint8Array(2 ** 24 - 1) }
    for (const verb of [
      () => table.set(much),
      () => table.update(3, () => much),
      () => table.insert({ ...much, id: 50 }),
      () => table.replace(much),
    ]) {
      expect(verb).toThrow(Exhausted)
      expect({ blocks: heap.stats().blocks, live: table.zone.stats().live }).toEqual(before)
    }
    expect(table.get(3)).toEqual(note(3))
  })

  it('keeps what readers see until they have left', () => {
    const reader = Arena.attach(arena.handle)
    const theirs = open(reader, kind)
    theirs.smr.enter()
    const item = theirs.find(4)
    for (let i = 1; i <= 200; i++) table.set(note(4, i))
    expect(Note.read(reader, item)).toEqual(note(4))
    theirs.smr.exit()
    reader.detach()
  })

  it.each(['set of one that is there', 'set of a new one', 'delete', 'replace', 'setMany'])(
    'loses nothing when a worker dies in %s',
    (name) => {
      const act = VERBS[name] as (t: Notes) => unknown
      let survived = false
      for (let k = 0; !survived; k += 23) {
        const own = Arena.create({ bytes: 2 ** 22, maxWorkers: 4 })
        const mine = make(own, kind)
        const other = Arena.attach(own.handle)
        // It is not told of turns after its death.
        other.space.watch.every = () => {}
        const theirs = open(other, kind)
        for (let id = 0; id < 4; id++) theirs.set(note(id))
        survived = !dieAfter(other, k, () => act(theirs))
        own.space.workers.bury(other.space)
        own.reap(other.workerId)
        expectWhole(own, mine)
        for (let id = 0; id < 30; id++) mine.set(note(id, 9))
        expectWhole(own, mine)
      }
    },
  )

  it('does not free a block again that somebody else has freed, and says so', () => {
    const told = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const item = table.smr.read(() => table.find(4))
    heap.freeSmr(arena.words[item + 3] as Item)
    expect(table.delete(4)).toBe(true)
    expect(String(told.mock.calls[0]?.[0])).toContain('double free')
    told.mockRestore()
  })

  it('ends with its zone, and can be made again', () => {
    table.clear()
    table.zone.destroy()
    expect(() => open(Arena.attach(arena.handle), kind)).toThrow('create it again')
    const zones = () => arena.stats().zones.filter(({ name }) => name.startsWith('heap:'))
    expect(zones().length).toBeGreaterThan(0)
    table = make(arena, kind)
    expect(zones()).toEqual([])
    table.set(note(1))
    expect(arena.heap('notes').stats().blocks).toBe(table.blocks().length)
  })

  it("its heap is the table's: it is not ended alone, and no other may have its name", () => {
    const empty = Arena.create({ bytes: 2 ** 22 })
    make(empty, kind)
    expect(() => empty.heap('notes').destroy()).toThrow("it is a table's")
    const second = Arena.create({ bytes: 2 ** 22 })
    second.heap('notes')
    const before = second.stats()
    expect(() => make(second, kind)).toThrow('there is such a heap')
    expect(second.stats().zones).toEqual(before.zones)
    expect(second.stats().domains).toEqual(before.domains)
  })

  it('leaves nothing of a table that could not be made', () => {
    const small = Arena.create({ bytes: 2 ** 17, maxWorkers: 2 })
    const used = () => {
      const { total, free, untouched } = small.stats().pages
      return total - free - untouched
    }
    const before = used()
    expect(() => make(small, kind, { reserve: 20_000 })).toThrow(Exhausted)
    expect(() => make(small, kind, { record: Note, key: 'note' })).toThrow(Misuse)
    expect([used(), small.stats().heaps, small.stats().domains]).toEqual([before, [], []])
  })
})

it('a field without a maximum is no key', () => {
  const arena = Arena.create({ bytes: 2 ** 20 })
  for (const key of ['note', 'raw', 'more']) {
    const options = { record: Note, key: key as 'id', capacity: 16 } as const
    expect(() => HashTable.create(arena, 'x', options)).toThrow(Misuse)
    expect(() => OrderedTable.create(arena, 'x', options)).toThrow(Misuse)
  }
})

/**
 * The verbs of an ordered table, one by one, as its user meets them.
 */

import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  Arena,
  atomic,
  bytes,
  type Item,
  i64,
  OrderedTable,
  type OrderedTableOf,
  record,
  text,
  u32,
  utf8,
} from '#src/index.ts'
import { misuse } from '../../helpers/refusals.ts'
import { CONFIGS, tinyArena } from '../../helpers/tiny.ts'
import { expectIntact, type Key, KINDS, type Kind, nearest, pair, row } from './fixture.ts'

const CONFIG = CONFIGS[0] as (typeof CONFIGS)[0]
const [WORDS] = KINDS as unknown as [Kind]
const key = (n: number): Key => n as Key

describe.each(KINDS)('a table ordered by $name', (kind) => {
  const sorted = [...kind.some].sort(kind.compare)

  it('is empty at first, and again when everything was deleted', () => {
    const { table, theirs } = pair(CONFIG, kind)
    const expectEmpty = (): void => {
      const [some] = kind.some as [Key]
      for (const each of [table, theirs]) {
        expect(each.size).toBe(0)
        expect([each.get(some), each.first(), each.last()]).toEqual([
          undefined,
          undefined,
          undefined,
        ])
        expect(Object.values(nearest(each, some)).filter((found) => found !== undefined)).toEqual(
          [],
        )
        expect([...each.range()]).toEqual([])
        expect([...each]).toEqual([])
        expect(each.delete(some)).toBe(false)
      }
      expectIntact(table)
    }
    expectEmpty()
    for (const each of kind.some) table.set(row(each, 1))
    theirs.clear()
    expectEmpty()
  })

  it('gives records back in the order of their keys, to any worker', () => {
    const { table, theirs } = pair(CONFIG, kind)
    for (const [i, each] of kind.some.entries()) table.set(row(each, i))
    for (const each of [table, theirs]) {
      expect([...each.keys()]).toEqual(sorted)
      expect(each.first()?.key).toEqual(sorted[0])
      expect(each.last()?.key).toEqual(sorted.at(-1))
      expect([...each.range({ reverse: true })].map((found) => found.key)).toEqual(
        sorted.toReversed(),
      )
    }
    expectIntact(table)
  })

  it('finds the nearest of each, and of what lies between two', () => {
    const { table, theirs } = pair(CONFIG, kind)
    const even = sorted.filter((_, i) => i % 2 === 0)
    for (const each of even) table.set(row(each, 1))
    for (const [i, each] of sorted.entries()) {
      const isThere = i % 2 === 0
      const below = sorted[isThere ? i - 2 : i - 1]
      const above = sorted[isThere ? i + 2 : i + 1]
      const found = nearest(theirs, each)
      expect(found.floor?.key).toEqual(isThere ? each : below)
      expect(found.ceiling?.key).toEqual(isThere ? each : above)
      expect(found.lower?.key).toEqual(below)
      expect(found.higher?.key).toEqual(above)
    }
  })

  it('refuses a key of another type, in every verb, and changes nothing', () => {
    const { table } = pair(CONFIG, kind)
    const [some] = kind.some as [Key]
    table.set(row(some, 1))
    const { wrong } = kind
    const calls = [
      () => table.get(wrong),
      () => table.getMany([wrong]),
      () => table.has(wrong),
      () => table.read(wrong, () => 0),
      () => table.floor(wrong),
      () => table.floorRead(wrong, () => 0),
      () => table.ceiling(wrong),
      () => table.ceilingRead(wrong, () => 0),
      () => table.lower(wrong),
      () => table.higher(wrong),
      () => table.range({ from: wrong }),
      () => table.range({ to: wrong }),
      () => table.rangeRead({ to: wrong }, () => {}),
      () => table.delete(wrong),
      () => table.deleteIf(wrong, () => true),
      () => table.update(wrong, () => row(some, 2)),
      () => table.version(wrong),
      () => table.set(row(wrong, 1)),
      () => table.getOrInsert(wrong, () => row(some, 1)),
    ]
    for (const call of calls) misuse(call)
    expect([...table]).toEqual([row(some, 1)])
    expect(table.smr.entered).toBe(false)
    expectIntact(table)
  })

  it('a key that is too long is not there, and has its place in the order', () => {
    const { long } = kind
    if (long === undefined) return
    const { table } = pair(CONFIG, kind)
    for (const each of kind.some) table.set(row(each, 1))
    expect([table.get(long), table.has(long), table.delete(long)]).toEqual([
      undefined,
      false,
      false,
    ])
    const below = sorted.filter((each) => kind.compare(each, long) < 0)
    const above = sorted[below.length]
    const found = nearest(table, long)
    expect([found.floor?.key, found.lower?.key]).toEqual([below.at(-1), below.at(-1)])
    expect([found.ceiling?.key, found.higher?.key]).toEqual([above, above])
    expect([...table.range({ to: long })]).toHaveLength(below.length)
    misuse(() => table.set(row(long, 1)))
  })

  it('all verbs of tables work on it', () => {
    const { table, theirs } = pair(CONFIG, kind)
    const [one, other] = kind.some as [Key, Key]
    expect(table.insert(row(one, 1))).toBe(true)
    expect(theirs.insert(row(one, 2))).toBe(false)
    expect(theirs.replace(row(one, 3))).toEqual(row(one, 1))
    expect(table.update(one, (old) => old && row(one, old.version + 1))).toEqual(row(one, 4))
    expect(table.getOrInsert(other, () => row(other, 9))).toEqual(row(other, 9))
    expect(table.getOrInsert(other, () => row(other, 10))).toEqual(row(other, 9))
    const version = table.version(one)
    expect(version).toBeGreaterThan(0)
    expect(theirs.trySet(row(one, 5), { ifVersion: version + 1 })).toBe(false)
    expect(theirs.trySet(row(one, 5), { ifVersion: version })).toBe(true)
    expect(table.getMany([other, one])).toEqual([row(other, 9), row(one, 5)])
    expect(table.deleteIf(one, (item) => table.schema.get.version(table.arena, item) > 9)).toBe(
      false,
    )
    expect(table.deleteIf(one, () => true)).toBe(true)
    misuse(() => table.update(other, () => row(one, 1)))
    expect(table.update(other, () => undefined)).toBeUndefined()
    expect(table.setMany([row(one, 1), row(other, 1)]).size).toBe(2)
    table.forEach(({ version: each }) => {
      expect(each).toBe(1)
    })
    expectIntact(theirs)
  })
})

describe('ranges', () => {
  const filled = (n: number) => {
    const all = pair(CONFIG, WORDS)
    for (let i = 0; i < n; i++) all.table.set(row(key(i * 3), i))
    return all
  }

  it.each([
    [{}, 300, 0, 897],
    [{ from: key(3) }, 299, 3, 897],
    [{ from: key(4) }, 298, 6, 897],
    [{ to: key(4) }, 2, 0, 3],
    [{ from: key(3), to: key(6) }, 2, 3, 6],
    [{ from: key(4), to: key(5) }, 0, undefined, undefined],
    [{ from: key(6), to: key(3) }, 0, undefined, undefined],
    [{ limit: 0 }, 0, undefined, undefined],
    [{ limit: 65 }, 65, 0, 192],
    [{ reverse: true, limit: 2 }, 2, 897, 894],
    [{ reverse: true, to: key(7), limit: 2 }, 2, 6, 3],
    [{ reverse: true, from: key(888) }, 4, 897, 888],
  ])('%j', (options, count, first, last) => {
    const { table } = filled(300)
    const found = [...table.range(options)].map((each) => each.key as number)
    expect([found.length, found[0], found.at(-1)]).toEqual([count, first, last])
    const read: number[] = []
    table.rangeRead(options, (item) => read.push(table.schema.get.key(table.arena, item)))
    expect(read).toEqual(found)
  })

  it('no section is open between two steps, and none is after a break or a throw', () => {
    const { table } = filled(200)
    for (const { key: each } of table.range()) {
      expect(table.smr.entered).toBe(false)
      table.delete(each as Key)
      if (each > 300) break
    }
    expect(table.first()?.key).toBe(306)
    const thrown = new Error('from the reader')
    expect(() =>
      table.rangeRead({}, () => {
        expect(table.smr.entered).toBe(true)
        throw thrown
      }),
    ).toThrow(thrown)
    expect(table.smr.entered).toBe(false)
  })

  it('goes on by key: what comes behind is seen, what has gone is not', () => {
    const { table, theirs } = filled(200)
    const seen: number[] = []
    for (const { key: each } of table.range()) {
      seen.push(each)
      if (seen.length === 1) {
        theirs.delete(key(597))
        theirs.set(row(key(598), 0))
      }
    }
    expect(seen).toHaveLength(200)
    expect(seen.at(-1)).toBe(598)
  })

  it('a reader may look up other keys from within', () => {
    const { table } = filled(150)
    let sum = 0
    table.rangeRead({ from: key(3), to: key(441) }, (item) => {
      const own = table.schema.get.key(table.arena, item)
      sum += (table.lower(key(own))?.key ?? 0) + (table.get(key(900))?.key ?? 0)
    })
    expect(sum).toBe(((0 + 438) * 147) / 2)
  })

  it('refuses options that it does not know', () => {
    const { table } = filled(1)
    const given = (options: object): never => options as never
    for (const bad of [{ start: 1 }, { limit: -1 }, { limit: 1.5 }, { reverse: 1 }]) {
      misuse(() => table.range(given(bad)))
      misuse(() => table.rangeRead(given(bad), () => {}))
    }
    misuse(() => table.rangeRead({}, given({})))
    misuse(() =>
      table.rangeRead(
        {},
        given(async () => {}),
      ),
    )
    expect(table.smr.entered).toBe(false)
  })
})

describe('in place', () => {
  it('floorRead and ceilingRead give the item inside a section', () => {
    const { table } = pair(CONFIG, WORDS)
    table.set(row(key(10), 1)).set(row(key(20), 2))
    const version = (item: Item): number => {
      expect(table.smr.entered).toBe(true)
      return table.schema.get.version(table.arena, item)
    }
    expect(table.floorRead(key(19), version)).toBe(1)
    expect(table.ceilingRead(key(19), version)).toBe(2)
    expect(table.floorRead(key(9), version)).toBeUndefined()
    expect(table.ceilingRead(key(21), version)).toBeUndefined()
    misuse(() => table.floorRead(key(19), async () => 1))
    expect(table.smr.entered).toBe(false)
  })
})

describe('atomic fields', () => {
  const Counter = record({ key: utf8(8), hits: atomic(u32) })

  it('are added to in place, and carried over', () => {
    const arena = tinyArena(CONFIG)
    const table = OrderedTable.create(arena, 'hits', { record: Counter, key: 'key' })
    table.set({ key: 'a', hits: 1 }).set({ key: 'ab', hits: 5 })
    expect(table.add('a', 'hits', 2)).toBe(3)
    expect(table.add('b', 'hits', 2)).toBeUndefined()
    expect(table.compareExchange('ab', 'hits', 5, 6)).toBe(5)
    expect(table.update('a', (old) => old && { ...old, hits: old.hits * 10 })?.hits).toBe(30)
    expect(table.add('a', 'hits', 1)).toBe(31)
    expect(table.deleteIf('a', (item) => Counter.get.hits(arena, item) === 31)).toBe(true)
    expect([...table]).toEqual([{ key: 'ab', hits: 6 }])
  })
})

describe('fields of any size', () => {
  const Note = record({ at: i64, note: text() })

  it('are owned by the record: what is replaced or deleted gives its blocks back', () => {
    const arena = tinyArena(CONFIG, { bytes: 2 ** 21 })
    const notes = OrderedTable.create(arena, 'notes', { record: Note, key: 'at', bucket: 2 })
    const long = (n: number): string => `${n} `.repeat(100 + n)
    for (let n = 0; n < 40; n++) notes.set({ at: BigInt(n * 10), note: long(n) })
    for (let n = 0; n < 40; n += 2) notes.replace({ at: BigInt(n * 10), note: long(n + 100) })
    expect(notes.floor(59n)).toEqual({ at: 50n, note: long(5) })
    expect(notes.floor(60n)).toEqual({ at: 60n, note: long(106) })
    expect([...notes.range({ from: 15n, to: 30n })].map((each) => each.note)).toEqual([
      long(102),
      long(3),
    ])
    expect(notes.blocks()).toHaveLength(40)
    notes.clear()
    expect(notes.blocks()).toEqual([])
    expect(notes.stats().size).toBe(0)
  })
})

describe('create and open', () => {
  const Row = record({ id: u32, long: i64, name: utf8(20), raw: bytes(16), big: bytes(65535) })

  it('is found by name, in another worker, with the same record and key only', () => {
    const arena = tinyArena(CONFIG, { bytes: 2 ** 22 })
    const table = OrderedTable.create(arena, 'rows', { record: Row, key: 'raw', capacity: 100 })
    expectTypeOf(table).toEqualTypeOf<OrderedTableOf<typeof Row, 'raw'>>()
    const raw = new Uint8Array([1, 2])
    table.set({ id: 1, long: 2n, name: 'x', raw, big: new Uint8Array() })
    const other = Arena.attach(arena.handle)
    const theirs = OrderedTable.open(other, 'rows', { record: Row, key: 'raw' })
    expect(theirs.get(raw)?.id).toBe(1)
    misuse(() => OrderedTable.open(other, 'rows', { record: Row, key: 'id' }))
    misuse(() => OrderedTable.open(other, 'row', { record: Row, key: 'raw' }))
    misuse(() => OrderedTable.create(other, 'rows', { record: Row, key: 'raw' }))
    misuse(() => OrderedTable.create(other, 'big', { record: Row, key: 'big' }))
    misuse(() => OrderedTable.create(other, 'x', { record: Row, key: 'no' as 'id' }))
    misuse(() => OrderedTable.create(other, 'n'.repeat(60), { record: Row, key: 'id' }))
    misuse(() => OrderedTable.create(other, 'x', { record: Row, key: 'id', capacity: 0 }))
    misuse(() => OrderedTable.create(other, 'x', { record: Row, key: 'id', nodes: 3 } as never))
    // What was refused has left nothing behind.
    const names = arena.space.directory.list().map((each) => each.name)
    expect(names.filter((name) => !name.startsWith('rows'))).toEqual([])
    expect(`${JSON.stringify(table)}`).toContain('"size":1')
  })

  it('when the arena is full, says so and leaves nothing behind', () => {
    const arena = tinyArena(CONFIG)
    const before = arena.space.directory.list().length
    const options = { record: Row, key: 'id', reserve: 100 } as const
    expect(() => OrderedTable.create(arena, 'rows', options)).toThrow(/no memory/)
    expect(arena.space.directory.list()).toHaveLength(before)
    expect(arena.space.pages.runs().filter((run) => run.state === 'reserved')).toEqual([])
  })

  it('its verbs are Misuse after detach, and writes inside a section', () => {
    const { other, theirs, table } = pair(CONFIG, WORDS)
    table.smr.enter()
    misuse(() => table.set(row(key(1), 1)))
    misuse(() => table.delete(key(1)))
    expect(table.floor(key(1))).toBeUndefined()
    table.smr.exit()
    other.detach()
    for (const call of [
      () => theirs.get(key(1)),
      () => theirs.floor(key(1)),
      () => theirs.first(),
      () => [...theirs.range()],
      () => theirs.set(row(key(1), 1)),
      () => theirs.size,
      () => theirs.stats(),
    ]) {
      misuse(call)
    }
  })
})

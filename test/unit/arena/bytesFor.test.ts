/** `Arena.bytesFor`: an arena of exactly that size holds what it was asked for, and not many times that. */

import { describe, expect, it } from 'vitest'
import {
  Arena,
  bytes as bytesOf,
  f64,
  HashTable,
  type Item,
  json,
  Misuse,
  OrderedTable,
  type RecordCount,
  record,
  text,
  u32,
  utf8,
} from '#src/index.ts'
import { Random } from '../../helpers/random.ts'

const Small = record({ id: u32 })
const City = record({ id: u32, lat: f64, lon: f64, name: utf8(64) })
const Large = record({ id: u32, body: bytesOf(5000) })
const Huge = record({ id: u32, body: bytesOf(60_000) })

/** Creates exactly the arena, and fills it: every record there is, and each replaced once. */
function fill(shapes: readonly RecordCount[], options: { maxWorkers?: number; checks?: boolean }) {
  const bytes = Arena.bytesFor(shapes, options)
  const arena = Arena.create({ bytes, ...options })
  arena.space.watch.every = () => {}
  const live: Item[] = []
  shapes.forEach(({ count, key, ...of }, i) => {
    const schema = of.record as typeof Small
    if (key === undefined) {
      const zone = arena.zone(`zone ${i}`, { record: schema, smr: arena.smr(`domain ${i}`) })
      for (let n = 0; n < count; n++) live.push(zone.zallocSmr())
    } else {
      const as = {
        record: schema as typeof Small,
        key: 'id',
        capacity: Math.max(1, count),
      } as const
      const table = HashTable.create(arena, `table ${i}`, as)
      const rest = { lat: 1, lon: 2, name: 'x', body: new Uint8Array(4) }
      const known = Object.entries(rest).filter(([name]) => name in schema.get)
      const row = (id: number) => ({ id, ...Object.fromEntries(known) })
      for (let round = 0; round < 2; round++) for (let id = 0; id < count; id++) table.set(row(id))
      expect(table.size).toBe(count)
    }
  })
  arena.detach()
  return bytes
}

const kinds = { Small, City, Large, Huge }
const counts = {
  Small: [0, 1, 100, 20_000],
  City: [1, 1000, 20_000],
  Large: [1, 7, 300],
  Huge: [1, 20],
}
const cases = Object.entries(kinds).flatMap(([name, schema]) =>
  counts[name as keyof typeof kinds].flatMap((count) =>
    [undefined, 'id'].map((key) => ({ name, count, key, schema: schema as typeof Small })),
  ),
)

describe.each([{ maxWorkers: 2 }, { maxWorkers: 2, checks: true }, { maxWorkers: 64 }])(
  '%o',
  (options) => {
    it.each(cases)('$count of $name, key $key', ({ count, key, schema }) => {
      const bytes = fill([{ record: schema, count, ...(key && { key }) }], options)
      const need = count * (schema.bytes + 32) * 1.25
      const spare = 2 ** 22 + 2 * 8 * 2 * schema.bytes * 249
      expect(bytes).toBeLessThan(need * 2 + spare)
    })

    it('many together', () => {
      fill(
        [
          { record: Small, count: 5000, key: 'id' },
          { record: City, count: 3000, key: 'id' },
          { record: Large, count: 50 },
          { record: Small, count: 9000 },
          { record: Huge, count: 3, key: 'id' },
        ],
        options,
      )
    })
  },
)

const Note = record({ id: u32, title: text(), body: json<string>() })
const values = [
  { count: 1, valueBytes: 10 },
  { count: 5000, valueBytes: 100 },
  { count: 2000, valueBytes: 4000 },
  { count: 100, valueBytes: 50_000 },
]

describe.each([{ maxWorkers: 2 }, { maxWorkers: 2, checks: true }, { maxWorkers: 64 }])(
  'values of any size, %o',
  (options) => {
    it.each(values)('$count of $valueBytes bytes, and those of others', ({ count, valueBytes }) => {
      const bytes = Arena.bytesFor([{ record: Note, count, key: 'id', valueBytes }], options)
      const arena = Arena.create({ bytes, ...options })
      arena.space.watch.every = () => {}
      const table = HashTable.create(arena, 'notes', { record: Note, key: 'id', capacity: count })
      const random = new Random(1)
      for (let round = 0; round < 2; round++) {
        for (let id = 0; id < count; id++) {
          // From a fifth of the mean to nine fifths.
          const letters = Math.ceil(valueBytes * (0.2 + random.below(1601) / 1000))
          const title = 'x'.repeat(letters >> 1)
          table.set({ id, title, body: 'y'.repeat(Math.max(0, letters - title.length - 2)) })
        }
      }
      expect(table.size).toBe(count)
      expect(bytes).toBeLessThan(count * valueBytes * 3.5 + 2 ** 25)
      arena.detach()
    })

    it.each([1, 1000, 20_000])('%d records in order', (count) => {
      const bytes = Arena.bytesFor([{ record: City, count, key: 'id', ordered: true }], options)
      const arena = Arena.create({ bytes, ...options })
      arena.space.watch.every = () => {}
      const table = OrderedTable.create(arena, 'cities', { record: City, key: 'id' })
      for (let round = 0; round < 2; round++) {
        for (let i = 0; i < count; i++) {
          // Spread over all numbers: many nodes.
          table.set({ id: Math.imul(i, 0x9e3779b1) >>> 0, lat: 1, lon: 2, name: 'x' })
        }
      }
      expect(table.size).toBe(count)
      arena.detach()
    })
  },
)

it('more names than a small arena has', () => {
  const shapes = Array.from({ length: 40 }, () => ({ record: Small, count: 1, key: 'id' }))
  fill(shapes, { maxWorkers: 2 })
})

it('nothing is a small arena', () => {
  Arena.create({ bytes: Arena.bytesFor([]) }).detach()
})

const one = { record: Small, count: 1 }

it.each([
  ['no list', () => Arena.bytesFor({} as never), 'shapes are'],
  ['no record', () => Arena.bytesFor([{ record: 3, count: 1 } as never]), 'record is 3'],
  ['no count', () => Arena.bytesFor([{ record: Small } as never]), 'count is undefined'],
  ['too many', () => Arena.bytesFor([{ record: Small, count: 2 ** 27 }]), 'count is'],
  ['no key', () => Arena.bytesFor([{ record: Small, count: 1, key: 3 as never }]), 'key is 3'],
  ['an unknown word', () => Arena.bytesFor([{ record: Small, many: 1 } as never]), '"many"'],
  ['an unknown option', () => Arena.bytesFor([], { bytes: 1 } as never), '"bytes"'],
  ['no boolean', () => Arena.bytesFor([{ ...one, ordered: 1 as never }]), 'ordered is 1'],
  ['order without a key', () => Arena.bytesFor([{ ...one, ordered: true }]), 'ordered is for'],
  ['values of unknown size', () => Arena.bytesFor([{ record: Note, count: 1 }]), 'give valueBytes'],
  ['no size', () => Arena.bytesFor([{ ...one, valueBytes: -1 }]), 'valueBytes is -1'],
  ['no workers', () => Arena.bytesFor([], { maxWorkers: 0 }), 'maxWorkers is 0'],
  ['no boolean', () => Arena.bytesFor([], { checks: 1 as never }), 'checks is 1'],
])('%s is refused', (_, act, says) => {
  expect(act).toThrow(Misuse)
  expect(act).toThrow(says)
})

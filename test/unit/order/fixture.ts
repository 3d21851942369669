/**
 * What the tests of ordered tables share: the kinds of keys with an order of their own to compare with,
 * two attachments that act as two workers, and the laws.
 */

import fc from 'fast-check'
import { expect } from 'vitest'
import { Arena, bytes, type Hook, i32, i64, OrderedTable, record, u32, utf8 } from '#src/index.ts'
import { checkOrdered } from '#src/order/stats.ts'
import { type Config, tinyArena } from '../../helpers/tiny.ts'

/** Keys of one type. To the tests they are all `Key`. */
export type Key = number & { readonly kind: unique symbol }

export interface Kind {
  readonly name: string
  readonly schema: typeof Row
  /** Few, so that they meet; with all that is special about the type. */
  readonly keys: fc.Arbitrary<Key>
  /** Some, each another one. */
  readonly some: readonly Key[]
  readonly compare: (one: Key, other: Key) => number
  /** A key that no field of this type can hold. */
  readonly wrong: Key
  /** Longer than the field, and where it would be: behind the first of `some` that it begins with. */
  readonly long: Key | undefined
}

const Row = record({ key: u32, version: u32, check: i32 })
const key = (value: unknown): Key => value as Key
const rows = (schema: unknown): typeof Row => schema as typeof Row

const BYTES = 12
const inOrder = <T>(one: T, other: T): number => (one < other ? -1 : one > other ? 1 : 0)

/** As arrays of numbers: the first difference decides, then the length. */
function compareAll(one: readonly number[], other: readonly number[]): number {
  for (let i = 0; i < Math.min(one.length, other.length); i++) {
    if (one[i] !== other[i]) return inOrder(one[i] as number, other[i] as number)
  }
  return inOrder(one.length, other.length)
}

const points = (text: unknown): number[] =>
  [...(text as string)].map((each) => each.codePointAt(0) as number)

const WORDS = [0, 1, 2, 15, 16, 17, 255, 256, 4096, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1]
const U32 = [...WORDS, 2 ** 32 - 16, 2 ** 32 - 2, 2 ** 32 - 1]
const I32 = [...WORDS.filter((each) => each < 2 ** 31), -1, -2, -16, -(2 ** 31), 1 - 2 ** 31]
const I64 = [0n, 1n, -1n, 15n, 16n, 2n ** 31n, 2n ** 32n, 2n ** 32n + 1n, -(2n ** 32n)].concat([
  2n ** 63n - 1n,
  2n ** 63n - 2n,
  -(2n ** 63n),
  1n - 2n ** 63n,
])
/** Prefixes of each other, NUL, the last of the plane before surrogates, and what lies behind them. */
const TEXT = ['', 'a', 'aa', 'aaa', 'ab', 'b', '\0', 'a\0', 'é', 'ē', '\uffff', '😀', '😀😀', 'zz']
const BYTE_STRINGS = [[], [0], [0, 0], [0, 255], [1], [15], [16], [255], [255, 255], [255, 0]]

export const KINDS: readonly Kind[] = [
  {
    name: 'u32',
    schema: Row,
    keys: fc
      .oneof(
        fc.constantFrom(...U32),
        fc.nat(300),
        fc.nat(40).map((n) => n * 2 ** 26),
      )
      .map(key),
    some: U32.map(key),
    compare: inOrder,
    wrong: key(-1),
    long: undefined,
  },
  {
    name: 'i32',
    schema: rows(record({ key: i32, version: u32, check: i32 })),
    keys: fc.oneof(fc.constantFrom(...I32), fc.integer({ min: -150, max: 150 })).map(key),
    some: I32.map(key),
    compare: inOrder,
    wrong: key(2 ** 31),
    long: undefined,
  },
  {
    name: 'i64',
    schema: rows(record({ key: i64, version: u32, check: i32 })),
    keys: fc
      .oneof(
        fc.constantFrom(...I64),
        fc.bigInt({ min: -99n, max: 99n }),
        fc
          .nat(40)
          .map((n) => BigInt(n) << 58n)
          .map((n) => BigInt.asIntN(64, n)),
      )
      .map(key),
    some: I64.map(key),
    compare: inOrder,
    wrong: key(5),
    long: undefined,
  },
  {
    name: 'utf8',
    schema: rows(record({ key: utf8(BYTES), version: u32, check: i32 })),
    keys: fc
      .oneof(
        fc.constantFrom(...TEXT),
        fc.string({ unit: fc.constantFrom('a', 'b', '😀', '\uff5e'), maxLength: 3 }),
        fc.nat(200).map((n) => `user-${n}`),
      )
      .map(key),
    some: TEXT.map(key),
    compare: (one, other) => compareAll(points(one), points(other)),
    wrong: key('\ud800'),
    long: key('a'.repeat(BYTES + 1)),
  },
  {
    name: 'bytes',
    schema: rows(record({ key: bytes(BYTES), version: u32, check: i32 })),
    keys: fc
      .oneof(
        fc.constantFrom(...BYTE_STRINGS),
        fc.array(fc.constantFrom(0, 1, 16, 255), { maxLength: 4 }),
      )
      .map((each) => key(Uint8Array.from(each))),
    some: BYTE_STRINGS.map((each) => key(Uint8Array.from(each))),
    compare: (one, other) => compareAll([...bytesOf(one)], [...bytesOf(other)]),
    wrong: key([1, 2]),
    long: key(new Uint8Array(BYTES + 70).fill(16)),
  },
]

function bytesOf(value: unknown): Uint8Array {
  return value as Uint8Array
}

/** The one row that this version of this key can have. */
export function row(of: Key, version: number) {
  return { key: of, version, check: Math.imul(version, 0x9e3779b1) }
}

export interface Knobs {
  readonly bytes?: number
  readonly checks?: boolean
  readonly maxWorkers?: number
  readonly bucket?: number
  readonly limit?: number
  readonly ctor?: Hook
  readonly dtor?: Hook
}

/** `table` in the worker that made it, `theirs` the same one in another. 1 MiB, checked. */
export function pair(config: Config, { schema }: Pick<Kind, 'schema'>, knobs: Knobs = {}) {
  const { bytes: size = 2 ** 20, checks = true, maxWorkers = 4, ctor, dtor, ...rest } = knobs
  const arena = tinyArena(config, { bytes: size, checks, maxWorkers })
  const what = { record: schema, key: 'key', ...(ctor && { ctor }), ...(dtor && { dtor }) } as const
  const table = OrderedTable.create(arena, 'rows', { ...what, bucket: 3, ...rest })
  const other = Arena.attach(arena.handle)
  other.space.watch.every = () => {}
  const theirs = OrderedTable.open(other, 'rows', what)
  return { arena, other, table, theirs }
}

export type Pair = ReturnType<typeof pair>
export type Rows = Pair['table']

/** Every law of tree, records, nodes and zones; `leaks` records and nodes may be lost. */
export function expectIntact(table: Rows, leaks = 0): void {
  const nodes = checkOrdered(table)
  table.zone.check()
  table.nodes.check()
  expect(table.zone.audit(table.items()).leaked.length).toBeLessThanOrEqual(leaks)
  expect(table.nodes.audit(nodes).leaked.length).toBeLessThanOrEqual(leaks)
}

/** A sorted array: what an ordered table is, if only one worker uses it. */
export class Sorted {
  private readonly rows: { readonly key: Key; readonly version: number }[] = []
  private readonly compare: Kind['compare']

  constructor({ compare }: Kind) {
    this.compare = compare
  }

  private at(of: Key): number {
    return this.rows.findIndex((each) => this.compare(each.key, of) === 0)
  }

  get(of: Key): number | undefined {
    return this.rows[this.at(of)]?.version
  }

  set(of: Key, version: number): void {
    const at = this.at(of)
    if (at >= 0) this.rows[at] = { key: of, version }
    else this.rows.push({ key: of, version })
    this.rows.sort((one, other) => this.compare(one.key, other.key))
  }

  delete(of: Key): boolean {
    const at = this.at(of)
    if (at >= 0) this.rows.splice(at, 1)
    return at >= 0
  }

  all() {
    return this.rows.map((each) => row(each.key, each.version))
  }

  /** Rows from one key to another, both included. */
  between(from: Key | undefined, to: Key | undefined) {
    const isIn = ({ key: each }: { readonly key: Key }): boolean =>
      (from === undefined || this.compare(each, from) >= 0) &&
      (to === undefined || this.compare(each, to) <= 0)
    return this.all().filter(isIn)
  }

  nearest(of: Key) {
    const all = this.all()
    const side = (each: { readonly key: Key }): number => this.compare(each.key, of)
    return {
      floor: all.findLast((each) => side(each) <= 0),
      lower: all.findLast((each) => side(each) < 0),
      ceiling: all.find((each) => side(each) >= 0),
      higher: all.find((each) => side(each) > 0),
    }
  }
}

/** The four nearest rows, as the table has them. */
export function nearest(table: Rows, of: Key) {
  return {
    floor: table.floor(of),
    lower: table.lower(of),
    ceiling: table.ceiling(of),
    higher: table.higher(of),
  }
}

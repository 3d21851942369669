/**
 * Records: what goes in comes out, lies where the signature says, and touches nothing else.
 *
 * The round trips are properties over generated values, and one of them over generated schemas: a
 * record is written between two walls of a known pattern, must read back the same, and must leave
 * the walls standing. Offsets and signatures are pinned, because two workers of different builds
 * meet over them. The distribution tests are statistics, but deterministic ones: the keys are fixed,
 * so a bound that holds today holds for ever, and only a change of the hash can break it.
 */

import fc from 'fast-check'
import { describe, expect, expectTypeOf, it } from 'vitest'
import type { Item } from '#src/base/brands.ts'
import { Misuse } from '#src/base/errors.ts'
import { Memory } from '#src/memory/memory.ts'
import { mix } from '#src/record/hash.ts'
import {
  bool,
  bytes,
  type FieldType,
  f32,
  f64,
  i32,
  i64,
  type Key,
  keyOf,
  type RecordOf,
  record,
  ref,
  type Schema,
  u32,
  utf8,
} from '#src/record/record.ts'
import { misuse, wild } from '../../helpers/refusals.ts'

const ARENA_BYTES = 1 << 19
const arena = { memory: new Memory(new SharedArrayBuffer(ARENA_BYTES)) }
const { memory } = arena
const item = 64 as Item
const other = 4096 as Item

const City = record({
  id: u32,
  population: u32,
  lat: f64,
  lon: f64,
  country: utf8(2),
  name: utf8(64),
  next: ref,
})

const zurich = {
  id: 7,
  population: 443_037,
  lat: 47.3769,
  lon: 8.5417,
  country: 'CH',
  name: 'Zürich',
  next: other,
}

/** Any character but half a surrogate pair, NUL and U+FFFF included. */
const anyText = fc.string({ unit: 'binary', maxLength: 60 })

describe('types', () => {
  it('are inferred from the declaration', () => {
    expectTypeOf<RecordOf<typeof City>>().toEqualTypeOf<{
      id: number
      population: number
      lat: number
      lon: number
      country: string
      name: string
      next: Item
    }>()
    const All = record({ a: i32, b: f32, c: bool, d: i64, e: bytes(3) })
    expectTypeOf(All.read(arena, item)).toEqualTypeOf<{
      a: number
      b: number
      c: boolean
      d: bigint
      e: Uint8Array
    }>()
    expectTypeOf(All.write).parameter(2).toEqualTypeOf<Readonly<RecordOf<typeof All>>>()
    expectTypeOf(All.get.d(arena, item)).toEqualTypeOf<bigint>()
    expectTypeOf(All.set.e).parameter(2).toEqualTypeOf<Uint8Array>()
    expectTypeOf(All.set.c).parameter(2).toEqualTypeOf<boolean>()
    expectTypeOf(City.get.next(arena, item)).toEqualTypeOf<Item>()
    expectTypeOf(City.set.next).parameter(2).toEqualTypeOf<Item>()
    // @ts-expect-error no such field
    expect(City.get.mayor).toBeUndefined()
    // @ts-expect-error one more field than declared
    expect(() => All.write(arena, item, { ...All.read(arena, item), f: 1 })).toThrow(Misuse)
    // @ts-expect-error a string for a number
    expect(() => City.set.id(arena, item, '1')).toThrow(Misuse)
  })

  it('name the offsets of word fields only', () => {
    expectTypeOf<keyof typeof City.offsets>().toEqualTypeOf<
      'id' | 'population' | 'lat' | 'lon' | 'next'
    >()
  })

  it('let a schema pass for any schema', () => {
    const any: Schema = City
    expect(any.words).toBe(City.words)
    const sized: { readonly bytes: number; readonly signature: string } = City
    expect(sized.signature).toBe(City.signature)
  })

  it('let only keyable fields be keys, with their type', () => {
    expectTypeOf(keyOf(City, 'id', 0)).toEqualTypeOf<Key<number>>()
    expectTypeOf(keyOf(City, 'name', 0)).toEqualTypeOf<Key<string>>()
    expectTypeOf(keyOf(record({ big: i64 }), 'big', 0)).toEqualTypeOf<Key<bigint>>()
    const any: Key = keyOf(City, 'id', 0)
    expect(any.field).toBe('id')
    // @ts-expect-error a float is no key
    expect(() => keyOf(City, 'lat', 0)).toThrow(Misuse)
  })
})

describe('layout', () => {
  it('places by alignment, then by declaration, without padding inside', () => {
    expect(City.signature).toBe(
      'lat:f64@0,lon:f64@2,id:u32@4,population:u32@5,next:ref@6,' +
        'country:utf8(2)@7,name:utf8(64)@7+3',
    )
    expect(City.words).toBe(24)
    expect(City.bytes).toBe(96)
    expect(City.offsets).toEqual({ id: 4, population: 5, lat: 0, lon: 2, next: 6 })
  })

  it('packs small things into bytes', () => {
    const flags = record({ a: bool, b: bool, c: bool, d: bool, code: utf8(3), id: u32 })
    expect(flags.signature).toBe(
      'id:u32@0,a:bool@1,b:bool@1+1,c:bool@1+2,d:bool@1+3,code:utf8(3)@2',
    )
    expect(flags.words).toBe(4)
    expect(record({ only: bool }).words).toBe(2)
    expect(record({ text: utf8(7) }).words).toBe(2)
    expect(record({ text: utf8(8) }).words).toBe(4)
  })

  it('counts a length in one byte up to 255, in two beyond', () => {
    expect(record({ t: utf8(255) }).bytes).toBe(256)
    expect(record({ t: utf8(256) }).bytes).toBe(264)
    expect(record({ t: bytes(255) }).bytes).toBe(256)
    expect(record({ t: bytes(65_535) }).bytes).toBe(65_544)
  })

  it('signs equal layouts equally and different ones differently', () => {
    const again = record({ lat: f64, lon: f64, id: u32 })
    expect(record({ id: u32, lat: f64, lon: f64 }).signature).toBe(again.signature)
    expect(record({ id: u32, lon: f64, lat: f64 }).signature).not.toBe(again.signature)
    expect(record({ id: i32, lat: f64, lon: f64 }).signature).not.toBe(again.signature)
    expect(record({ t: utf8(8) }).signature).not.toBe(record({ t: utf8(9) }).signature)
    expect(record({ t: utf8(8) }).signature).not.toBe(record({ t: bytes(8) }).signature)
  })

  it('describes its fields in the order of declaration, frozen', () => {
    expect(City.fields.map(({ name, type, offset, byte, bytes }) => [name, type, offset, byte, bytes]))
      // biome-ignore format: a table
      .toEqual([
      ['id', 'u32', 4, 0, 4],
      ['population', 'u32', 5, 0, 4],
      ['lat', 'f64', 0, 0, 8],
      ['lon', 'f64', 2, 0, 8],
      ['country', 'utf8(2)', 7, 0, 3],
      ['name', 'utf8(64)', 7, 3, 65],
      ['next', 'ref', 6, 0, 4],
    ])
    for (const frozen of [
      City,
      City.fields,
      City.fields[0],
      City.get,
      City.set,
      City.offsets,
      u32,
    ]) {
      expect(Object.isFrozen(frozen)).toBe(true)
    }
  })

  it('puts words where plain views of the arena see them', () => {
    City.write(arena, item, zurich)
    expect(memory.floats[item / 2]).toBe(zurich.lat)
    expect(memory.words[item + City.offsets.population]).toBe(zurich.population)
    expect(memory.words[item + City.offsets.next]).toBe(other)
    const long = record({ a: u32, big: i64 })
    long.set.big(arena, item, -2n)
    expect(new BigInt64Array(memory.words.buffer)[item / 2]).toBe(-2n)
    const single = record({ x: f32 })
    single.set.x(arena, item, 1.5)
    expect(new Float32Array(memory.words.buffer)[item]).toBe(1.5)
  })
})

describe('one field', () => {
  const All = record({
    a: u32,
    b: i32,
    c: f32,
    d: f64,
    e: bool,
    f: i64,
    g: bytes(40),
    h: utf8(255),
    i: ref,
    wide: utf8(300),
    blob: bytes(300),
  })

  function roundTrips<N extends keyof RecordOf<typeof All>>(
    name: N,
    values: fc.Arbitrary<RecordOf<typeof All>[N]>,
    expected: (value: RecordOf<typeof All>[N]) => unknown = (value) => value,
  ): void {
    const set = All.set[name] as (at: typeof arena, item: Item, value: unknown) => void
    fc.assert(
      fc.property(values, (value) => {
        set(arena, item, value)
        expect(All.get[name](arena, item)).toEqual(expected(value))
      }),
    )
  }

  it('u32 round trips', () => roundTrips('a', fc.integer({ min: 0, max: 0xffffffff })))
  it('i32 round trips', () => roundTrips('b', fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })))
  it('f32 round trips singles', () => roundTrips('c', fc.float()))
  it('f32 rounds doubles', () => roundTrips('c', fc.double(), Math.fround))
  it('f64 round trips', () => roundTrips('d', fc.double()))
  it('bool round trips', () => roundTrips('e', fc.boolean()))
  it('i64 round trips', () =>
    roundTrips('f', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })))
  it('bytes round trip', () => roundTrips('g', fc.uint8Array({ maxLength: 40 })))
  it('long bytes round trip', () => roundTrips('blob', fc.uint8Array({ maxLength: 300 })))
  it('utf8 round trips', () => roundTrips('h', anyText))
  it('utf8 with a wide length round trips', () => roundTrips('wide', anyText))
  it('utf8 round trips ASCII', () => roundTrips('h', fc.string({ unit: 'binary-ascii' })))
  it('ref round trips', () =>
    roundTrips('i', fc.integer({ min: 0, max: 2 ** 31 - 1 }) as fc.Arbitrary<Item>))

  it('keeps the boundaries', () => {
    for (const value of [0, 1, 2 ** 31, 2 ** 32 - 1]) {
      All.set.a(arena, item, value)
      expect(All.get.a(arena, item)).toBe(value)
    }
    for (const value of [-(2 ** 31), -1, 0, 2 ** 31 - 1]) {
      All.set.b(arena, item, value)
      expect(All.get.b(arena, item)).toBe(value)
    }
    for (const value of [Number.NaN, -0, 0, Infinity, -Infinity, Number.MIN_VALUE, 2 ** 53]) {
      All.set.d(arena, item, value)
      expect(All.get.d(arena, item)).toBe(value)
    }
    for (const value of [Number.NaN, -0, Infinity, -Infinity, 2 ** -149]) {
      All.set.c(arena, item, value)
      expect(All.get.c(arena, item)).toBe(value)
    }
    for (const value of [-(2n ** 63n), -1n, 0n, 2n ** 32n, 2n ** 63n - 1n]) {
      All.set.f(arena, item, value)
      expect(All.get.f(arena, item)).toBe(value)
    }
    All.set.i(arena, item, 0 as Item)
    expect(All.get.i(arena, item)).toBe(0)
  })

  it('returns bytes as a private copy', () => {
    All.set.g(arena, item, new Uint8Array([1, 2, 3]))
    const copy = All.get.g(arena, item)
    All.set.g(arena, item, new Uint8Array([9]))
    expect(All.get.g(arena, item)).toEqual(new Uint8Array([9]))
    // What it says of itself is not asked: the next field would have it.
    const lying = Object.defineProperties(new Uint8Array([1, 2]), {
      length: { value: 1 },
      subarray: { value: () => new Uint8Array(4000).fill(0xee) },
      constructor: { value: Array },
    })
    All.set.g(arena, item, lying)
    expect(All.get.g(arena, item)).toEqual(new Uint8Array([1, 2]))
    const growing = Object.defineProperty(new Uint8Array(4000), 'length', { value: 1 })
    expect(misuse(() => All.set.g(arena, item, growing)).message).toContain('of 4000 bytes')
    All.set.g(arena, item, new Uint8Array([9]))
    expect([...copy]).toEqual([1, 2, 3])
    expect(copy.buffer).toBeInstanceOf(ArrayBuffer)
    expect([...All.get.g(arena, item)]).toEqual([9])
    All.set.g(arena, item, Buffer.from('ab'))
    expect([...All.get.g(arena, item)]).toEqual([97, 98])
  })
})

describe('text', () => {
  const Small = record({ before: bool, text: utf8(12), after: bool })

  it.each([
    ['empty', ''],
    ['NUL', '\0'],
    ['NUL inside', 'a\0b'],
    ['only NULs, as many as fit', '\0'.repeat(12)],
    ['exactly n bytes of ASCII', 'abcdefghijkl'],
    ['exactly n bytes of two', 'éééééé'],
    ['exactly n bytes of three', '日本語字'],
    ['exactly n bytes of four', '😀😀😀'],
    ['a byte order mark', '\ufeffabc'],
    ['only a byte order mark', '\ufeff'],
    ['the replacement character', '\ufffd'],
    ['edges of one, two and three bytes', '\u007f\u0080\u07ff\u0800'],
    ['edges of three and four bytes', '\uffff\u{10000}\u{10ffff}'],
    ['around the surrogates', '\ud7ff\ue000'],
  ])('round trips %s', (_, text) => {
    Small.write(arena, item, { before: true, text, after: true })
    expect(Small.read(arena, item)).toEqual({ before: true, text, after: true })
  })

  it.each([255, 256, 1023, 1024, 1025, 65_535])('round trips %i bytes in a full field', (n) => {
    const Wide = record({ text: utf8(n) })
    for (const text of ['x'.repeat(n), 'é'.repeat(n >> 1), '', 'end']) {
      Wide.set.text(arena, item, text)
      expect(Wide.get.text(arena, item) === text).toBe(true)
    }
  })

  it('forgets the longer text that was there before', () => {
    Small.set.text(arena, item, 'abcdefghijkl')
    Small.set.text(arena, item, 'xy')
    expect(Small.get.text(arena, item)).toBe('xy')
  })

  it('refuses what does not fit, and changes nothing', () => {
    Small.set.text(arena, item, 'kept')
    for (const text of ['abcdefghijklm', 'ééééééé', '日本語字x', '😀😀😀.', 'x'.repeat(1 << 20)]) {
      const error = misuse(() => Small.set.text(arena, item, text))
      expect(error.message).toMatch(/^record\.set\.text: text is ".*at most 12 bytes in UTF-8$/)
      expect(error.message.length).toBeLessThan(200)
    }
    const error = misuse(() => Small.set.text(arena, item, 'ééééééé'))
    expect(error.message).toContain('(14 bytes in UTF-8)')
    expect(error.facts).toMatchObject({ field: 'text', type: 'utf8(12)' })
    expect(Small.get.text(arena, item)).toBe('kept')
  })

  it('refuses lone surrogates, which would not come back', () => {
    for (const text of [
      '\ud800',
      'a\udc00',
      '\udc00\ud800',
      '\ud83d',
      'x\ud83dy',
      '\ud83d\ud83d\ude00',
    ]) {
      const error = misuse(() => Small.set.text(arena, item, text))
      expect(error.message).toContain('lone surrogate')
    }
  })

  it('never reads beyond its field, whatever length stands there', () => {
    const Pair = record({ text: utf8(3), secret: utf8(20) })
    Pair.write(arena, item, { text: 'abc', secret: 'not yours' })
    memory.pokeByte(item, 0, 255)
    expect(Pair.get.text(arena, item)).toBe('abc')
    expect(keyOf(Pair, 'text', 0).equals(memory, item, 'abc')).toBe(true)
  })
})

describe('whole records', () => {
  it('round trip, with fields as declared', () => {
    City.write(arena, item, zurich)
    const back = City.read(arena, item)
    expect(back).toEqual(zurich)
    expect(Object.keys(back)).toEqual(Object.keys(zurich))
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
    City.write(arena, other, back)
    expect(City.read(arena, other)).toEqual(zurich)
  })

  it('take properties in any order, and from a prototype', () => {
    const { id, ...rest } = zurich
    City.write(arena, item, { ...rest, id })
    expect(City.read(arena, item)).toEqual(zurich)
    City.write(arena, item, Object.create(zurich))
    expect(City.read(arena, item)).toEqual(zurich)
  })

  it('of any schema come back and leave their neighbours alone', () => {
    const value = fc.oneof(
      typed(u32, fc.integer({ min: 0, max: 0xffffffff })),
      typed(i32, fc.integer()),
      typed(f32, fc.float()),
      typed(f64, fc.double()),
      typed(bool, fc.boolean()),
      typed(i64, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
      typed(ref, fc.integer({ min: 0, max: 2 ** 31 - 1 })),
      fc.uint8Array({ maxLength: 300 }).chain((each) => full(bytes, each.length, each)),
      anyText.chain((each) => full(utf8, Buffer.byteLength(each), each)),
    )
    const WALL = 0x5a
    const at = 1024 as Item
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 12 }), (list) => {
        const names = list.map((_, i) => `f${i}`)
        const schema = record(Object.fromEntries(names.map((name, i) => [name, type(list[i])])))
        const object = Object.fromEntries(names.map((name, i) => [name, list[i]?.[1]]))
        memory.bytes.fill(WALL)
        schema.write(arena, at, object)
        expect(schema.read(arena, at)).toEqual(object)
        expect(memory.bytes.subarray(0, at * 4).every((byte) => byte === WALL)).toBe(true)
        const end = at * 4 + schema.bytes
        expect(memory.bytes.subarray(end, end + 4096).every((byte) => byte === WALL)).toBe(true)
        // One field at a time, the others stay as they are.
        for (const name of names) schema.set[name]?.(arena, at, object[name])
        expect(schema.read(arena, at)).toEqual(object)
        expect(schema.words % 2).toBe(0)
      }),
      { numRuns: 200 },
    )

    type Typed = readonly [FieldType, unknown]
    function type(each: Typed | undefined): FieldType {
      return each?.[0] ?? u32
    }
    function typed(field: FieldType, values: fc.Arbitrary<unknown>): fc.Arbitrary<Typed> {
      return values.map((each): Typed => [field, each])
    }
    /** Fields that the value fills to the last byte, or nearly. */
    function full(
      make: (n: number) => FieldType,
      length: number,
      each: unknown,
    ): fc.Arbitrary<Typed> {
      return fc.nat(3).map((slack): Typed => [make(Math.max(1, length + slack)), each])
    }
  })
})

describe('refusals', () => {
  const One = record({ a: u32, b: i32, c: f32, d: f64, e: bool, f: i64, g: bytes(4), h: ref })
  const good = {
    a: 1,
    b: -1,
    c: 0.5,
    d: 0.1,
    e: true,
    f: 5n,
    g: new Uint8Array([1, 2, 3, 4]),
    h: 0 as Item,
  }
  const bad: [keyof typeof good, unknown[]][] = [
    [
      'a',
      [-1, 2 ** 32, 1.5, Number.NaN, Infinity, '1', 1n, true, null, undefined, {}, Symbol.iterator],
    ],
    ['b', [-(2 ** 31) - 1, 2 ** 31, 0.5, Number.NaN, '1', 1n, null, undefined]],
    ['c', ['1', 1n, true, null, undefined, {}]],
    ['d', ['1', 1n, true, null, undefined, {}]],
    ['e', [0, 1, 'true', null, undefined, {}]],
    ['f', [2n ** 63n, -(2n ** 63n) - 1n, 1, '1', null, undefined]],
    [
      'g',
      [new Uint8Array(5), [1, 2], 'ab', new Uint16Array(1), new ArrayBuffer(2), null, undefined],
    ],
    ['h', [-1, 2 ** 31, 0.5, Number.NaN, '0', 1n, null, undefined]],
  ]

  it.each(bad)(
    '%s refuses, naming call, field, value and range, and stores nothing',
    (name, values) => {
      One.write(arena, item, good)
      for (const value of values) {
        const set = misuse(() => One.set[name](arena, item, wild(value)))
        expect(set.message).toMatch(
          new RegExp(`^record\\.set\\.${name}: ${name} is .+; give .+`, 's'),
        )
        expect(set.facts).toMatchObject({ field: name })
        expect(set.facts).toHaveProperty('wanted')
        const write = misuse(() => One.write(arena, item, wild({ ...good, [name]: value })))
        expect(write.message).toMatch(new RegExp(`^record\\.write: ${name} is .+; give .+`, 's'))
        expect(One.read(arena, item)).toEqual(good)
      }
    },
  )

  it('say the range in numbers', () => {
    expect(misuse(() => One.set.a(arena, item, -1)).message).toBe(
      'record.set.a: a is -1; give an integer from 0 to 4294967295',
    )
    expect(misuse(() => One.set.g(arena, item, new Uint8Array(5))).message).toBe(
      'record.set.g: g is Uint8Array of 5 bytes; give a Uint8Array of at most 4 bytes',
    )
    expect(misuse(() => One.set.f(arena, item, 2n ** 63n)).message).toBe(
      'record.set.f: f is 9223372036854775808n; give a bigint from -(2n ** 63n) to 2n ** 63n - 1n',
    )
  })

  it('write is all or nothing', () => {
    City.write(arena, item, zurich)
    const before = City.read(arena, item)
    const changed = { ...zurich, id: 1, lat: 0, name: 'x'.repeat(65) }
    expect(misuse(() => City.write(arena, item, changed)).facts).toMatchObject({ field: 'name' })
    expect(City.read(arena, item)).toEqual(before)
  })

  it('write refuses missing and unknown fields, and what is no object', () => {
    City.write(arena, item, zurich)
    const { next: _, ...short } = zurich
    expect(misuse(() => City.write(arena, item, wild(short))).message).toBe(
      'record.write: next is missing; give an item: 0, or an address up to 2147483647',
    )
    const long = { ...zurich, mayor: 'x', id: 9 }
    expect(misuse(() => City.write(arena, item, long)).message).toBe(
      'record.write: unknown field "mayor"; known are id, population, lat, lon, country, name, next',
    )
    for (const value of [null, undefined, 7, 'text']) {
      expect(misuse(() => City.write(arena, item, wild(value))).message).toContain('give an object')
    }
    expect(City.read(arena, item)).toEqual(zurich)
  })

  it('write looks at each property once', () => {
    let looks = 0
    const sly = {
      get a() {
        looks++
        return looks === 1 ? 1 : 'not a number'
      },
    }
    const Single = record({ a: u32 })
    Single.write(arena, item, wild(sly))
    expect(Single.get.a(arena, item)).toBe(1)
    expect(looks).toBe(1)
  })

  it('a null, odd or otherwise impossible item', () => {
    for (const at of [0, -2, 3, 4.5, Number.NaN, 2 ** 31]) {
      expect(misuse(() => City.get.id(arena, at as Item)).message).toContain('positive and even')
      expect(() => City.set.id(arena, at as Item, 1)).toThrow(Misuse)
      expect(() => City.get.name(arena, at as Item)).toThrow(Misuse)
      expect(() => City.read(arena, at as Item)).toThrow(Misuse)
      expect(() => City.write(arena, at as Item, zurich)).toThrow(Misuse)
    }
    expect(misuse(() => City.get.id(arena, 0 as Item)).message).toContain('null')
  })

  it('bad declarations', () => {
    expect(misuse(() => record({})).message).toContain('at least one')
    expect(misuse(() => record(wild(null))).message).toContain('give an object')
    expect(() => record(wild('id'))).toThrow(Misuse)
    expect(() => record(wild([u32]))).toThrow(Misuse)
    expect(misuse(() => record({ id: wild('u32') })).message).toContain('has type "u32"')
    expect(() => record({ id: wild({ ...u32 }) })).toThrow(Misuse)
    expect(misuse(() => record({ name: wild(utf8) })).message).toContain('utf8(64)')
    for (const name of ['', 'a-b', '1a', 'a b', 'a.b', '__proto__', '0']) {
      expect(misuse(() => record({ [name]: u32 })).facts).toMatchObject({
        field: JSON.stringify(name),
      })
    }
    expect(() => record({ id: u32, [Symbol('s')]: u32 })).toThrow(Misuse)
    expect(() => record(wild({ __proto__: u32, id: u32 }))).toThrow(Misuse)
  })

  it('but not unusual identifiers', () => {
    const Odd = record({ $a: u32, _b: u32, größe: u32, constructor: u32, toString: u32 })
    const values = { $a: 1, _b: 2, größe: 3, constructor: 4, toString: 5 }
    Odd.write(arena, item, wild(values))
    expect(Odd.get.constructor(arena, item)).toBe(4)
    expect(Object.entries(Odd.read(arena, item))).toEqual(Object.entries(values))
    expect(() => Odd.write(arena, item, wild({ $a: 1, _b: 2, größe: 3 }))).toThrow(Misuse)
  })

  it('bad sizes', () => {
    for (const n of [0, -1, 1.5, Number.NaN, Infinity, 65_536, '8', undefined]) {
      expect(misuse(() => utf8(wild(n))).message).toMatch(/^utf8: n is .*from 1 to 65535$/)
      expect(misuse(() => bytes(wild(n))).message).toMatch(/^bytes: n is .*from 1 to 65535$/)
    }
    expect(utf8(65_535).name).toBe('utf8(65535)')
  })
})

// ---- keys ------------------------------------------------------------------------------------

describe('keys', () => {
  const Keyed = record({ b: bool, u: u32, i: i32, l: i64, t: utf8(255), f: f64, wide: utf8(300) })
  const keys = { u: keyOf(Keyed, 'u', 0), i: keyOf(Keyed, 'i', 0), l: keyOf(Keyed, 'l', 0) }
  const text = keyOf(Keyed, 't', 0)
  const wide = keyOf(Keyed, 'wide', 0)

  function agrees<T>(key: Key<T>, values: fc.Arbitrary<T>): void {
    const set = Keyed.set[key.field as 't'] as (
      at: typeof arena,
      item: Item,
      value: unknown,
    ) => void
    fc.assert(
      fc.property(values, values, (value, another) => {
        set(arena, item, value)
        expect(key.hashAt(memory, item)).toBe(key.hash(value))
        expect(key.hash(value) | 0).toBe(key.hash(value))
        expect(key.equals(memory, item, value)).toBe(true)
        expect(key.equals(memory, item, another)).toBe(value === another)
      }),
    )
  }

  it('hash a value and its stored form alike, and know their own', () => {
    agrees(keys.u, fc.integer({ min: 0, max: 0xffffffff }))
    agrees(keys.i, fc.integer())
    agrees(keys.l, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))
    agrees(text, anyText)
    agrees(wide, anyText)
    agrees(text, fc.string({ maxLength: 3 }))
    agrees(text, fc.string({ unit: fc.constantFrom('a', 'é', '日', '😀', '\0'), maxLength: 3 }))
  })

  it('tell near misses apart', () => {
    const near = [
      '',
      '\0',
      'user-1',
      'user-10',
      'user-2',
      'user-',
      'User-1',
      'user-1\0',
      'é',
      'É',
      'Ã©',
      'e\u0301',
      '\u00c3',
      '日',
      '日本',
      '旤',
      '😀',
      '😁',
      '😀😀',
      '\uffff',
      '\ufeffuser-1',
    ]
    for (const stored of near) {
      Keyed.set.t(arena, item, stored)
      for (const asked of near) {
        expect(text.equals(memory, item, asked), `${stored} = ${asked}`).toBe(stored === asked)
      }
    }
    Keyed.set.t(arena, item, '\ufffd')
    expect(text.equals(memory, item, '\ud800')).toBe(false)
    Keyed.set.l(arena, item, 5n)
    expect(keys.l.equals(memory, item, 5n + 2n ** 32n)).toBe(false)
    expect(keys.l.equals(memory, item, 4n)).toBe(false)
    Keyed.set.u(arena, item, 0xffffffff)
    expect(keys.u.equals(memory, item, 0xffffffff)).toBe(true)
    expect(keys.u.equals(memory, item, 0x7fffffff)).toBe(false)
  })

  it('check what the field could hold', () => {
    expect(keys.u.type).toBe('u32')
    expect(text.type).toBe('utf8')
    expect(text.field).toBe('t')
    keys.u.check('table.get', 7)
    for (const long of ['x'.repeat(255), 'x'.repeat(256), 'é'.repeat(128)])
      text.check('table.get', long)
    expect(misuse(() => keys.u.check('table.get', '7')).message).toBe(
      'table.get: key "u" is "7" (1 byte in UTF-8); give an integer from 0 to 4294967295',
    )
    for (const value of ['\ud800', 7, null, undefined]) {
      expect(misuse(() => text.check('table.set', value)).message).toMatch(
        /^table\.set: key "t" is/,
      )
    }
    for (const value of [1, 2n ** 63n, '1']) {
      expect(() => keys.l.check('table.get', value)).toThrow(Misuse)
    }
    expect(() => keys.i.check('table.get', 2 ** 31)).toThrow(Misuse)
  })

  it('are not made of every field', () => {
    expect(misuse(() => keyOf(Keyed, wild('f'), 0)).message).toBe(
      'keyOf: field "f" is f64; a key is u32, i32, i64 or utf8(n)',
    )
    for (const name of ['b', 'nobody', 7, undefined]) {
      expect(() => keyOf(Keyed, wild(name), 0)).toThrow(Misuse)
    }
    const More = record({ r: ref, y: bytes(4), x: f32 })
    for (const name of ['r', 'y', 'x']) expect(() => keyOf(More, wild(name), 0)).toThrow(Misuse)
  })
})

describe('distribution', () => {
  const COUNT = 100_000
  const Keyed = record({ u: u32, i: i32, l: i64, t: utf8(64) })
  const u = keyOf(Keyed, 'u', 0)
  const i = keyOf(Keyed, 'i', 0)
  const l = keyOf(Keyed, 'l', 0)
  const t = keyOf(Keyed, 't', 0)

  const families: [string, (n: number) => number][] = [
    ['u32 0, 1, 2, ...', (n) => u.hash(n)],
    ['u32 in steps of 4096', (n) => u.hash((n * 4096) >>> 0)],
    ['i32 downwards', (n) => i.hash(-n)],
    ['i64 0, 1, 2, ...', (n) => l.hash(BigInt(n))],
    ['i64 in steps of 2^32', (n) => l.hash(BigInt(n) << 32n)],
    ['i64 like timestamps', (n) => l.hash(1_700_000_000_000_000n + BigInt(n) * 1000n)],
    ['user-N', (n) => t.hash(`user-${n}`)],
    ['key:N', (n) => t.hash(`key:${n}`)],
    ['N', (n) => t.hash(`${n}`)],
    ['N@example.com', (n) => t.hash(`${n}@example.com`)],
    ['/api/items/N/price', (n) => t.hash(`/api/items/${n}/price`)],
    ['padded', (n) => t.hash(String(n).padStart(10, '0'))],
    ['upper and lower case', (n) => t.hash(caseBits(n))],
    ['Chinese', (n) => t.hash(String.fromCharCode(0x4e00 + (n % 300), 0x4e00 + n / 300))],
  ]

  /** One word in 2^17 mixtures of case. */
  function caseBits(n: number): string {
    return Array.from('abcdefghijklmnopq', (c, bit) => ((n >> bit) & 1 ? c.toUpperCase() : c)).join(
      '',
    )
  }

  it.each(families)('%s: distinct, and even in the top bits', (_, hash) => {
    const hashes = Int32Array.from({ length: COUNT }, (_, n) => hash(n))
    // Chance alone gives n^2 / 2^33 = 1.2 collisions; eight or more would be one family in 30,000.
    expect(COUNT - new Set(hashes).size).toBeLessThan(8)
    for (let bits = 10; bits <= 17; bits++) {
      const cells = new Int32Array(1 << bits)
      for (const each of hashes)
        cells[each >>> (32 - bits)] = (cells[each >>> (32 - bits)] ?? 0) + 1
      const expected = COUNT / cells.length
      const square = cells.reduce((sum, each) => sum + (each - expected) ** 2 / expected, 0)
      // Chi square has as many degrees of freedom as cells, less one, and this deviation. Only
      // clustering is a fault: integers may well be spread more evenly than chance.
      const freedom = cells.length - 1
      expect((square - freedom) / Math.sqrt(2 * freedom), `${bits} bits`).toBeLessThan(5)
    }
  })

  it('integers never collide, and each bit turns about half of the hash', () => {
    const seen = new Set<number>()
    for (let n = 0; n < COUNT; n++) seen.add(u.hash(n))
    expect(seen.size).toBe(COUNT)
    const SAMPLES = 2000
    for (let bit = 0; bit < 32; bit++) {
      const turned = new Int32Array(32)
      for (let n = 0; n < SAMPLES; n++) {
        const value = mix(n)
        const change = u.hash(value >>> 0) ^ u.hash((value ^ (1 << bit)) >>> 0)
        for (let out = 0; out < 32; out++) turned[out] = (turned[out] ?? 0) + ((change >>> out) & 1)
      }
      for (const count of turned) {
        expect(count / SAMPLES).toBeGreaterThan(0.42)
        expect(count / SAMPLES).toBeLessThan(0.58)
      }
    }
  })

  it('zero does not hash to zero', () => {
    for (const hash of [u.hash(0), i.hash(0), l.hash(0n), t.hash('')]) expect(hash).not.toBe(0)
  })
})

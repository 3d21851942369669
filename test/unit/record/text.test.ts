/**
 * Text and byte strings, on both ways to them: the host's own Buffers, and what every browser has. The
 * oracle is TextEncoder and TextDecoder over private memory. The two ways must store the same bytes,
 * make the same strings and refuse the same values, whatever the length, the script and the place.
 */

import { afterEach, describe, expect, it } from 'vitest'
import type { Item } from '#src/base/brands.ts'
import { Arena, bytes, data, HashTable, json, record, text, u32, utf8 } from '#src/index.ts'
import { host } from '#src/memory/hostText.ts'
import { Memory } from '#src/memory/memory.ts'
import { MOST_SHORT } from '#src/record/ascii.ts'
import { keyOf } from '#src/record/record.ts'
import {
  decode,
  encode,
  fits,
  isWellFormed,
  readLength,
  sameText,
  utf8Length,
  writeLength,
} from '#src/record/text.ts'
import { misuse } from '../../helpers/refusals.ts'

const { text: native } = host
afterEach(() => {
  host.text = native
})

it('this host has Buffers, so both ways are tried', () => {
  expect(native).toBeDefined()
  expect(native?.isAscii).toBeDefined()
})

const WAYS = [
  ['the host', native],
  ['the host without isAscii', native && { ...native, isAscii: undefined }],
  ['portable', undefined],
] as const

const ITEM = 64
const WORDS = 2 ** 14
const WALL = 0xa5
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Around every length at which another way is taken. */
const LENGTHS = [
  ...Array.from({ length: MOST_SHORT + 3 }, (_, n) => n),
  ...[31, 32, 33, 63, 64, 65, 66, 127, 255, 256, 511, 512, 513, 1023, 1024, 1025],
  ...[4000, 4093, 4094, 4095, 4096, 4097, 9000],
]
/** Characters that are repeated to a length in bytes; what is left over is filled up with ASCII. */
const SCRIPTS: readonly (readonly [string, string])[] = [
  ['ASCII', 'The quick brown fox 0123456789 jumps!'],
  ['NUL and DEL', '\0\u007f'],
  ['Latin-1', '\u0080\u00ff\u00e4'],
  ['Greek', '\u03b1\u07ff'],
  ['Chinese', '\u6f22\u5b57\uffff\u0800'],
  ['emoji', '\u{1f600}\u{10ffff}\u{10000}'],
  ['mostly ASCII', 'Z\u00fcrich, a city '],
  ['all', 'a\u00e4\u6f22\u{1f600}\ufeff'],
]

function ofBytes(characters: string, length: number): string {
  let made = ''
  let left = length
  for (const each of (function* () {
    for (;;) yield* characters
  })()) {
    const size = encoder.encode(each).length
    if (size > left) break
    made += each
    left -= size
  }
  return made + 'x'.repeat(left)
}

function walled(): Memory {
  const memory = new Memory(new SharedArrayBuffer(WORDS * 4))
  memory.bytes.fill(WALL)
  return memory
}

describe.each(WAYS)('%s', (_way, tools) => {
  it.each(SCRIPTS)('%s of any length comes back, and nothing else is touched', (_name, letters) => {
    host.text = tools
    const memory = walled()
    for (const length of LENGTHS) {
      const value = ofBytes(letters, length)
      const wanted = encoder.encode(value)
      expect([wanted.length, utf8Length(value), isWellFormed(value)]).toEqual([
        length,
        length,
        true,
      ])
      expect([fits(value, length), fits(value, 3 * length)]).toEqual([true, true])
      if (length > 0) expect(fits(value, length - 1)).toBe(false)
      for (const skip of [0, 1, 2, 3]) {
        const from = ITEM * 4 + skip
        expect(encode(memory, ITEM, skip, value, length)).toBe(skip + length)
        expect(memory.bytes.slice(from, from + length)).toEqual(wanted)
        expect([memory.bytes[from - 1], memory.bytes[from + length]]).toEqual([WALL, WALL])
        expect(decode(memory, ITEM, skip, length) === value).toBe(true)
        expect(sameText(memory, ITEM, skip, length, value)).toBe(true)
        memory.bytes.fill(WALL, from, from + length)
      }
    }
  })

  it('a lone surrogate is found, wherever it is', () => {
    host.text = tools
    for (const length of [1, 5, 16, 17, 24, 64, 65, 300, 5000]) {
      for (const lone of ['\ud800', '\udbff', '\udc00', '\udfff', '\udc00\ud800']) {
        for (const letter of ['a', '\u6f22']) {
          const other = letter.repeat(length)
          for (const value of [lone + other, other + lone, other + lone + other]) {
            expect([utf8Length(value), isWellFormed(value)]).toEqual([-1, false])
            expect([fits(value, 65_535), fits(value, 3 * value.length)]).toEqual([false, false])
          }
        }
      }
    }
  })

  // What no one can store; but memory may be overwritten.
  it.each([
    ['a stray byte', [0x80]],
    ['an unfinished character of two', [0xc3]],
    ['an unfinished character of three', [0xe6, 0xbc]],
    ['an unfinished character of four', [0xf0, 0x9f, 0x98]],
    ['an overlong NUL', [0xc0, 0x80]],
    ['an overlong slash', [0xe0, 0x80, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['beyond the last character', [0xf4, 0x90, 0x80, 0x80]],
    ['bytes that are never used', [0xff, 0xfe]],
    ['a good character between bad ones', [0xf0, 0xc3, 0xa4, 0xe6]],
  ])('%s: the same string as TextDecoder makes', (_what, bad) => {
    host.text = tools
    const memory = walled()
    for (const length of [bad.length, 9, MOST_SHORT, 40, 64, 70, 600, 4090, 4099, 9000]) {
      for (const place of [0, Math.floor((length - bad.length) / 2), length - bad.length]) {
        const raw = new Uint8Array(length).fill(97)
        raw.set(bad, place)
        for (const skip of [0, 3]) {
          memory.writeBytes(ITEM, skip, raw)
          expect(decode(memory, ITEM, skip, length) === decoder.decode(raw)).toBe(true)
        }
      }
    }
  })

  it('what lies outside of the arena is neither read nor written', () => {
    host.text = tools
    const memory = walled()
    const beyond = WORDS + 2
    for (const length of [3, 20, 40, 100, 600, 5000]) {
      expect(decode(memory, beyond, 1, length)).toBeTypeOf('string')
      expect(() => encode(memory, beyond, 1, 'x'.repeat(60), length)).not.toThrow()
    }
    expect(memory.bytes.every((byte) => byte === WALL)).toBe(true)
  })

  it('lengths are stored in one byte or in two, and are never more than the field has', () => {
    host.text = tools
    const memory = walled()
    for (const [max, length] of [
      [255, 0],
      [255, 255],
      [256, 256],
      [65_535, 65_534],
    ] as const) {
      writeLength(memory, ITEM, 1, max, length)
      expect(readLength(memory, ITEM, 1, max)).toBe(length)
    }
    memory.pokeByte(ITEM, 1, 255)
    expect(readLength(memory, ITEM, 1, 7)).toBe(7)
  })

  it('all kinds of fields keep the same', () => {
    host.text = tools
    const Row = record({
      id: u32,
      short: utf8(300),
      raw: bytes(300),
      note: text(),
      blob: data(),
      more: json<unknown>(),
    })
    const arena = Arena.create({ bytes: 2 ** 22, maxWorkers: 1 })
    const table = HashTable.create(arena, 'rows', { record: Row, key: 'id', capacity: 100 })
    for (const [id, [, letters]] of SCRIPTS.entries()) {
      for (const length of [0, 7, 24, 63, 64, 65, 300]) {
        const short = ofBytes(letters, length)
        const note = ofBytes(letters, 13 * length)
        const row = {
          id,
          short,
          raw: encoder.encode(short),
          note,
          blob: encoder.encode(note),
          more: [note, { short }],
        }
        table.set(row)
        expect(table.get(id)).toEqual(row)
        if (length > 0) {
          const long = { ...row, short: `${short}${'x'.repeat(301)}` }
          expect(misuse(() => table.set(long)).message).toContain('short is')
        }
        const lone = { ...row, note: `${note}\ud800` }
        expect(misuse(() => table.set(lone)).message).toContain('lone surrogate')
        expect(table.get(id)).toEqual(row)
      }
    }
    expect(table.size).toBe(SCRIPTS.length)
  })
})

it('what decodes UTF-8 never sees shared memory', () => {
  const memory = walled()
  const own = memory.host as { latin1Slice(from: number, end: number): string }
  const seen: string[] = []
  const watched = {
    latin1Slice: (from: number, end: number) => {
      seen.push(`copy ${end - from}`)
      return own.latin1Slice(from, end)
    },
  }
  Object.assign(memory, { host: watched })
  for (const length of [10, 30, 64, 65, 600, 5000]) {
    for (const letters of ['a', '\u6f22']) {
      const value = ofBytes(letters, length)
      memory.writeBytes(ITEM, 0, encoder.encode(value))
      expect(decode(memory, ITEM, 0, length) === value).toBe(true)
    }
  }
  expect(seen).toEqual(['copy 65', 'copy 600', 'copy 5000'])
})

// ---- keys ------------------------------------------------------------------------------------

describe.each([WAYS[0], WAYS[2]])('keys, %s', (_way, tools) => {
  const KEYS = SCRIPTS.slice(2).flatMap(([, letters]) =>
    [0, 1, 3, 4, 5, 24, 255, 256, 1024, 1025].map((n) => ofBytes(letters, n)),
  )

  it.each([
    ['a narrow field at a word', record({ id: utf8(24) }), 24],
    ['a narrow field in a word', record({ a: utf8(2), id: utf8(255) }), 255],
    ['a wide field', record({ a: utf8(4), id: utf8(2000) }), 2000],
  ])('in %s: hashing and comparing agree, in any order of calls', (_what, schema, max) => {
    host.text = tools
    const memory = walled()
    const at = ITEM as Item
    const key = keyOf(schema as never, 'id' as never, 1) as unknown as ReturnType<typeof keyOf>
    const other = keyOf(schema as never, 'id' as never, 1) as unknown as ReturnType<typeof keyOf>
    const values = [...new Set(KEYS)]
    for (const stored of values.filter((value) => fits(value, max))) {
      memory.fill(ITEM, 1024, -1)
      ;(schema.set as unknown as Record<'id', (...args: unknown[]) => void>).id(
        { memory },
        at,
        stored,
      )
      expect(key.hashAt(memory, ITEM)).toBe(key.hash(stored))
      for (const asked of values) {
        const is = asked === stored
        const aim = key.aim('test', asked)
        expect(key.hits(memory, ITEM, asked)).toBe(is)
        expect(key.equals(memory, ITEM, asked)).toBe(is)
        // Another one comes in between: what is kept is not the key that is asked for.
        expect(key.equals(memory, ITEM, stored)).toBe(true)
        expect(key.hash(stored) === aim).toBe(is)
        expect(key.equals(memory, ITEM, asked)).toBe(is)
        expect([key.hash(asked), other.hash(asked)]).toEqual([aim, aim])
      }
    }
  })

  it('refuse what no record has, and go on', () => {
    host.text = tools
    const key = keyOf(record({ id: utf8(24) }), 'id', 1)
    const aim = key.aim('test', 'good')
    for (const bad of ['\ud800', 'a\udc00', `${'x'.repeat(2000)}\ud800`, '\u00e4\ud800']) {
      expect(misuse(() => key.aim('test', bad)).message).toContain('lone surrogate')
      expect(misuse(() => key.check('test', bad)).message).toContain('lone surrogate')
    }
    expect(misuse(() => key.aim('test', 5 as never)).message).toContain('test: key "id" is 5')
    expect(key.hash('good')).toBe(aim)
  })
})

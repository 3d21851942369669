/**
 * Fields without a maximum: `text()`, `data()` and `json()`. What is written is read back, by code
 * that is generated and by the loop that does the same; what cannot be kept is refused before
 * anything happens; `schema.write` puts values into a heap, and `schema.free` frees them.
 */

import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  Arena,
  Corruption,
  data,
  Exhausted,
  json,
  Misuse,
  type RecordOf,
  record,
  text,
  u32,
} from '#src/index.ts'
import { differences } from '../../helpers/refusals.ts'

interface More {
  readonly a?: unknown
  readonly b?: readonly unknown[]
  toJSON?(): unknown
}
const declare = () => record({ id: u32, note: text(), raw: data(), more: json<More | null>() })
type Note = RecordOf<ReturnType<typeof declare>>

const KINDS = ['plain', 'smr'] as const

function stage(kind: (typeof KINDS)[number], bytes = 2 ** 24) {
  const arena = Arena.create({ bytes, checks: true })
  const smr = arena.smr('domain')
  const heap = arena.heap('values', kind === 'smr' ? { smr } : {})
  const Note = declare()
  const zone = arena.zone('notes', { record: Note })
  return { arena, heap, Note, zone, item: zone.zalloc() }
}

const note = (of: Partial<Note> = {}): Note => ({
  id: 7,
  note: '',
  raw: new Uint8Array(0),
  more: null,
  ...of,
})

/** Texts of all lengths and alphabets: around the bounds of the ways to encode and to decode. */
const TEXTS = [
  '',
  'a',
  'Zürich',
  '\0',
  '\ufeffbyte order mark',
  ...[11, 12, 13, 63, 64, 65, 4095, 4096, 4097, 40_000].map((n) => 'x'.repeat(n)),
  ...[4, 21, 64, 65, 1500].map((n) => 'äß漢😀'.repeat(n)),
]
const VALUES: readonly unknown[] = [
  {},
  { a: 1, b: [1, 'zwei', null, true, { c: 1e300 }] },
  { a: 'x'.repeat(50_000) },
  { a: '\ud800 a lone surrogate, which JSON escapes' },
  [],
  0,
  'text',
  null,
]

afterEach(() => {
  vi.unstubAllGlobals()
})

describe.each([false, true])('values come back; without generated code: %s', (interpreted) => {
  it.each(KINDS)('in a %s heap', (kind) => {
    if (interpreted) {
      vi.stubGlobal('Function', () => {
        throw new EvalError('code generation from strings disallowed')
      })
    }
    const { arena, heap, Note, item } = stage(kind)
    for (const [i, value] of TEXTS.entries()) {
      const raw = new TextEncoder().encode(value)
      const more = VALUES[i % VALUES.length] as More
      const given = note({ id: i, note: value, raw, more })
      Note.write(arena, item, given, heap)
      const found = Note.read(arena, item)
      expect(found).toEqual(given)
      expect(Note.get.note(arena, item)).toBe(value)
      expect(Note.get.raw(arena, item)).toEqual(raw)
      // A copy: nobody else has it.
      found.raw.fill(1)
      expect(Note.get.raw(arena, item)).toEqual(raw)
      Note.free(arena, item, heap)
    }
    expect(heap.stats().blocks).toBe(0)
    heap.check()
  })
})

it('empty values take no block, others one of their length', () => {
  const { arena, heap, Note, item } = stage('plain')
  Note.write(arena, item, note({ more: null }), heap)
  expect(heap.stats().sizes).toMatchObject([{ bytes: 16, live: 1 }]) // null
  Note.free(arena, item, heap)
  Note.write(arena, item, note({ note: 'x'.repeat(100), raw: Buffer.alloc(1000) }), heap)
  const live = heap.stats().sizes.filter((size) => size.live > 0)
  expect(live.map(({ bytes }) => bytes)).toEqual([16, 112, 1024])
})

it('a schema says what it is, and takes 8 bytes for each', () => {
  const Note = declare()
  expect(Note.signature).toBe('id:u32@0,note:text@1,raw:data@3,more:json@5')
  expect(Note.bytes).toBe(4 + 3 * 8 + 4)
  expect(Object.keys(Note.offsets)).toEqual(['id'])
})

describe('refused, and nothing has changed:', () => {
  const circle: { a?: unknown } = {}
  circle.a = circle
  const cases: readonly [string, object, string][] = [
    ['text that is none', note({ note: 5 as unknown as string }), 'note is 5'],
    ['a lone surrogate', note({ note: 'a\ud800' }), 'note is "a\\ud800"'],
    ['a lone surrogate in long text', note({ note: `${'x'.repeat(100)}\udc00` }), 'lone surrogate'],
    ['bytes that are none', note({ raw: [1, 2] as unknown as Uint8Array }), 'raw is Array'],
    [
      'a view of other numbers',
      note({ raw: new Uint16Array(2) as unknown as Uint8Array }),
      'raw is',
    ],
    ['undefined as JSON', note({ more: undefined as unknown as null }), 'more is undefined'],
    ['a function as JSON', note({ more: (() => 1) as unknown as null }), 'more is function'],
    ['a circle', note({ more: circle as More }), 'give a value that JSON can hold'],
    ['a bigint in it', note({ more: { a: 1n } }), 'give a value that JSON can hold'],
    ['a field that is missing', { id: 1, note: '', raw: new Uint8Array(0) }, 'more is missing'],
  ]
  it.each(cases)('%s', (_what, object, says) => {
    const { arena, heap, Note, item } = stage('plain')
    const words = arena.words.slice()
    expect(() => Note.write(arena, item, object as Note, heap)).toThrow(Misuse)
    expect(() => Note.write(arena, item, object as Note, heap)).toThrow(says)
    expect(differences(words, arena.words)).toEqual([])
  })

  it.each([undefined, null, 5, {}])('the heap %s', (heap) => {
    const { arena, Note, item } = stage('plain')
    const words = arena.words.slice()
    const write = () => Note.write(arena, item, note(), heap as never)
    expect(write).toThrow(Misuse)
    expect(write).toThrow('give what arena.heap() returned')
    expect(differences(words, arena.words)).toEqual([])
  })

  it('a set of one field: it would need a block', () => {
    const { arena, Note, item } = stage('plain')
    expect(() => Note.set.note(arena, item, 'x')).toThrow('record.set.note: a text lies in a heap')
  })

  it('what a toJSON throws is thrown', () => {
    const { arena, heap, Note, item } = stage('plain')
    const more: More = {
      toJSON() {
        throw new RangeError('not now')
      },
    }
    expect(() => Note.write(arena, item, note({ more }), heap)).toThrow('not now')
    expect(heap.stats().blocks).toBe(0)
  })
})

it('a value is made into JSON once, before memory is had', () => {
  const { arena, heap, Note, item } = stage('plain')
  let times = 0
  const more: More = {
    toJSON() {
      times++
      expect(heap.stats().blocks).toBe(0)
      return { a: times }
    },
  }
  Note.write(arena, item, note({ note: 'x', more }), heap)
  expect([times, Note.get.more(arena, item)]).toEqual([1, { a: 1 }])
})

it.each(KINDS)('when there is no memory for the second block, the first goes back: %s', (kind) => {
  const { arena, heap, Note, item } = stage(kind, 2 ** 20)
  Note.write(arena, item, note({ note: 'before' }), heap)
  const before = { ...heap.stats(), held: 0, sizes: [] }
  const much = note({ note: 'x'.repeat(1000), raw: new Uint8Array(2 ** 20 - 1) })
  expect(() => Note.write(arena, item, much, heap)).toThrow(Exhausted)
  expect({ ...heap.stats(), held: 0, sizes: [] }).toEqual(before)
  expect(Note.read(arena, item)).toEqual(note({ note: 'before' }))
  heap.check()
})

it('an item that is no record of this type is Corruption, or at least no crash', () => {
  const { arena, Note, item } = stage('plain')
  for (const [block, length] of [
    [2 ** 30, 5],
    [-4, 5],
    [100, -1],
    [100, 2 ** 31 - 1],
  ] as const) {
    arena.words[item + 1] = block
    arena.words[item + 2] = length
    expect(() => Note.get.note(arena, item)).toThrow(Corruption)
  }
})

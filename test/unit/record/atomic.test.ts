/**
 * Atomic fields: they hold every number there is, change in place, and stand still once sealed.
 *
 * What several workers make of them is explored in test/model; here is what one worker finds.
 */

import fc from 'fast-check'
import { describe, expect, expectTypeOf, it } from 'vitest'
import type { Item } from '#src/base/brands.ts'
import { Memory } from '#src/memory/memory.ts'
import {
  addAt,
  exchangeAt,
  heldAt,
  isSealed,
  keepAt,
  keptAt,
  openAt,
  SEAL,
  sealAt,
} from '#src/record/atomic.ts'
import {
  atomic,
  type FieldType,
  i32,
  i64,
  keyOf,
  type RecordOf,
  record,
  u32,
  utf8,
} from '#src/record/record.ts'
import { misuse } from '../../helpers/refusals.ts'

const arena = { memory: new Memory(new SharedArrayBuffer(4096)) }
const { memory } = arena
const item = 64 as Item
const Page = record({ name: utf8(6), hits: atomic(u32), id: u32, score: atomic(i32) })
const AT = item + 0

const word = fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.constant(SEAL))

describe('the type', () => {
  it('takes two words, and says so', () => {
    expect(Page.signature).toBe('hits:atomic(u32)@0,id:u32@2,score:atomic(i32)@3,name:utf8(6)@5')
    expectTypeOf<RecordOf<typeof Page>>().toEqualTypeOf<{
      name: string
      hits: number
      id: number
      score: number
    }>()
    expectTypeOf(atomic(u32)).toEqualTypeOf<FieldType<number, 'atomic'>>()
  })

  it('has no offset, so that nobody adds past the verbs', () => {
    expectTypeOf<keyof typeof Page.offsets>().toEqualTypeOf<'id'>()
    expect(Page.offsets).toEqual({ id: 2 })
    expectTypeOf<keyof typeof Page.add>().toEqualTypeOf<'hits' | 'score'>()
    expect(Object.keys(Page.add)).toEqual(['hits', 'score'])
  })

  it('holds every number of its type, and refuses all others', () => {
    fc.assert(
      fc.property(word, (value) => {
        const page = { name: 'a', hits: value >>> 0, id: 1, score: value }
        Page.write(arena, item, page)
        expect(Page.read(arena, item)).toEqual(page)
        Page.set.hits(arena, item, 7)
        expect(Page.get.hits(arena, item)).toBe(7)
      }),
    )
    for (const value of [-1, 2 ** 32, 0.5, '1', undefined]) {
      expect(misuse(() => Page.set.hits(arena, item, value as number)).message).toMatch(/hits is/)
    }
    for (const value of [2 ** 31, -(2 ** 31) - 1]) {
      expect(misuse(() => Page.set.score(arena, item, value)).message).toMatch(/score is/)
    }
  })

  it('is made of u32 or i32 only, and is no key', () => {
    expect(misuse(() => atomic(i64 as never)).message).toMatch(
      /^atomic: type is i64; give u32 or i32$/,
    )
    expect(misuse(() => atomic(u32.name as never)).message).toMatch(
      /^atomic: type is "u32"; give u32 or i32$/,
    )
    expect(misuse(() => record({ hits: atomic as never })).message).toMatch(/atomic\(u32\)/)
    // @ts-expect-error an atomic field is no key
    expect(misuse(() => keyOf(Page, 'hits')).message).toMatch(/is atomic\(u32\); a key is/)
  })
})

describe('schema.add', () => {
  it('adds, wraps as the type does, and returns the sum', () => {
    Page.write(arena, item, { name: '', hits: 2 ** 32 - 1, id: 5, score: 2 ** 31 - 1 })
    expect(Page.add.hits(arena, item, 3)).toBe(2)
    expect(Page.add.hits(arena, item, -3)).toBe(2 ** 32 - 1)
    expect(Page.add.score(arena, item, 1)).toBe(-(2 ** 31))
    expect(Page.add.score(arena, item, 2 ** 32 - 1)).toBe(2 ** 31 - 1)
    expect(Page.read(arena, item)).toEqual({
      name: '',
      hits: 2 ** 32 - 1,
      id: 5,
      score: 2 ** 31 - 1,
    })
  })

  it('adds nothing where the field is sealed, holds SEAL or would hold it', () => {
    Page.set.score(arena, item, SEAL)
    expect(Page.add.score(arena, item, 1)).toBeUndefined()
    Page.set.score(arena, item, SEAL - 1)
    expect(Page.add.score(arena, item, 1)).toBeUndefined()
    Page.set.score(arena, item, 5)
    sealAt(memory, AT + 3)
    expect(Page.add.score(arena, item, 1)).toBeUndefined()
    expect(Page.get.score(arena, item)).toBe(5)
  })

  it('refuses what is no item, and no delta', () => {
    expect(misuse(() => Page.add.hits(arena, 0 as Item, 1)).message).toMatch(/item is null/)
    for (const delta of [0.5, Number.NaN, 2 ** 32, -(2 ** 31) - 1, '1', undefined]) {
      expect(misuse(() => Page.add.hits(arena, item, delta as number)).message).toMatch(
        /^record.add.hits: delta is/,
      )
    }
    expect(misuse(() => Page.add.hits({} as never, item, 1)).message).toMatch(/arena is/)
  })
})

describe('the two words', () => {
  it('a seal keeps what it finds, also twice; nothing changes it but the lock; then it opens', () => {
    fc.assert(
      fc.property(word, word, (value, next) => {
        memory.store(AT, value)
        memory.store(AT + 1, value === SEAL ? SEAL : 99)
        expect([sealAt(memory, AT), sealAt(memory, AT)]).toEqual([true, true])
        expect([addAt(memory, AT, 1), exchangeAt(memory, AT, value, 1)]).toEqual([SEAL, SEAL])
        expect([isSealed(memory, AT), keptAt(memory, AT), heldAt(memory, AT)]).toEqual([
          true,
          value,
          value,
        ])
        keepAt(memory, AT, next)
        expect(heldAt(memory, AT)).toBe(next)
        openAt(memory, AT)
        expect([isSealed(memory, AT), heldAt(memory, AT)]).toEqual([next === SEAL, next])
      }),
    )
  })

  it('an exchange answers what was there, or that the lock must decide', () => {
    const rows: [held: number, expected: number, value: number, answer: number, after: number][] = [
      [5, 5, 6, 5, 6],
      [5, 4, 6, 5, 5],
      [5, SEAL, 6, 5, 5],
      [5, 4, SEAL, 5, 5],
      [5, 5, SEAL, SEAL, 5],
      [SEAL, SEAL, 6, SEAL, SEAL],
      [SEAL, 5, 6, SEAL, SEAL],
    ]
    for (const [held, expected, value, answer, after] of rows) {
      memory.store(AT, held)
      memory.store(AT + 1, SEAL)
      expect([exchangeAt(memory, AT, expected, value), heldAt(memory, AT)]).toEqual([answer, after])
    }
  })

  it('who loses every race gives up: an addition for the lock, a seal for an error', () => {
    const rival = new Memory(new SharedArrayBuffer(64))
    rival.cas = () => 77
    expect(addAt(rival, 4, 1)).toBe(SEAL)
    expect(sealAt(rival, 4)).toBe(false)
  })
})

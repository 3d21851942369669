/**
 * Names in and out of bytes: whatever a string of whole characters holds, it comes back.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeText, encodeText, packText, unpackText } from '#src/memory/utf8.ts'

const character = fc
  .oneof(fc.nat(0xd7ff), fc.integer({ min: 0xe000, max: 0x10ffff }))
  .map((code) => String.fromCodePoint(code))

it('every text of whole characters comes back as it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: character }), (text) => {
      expect(decodeText(encodeText(text))).toBe(text)
    }),
  )
})

it('a byte order mark is a character like any other, not a hint to be dropped', () => {
  expect(decodeText(encodeText('\ufeffname'))).toBe('\ufeffname')
})

it('counts as UTF-8 does', () => {
  expect(['', 'a', 'é', '日', '😀'].map((text) => encodeText(text).length)).toEqual([0, 1, 2, 3, 4])
})

describe('in words', () => {
  it.each([
    ['', 2, 0, []],
    ['abcd', 2, 4, [0x64636261]],
    ['abcde', 2, 5, [0x64636261, 0x65]],
    ['abcdefgh', 1, 4, [0x64636261]],
    ['abc\u00e9', 1, 3, [0x636261]],
    ['a', 0, 0, []],
  ] as const)('%j in %d words has %d bytes', (text, words, bytes, packed) => {
    expect(packText(text, words)).toEqual({ bytes, packed })
    expect(text.startsWith(unpackText(bytes, (i) => packed[i] ?? 0))).toBe(true)
  })
})

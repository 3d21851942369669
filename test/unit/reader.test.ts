/**
 * The two ways to make an object of a record must not be told apart, but by their speed.
 */

import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Memory } from '#src/memory/memory.ts'
import { looped, reader, written } from '#src/reader.ts'
import { f64, record, u32, utf8 } from '#src/record.ts'
import type { Item } from '#src/words.ts'

const arena = { memory: new Memory(new SharedArrayBuffer(1024)) }
const item = 8 as Item

afterEach(() => {
  vi.unstubAllGlobals()
})

/** As a host behaves that does not let text become code. */
function forbid(): void {
  vi.stubGlobal(
    'Function',
    class {
      constructor() {
        throw new EvalError('code generation from strings disallowed')
      }
    },
  )
}

/** Names that would do harm if they were pasted into a text carelessly, and ordinary ones. */
const aName = fc.oneof(
  fc.constantFrom(
    'arena',
    'item',
    'get0',
    'return',
    'class',
    'constructor',
    'toString',
    '\u00e4\u200d',
    '$',
    'a',
  ),
  fc.stringMatching(/^[a-z_$][a-zA-Z0-9_$]{0,8}$/).filter((name) => name !== '__proto__'),
)

describe('the written reader', () => {
  it('gives what the loop gives: names, order, values, prototype', () => {
    const schemas = fc.uniqueArray(aName, { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(schemas, (names) => {
        const gets = names.map((name, i) => (host: typeof arena, at: Item) => [name, i, host, at])
        const [one, other] = [written(names, gets), looped(names, gets)]
        const [found, wanted] = [one(arena, item), other(arena, item)]
        expect(found).toEqual(wanted)
        expect(Object.keys(found)).toEqual(names)
        expect(Object.getPrototypeOf(found)).toBe(Object.prototype)
        expect(one(arena, item)).not.toBe(found)
      }),
    )
  })

  it('hands on what a field throws', () => {
    const bad = () => {
      throw new RangeError('no')
    }
    for (const make of [written, looped]) {
      expect(() => make(['a'], [bad])(arena, item)).toThrow(RangeError)
    }
  })

  it('is not to be had where text must not become code, and the loop takes its place', () => {
    forbid()
    expect(() => written(['a'], [() => 1])).toThrow(EvalError)
    expect(reader(['a', 'b'], [() => 1, () => 2])(arena, item)).toEqual({ a: 1, b: 2 })
  })
})

it('a schema reads alike under either policy', () => {
  const fields = { id: u32, lat: f64, name: utf8(16) }
  const free = record(fields)
  forbid()
  const strict = record(fields)
  free.write(arena, item, { id: 7, lat: -0.5, name: 'Z\u00fcrich' })
  expect(strict.read(arena, item)).toEqual({ id: 7, lat: -0.5, name: 'Z\u00fcrich' })
  expect(free.read(arena, item)).toEqual(strict.read(arena, item))
  expect(() => strict.read(arena, 3 as Item)).toThrow('item is 3')
  expect(() => free.read(arena, 3 as Item)).toThrow('item is 3')
})

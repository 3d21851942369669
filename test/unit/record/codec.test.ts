/**
 * The two ways to read and write whole records must not be told apart, but by their speed.
 */

import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Item } from '#src/base/brands.ts'
import { Memory } from '#src/memory/memory.ts'
import { type Codec, codecOf, compiled, interpreted, type Part } from '#src/record/codec.ts'
import { f64, record, u32, utf8 } from '#src/record/record.ts'

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

/** A part that accepts even numbers, and tells the journal all that is done with it. */
function part(name: string, journal: unknown[]): Part {
  return {
    name,
    accepts: (value) => {
      journal.push(['accepts', name, value])
      return Number(value) % 2 === 0
    },
    get: (host, at) => {
      journal.push(['get', name, at])
      return [name, host]
    },
    store: (memory, at, value) => {
      journal.push(['store', name, memory === arena.memory, at, value])
    },
    refuse: (call, object, value) => {
      journal.push(['refuse', call, name, Object.keys(object), value])
      throw new RangeError(`${name} is ${value}`)
    },
  }
}

/** What `action` does, returns or throws. */
function told(
  make: (parts: readonly Part[]) => Codec,
  names: readonly string[],
  action: (codecOf: Codec) => unknown,
) {
  const journal: unknown[] = []
  const made = make(names.map((name) => part(name, journal)))
  try {
    const found = action(made)
    return { journal, found, names: Object.keys(found ?? {}) }
  } catch (error) {
    return { journal, error }
  }
}

/** Names that would do harm if they were pasted into a text carelessly, and ordinary ones. */
const aName = fc.oneof(
  fc.constantFrom('arena', 'item', 'get0', 'value0', 'at', 'parts', 'return', 'class'),
  fc.constantFrom('constructor', 'toString', '\u00e4\u200d', '$', 'a'),
  fc.stringMatching(/^[a-z_$][a-zA-Z0-9_$]{0,8}$/).filter((name) => name !== '__proto__'),
)
const names = fc.uniqueArray(aName, { minLength: 1, maxLength: 40 })

describe('the written way does what the loop does', () => {
  it('reading: names, order, values, prototype', () => {
    fc.assert(
      fc.property(names, (all) => {
        const read = ({ read }: Codec) => read(arena, item)
        const found = told(compiled, all, read)
        expect(found).toEqual(told(interpreted, all, read))
        expect(found.names).toEqual(all)
        expect(Object.getPrototypeOf(found.found)).toBe(Object.prototype)
      }),
    )
  })

  it.each([
    ['at once', ({ write }: Codec, object: object) => write(arena, item, object as never)],
    [
      'in two halves',
      ({ store, take }: Codec, object: object) =>
        store(arena.memory, item, take('test', object as never)),
    ],
  ])(
    'writing %s: each property looked at once, all of them before the first is stored',
    (_, act) => {
      const values = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 40, maxLength: 40 })
      fc.assert(
        fc.property(names, values, fc.boolean(), (all, numbers, even) => {
          const write = (made: Codec) => {
            const looks: string[] = []
            const object = {}
            for (const [i, name] of all.entries()) {
              const get = () => {
                looks.push(name)
                return even ? 2 * (numbers[i] as number) : numbers[i]
              }
              Object.defineProperty(object, name, { get, enumerable: true })
            }
            try {
              act(made, object)
            } catch (error) {
              throw [looks, error]
            }
            return looks
          }
          const found = told(compiled, all, write)
          expect(found).toEqual(told(interpreted, all, write))
          if (even) expect(found.found).toEqual(all)
          const stores = found.journal.filter((entry) => (entry as string[])[0] === 'store')
          expect(stores).toHaveLength(found.error === undefined ? all.length : 0)
        }),
      )
    },
  )

  it('refusing: no object, unknown names, a bad item', () => {
    for (const [object, at] of [
      [null, item],
      [7, item],
      [{ a: 2, b: 2, c: 2 }, item],
      [{ b: 2 }, item],
      [{ a: 2, b: 2 }, 3],
      [null, 0],
    ] as const) {
      const write = ({ write }: Codec) => write(arena, at as Item, object as never)
      const found = told(compiled, ['a', 'b'], write)
      expect(found.error).toBeInstanceOf(Error)
      expect(found).toEqual(told(interpreted, ['a', 'b'], write))
    }
  })

  it('reading hands on what a field throws', () => {
    const bad: Part = { ...part('a', []), get: () => part('a', []).refuse('test', {}, 1) }
    for (const make of [compiled, interpreted]) {
      expect(() => make([bad]).read(arena, item)).toThrow(RangeError)
    }
  })
})

describe('where text must not become code', () => {
  it('the written way is not to be had, and the loop takes its place', () => {
    forbid()
    const journal: unknown[] = []
    expect(() => compiled([part('a', journal)])).toThrow(EvalError)
    expect(codecOf([part('a', journal)]).read(arena, item)).toEqual({ a: ['a', arena] })
    expect(journal).toEqual([['get', 'a', item]])
  })

  it('a schema works as elsewhere', () => {
    const fields = { id: u32, lat: f64, name: utf8(16) }
    const free = record(fields)
    forbid()
    const strict = record(fields)
    const city = { id: 7, lat: -0.5, name: 'Z\u00fcrich' }
    free.write(arena, item, city)
    expect(strict.read(arena, item)).toEqual(city)
    strict.write(arena, item, { ...city, id: 8 })
    expect(free.read(arena, item)).toEqual({ ...city, id: 8 })
    for (const each of [free, strict]) {
      expect(() => each.read(arena, 3 as Item)).toThrow('item is 3')
      expect(() => each.write(arena, item, { ...city, id: -1 })).toThrow('id is -1')
    }
    expect(free.read(arena, item).id).toBe(8)
  })
})

/**
 * Errors: three types under one roof, each with its code, its facts, and a name that survives.
 */

import { describe, expect, it } from 'vitest'
import { integer, onlyOptions, show } from '#src/base/errors.ts'
import { Corruption, Exhausted, Misuse, UmaSmrError } from '#src/index.ts'
import { misuse } from '../../helpers/refusals.ts'

describe('the types', () => {
  it.each([
    [Misuse, 'Misuse', 'ERR_UMA_SMR_MISUSE'],
    [Exhausted, 'Exhausted', 'ERR_UMA_SMR_EXHAUSTED'],
    [Corruption, 'Corruption', 'ERR_UMA_SMR_CORRUPTION'],
  ])('%o is told by its name and its code', (Type, name, code) => {
    const error = new Type('zone.zalloc: no', { zone: 'z', live: 3 })
    expect(error).toBeInstanceOf(UmaSmrError)
    expect(error).toBeInstanceOf(Error)
    expect([error.name, error.code, error.message]).toEqual([name, code, 'zone.zalloc: no'])
    expect(error.facts).toEqual({ zone: 'z', live: 3 })
    expect(String(error)).toBe(`${name}: zone.zalloc: no`)
    expect(new Type('x').facts).toEqual({})
  })

  it('has each fact as a field of its own, unless the name is taken', () => {
    const error = new Exhausted('full', { live: 3, message: 'no', name: 'no', code: 'no' })
    expect(error).toMatchObject({ live: 3, message: 'full', name: 'Exhausted' })
    expect([error.code, Object.keys(error)]).toEqual([
      'ERR_UMA_SMR_EXHAUSTED',
      expect.arrayContaining(['live']),
    ])
  })
})

function revoked<T extends object>(target: T): T {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

function fail(): never {
  throw new Error('never heard')
}

describe('show', () => {
  it('says any value in a message without failing over it', () => {
    const cases: [unknown, string][] = [
      ['a "b"', '"a \\"b\\""'],
      [1.5, '1.5'],
      [-0, '0'],
      [Number.NaN, 'NaN'],
      [5n, '5n'],
      [true, 'true'],
      [null, 'null'],
      [undefined, 'undefined'],
      [Symbol('s'), 'Symbol(s)'],
      [{}, 'Object'],
      [[1], 'Array'],
      [new Map(), 'Map'],
      [Object.create(null), 'object'],
      [function named() {}, 'function named'],
      [(() => () => {})(), 'function (anonymous)'],
      [Symbol(), 'Symbol()'],
      [revoked({}), 'object'],
      [revoked(() => {}), 'function (anonymous)'],
      [{ constructor: { name: Symbol('name') } }, 'object'],
      [{ constructor: null }, 'object'],
      [Object.defineProperty({}, 'constructor', { get: fail }), 'object'],
      [Object.defineProperty(() => {}, 'name', { value: Symbol('name') }), 'function (anonymous)'],
    ]
    for (const [value, said] of cases) expect(show(value)).toBe(said)
  })
})

describe('integer', () => {
  it('passes integers of the range, its ends included', () => {
    for (const value of [-3, 0, 7]) expect(integer('x', 'n', value, -3, 7)).toBe(value)
  })

  it.each([-4, 8, 0.5, Number.NaN, Infinity, -Infinity, '1', 1n, null, undefined, [1], true])(
    'refuses %s, naming call, option and range',
    (value) => {
      const error = misuse(() => integer('Arena.create', 'n', value, -3, 7))
      expect(error.message).toBe(`Arena.create: n is ${show(value)}; give an integer from -3 to 7`)
      expect(error.facts).toEqual({ n: show(value), min: -3, max: 7 })
    },
  )
})

describe('onlyOptions', () => {
  it('passes known keys and none, also with undefined values', () => {
    onlyOptions('x', {}, [])
    onlyOptions('x', { a: undefined, b: 1 }, ['a', 'b'])
  })

  it('refuses a misspelt key and says which are known', () => {
    const error = misuse(() => onlyOptions('arena.smr', { clokc: 1 }, ['clock', 'tickMs']))
    expect(error.message).toBe('arena.smr: unknown option "clokc"; known are clock, tickMs')
    expect(error.facts).toEqual({ option: 'clokc' })
  })

  it('refuses an array, which has none of them', () => {
    expect(misuse(() => onlyOptions('arena.smr', [], [])).message).toMatch(
      /^arena.smr: options are/,
    )
  })

  it.each([null, undefined, 5, 'text', true])('refuses %s, which is no object', (options) => {
    expect(misuse(() => onlyOptions('arena.smr', options, [])).message).toBe(
      `arena.smr: options are ${show(options)}; give an object`,
    )
  })
})

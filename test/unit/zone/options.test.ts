/**
 * Options as words: what is said and what is not, and hooks as the bits that workers compare.
 */

import { describe, expect, it } from 'vitest'
import { Misuse } from '#src/index.ts'
import { capacityFor, hookBits, hookNames, strideFor, zoneShape } from '#src/zone/options.ts'
import { thrown } from './stage.ts'

const hook = () => {}
const none = { ctor: undefined, dtor: undefined, init: undefined, fini: undefined }
const ARENA = 2 ** 20

describe('zone options', () => {
  it('tell what was said from what was not', () => {
    expect(zoneShape('call', {}, ARENA)).toEqual({
      bytes: undefined,
      words: undefined,
      schema: undefined,
      alignWords: undefined,
      smr: undefined,
      limit: undefined,
      reserve: undefined,
      noFree: undefined,
      preset: undefined,
      knobs: {
        bucket: undefined,
        advanceEvery: undefined,
        sealAfterMs: undefined,
        trimEveryMs: undefined,
        depot: undefined,
        pendingBytes: undefined,
      },
      hooks: none,
    })
    const said = {
      bytes: 13,
      align: 64,
      bucket: 7,
      limit: 9,
      reserve: 3,
      noFree: false,
      dtor: hook,
    }
    expect(zoneShape('call', said, ARENA)).toMatchObject({
      bytes: 13,
      words: 4,
      alignWords: 16,
      knobs: { bucket: { min: 7, max: 7 } },
      limit: 9,
      reserve: 3,
      noFree: false,
      hooks: { ...none, dtor: hook },
    })
  })

  it('take size and signature from a schema', () => {
    const record = { bytes: 24, signature: 'x f64, y f64, z f64' }
    expect(zoneShape('call', { record }, ARENA)).toMatchObject({
      bytes: 24,
      words: 6,
      schema: record.signature,
    })
    const broken = { bytes: -1, signature: 'x' }
    thrown(Misuse, () => zoneShape('call', { record: broken }, ARENA), 'call', 'bytes is -1')
  })

  it('take the largest and the smallest of each', () => {
    const smallest = { bytes: 1, align: 8, bucket: 1, limit: 1, reserve: 0 }
    const largest = {
      bytes: ARENA,
      align: 4096,
      bucket: 4096,
      limit: 2 ** 31 - 1,
      reserve: 2 ** 31 - 1,
    }
    expect(zoneShape('call', smallest, ARENA)).toMatchObject({ words: 1, alignWords: 2 })
    expect(zoneShape('call', largest, ARENA)).toMatchObject({ words: ARENA / 4, alignWords: 1024 })
  })

  it('are not changed by being looked at', () => {
    const options = Object.freeze({ bytes: 16, bucket: 4, ctor: hook })
    zoneShape('call', options, ARENA)
    expect(options).toEqual({ bytes: 16, bucket: 4, ctor: hook })
  })
})

describe('hooks', () => {
  it('have a bit each, and a name each', () => {
    const bits = (['ctor', 'dtor', 'init', 'fini'] as const).map((name) => {
      const one = hookBits({ ...none, [name]: hook })
      expect(hookNames(one)).toBe(name)
      return one
    })
    expect(new Set(bits).size).toBe(4)
    expect(hookBits(none)).toBe(0)
    expect(hookNames(0)).toBe('no hooks')
    const all = bits.reduce((sum, bit) => sum | bit)
    expect(hookBits({ ctor: hook, dtor: hook, init: hook, fini: hook })).toBe(all)
    expect(hookNames(all)).toBe('ctor, dtor, init, fini')
  })
})

describe('sizes', () => {
  it('round items up to their alignment', () => {
    expect([1, 2, 3, 4].map((words) => strideFor(words, 2))).toEqual([2, 2, 4, 4])
    expect([1, 16, 17].map((words) => strideFor(words, 16))).toEqual([16, 16, 32])
  })

  it('give large items small buckets', () => {
    expect(capacityFor(2)).toBeGreaterThan(capacityFor(20))
    expect(capacityFor(20)).toBeGreaterThan(capacityFor(100))
    expect(capacityFor(10 ** 6)).toBe(2)
  })
})

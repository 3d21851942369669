/** Hashes depend on their seed, are one to one where they must be, and give chosen keys no chance. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HashTable, record, u32, utf8 } from '#src/index.ts'
import { hashHalves, hashText, hashWord, seedsOf } from '#src/record/hash.ts'
import { CONFIGS, type Config, tinyArena } from '../../helpers/tiny.ts'

const SEEDS = [0, 1, 0x80000000, 0xffffffff, 0xdeadbeef]
const COUNT = 100_000

describe.each(SEEDS)('with seed %i', (seed) => {
  const seeds = seedsOf(seed)

  it('words never collide, nor do halves of 64 bits', () => {
    const [words, lows, highs] = [new Set(), new Set(), new Set()]
    for (let n = 0; n < COUNT; n++) {
      words.add(hashWord(n, seeds))
      lows.add(hashHalves(n, 7, seeds))
      highs.add(hashHalves(7, n, seeds))
    }
    expect([words.size, lows.size, highs.size]).toEqual([COUNT, COUNT, COUNT])
  })

  it('is the same for the same text, and hardly ever for another', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, other) => {
        expect(hashText(one, seeds)).toBe(hashText(`${one}`, seeds))
        if (one !== other) expect(hashText(one, seeds)).not.toBe(hashText(other, seeds))
      }),
      { seed: 1 },
    )
  })
})

it('every seed is a hash of its own', () => {
  const hashes = SEEDS.map((seed) => [hashWord(5, seedsOf(seed)), hashText('five', seedsOf(seed))])
  expect(new Set(hashes.flat()).size).toBe(2 * SEEDS.length)
})

// ---- chosen keys -----------------------------------------------------------------------------

const CHOSEN = 2000
const BITS = 10

/** Keys that all fall into the first of 1024 chains of a table with seed 0. */
function* numbers(): Generator<number> {
  for (let id = 0; ; id++) if (hashWord(id, seedsOf(0)) >>> (32 - BITS) === 0) yield id
}

function* texts(): Generator<string> {
  for (let i = 0; ; i++) {
    if (hashText(`user-${i}`, seedsOf(0)) >>> (32 - BITS) === 0) yield `user-${i}`
  }
}

const KINDS = [
  ['numbers', record({ key: u32 }), numbers],
  ['texts', record({ key: utf8(16) }), texts],
] as const

describe.each(KINDS)('chosen %s', (_, schema, keys) => {
  const longest = (seed: number | undefined): number => {
    const arena = tinyArena(CONFIGS[0] as Config, { bytes: 2 ** 22 })
    const known = seed === undefined ? {} : { seed }
    const options = {
      record: schema,
      key: 'key',
      capacity: 2 ** BITS,
      grow: false,
      ...known,
    } as const
    const table = HashTable.create(arena, 'chosen', options as never) as HashTable
    let left = CHOSEN
    for (const key of keys()) {
      table.set({ key })
      if (--left === 0) break
    }
    const { chains, stripes } = table.parts
    let most = 0
    for (let stripe = 0; stripe < 2 ** stripes.bits; stripe++) {
      const now = chains.current(stripe)
      for (let i = chains.firstIn(now, stripe); i < chains.firstIn(now, stripe + 1); i++) {
        most = Math.max(most, [...chains.nodes(now, i, i + 1)].length)
      }
    }
    return most
  }

  it('meet in one chain where the seed is known', () => {
    expect(longest(0)).toBe(CHOSEN)
  })

  it('spread with another', () => {
    for (const seed of [1, 0x12345678, undefined]) expect(longest(seed)).toBeLessThan(16)
  })
})

/**
 * Chains: the one word that says all of a stripe's array, for every size and every address there is; and
 * that real keys spread over the chains as if they were thrown at random.
 */

import { describe, expect, it } from 'vitest'
import { HashTable, record, u32, utf8 } from '#src/index.ts'
import { chainBits } from '#src/memory/arrays.ts'
import { ChainsWord, NodeWords, PAGE_WORDS, TableWords } from '#src/memory/layout.ts'
import type { Space } from '#src/space/space.ts'
import { arraysFor, Chains, MAX_CHAIN_BITS } from '#src/table/chains.ts'
import { bitsFor } from '#src/table/open.ts'
import { CONFIGS, type Config, tinyArena } from '../../helpers/tiny.ts'

const RECORD_WORDS = 6

/** Chains of a table with 2^stripeBits stripes; they have no words, only addresses. */
function chainsOf(stripeBits: number): Chains {
  const peek = (at: number): number => (at === TableWords.stripeBits ? stripeBits : RECORD_WORDS)
  const memory = { peek, words: { length: 2 ** 31 } }
  return new Chains({ memory } as unknown as Space, 0, 'test')
}

/** Pages at the edges of 30, 31 and - the last one there can be - almost 2^31 words. */
const BASES = [
  0x400,
  0x12_3400,
  2 ** 29,
  2 ** 30 - 0x400,
  2 ** 30,
  2 ** 30 + 0x400,
  2 ** 31 - 0x400,
]
const HASHES = [0, 1, 2 ** 31 - 1, -(2 ** 31), -1, 0x1234_5678]

/** Of every stripe's word, for every size: where its first head is in the run that it lies in. */
function* words() {
  for (const stripeBits of [1, 4, 8]) {
    const chains = chainsOf(stripeBits)
    for (let bits = stripeBits; bits <= MAX_CHAIN_BITS; bits++) {
      for (const stripe of [0, 1, 2 ** stripeBits - 1]) {
        const own = bits - stripeBits >= 10
        const first = own ? 0 : stripe * 2 ** (bits - stripeBits)
        yield { chains, stripeBits, bits, stripe, first }
      }
    }
  }
}

describe('the word of a stripe', () => {
  it.each(BASES)('keeps address, size and link of every array apart, in a run at %s', (base) => {
    for (const { chains, stripeBits, bits, stripe } of words()) {
      for (const link of [0, 1]) {
        const word = chains.wordFor(stripe, base, bits, link)
        expect(word | 0).toBe(word)
        expect(chainBits(word)).toBe(bits)
        expect(chains.bitsIn(word)).toBe(bits - stripeBits)
        expect(chains.runOf(word, stripe)).toBe(base)
        expect(chains.linkOffset(word)).toBe(RECORD_WORDS + NodeWords.links + link)
      }
    }
  })

  it.each(BASES)('puts each hash on the chain that its top bits name, in a run at %s', (base) => {
    for (const { chains, stripeBits, bits, stripe, first } of words()) {
      const word = chains.wordFor(stripe, base, bits, 1)
      for (const low of HASHES) {
        const hash = (stripe << (32 - stripeBits)) | (low >>> stripeBits)
        expect(chains.stripeOf(hash)).toBe(stripe)
        const index = Number(BigInt(hash >>> 0) >> BigInt(32 - bits)) - chains.firstIn(word, stripe)
        expect(index).toBeGreaterThanOrEqual(0)
        expect(index).toBeLessThan(2 ** (bits - stripeBits))
        expect(chains.headFor(word, hash) - base).toBe(first + index)
      }
    }
  })

  it('has room for its parts: ten bits below a page, and 2^26 chains', () => {
    expect(PAGE_WORDS).toBe(2 ** 10)
    expect(-ChainsWord.pageMask).toBe(PAGE_WORDS)
    expect(MAX_CHAIN_BITS).toBeLessThanOrEqual(ChainsWord.bitsMask)
    const low = (ChainsWord.bitsMask << ChainsWord.bitsShift) | ChainsWord.linkMask
    expect(low & ChainsWord.pageMask).toBe(0)
  })
})

it('stripes share an array as long as they have less than a page each', () => {
  expect(arraysFor(4, 4)).toEqual([16])
  expect(arraysFor(4, 13)).toEqual([2 ** 13])
  expect(arraysFor(4, 14)).toEqual(new Array(16).fill(2 ** 10))
  expect(arraysFor(1, 20)).toEqual([2 ** 19, 2 ** 19])
})

it('the number of chains is the capacity, rounded up to a power of two, and one for each stripe', () => {
  for (let bits = 4; bits <= MAX_CHAIN_BITS; bits++) {
    expect(bitsFor('test', 2 ** bits, 4)).toBe(bits)
    expect(bitsFor('test', 2 ** bits - 1, 4)).toBe(bits)
    if (bits < MAX_CHAIN_BITS) expect(bitsFor('test', 2 ** bits + 1, 4)).toBe(bits + 1)
  }
  for (const capacity of [1, 2, 15, 16]) expect(bitsFor('test', capacity, 4)).toBe(4)
  for (const capacity of [1, 63, 64]) expect(bitsFor('test', capacity, 6)).toBe(6)
})

const KEYS = 100_000
const ById = record({ key: u32 })
const ByName = record({ key: utf8(12) })

/** Empty chains, as a share of all, and the length of the longest. */
function spread(table: Pick<HashTable, 'parts'>): { empty: number; longest: number; all: number } {
  const { chains, stripes } = table.parts
  let [count, empty, longest, all] = [0, 0, 0, 0]
  for (let stripe = 0; stripe < 2 ** stripes.bits; stripe++) {
    const now = chains.current(stripe)
    for (let i = chains.firstIn(now, stripe); i < chains.firstIn(now, stripe + 1); i++) {
      let length = 0
      for (const _ of chains.nodes(now, i, i + 1)) length++
      if (length === 0) empty++
      longest = Math.max(longest, length)
      all += length
      count++
    }
  }
  return { empty: empty / count, longest, all }
}

describe.each([0, 1, 0xdeadbeef])('100,000 keys at capacity 100,000, seed %i', (seed) => {
  const arena = tinyArena(CONFIGS[0] as Config, { bytes: 2 ** 25 })

  it('that are sequential numbers spread like random ones', () => {
    const table = HashTable.create(arena, 'ids', { record: ById, key: 'key', capacity: KEYS, seed })
    for (let key = 0; key < KEYS; key++) table.set({ key })
    expectPoisson(spread(table))
  })

  it('that are user-1, user-2, ... spread like random ones', () => {
    const table = HashTable.create(arena, 'users', {
      record: ByName,
      key: 'key',
      capacity: KEYS,
      seed,
    })
    for (let n = 0; n < KEYS; n++) table.set({ key: `user-${n}` })
    expectPoisson(spread(table))
  })
})

/**
 * 100,000 balls in 2^17 urns: each is empty with probability e^-0.763 = 0.466; that any one holds
 * more than 10 has a probability below 1 in 1000.
 */
function expectPoisson({ empty, longest, all }: ReturnType<typeof spread>): void {
  expect(all).toBe(KEYS)
  expect(empty).toBeGreaterThan(0.45)
  expect(empty).toBeLessThan(0.482)
  expect(longest).toBeLessThanOrEqual(10)
}

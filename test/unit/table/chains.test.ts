/**
 * Chains: the one word that says all of an array, for every size and every address there is; and
 * that real keys spread over the chains as if they were thrown at random.
 */

import { describe, expect, it } from 'vitest'
import { HashTable, record, u32, utf8 } from '#src/index.ts'
import { ChainsWord, NodeWords, PAGE_WORDS } from '#src/memory/layout.ts'
import type { Space } from '#src/space/space.ts'
import { bitsOf, Chains, MAX_CHAIN_BITS, sizeOf } from '#src/table/chains.ts'
import { bitsFor } from '#src/table/open.ts'
import { CONFIGS, type Config, tinyArena } from '../../helpers/tiny.ts'

const RECORD_WORDS = 6

/** Chains over pages that lie where the test says; they have no words, only addresses. */
function chainsAt(base: number): Chains {
  const memory = { peek: () => RECORD_WORDS, fill: () => {}, words: { length: 2 ** 31 } }
  return new Chains({ memory, pages: { reserve: () => base } } as unknown as Space, 0, 'test')
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

describe('the word of an array', () => {
  it('keeps address, size and link of every array apart, positive and to the last page', () => {
    for (const base of BASES) {
      for (let bits = 4; bits <= MAX_CHAIN_BITS; bits++) {
        for (const link of [0, 1]) {
          const chains = chainsAt(base)
          const word = chains.make(bits, link)
          expect(word).toBeGreaterThan(0)
          expect(word | 0).toBe(word)
          expect(word & ChainsWord.pageMask).toBe(base)
          expect(bitsOf(word)).toBe(bits)
          expect(sizeOf(word)).toBe(2 ** bits)
          expect(chains.linkOffset(word)).toBe(RECORD_WORDS + NodeWords.links + link)
        }
      }
    }
  })

  it('puts each hash on the chain that its top bits name', () => {
    for (const base of BASES) {
      for (let bits = 4; bits <= MAX_CHAIN_BITS; bits++) {
        const chains = chainsAt(base)
        const word = chains.make(bits, 1)
        for (const hash of HASHES) {
          const index = Number(BigInt(hash >>> 0) >> BigInt(32 - bits))
          expect(chains.headFor(word, hash) - base).toBe(index)
        }
        expect(chains.headFor(word, -1) - base).toBe(2 ** bits - 1)
      }
    }
  })

  it('has room for its parts: ten bits below a page, and 2^26 chains in one run', () => {
    expect(PAGE_WORDS).toBe(2 ** 10)
    expect(-ChainsWord.pageMask).toBe(PAGE_WORDS)
    expect(MAX_CHAIN_BITS).toBeLessThanOrEqual(ChainsWord.bitsMask)
    const low = (ChainsWord.bitsMask << ChainsWord.bitsShift) | ChainsWord.linkMask
    expect(low & ChainsWord.pageMask).toBe(0)
  })

  it('without memory is 0', () => {
    expect(chainsAt(0).make(10, 1)).toBe(0)
  })
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
  const { chains } = table.parts
  const now = chains.current()
  let [empty, longest, all] = [0, 0, 0]
  for (let i = 0; i < sizeOf(now); i++) {
    let length = 0
    for (const _ of chains.nodes(now, i, i + 1)) length++
    if (length === 0) empty++
    longest = Math.max(longest, length)
    all += length
  }
  return { empty: empty / sizeOf(now), longest, all }
}

describe('100,000 keys at capacity 100,000', () => {
  const arena = tinyArena(CONFIGS[0] as Config, { bytes: 2 ** 25 })

  it('that are sequential numbers spread like random ones', () => {
    const table = HashTable.create(arena, 'ids', { record: ById, key: 'key', capacity: KEYS })
    for (let key = 0; key < KEYS; key++) table.set({ key })
    expectPoisson(spread(table))
  })

  it('that are user-1, user-2, ... spread like random ones', () => {
    const table = HashTable.create(arena, 'users', { record: ByName, key: 'key', capacity: KEYS })
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

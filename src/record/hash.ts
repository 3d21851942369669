/**
 * Hashes of keys, each depending on the seed of its table.
 *
 * A table takes the TOP bits of a hash as an index, so that a larger array of chains refines a
 * smaller one. Real keys are 1, 2, 3, ... and user-1, user-2, ...: they differ in their low bits
 * only. So every hash goes through `mix`, and keys of one word are multiplied by an odd factor after
 * it. Both are one to one, so such keys never have the same hash, and neither have 64-bit integers
 * that agree in one half.
 *
 * The factor is secret. For any two words and a random odd factor, the top n bits of the products
 * agree with a probability of at most 2 / 2^n (Dietzfelbinger and others, "A reliable randomized
 * algorithm for the closest-pair problem", 1997): so nobody can choose keys that meet in one chain
 * without knowing the seed. Text is folded unit by unit - rotate, xor, multiply by the secret factor -
 * from a secret start. That is no cryptographic hash: who can measure single lookups very precisely may
 * learn something about it. (Without the rotation, keys that differ only in the case of their letters
 * collided 16 times as often as by chance.) The units are UTF-16, as in JavaScript's strings, because
 * the key of a lookup is hashed most often; stored UTF-8 is decoded to units, and for ASCII the two are
 * the same.
 *
 * All workers must agree, so the seed is a frozen word of the table. Seed 0 gives a hash that everybody
 * knows: for tests, and for tables whose order must be the same in each run.
 */

/** Factors of murmur3's fmix32. */
const MIX_1 = 0x85ebca6b
const MIX_2 = 0xc2b2ae35

/** Where hashes with seed 0 start: otherwise 0 would mix to 0. */
const START = 0x1b873593
/** 2^32 divided by the golden ratio, as in Knuth's multiplicative hash; odd. */
const GOLDEN = 0x9e3779b1

/**
 * murmur3's fmix32: spreads every bit of its input over the whole output - each input bit turns each
 * output bit with probability very near one half - and is one to one.
 */
export function mix(bits: number): number {
  let h = bits
  h = Math.imul(h ^ (h >>> 16), MIX_1)
  h = Math.imul(h ^ (h >>> 13), MIX_2)
  return h ^ (h >>> 16)
}

/** What a seed stands for. */
export interface Seeds {
  /** Where a hash starts. */
  readonly start: number
  /** Odd: what the hash of a word is multiplied by. */
  readonly factor: number
  /** Odd: what the hash of a text is multiplied by after each unit. */
  readonly step: number
}

/** From a seed, any 32 bits. */
export function seedsOf(seed: number): Seeds {
  if (seed === 0) return { start: START, factor: 1, step: GOLDEN }
  const start = mix(seed ^ START)
  const factor = mix(start ^ GOLDEN) | 1
  return { start, factor, step: factor }
}

/** One to one. */
export function hashWord(word: number, { start, factor }: Seeds): number {
  return Math.imul(mix(word ^ start), factor)
}

/** One to one in each half while the other is fixed. */
export function hashHalves(low: number, high: number, seeds: Seeds): number {
  return hashWord(low ^ hashWord(high, seeds), seeds)
}

/** The hash of a text after one more UTF-16 unit; `mix` ends it. */
export function fold(h: number, unit: number, step: number): number {
  return Math.imul(((h << 5) | (h >>> 27)) ^ unit, step)
}

export function hashText(text: string, { start, step }: Seeds): number {
  let h = start
  for (let i = 0; i < text.length; i++) h = fold(h, text.charCodeAt(i), step)
  return mix(h)
}

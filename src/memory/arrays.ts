/**
 * The arrays of a hash table: what a `ChainsWord` says, which runs of pages the words of a table lead to,
 * and how many version words it has.
 */

import {
  ChainsWord,
  PAGE_SHIFT,
  PAGE_WORDS,
  SHARED_ARRAYS,
  StripeWords,
  TableWords,
  tableParts,
} from './layout.ts'

/** The bits of the number of chains that a ChainsWord tells. */
export function chainBits(chains: number): number {
  return (chains >> ChainsWord.bitsShift) & ChainsWord.bitsMask
}

/** Whether all stripes share an array of 2^bits chains: it has less than a page for each. */
export function isSharedArray(bits: number, stripeBits: number): boolean {
  return bits - stripeBits < PAGE_SHIFT
}

/** The run of pages in which the chains of a stripe lie. */
export function arrayOf(chains: number, stripe: number, stripeBits: number): number {
  const heads = chains & ChainsWord.pageMask
  const bits = chainBits(chains)
  return isSharedArray(bits, stripeBits) ? heads : heads + (stripe << (bits - stripeBits))
}

const MOST_VERSION_BITS = 14

/**
 * How many version words a table has, 2^bits: one for each record that it is made for, but no more than
 * 2^14; and not less than the rest of the pages has room for that its other words begin.
 */
export function versionBits(chainBits: number, stripeBits: number): number {
  const words = tableParts(0, stripeBits).versions
  const rest = runWords(words) - words
  return Math.max(Math.floor(Math.log2(rest)), Math.min(chainBits, MOST_VERSION_BITS))
}

/** Words of the smallest run of pages that has room for so many. */
function runWords(words: number): number {
  return PAGE_WORDS * 2 ** Math.max(0, Math.ceil(Math.log2(words / PAGE_WORDS)))
}

/** What `tableArrays` needs of a `Memory`. */
interface Loads {
  load(at: number): number
  peek(at: number): number
}

/**
 * The arrays of chains that a table refers to. One of a stripe's own moves from `building` to the word
 * of its stripe and on to `retired`, and is looked for in this order; one that stripes share is named
 * by the table as long as it is there.
 */
export function tableArrays(memory: Loads, table: number): number[] {
  const stripeBits = memory.peek(table + TableWords.stripeBits)
  const { chains, stripes } = tableParts(table, stripeBits)
  const all: number[] = []
  for (let i = 0; i < SHARED_ARRAYS; i++) all.push(memory.load(table + TableWords.shared + i))
  for (let i = 0; i < 2 ** stripeBits; i++) {
    const words = stripes + i * StripeWords.WORDS
    all.push(memory.load(words + StripeWords.building))
    for (const at of [chains + i, words + StripeWords.retired]) {
      all.push(arrayOf(memory.load(at), i, stripeBits))
    }
  }
  return all
}

/**
 * Compound verbs: what several verbs of `Memory` do together, on the paths that must be fast.
 *
 * Written over the single verbs, and only here. `Memory` has them as methods, which is what it runs
 * where there is no WebAssembly; wasm.ts has the same in one call each; the model checker's memory
 * takes them from here, so it explores every step of them, and text mutants of this file are caught
 * by the same scenarios as those of the algorithms above.
 *
 * A chains word says where an array of list heads is, how many, and through which of a node's two
 * link words its chains run: see `ChainsWord` in layout.ts, and table/chains.ts.
 */

import { MAX_DELTA } from '../base/seq.ts'
import { ChainsWord, NodeWords } from './layout.ts'

/** What these verbs need of a `Memory`. */
interface Words {
  readonly words: { readonly length: number }
  load(at: number): number
  store(at: number, value: number): void
  peek(at: number): number
}

/** A section may have observed at most this much less than the write hand shows when it begins. */
export const NEAR: number = MAX_DELTA / 2

/** What `lookUpWord` answers when the section that it opened must be published anew. */
export const FAR = -1

/**
 * What a walk answers that has made more steps than there can be nodes, so that its chain is a circle.
 * No node lies there. Both answers that are no node are above all nodes, as unsigned numbers.
 */
export const ENDLESS: number = -1 >>> 2

const HASH_BITS = 32
/** As a shift: no node is smaller than four words. */
const WORDS_PER_NODE = 2

/**
 * Publishes in the word `at` what the write hand shows. Returns how far the hand has moved
 * meanwhile, as a distance all the way round: more than NEAR, and it must be published again.
 */
export function enterSection(memory: Words, wrAt: number, at: number): number {
  const seen = memory.load(wrAt)
  // [I]  We may nap here for any time. The sequence we then publish may lie behind the read hand:
  //      poll.ts [S2] pins it.
  memory.store(at, seen)
  // [R1] What the second load is for: see clock.ts.
  const again = memory.load(wrAt)
  return (again - seen) >>> 0
}

/** Address of the head for a hash. */
export function headFor(chains: number, hash: number): number {
  const bits = (chains >> ChainsWord.bitsShift) & ChainsWord.bitsMask
  return (chains & ChainsWord.pageMask) + (hash >>> (HASH_BITS - bits))
}

/**
 * In a section: the first node whose hash is `hash`; 0 when there is none, ENDLESS when the chain has
 * been damaged and is a circle. Another one with the same hash may stand behind it. `behind`: words
 * from a node to its `NodeWords`.
 */
export function findHash(memory: Words, chainsAt: number, behind: number, hash: number): number {
  const chains = memory.load(chainsAt)
  const link = behind + NodeWords.links + (chains & ChainsWord.linkMask)
  const hashAt = behind + NodeWords.hash
  // The load of the chains word has two cases: it returns the array that a resize has published, then
  // all that was threaded into heads and links was stored before; or the one before, whose links the
  // resize leaves alone. Each load of a pointer has two: it returns a node, then whoever stored it
  // there had published the node, or had come by it himself through such a load or the stripe's lock,
  // and so on back to its publisher, who had written hash and record before; or it returns what stood
  // there, and we never come by. Otherwise (a plain load) a hash could be read that is not written
  // yet. If we die anywhere in here we have written nothing.
  let left = memory.words.length >>> WORDS_PER_NODE
  let node = memory.load(headFor(chains, hash))
  while (node !== 0 && memory.peek(node + hashAt) !== hash) {
    node = memory.load(node + link)
    // A walk meets each node once, so this many steps are more than any chain has.
    if (--left === 0) return ENDLESS
  }
  return node
}

/**
 * In a section: the node whose key, one word, is `key`; 0 and ENDLESS as above. The hash of a word is
 * one to one, so the key itself need not be compared; the hash is nearer to the links.
 */
export function findWord(memory: Words, chainsAt: number, behind: number, key: number): number {
  return findHash(memory, chainsAt, behind, mix(key ^ SEED))
}

/**
 * `findWord` in a fenced section of its own: the node is there or was a moment ago, and its address
 * means nothing any more. ENDLESS as above; the section is closed. FAR when the worker has napped in the middle of opening the section, which
 * then stays published: open it the long way, look again, and close it.
 */
export function lookUpWord(
  memory: Words,
  wrAt: number,
  at: number,
  chainsAt: number,
  behind: number,
  key: number,
): number {
  if (enterSection(memory, wrAt, at) > NEAR) return FAR
  const node = findWord(memory, chainsAt, behind, key)
  // [R2] As in `exit` of sections.ts.
  memory.store(at, 0)
  return node
}

// The finisher of every hash: murmur3's fmix32.
//
// It spreads every bit of its input over the whole output - each input bit turns each output bit
// with probability very near one half - and is one to one, so keys of one word never collide at all.
// It stands down here because intrinsics.wat repeats it.

/** Keeps zero from mixing to zero, which would make an empty word look like a hash. */
export const SEED = 0x1b873593

export function mix(bits: number): number {
  let h = bits
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

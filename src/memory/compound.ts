/**
 * Compound verbs: several verbs of `Memory` in one call, for the paths that must be fast.
 *
 * They are written once, over the single verbs. `Memory` has them as methods, which run where there
 * is no WebAssembly; wasm.ts has the same in one call each; the memory of the model checker takes
 * them from here, so it explores each of their steps, and mutants of this file are caught by the
 * scenarios of the algorithms above.
 *
 * A chains word holds where an array of list heads begins, their number, and which of the two link
 * words of a node its chains use: see `ChainsWord` in layout.ts, and table/chains.ts.
 */

import { MAX_DELTA } from '../base/seq.ts'
import { chainBits } from './arrays.ts'
import { ChainsWord, NodeWords, TrieHead, TrieLink, TrieWords } from './layout.ts'
import { KEYS_AT_ONCE } from './units.ts'

/** What these verbs need of a `Memory`. */
interface Words {
  readonly words: { readonly length: number }
  load(at: number): number
  store(at: number, value: number): void
  peek(at: number): number
  poke(at: number, value: number): void
}

/** What a section publishes may be at most this far behind the write hand when it begins. */
export const NEAR: number = MAX_DELTA / 2

/** Result of `lookUpHash` when the section that it opened must be published anew. */
export const FAR = -1

/**
 * Result of a walk that has made more steps than there can be nodes: its chain is a circle. Like
 * FAR it is greater, as an unsigned number, than the address of any node.
 */
export const ENDLESS: number = -1 >>> 2

const HASH_BITS = 32
/** As a shift: no node is smaller than four words. */
const WORDS_PER_NODE = 2

/**
 * Publishes in the word `at` what the write hand shows. Returns how far the hand has moved
 * meanwhile, as an unsigned distance: if it is more than NEAR, it must be published again.
 */
export function enterSection(memory: Words, wrAt: number, at: number): number {
  const seen = memory.load(wrAt)
  // [I]  The worker may be descheduled here, arbitrarily long. The sequence that it then publishes
  //      may lie behind the read hand: poll.ts [S2] pins it.
  memory.store(at, seen)
  // [R1] What the second load is for: see clock.ts.
  const again = memory.load(wrAt)
  return (again - seen) >>> 0
}

/** Address of the head for a hash. */
export function headFor(chains: number, hash: number): number {
  return (chains & ChainsWord.pageMask) + (hash >>> (HASH_BITS - chainBits(chains)))
}

/**
 * In a section: the first node whose hash is `hash`; 0 when there is none, ENDLESS when the chain
 * is damaged and runs in a circle. Another node with the same hash may follow. `behind`: words from
 * a node to its `NodeWords`. The hash is compared, not the key: it is nearer to the links, and the
 * hash of a key of one word is one to one.
 */
export function findHash(memory: Words, chainsAt: number, behind: number, hash: number): number {
  // Two cases: this load returns the array that a resize has published, then all that was stored into
  // its heads and links was stored before; or the array before that, whose links the resize leaves alone.
  const chains = memory.load(chainsAt)
  const first = memory.load(headFor(chains, hash))
  return follow(memory, first, chains & ChainsWord.linkMask, behind, hash)
}

/** The rest of `findHash`: from the first node of a chain, which uses this one of the two links. */
function follow(
  memory: Words,
  first: number,
  linkIndex: number,
  behind: number,
  hash: number,
): number {
  const link = behind + NodeWords.links + linkIndex
  const hashAt = behind + NodeWords.hash
  // Each load of a pointer has two cases: it returns a node, then the worker that stored it there
  // had published the node, or had got it by such a load or under the stripe's lock, and so on back
  // to the publisher, which had written hash and record before; or it returns what stood there
  // before, and we do not meet the node.
  //
  // Otherwise (a plain load) a hash could be read that is not written yet. Nothing is written here,
  // so a death changes nothing.
  let left = memory.words.length >>> WORDS_PER_NODE
  let node = first
  while (node !== 0 && memory.peek(node + hashAt) !== hash) {
    node = memory.load(node + link)
    // A walk meets each node once, and no chain has this many.
    if (--left === 0) return ENDLESS
  }
  return node
}

/**
 * `findHash` in a fenced section of its own: tells whether the node is there or was a moment ago;
 * its address must not be used any more. After ENDLESS the section is closed. FAR when the worker
 * was descheduled while it opened the section, which then stays published: publish it again, call
 * `findHash`, and close it.
 */
export function lookUpHash(
  memory: Words,
  wrAt: number,
  at: number,
  chainsAt: number,
  behind: number,
  hash: number,
): number {
  if (enterSection(memory, wrAt, at) > NEAR) return FAR
  const node = findHash(memory, chainsAt, behind, hash)
  // [R2] As in `exit` of sections.ts.
  memory.store(at, 0)
  return node
}

/**
 * In a section: `findHash` for `count` hashes, which are in the words from `at` on; the results are put
 * KEYS_AT_ONCE words behind them. All these words are this worker's own. `chainsAt` is here where the
 * words of the stripes begin, of which `hash >>> shift` is the one for a hash.
 *
 * First the heads of all, then their chains: the loads of one round do not wait for each other. What is
 * kept between the two rounds is a node and which link its chain uses, in one word, for addresses of
 * nodes are even. To wait there is as if the worker had been descheduled in the middle of `findHash`: it
 * is in its section, so the node is not used again, nor are the links of its array changed. Each result
 * has a moment of its own.
 */
export function findMany(
  memory: Words,
  at: number,
  count: number,
  chainsAt: number,
  shift: number,
  behind: number,
): void {
  for (let i = at; i < at + count; i++) {
    const hash = memory.peek(i)
    const chains = memory.load(chainsAt + (hash >>> shift))
    const first = memory.load(headFor(chains, hash))
    memory.poke(i + KEYS_AT_ONCE, first | (chains & ChainsWord.linkMask))
  }
  for (let i = at; i < at + count; i++) {
    const first = memory.peek(i + KEYS_AT_ONCE)
    const link = first & ChainsWord.linkMask
    const node = follow(memory, first ^ link, link, behind, memory.peek(i))
    memory.poke(i + KEYS_AT_ONCE, node)
  }
}

// ---- tries -----------------------------------------------------------------------------------

/** Result of `floorWord` when keys came or went meanwhile, or the tree is damaged: no answer. */
export const UNSURE = -1
const DIGIT_BITS = 4
const DIGIT_MASK = 15
const TOP_DIGIT = 28
/** As a shift: from bits to digits. */
const BITS_PER_DIGIT = 2
const LAST_LEVEL = 7
const LAST_BIT = 31
/** Words from a node to the slot of the first digit, behind that of the end of a key. */
const FIRST_DIGIT = TrieWords.slots + 1

/**
 * In a section: the record with the greatest key that is not greater than `key`, where keys are one
 * word; 0 if there is none, or UNSURE. `word`: words from a record to its key, whose bits are turned
 * round by `flip` to compare without a sign, as those of `key` are. See order/trie.ts.
 */
export function floorWord(
  memory: Words,
  changesAt: number,
  rootAt: number,
  word: number,
  flip: number,
  key: number,
): number {
  const before = memory.load(changesAt)
  if ((before & 1) !== 0) return UNSURE
  const item = floorOnce(memory, rootAt, word, flip, key)
  // [V] As in trie.ts: the same even number, then no key has come or gone in between; or another, then
  //     what was found is not told. Otherwise (no second load) it could be the answer at no time.
  return memory.load(changesAt) === before ? item : UNSURE
}

/**
 * Goes down to where the key would be, and remembers the last node with a link to the left of the way. A
 * record from down there tells whether a digit that was skipped is not the key's; then it goes down
 * once more, no deeper than that digit.
 */
function floorOnce(memory: Words, rootAt: number, word: number, flip: number, key: number): number {
  const root = memory.load(rootAt)
  if (root === 0) return 0
  let node = 0
  let bits = 0
  let left = 0
  let leftBits = 0
  let level = -1
  let link = root
  while (link !== 0 && (link & TrieLink.record) === 0) {
    const head = memory.load(link)
    const next = head >>> TrieHead.levelShift
    if (next <= level || next > LAST_LEVEL) return UNSURE
    level = next
    node = link
    bits = head & TrieHead.slotsMask
    const digit = (key >>> (TOP_DIGIT - level * DIGIT_BITS)) & DIGIT_MASK
    const smaller = bits & ((2 << digit) - 1)
    if (smaller !== 0) {
      left = node
      leftBits = smaller
    }
    link = memory.load(node + FIRST_DIGIT + digit)
  }
  // With no link for the key: what is next to it on the left, or any other.
  const item =
    link !== 0 ? link - TrieLink.record : lastOf(memory, node, left === node ? leftBits : bits)
  if (item === UNSURE) return UNSURE
  const found = memory.peek(item + word) ^ flip
  if (found === key) return item
  const isLess = found >>> 0 < key >>> 0
  const differs = Math.clz32(found ^ key) >>> BITS_PER_DIGIT
  if (differs >= level) {
    if (isLess) return item
  } else {
    left = 0
    level = -1
    for (link = root; (link & TrieLink.record) === 0; ) {
      const head = memory.load(link)
      const next = head >>> TrieHead.levelShift
      bits = head & TrieHead.slotsMask
      if (next > differs) break
      if (next <= level) return UNSURE
      level = next
      const digit = (key >>> (TOP_DIGIT - level * DIGIT_BITS)) & DIGIT_MASK
      const smaller = bits & ((2 << digit) - 1)
      if (smaller !== 0) {
        left = link
        leftBits = smaller
      }
      link = memory.load(link + FIRST_DIGIT + digit)
      if (link === 0) return UNSURE
    }
    if (isLess) {
      return (link & TrieLink.record) !== 0 ? link - TrieLink.record : lastOf(memory, link, bits)
    }
  }
  return left === 0 ? 0 : lastOf(memory, left, leftBits)
}

/** The record with the greatest key below these slots of a node; UNSURE if none of them has a link. */
function lastOf(memory: Words, from: number, slots: number): number {
  let level = -1
  let node = from
  let bits = slots
  while (bits !== 0) {
    const slot = LAST_BIT - Math.clz32(bits)
    const link = memory.load(node + TrieWords.slots + slot)
    if ((link & TrieLink.record) !== 0) return link - TrieLink.record
    bits ^= 1 << slot
    if (link === 0) continue
    const head = memory.load(link)
    if (head >>> TrieHead.levelShift <= level) return UNSURE
    level = head >>> TrieHead.levelShift
    node = link
    bits = head & TrieHead.slotsMask
  }
  return UNSURE
}

/**
 * What intrinsics must obey, whoever wrote them: each law takes a memory and compares it with the
 * TypeScript reference and with an oracle that knows neither. A law throws when it is broken.
 */

import fc from 'fast-check'
import { UNSURE } from '#src/memory/compound.ts'
import {
  ChainsWord,
  DIGITS,
  NodeWords,
  PAGE_WORDS,
  TRIE_WORDS,
  TrieHead,
  TrieLink,
  TrieWords,
} from '#src/memory/layout.ts'
import { Memory } from '#src/memory/memory.ts'
import { mix } from '#src/record/hash.ts'

const BYTES = 2 ** 16

/** A memory to judge, all zero. */
export type Make = () => Memory

const reference: Make = () => new Memory(new SharedArrayBuffer(BYTES))

export function same(what: string, found: unknown, wanted: unknown): void {
  if (found !== wanted) throw new Error(`${what}: ${found}, not ${wanted}`)
}

function sameWords(one: Memory, other: Memory): void {
  for (let i = 0; i < other.words.length; i++) same(`word ${i}`, one.words[i], other.words[i])
}

// ---- verbs -----------------------------------------------------------------------------------

const FEW_WORDS = 4
const AT = 40
/** Values that a word cannot hold are stored as what is left of them in 32 bits. */
const anyValue = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.integer(),
  fc.integer({ min: 2 ** 31 - 3, max: 2 ** 32 + 3 }),
  fc.constantFrom(-(2 ** 31), 2 ** 31, 2 ** 32 - 1, -(2 ** 32), 2 ** 53 - 1, -(2 ** 40) - 7),
)
const aStep = fc.record({
  verb: fc.constantFrom('load', 'store', 'add', 'swap', 'cas', 'casHit', 'or', 'and', 'poke'),
  at: fc.integer({ min: AT, max: AT + FEW_WORDS - 1 }),
  value: anyValue,
  other: anyValue,
})
type Step = typeof aStep extends fc.Arbitrary<infer T> ? T : never

/** Does the step and returns what it answers. */
function act(memory: Memory, { verb, at, value, other }: Step): number | undefined {
  switch (verb) {
    case 'load':
      return memory.load(at)
    case 'store':
      return void memory.store(at, value)
    case 'add':
      return memory.add(at, value)
    case 'swap':
      return memory.swap(at, value)
    case 'cas':
      return memory.cas(at, other, value)
    case 'casHit':
      return memory.cas(at, memory.peek(at), value)
    case 'or':
      return memory.or(at, value)
    case 'and':
      return memory.and(at, value)
    default:
      return void memory.poke(at, value)
  }
}

/** The same by nothing but arithmetic: 32 bits are what is left of a number modulo 2^32. */
function play(words: Map<number, number>, { verb, at, value, other }: Step): number | undefined {
  const old = words.get(at) ?? 0
  const put = (next: bigint): number => {
    words.set(at, Number(BigInt.asIntN(32, next)))
    return old
  }
  const bits = BigInt.asUintN(32, BigInt(old))
  switch (verb) {
    case 'load':
      return old
    case 'add':
      return put(BigInt(old) + BigInt(value))
    case 'swap':
    case 'casHit':
      return put(BigInt(value))
    case 'cas':
      return Number(BigInt.asIntN(32, BigInt(other))) === old ? put(BigInt(value)) : old
    case 'or':
      return put(bits | BigInt.asUintN(32, BigInt(value)))
    case 'and':
      return put(bits & BigInt.asUintN(32, BigInt(value)))
    default:
      put(BigInt(value))
      return undefined
  }
}

/** Every verb answers and leaves what the reference and the oracle do. */
export function verbsAgree(make: Make, numRuns: number): void {
  const scripts = fc.array(aStep, { minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(scripts, (script) => {
      const [judged, ours, oracle] = [make(), reference(), new Map<number, number>()]
      for (const step of script) {
        const wanted = play(oracle, step)
        same(`${step.verb} of the reference`, act(ours, step), wanted)
        same(step.verb, act(judged, step), wanted)
      }
      for (const [at, value] of oracle) same(`word ${at}`, ours.peek(at), value)
      sameWords(judged, ours)
    }),
    { numRuns },
  )
}

/** In the text: what is stored plainly is the worker's own, what is loaded plainly that, a hash or a key. */
export function onlyFrozenWordsArePlain(text: string): void {
  const plain = text.match(/i32\.(load|store)\b.*/g) ?? []
  const frozen = /^i32\.load offset=8 \(i32\.add \(local\.get \$node\) \(local\.get \$behind\)\)/
  const key = /^i32\.load \(i32\.shl \(i32\.add \(local\.get \$item\) \(local\.get \$word\)\)/
  const own = /^i32\.(load|store) (offset=256 )?\(local\.get \$own\)/
  for (const access of plain)
    if (!frozen.test(access) && !key.test(access) && !own.test(access))
      throw new Error(`plain: ${access}`)
}

// ---- sections --------------------------------------------------------------------------------

export const WR = 64
export const SLOT = 96

/** Alone, the hand never moves in between, wherever on the circle it stands; and it is published. */
export function sectionsAgree(make: Make, numRuns: number): void {
  fc.assert(
    fc.property(anyValue, anyValue, (hand, before) => {
      for (const memory of [make(), reference()]) {
        memory.store(WR, hand)
        memory.store(SLOT, before)
        same('enterSection', memory.enterSection(WR, SLOT), 0)
        same('the word of the section', memory.load(SLOT), memory.load(WR))
        same('the hand', memory.load(WR), hand | 0)
      }
    }),
    { numRuns },
  )
}

// ---- chains ----------------------------------------------------------------------------------

export const WORD_AT = 128
export const HEADS = PAGE_WORDS
const OTHER_HEADS = 2 * PAGE_WORDS
const NODES = 3 * PAGE_WORDS
const NODE_WORDS = 12

const aTable = fc.record({
  bits: fc.integer({ min: 1, max: 8 }),
  link: fc.constantFrom(0, 1),
  /** Where in a node the links and the hash are. */
  behind: fc.integer({ min: 0, max: NODE_WORDS - 3 }),
  keys: fc.uniqueArray(fc.oneof(anyValue, fc.integer({ min: 0, max: 40 })), {
    maxLength: 60,
    selector: (key) => key | 0,
  }),
  /** How many different hashes there are for the search by hash: 1 puts all into one chain. */
  hashes: fc.constantFrom(1, 2, 7, 1000),
  missing: fc.array(anyValue, { maxLength: 20 }),
  salt: fc.integer(),
})
type Table = typeof aTable extends fc.Arbitrary<infer T> ? T : never

/** Builds the array `heads` of 2^bits chains over all nodes, through the link word `link`. */
function thread(
  memory: Memory,
  table: Table,
  heads: number,
  bits: number,
  link: number,
  hashOf: (i: number) => number,
): number {
  const links = table.behind + NodeWords.links
  table.keys.forEach((_, i) => {
    const node = NODES + i * NODE_WORDS
    const head = heads + Number(BigInt.asUintN(32, BigInt(hashOf(i))) >> BigInt(32 - bits))
    memory.poke(node + links + link, memory.peek(head))
    memory.poke(head, node)
  })
  return heads | (bits << ChainsWord.bitsShift) | link
}

/**
 * All keys are found, by key and by hash, in the first array and after a resize into another one
 * through the other link; what is not there is not found.
 */
export function findsAgree(make: Make, numRuns: number): void {
  fc.assert(
    fc.property(aTable, (table) => {
      for (const memory of [make(), reference()]) {
        findByWord(memory, table)
        memory.fill(HEADS, memory.words.length - HEADS, 0)
        findByHash(memory, table)
      }
    }),
    { numRuns },
  )
}

/** The words of four stripes, all with the same chains, and a place for hashes. */
const STRIPES_AT = 140
const STRIPE_SHIFT = 30
const MANY_AT = 200
const MANY_WORDS = 64

/** Many at once are what they are one by one, as many as there is room for, and also none. */
function lookAtMany(
  memory: Memory,
  { behind, salt }: Table,
  hashes: readonly number[],
  nodes: ReadonlyMap<number, number>,
): void {
  memory.fill(STRIPES_AT, 4, memory.load(WORD_AT))
  for (const count of [MANY_WORDS, 2, 1, 0]) {
    const some = hashes.slice(0, count)
    memory.fill(MANY_AT - 1, 2 * MANY_WORDS + 2, salt)
    for (const [i, hash] of some.entries()) memory.poke(MANY_AT + i, hash)
    memory.findMany(MANY_AT, some.length, STRIPES_AT, STRIPE_SHIFT, behind)
    for (const [i, hash] of some.entries()) {
      same(`findMany ${hash}`, memory.peek(MANY_AT + MANY_WORDS + i), nodes.get(hash | 0) ?? 0)
    }
    same('the word before them', memory.peek(MANY_AT - 1), salt)
    same('the word behind them', memory.peek(MANY_AT + MANY_WORDS + some.length), salt)
  }
}

function fillNodes(memory: Memory, table: Table, hashOf: (i: number) => number): void {
  table.keys.forEach((_, i) => {
    // What is not told is garbage: nobody may look at it.
    memory.fill(NODES + i * NODE_WORDS, NODE_WORDS, table.salt)
    memory.poke(NODES + i * NODE_WORDS + table.behind + NodeWords.hash, hashOf(i))
  })
}

function findByWord(memory: Memory, table: Table): void {
  const { behind, bits, keys, link, missing } = table
  const hashOf = (i: number): number => mix(keys[i] as number)
  const nodes = new Map(keys.map((key, i) => [key | 0, NODES + i * NODE_WORDS]))
  fillNodes(memory, table, hashOf)
  const look = (): void => {
    for (const key of [...keys, ...missing]) {
      const wanted = nodes.get(key | 0) ?? 0
      same(`findHash ${key}`, memory.findHash(WORD_AT, behind, mix(key)), wanted)
      memory.store(WR, table.salt)
      memory.store(SLOT, 7)
      const found = memory.lookUpHash(WR, SLOT, WORD_AT, behind, mix(key))
      same(`lookUpHash ${key}`, found, wanted)
      same('the section after it', memory.load(SLOT), 0)
    }
    const found = new Map([...nodes].map(([key, node]) => [mix(key), node]))
    lookAtMany(memory, table, [...missing, ...keys].map(mix), found)
  }
  memory.store(WORD_AT, thread(memory, table, HEADS, bits, link, hashOf))
  look()
  memory.store(WORD_AT, thread(memory, table, OTHER_HEADS, 9 - bits, 1 - link, hashOf))
  look()
}

function findByHash(memory: Memory, table: Table): void {
  const { behind, bits, hashes, link } = table
  const hashOf = (i: number): number => mix((i % hashes) + table.salt)
  fillNodes(memory, table, hashOf)
  const look = (): void => {
    const first = new Map(table.keys.map((_, i) => [hashOf(i), NODES + i * NODE_WORDS]))
    for (const hash of [...first.keys(), 0, -1, mix(-table.salt), ~table.salt]) {
      const found = memory.findHash(WORD_AT, behind, hash)
      same(`findHash ${hash}`, found, first.get(hash) ?? 0)
    }
    const found = new Map([...first].map(([hash, node]) => [hash | 0, node]))
    lookAtMany(memory, table, [...first.keys(), 0, -1, mix(-table.salt)], found)
  }
  memory.store(WORD_AT, thread(memory, table, HEADS, bits, link, hashOf))
  look()
  memory.store(WORD_AT, thread(memory, table, OTHER_HEADS, 9 - bits, 1 - link, hashOf))
  look()
}

// ---- tries -------------------------------------------------------------------------------------

const CHANGES_AT = 160
const ROOT_AT = 161
const RECORDS = PAGE_WORDS
const RECORD_WORDS = 6
const TRIE_NODES = 8 * PAGE_WORDS
const SIGN = -1 << 31

const aKey = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fc.nat(40),
  fc.nat(40).map((n) => n * 2 ** 26),
  fc.nat(300).map((n) => 2 ** 32 - 1 - n),
)
const aTrie = fc.record({
  keys: fc.uniqueArray(aKey, { maxLength: 60 }),
  asked: fc.array(aKey, { minLength: 1, maxLength: 40 }),
  word: fc.nat(RECORD_WORDS - 1),
  flip: fc.constantFrom(0, SIGN),
  changes: fc.integer().map((n) => n * 2),
  /** Bits of slots that have no link: as a death may leave them. */
  stale: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: TrieHead.slotsMask })),
  salt: fc.integer(),
})
type Trie = typeof aTrie extends fc.Arbitrary<infer T> ? T : never

const digitOf = (key: number, level: number): number => 1 + ((key >>> (28 - 4 * level)) & 15)

/** Builds the tree of these keys, in ascending order, and returns the link to it. */
function buildTrie(memory: Memory, { flip, keys, salt, stale, word }: Trie): number {
  let nodes = TRIE_NODES
  const records = keys.map((key, i) => {
    const at = RECORDS + i * RECORD_WORDS
    memory.fill(at, RECORD_WORDS, salt)
    memory.poke(at + word, key ^ flip)
    return { key, at }
  })
  const build = (all: typeof records, from: number): number => {
    const [first] = all
    if (first === undefined) return 0
    if (all.length === 1) return first.at | TrieLink.record
    let level = from
    while (all.every(({ key }) => digitOf(key, level) === digitOf(first.key, level))) level++
    const node = nodes
    nodes += TRIE_WORDS
    let bits = stale
    for (let digit = 0; digit < DIGITS; digit++) {
      const below = all.filter(({ key }) => digitOf(key, level) === digit)
      if (below.length > 0) bits |= 1 << digit
      memory.poke(node + TrieWords.slots + digit, build(below, level + 1))
    }
    memory.poke(node + TrieWords.head, (level << TrieHead.levelShift) | bits)
    return node
  }
  return build(records, 0)
}

/** The nearest key that is not greater is found, and nothing is told while keys come or go. */
export function floorsAgree(make: Make, numRuns: number): void {
  fc.assert(
    fc.property(aTrie, (trie) => {
      for (const memory of [make(), reference()]) {
        const { asked, changes, flip, keys, word } = trie
        memory.store(ROOT_AT, buildTrie(memory, trie))
        memory.store(CHANGES_AT, changes)
        for (const key of [...asked, ...keys, ...keys.map((each) => each - 1)]) {
          if (key < 0) continue
          const below = keys.filter((each) => each <= key)
          const nearest = keys.indexOf(Math.max(...below))
          const wanted = nearest < 0 ? 0 : RECORDS + nearest * RECORD_WORDS
          const floor = () => memory.floorWord(CHANGES_AT, ROOT_AT, word, flip, key | 0)
          // Bits without a link may keep it from an answer, and never lead to a wrong one.
          if (trie.stale === 0 || floor() !== UNSURE) same(`floorWord ${key}`, floor(), wanted)
          memory.add(CHANGES_AT, 1)
          same(`floorWord ${key} during a change`, floor(), UNSURE)
          memory.add(CHANGES_AT, -1)
        }
      }
    }),
    { numRuns },
  )
}

/** A node below one of its own level, or of a level that no key has, is told of; and no walk is endless. */
export function damagedFloorsEnd(make: Make): void {
  const keys = [0, 1, 16, 256, 4096, 65536]
  const trie = { keys, asked: [], word: 0, flip: 0, changes: 0, stale: 0, salt: 0 }
  for (const memory of [make(), reference()]) {
    const root = buildTrie(memory, trie)
    memory.store(ROOT_AT, root)
    memory.store(CHANGES_AT, 0)
    const floor = (key: number): number => memory.floorWord(CHANGES_AT, ROOT_AT, 0, 0, key)
    const slot = root + TrieWords.slots + 1
    const whole = memory.load(slot)
    memory.store(slot, root)
    same('a circle', floor(1), UNSURE)
    memory.store(slot, whole)
    // The way to the key has no link, and the last one before it is in the circle.
    const last = memory.load(slot + 1)
    memory.store(slot + 1, root)
    same('a circle beside the way', floor(0x5_0000), UNSURE)
    memory.store(slot + 1, last)
    memory.or(root, 8 << TrieHead.levelShift)
    same('a level that no key has', floor(1), UNSURE)
  }
}

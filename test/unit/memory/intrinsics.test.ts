/**
 * The intrinsics against the TypeScript verbs and an oracle, alone and beside another worker; and
 * faults put into their text, each of which must be noticed.
 */

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ENDLESS, FAR, NEAR, UNSURE } from '#src/memory/compound.ts'
import { INTRINSICS } from '#src/memory/intrinsics.generated.ts'
import {
  ChainsWord,
  NODE_WORDS,
  NodeWords,
  PAGE_WORDS,
  TrieHead,
  TrieLink,
  TrieWords,
} from '#src/memory/layout.ts'
import { BYTES_PER_WORD, Memory } from '#src/memory/memory.ts'
import { WasmMemory } from '#src/memory/wasm.ts'
import { built } from '../../helpers/built.ts'
import {
  assemble,
  expand,
  faulty,
  HONEST,
  intrinsicsOf,
  numbers,
  onePage,
} from '../../helpers/wat.ts'
import { lookUpsAreSeen, Mode, movesAreSeen, neitherIsLate, Shared } from './intrinsicsBeside.ts'
import {
  damagedFloorsEnd,
  findsAgree,
  floorsAgree,
  onlyFrozenWordsArePlain,
  sectionsAgree,
  verbsAgree,
} from './intrinsicsLaws.ts'

const RUNS = 100
/** How long the other worker gets to do what it surely does within a moment. */
const SURELY_MS = 20_000
/** How long it gets where a fault keeps it from being seen. */
const FAULT_MS = 500
/** Rounds of the litmus test. */
const RACES = 500

/** One page, wiped between uses: instances are not collected as fast as fast-check makes them. */
async function swiftOf(text: string): Promise<() => Memory> {
  const place = onePage()
  const memory = new WasmMemory(place.buffer, await intrinsicsOf(text, place))
  return () => {
    memory.fill(0, memory.words.length, 0)
    return memory
  }
}

describe('the text', () => {
  it('takes its numbers from the sources', () => {
    expect(numbers()).toEqual({
      NEAR,
      FAR,
      ENDLESS: ENDLESS * BYTES_PER_WORD,
      // How many nodes, with records of one word, a page of WebAssembly has room for: a power of two.
      NODES_SHIFT: Math.ceil(Math.log2(2 ** 16 / ((1 + NODE_WORDS) * BYTES_PER_WORD))),
      HASH_BITS: 32,
      HASH_OFFSET: NodeWords.hash * BYTES_PER_WORD,
      LINK_MASK: ChainsWord.linkMask,
      BITS_AT: ChainsWord.bitsShift,
      BITS: ChainsWord.bitsMask,
      PAGE_MASK: -PAGE_WORDS,
      UNSURE,
      LEVEL_AT: TrieHead.levelShift,
      SLOTS: TrieHead.slotsMask,
      RECORD: TrieLink.record,
      TOP_DIGIT: 28,
      DIGIT_MASK: 15,
      LAST_LEVEL: 7,
      MANY_OFFSET: 256,
      SLOT_OFFSET: TrieWords.slots * BYTES_PER_WORD,
      DIGIT_OFFSET: (TrieWords.slots + 1) * BYTES_PER_WORD,
    })
  })

  it('is what was built', async () => {
    const built = Buffer.from(await assemble(HONEST)).toString('base64')
    expect(built).toBe(INTRINSICS)
  })

  it.each([
    ['    @walks\n', 'there is no macro walks'],
    ['(i32.const {FUR})', 'there is no number FUR'],
  ])('%j is refused', (text, why) => {
    expect(() => expand(text)).toThrow(why)
  })
})

describe('alone', () => {
  it('verbs', async () => verbsAgree(await swiftOf(HONEST), RUNS * 3))
  it('sections', async () => sectionsAgree(await swiftOf(HONEST), RUNS))
  it('chains', async () => findsAgree(await swiftOf(HONEST), RUNS * 2))
  it('tries', async () => {
    const make = await swiftOf(HONEST)
    floorsAgree(make, RUNS * 2)
    damagedFloorsEnd(make)
  })
  it('what may change is never accessed plainly', () => onlyFrozenWordsArePlain(HONEST))
  it('the laws hold for the reference too', () => {
    const make = () => new Memory(new SharedArrayBuffer(2 ** 16))
    verbsAgree(make, RUNS)
    sectionsAgree(make, RUNS)
    findsAgree(make, RUNS)
    floorsAgree(make, RUNS)
  })
})

// ---- beside another worker -------------------------------------------------------------------

const place = onePage()
let mover: Worker

beforeAll(async () => {
  mover = new Worker(built('unit/memory/mover.worker.ts'), { workerData: place.buffer })
  await once(mover, 'message')
})
afterAll(async () => {
  const ended = once(mover, 'exit')
  Atomics.store(new Int32Array(place.buffer), Shared.mode, Mode.end)
  await ended
})
afterEach(() => {
  Atomics.store(new Int32Array(place.buffer), Shared.mode, Mode.idle)
})

async function shared(text: string): Promise<Memory> {
  return new WasmMemory(place.buffer, await intrinsicsOf(text, place))
}

describe.each(['wasm', 'typescript'])('beside another worker: %s', (kind) => {
  const make = async () => (kind === 'wasm' ? shared(HONEST) : new Memory(place.buffer))

  it('a hand that moves in the middle is seen to move', async () => {
    movesAreSeen(await make(), SURELY_MS)
  })

  it('lookUpHash is a section that others see', async () => {
    lookUpsAreSeen(await make(), SURELY_MS)
  })

  it('[R1] either the section sees the new hand, or the poller sees the section', async () => {
    neitherIsLate(await make(), RACES)
  })
})

// ---- faults ----------------------------------------------------------------------------------

type Law = (make: () => Memory, memory: Memory, text: string) => void
const verbs: Law = (make) => verbsAgree(make, RUNS * 5)
const sections: Law = (make) => sectionsAgree(make, RUNS)
const chains: Law = (make) => findsAgree(make, RUNS * 5)
const tries: Law = (make) => {
  floorsAgree(make, RUNS * 5)
  damagedFloorsEnd(make)
}
const moves: Law = (_, memory) => movesAreSeen(memory, FAULT_MS)
const watched: Law = (_, memory) => lookUpsAreSeen(memory, FAULT_MS)
/** The race is there to be met, but not within any time that a test has: so the text is read. */
const ordered: Law = (_make, _memory, text) => onlyFrozenWordsArePlain(text)

const PUBLISH = '(i32.atomic.store (i32.shl (local.get $at) (i32.const 2)) (local.get $seen))'
const PUBLISH_LOOK = '(i32.atomic.store (local.get $at) (local.get $seen))'
const NODE_LINK = '(i32.atomic.load (i32.add (local.get $node) (local.get $link)))'

describe('a fault is noticed', () => {
  it.each<[name: string, find: string, replace: string, law: Law]>([
    [
      'load, of the next word',
      '(func (export "load") (param $at i32) (result i32)\n    (i32.atomic.load',
      '(func (export "load") (param $at i32) (result i32)\n    (i32.atomic.load offset=4',
      verbs,
    ],
    [
      'store, of the address',
      '(local.get $value)))\n\n  (func (export "add")',
      '(local.get $at)))\n\n  (func (export "add")',
      verbs,
    ],
    ['add takes away', 'rmw.add', 'rmw.sub', verbs],
    ['swap adds', 'rmw.xchg', 'rmw.add', verbs],
    [
      'cas swaps what it expects with what it puts',
      '(local.get $expected) (local.get $value)',
      '(local.get $value) (local.get $expected)',
      verbs,
    ],
    ['or is exclusive', 'rmw.or', 'rmw.xor', verbs],
    ['and is or', 'rmw.and', 'rmw.or', verbs],
    ['a section is not published', PUBLISH, '', sections],
    [
      '[R1] a section does not look at the hand again',
      '(i32.sub (i32.atomic.load (local.get $wr)) (local.get $seen))',
      '(i32.const 0)',
      moves,
    ],
    [
      'a section measures backwards',
      '(i32.sub (i32.atomic.load (local.get $wr)) (local.get $seen))',
      '(i32.add (i32.atomic.load (local.get $wr)) (local.get $seen))',
      sections,
    ],
    [
      '[R1] a section is published plainly',
      PUBLISH,
      PUBLISH.replace('i32.atomic.store', 'i32.store'),
      ordered,
    ],
    [
      '[R2] a lookup leaves its section plainly',
      '(i32.atomic.store (local.get $at) (i32.const 0))',
      '(i32.store (local.get $at) (i32.const 0))',
      ordered,
    ],
    ['a pointer is loaded plainly', NODE_LINK, NODE_LINK.replace('.atomic', ''), ordered],
    [
      'a head is loaded plainly',
      '(i32.atomic.load (i32.shl\n        (i32.add',
      '(i32.load (i32.shl\n        (i32.add',
      ordered,
    ],
    ['the link word', '(i32.and (local.get $chains) (i32.const 1))', '(i32.const 0)', chains],
    [
      'the number of chains',
      '(i32.and (i32.shr_u (local.get $chains) (i32.const 1)) (i32.const 31))',
      '(i32.and (i32.shr_u (local.get $chains) (i32.const 1)) (i32.const 3))',
      chains,
    ],
    ['the array', '(i32.const -1024)', '(i32.const -2048)', chains],
    [
      'where the links are',
      '(local.set $behind (i32.shl (local.get $behind) (i32.const 2)))',
      '',
      chains,
    ],
    ['where the hash is', 'i32.load offset=8', 'i32.load offset=4', chains],
    [
      'the first hash is compared the other way round',
      '(i32.const 2))\n        (i32.eq\n',
      '(i32.const 2))\n        (i32.ne\n',
      chains,
    ],
    [
      'the second hash is compared as less',
      '(br_if $found\n        (i32.eq\n',
      '(br_if $found\n        (i32.le_s\n',
      chains,
    ],
    [
      'later hashes are compared as less',
      '(br_if $found\n          (i32.eq\n',
      '(br_if $found\n          (i32.le_s\n',
      chains,
    ],
    [
      'a walk that gives up early',
      '(i32.shl (memory.size) (i32.const 12))',
      '(i32.const 2)',
      chains,
    ],
    ['a walk of two nodes', '(loop $on', '(loop $on (br $found)', chains],
    [
      'a walk that skips',
      `(local.set $node (i32.shl\n          ${NODE_LINK}`,
      `(local.set $node (i32.shl\n          (i32.atomic.load offset=0 (i32.add (i32.shl ${NODE_LINK} (i32.const 2)) (local.get $link)))`,
      chains,
    ],
    ['a node in bytes', '(i32.shr_u (local.get $node) (i32.const 2))', '(local.get $node)', chains],
    [
      'a lookup leaves its section open',
      '(i32.atomic.store (local.get $at) (i32.const 0))',
      '',
      chains,
    ],
    ['a lookup publishes nothing', PUBLISH_LOOK, '', watched],
    [
      '[R1] a lookup does not look at the hand again',
      '(i32.sub (i32.atomic.load (local.get $wr)) (local.get $seen))',
      '(i32.const 0)',
      moves,
    ],
    [
      '[I] a lookup measures by the sign',
      '(if (i32.gt_u\n          (i32.sub',
      '(if (i32.gt_s\n          (i32.sub',
      moves,
    ],
    [
      'a floor during a change',
      '(if (i32.and (local.get $before) (i32.const 1)) (then (return (i32.const -1))))',
      '',
      tries,
    ],
    [
      'the key of a floor with a sign',
      '(i32.ge_s (local.get $differs) (local.get $level))\n      (then\n        (if (i32.lt_u',
      '(i32.ge_s (local.get $differs) (local.get $level))\n      (then\n        (if (i32.lt_s',
      tries,
    ],
    [
      'a skipped digit of a floor is not compared',
      '(i32.ge_s (local.get $differs) (local.get $level))',
      '(i32.const 1)',
      tries,
    ],
  ])('%s', async (_name, find, replace, law) => {
    const text = faulty(find, replace)
    const memory = await shared(text)
    const make = await swiftOf(text)
    expect(() => law(make, memory, text)).toThrow()
  })
})

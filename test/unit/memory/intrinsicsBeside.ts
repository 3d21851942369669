/**
 * The laws of intrinsicsLaws.ts that take two: this side works with the memory that is judged, the
 * other one is mover.worker.ts.
 */

import { FAR } from '#src/memory/compound.ts'
import { ChainsWord } from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import { HEADS, SLOT, same, WORD_AT, WR } from './intrinsicsLaws.ts'

/** Words that this side and mover.worker.ts share. */
export const Shared = { mode: 240, round: 256, begun: 272, done: 288, look: 304 } as const
/** What the mover does. */
export const Mode = { idle: 0, move: 1, watch: 2, litmus: 3, end: 4 } as const
/** How far the mover takes the hand: half around; too far, and backwards by its sign. */
export const STRIDE = -(2 ** 31)
const CALLS = 2000
const GONE_MS = 10_000

/** The hand where no number of strides makes it 0, and a table with nothing in it. */
function prepare(memory: Memory, mode: number): void {
  memory.store(WR, 3)
  memory.store(SLOT, 0)
  memory.store(Shared.look, 0)
  memory.store(WORD_AT, HEADS | (1 << ChainsWord.bitsShift))
  memory.store(Shared.mode, mode)
}

/** Runs `body` until it says true; false when `ms` are over. */
function within(ms: number, body: () => boolean): boolean {
  const end = performance.now() + ms
  while (performance.now() < end) if (body()) return true
  return false
}

/** While another worker moves the hand: a move in the middle of a section's beginning is noticed. */
export function movesAreSeen(memory: Memory, ms: number): void {
  prepare(memory, Mode.move)
  const moved = (found: number): boolean => {
    // Two strides are once around, and look like none.
    if ((found & (-STRIDE - 1)) !== 0) throw new Error(`the hand has moved by ${found}`)
    return found !== 0
  }
  const entered = within(ms, () => {
    for (let i = 0; i < CALLS; i++) if (moved(memory.enterSection(WR, SLOT))) return true
    return false
  })
  if (!entered) throw new Error('enterSection never saw the hand move')
  const looked = within(ms, () => {
    for (let i = 0; i < CALLS; i++) {
      const found = memory.lookUpHash(WR, SLOT, WORD_AT, 1, 5)
      const open = memory.peek(SLOT) !== 0
      same('a section open after lookUpHash', open, found === FAR)
      if (found === FAR) return true
    }
    return false
  })
  memory.store(Shared.mode, Mode.idle)
  if (!looked) throw new Error('lookUpHash never saw the hand move')
}

/** The mover sees a section open while lookUpHash is at it. */
export function lookUpsAreSeen(memory: Memory, ms: number): void {
  prepare(memory, Mode.watch)
  const seen = within(ms, () => {
    for (let i = 0; i < CALLS; i++) memory.lookUpHash(WR, SLOT, WORD_AT, 1, 5)
    return memory.load(Shared.look) !== 0
  })
  memory.store(Shared.mode, Mode.idle)
  if (!seen) throw new Error('nobody saw the section of lookUpHash')
}

/**
 * [R1], store buffering: this side publishes and loads the hand again, the other side moves the hand
 * and looks at what is published. Both old is forbidden. A round is many hands and words, which both
 * sides run through at once: somewhere they meet. Plays so many rounds.
 */
export function neitherIsLate(memory: Memory, rounds: number): void {
  prepare(memory, Mode.litmus)
  const hands = new Int32Array(PAIRS)
  const before = memory.load(Shared.round)
  for (let round = before + 1; round <= before + rounds; round++) {
    for (let i = 0; i < PAIRS; i++) {
      memory.store(pairAt(i), 1)
      memory.store(pairAt(i) + PAIR_SLOT, 0)
    }
    memory.store(Shared.round, round)
    meet(memory, Shared.begun, round)
    for (let i = 0; i < PAIRS; i++) {
      const moved = memory.enterSection(pairAt(i), pairAt(i) + PAIR_SLOT)
      hands[i] = memory.peek(pairAt(i) + PAIR_SLOT) + moved
    }
    meet(memory, Shared.done, round)
    for (let i = 0; i < PAIRS; i++) {
      if (hands[i] !== 1 || memory.load(pairAt(i) + PAIR_LOOK) !== 0) continue
      memory.store(Shared.mode, Mode.idle)
      throw new Error(`round ${round - before}: neither saw the other`)
    }
  }
  memory.store(Shared.mode, Mode.idle)
}

function meet(memory: Memory, at: number, round: number): void {
  if (!within(GONE_MS, () => memory.load(at) === round)) throw new Error('the other side is gone')
}

/** What the other side does in a round. */
export function lookAtAll(words: Int32Array, round: number): void {
  Atomics.store(words, Shared.begun, round)
  for (let i = 0; i < PAIRS; i++) {
    Atomics.add(words, pairAt(i), 2)
    Atomics.store(words, pairAt(i) + PAIR_LOOK, Atomics.load(words, pairAt(i) + PAIR_SLOT))
  }
  Atomics.store(words, Shared.done, round)
}

/** A hand, a section's word and what was seen in it, on lines of their own. */
const PAIRS = 200
const PAIR_SLOT = 16
const PAIR_LOOK = 32

function pairAt(i: number): number {
  return 4096 + i * 48
}

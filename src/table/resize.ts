/**
 * Growing and shrinking: the records of a stripe move to a new array of chains, built with the stripe
 * locked and published by one store.
 *
 * Readers never wait. A writer waits while the records of its own stripe are walked once. The previous
 * array may still have readers, and the new one needs the link words that it used: so a stripe moves
 * only when those readers have left. `resize` waits for them, with no lock held; a table that grows by
 * itself tries again at a later write.
 *
 * A death or an exception in the middle changes nothing that a reader sees: until the one store that
 * publishes it the new array is only `building`, or a part of a shared array that no reader looks at,
 * and the next move clears it or releases its pages.
 */

import { Exhausted, show } from '../base/errors.ts'
import type { Seq } from '../base/seq.ts'
import { chainBits } from '../memory/arrays.ts'
import {
  ChainsWord,
  PAGE_SHIFT,
  RunKind,
  SHARED_ARRAYS,
  StripeWords,
  TableWords,
} from '../memory/layout.ts'
import { DEAF } from '../smr/goals.ts'
import { timeoutOf, until, type WaitOptions } from '../space/wait.ts'
import { relieve } from '../zone/pressure.ts'
import { inBytes, noMemory } from '../zone/shortage.ts'
import { arraysFor } from './chains.ts'
import type { TableParts } from './parts.ts'

const CALL = 'table.resize'
/** A stripe grows when it has more records for each of its chains. */
const MOST_PER_CHAIN = 2
/** It then gets four times as many chains: one for two records. */
const GROWTH_BITS = 2

/** The result of one attempt. */
type Outcome = 'done' | 'readers' | 'no memory'

export function resizeTable(
  parts: TableParts,
  bits: number,
  options: WaitOptions | undefined,
): void {
  const { space } = parts.arena
  timeoutOf(CALL, options)
  const timeoutMs = parts.smr.patience(options?.timeoutMs)
  space.assertSleepable(CALL)
  let outcome: Outcome = 'readers'
  const attempted = (): boolean => {
    outcome = attempt(parts, bits)
    return outcome !== 'readers'
  }
  until(space, timeoutMs, attempted)
  const arrays = arraysFor(parts.chains.stripeBits, bits)
  // With no stripe locked: idle zones may give up pages.
  if ((outcome as Outcome) === 'no memory' && relieve(space, arrays)) {
    until(space, timeoutMs, attempted)
  }
  if ((outcome as Outcome) === 'done') return
  if ((outcome as Outcome) === 'no memory') {
    const what = `${CALL}: table ${show(parts.name)}: no memory for 2^${bits} chains`
    throw noMemory(space, what, inBytes(arrays), { table: parts.name, chains: 2 ** bits })
  }
  // Arrays that were made for stripes which could not move.
  whileResizing(parts, () => releaseAllUnfinished(parts))
  const why = space.locks.supervises && options?.timeoutMs === undefined ? DEAF : ''
  throw new Exhausted(
    `${CALL}: table ${show(parts.name)}: readers of the last resize have not left after ${timeoutMs} ms${why}`,
    { table: parts.name, timeoutMs },
  )
}

/** Whether a stripe of so many records, in these chains, should grow. */
export function isCrowded({ chains, grows }: TableParts, now: number, records: number): boolean {
  // A shift: every insert asks, and a power takes longer than the rest of it.
  return grows && records > MOST_PER_CHAIN << chains.bitsIn(now)
}

/**
 * Gives a crowded stripe an array of its own, of more chains; does nothing if that takes waiting or
 * memory that is not there. Returns whether it has grown. No stripe is locked.
 */
export function growStripe(parts: TableParts, stripe: number): boolean {
  const { chains, stripes } = parts
  const { memory } = parts.arena
  if (!stripes.tryLock(stripe)) return false
  let isDone = false
  let whole = false
  try {
    const now = chains.current(stripe)
    isDone =
      isCrowded(parts, now, stripes.recordsIn(stripe)) &&
      move(parts, stripe, largerThan(parts, now), 0) === 'done'
    if (isDone) {
      stampRetired(parts, stripe, parts.smr.stamp())
      collect(parts, stripe)
      const at = stripes.at(stripe) + StripeWords.grown
      memory.poke(at, memory.peek(at) + 1)
    }
    whole = true
  } finally {
    stripes.release(stripe, whole)
  }
  if (isDone) tellGrowth(parts)
  return isDone
}

function tellGrowth({ arena, name, stripes }: TableParts): void {
  const { events } = arena.space
  if (!events.has('grow')) return
  events.publish('grow', { table: name, records: stripes.total() }, name)
}

function largerThan({ chains }: TableParts, now: number): number {
  return Math.max(chainBits(now) + GROWTH_BITS, chains.stripeBits + PAGE_SHIFT)
}

/**
 * One try to move all stripes; 'readers': an earlier array still has some. First it is made sure that
 * all can move and that there is memory for all: so a resize that is refused changes nothing.
 */
function attempt(parts: TableParts, bits: number): Outcome {
  return whileResizing(parts, () => {
    if (!eachStripe(parts, (stripe) => collect(parts, stripe))) return 'readers'
    releaseUnused(parts)
    if (parts.chains.isShared(bits)) {
      const shared = sharedArray(parts, bits)
      if (shared === 0) return 'no memory'
      return shared < 0 ? 'readers' : moveAll(parts, bits, shared)
    }
    if (eachStripe(parts, (stripe) => hasOwnArray(parts, stripe, bits))) {
      return moveAll(parts, bits, 0)
    }
    releaseAllUnfinished(parts)
    return 'no memory'
  })
}

/**
 * The lock is for the arrays that stripes share: only its owner makes them, releases them, or moves
 * stripes into them.
 */
function whileResizing<T>(parts: TableParts, body: () => T): T {
  const { locks } = parts.arena.space
  const lock = parts.at + TableWords.resizing
  locks.acquire(lock, `table ${show(parts.name)} resize`)
  try {
    return body()
  } finally {
    locks.unlock(lock)
  }
}

/** Runs `body` for each stripe, under its lock, as long as it says true; whether it did for all. */
function eachStripe(parts: TableParts, body: (stripe: number) => boolean): boolean {
  const { stripes } = parts
  let goesOn = true
  for (let stripe = 0; goesOn && stripe < 2 ** stripes.bits; stripe++) {
    stripes.lock(stripe)
    let whole = false
    try {
      goesOn = body(stripe)
      whole = true
    } finally {
      stripes.release(stripe, whole)
    }
  }
  return goesOn
}

/** The shared array to move to: one that a resize has left unfinished, or a new one; -1: not yet. */
function sharedArray(parts: TableParts, bits: number): number {
  const { memory, pages } = parts.arena.space
  const first = parts.at + TableWords.shared
  let unused = 0
  for (let at = first; at < first + SHARED_ARRAYS; at++) {
    const base = memory.peek(at)
    if (base === 0) unused = at
    else if (bitsIn(parts, base) === bits) return base
  }
  if (unused !== 0) return pages.allocateInto(unused, 2 ** bits, RunKind.chains)
  // A resize that did not finish has left stripes in both: they meet in one of them first.
  const base = memory.peek(first)
  if (moveAll(parts, bitsIn(parts, base), base) !== 'done') return -1
  return memory.peek(first + 1) === 0 ? sharedArray(parts, bits) : -1
}

/** The bits of the chains in a shared array, from the stripe that uses it. */
function bitsIn(parts: TableParts, base: number): number {
  for (const word of wordsOf(parts)) if (isIn(parts, word, base)) return chainBits(word)
  return 0
}

/**
 * Moves all stripes, then has one goal for the readers of all their previous arrays. Two cases for a
 * stripe that has no goal by then: its chains are those that it had before the goal was made, then that
 * goal is later than their publication; or it has grown since, and its worker died or was thrown out
 * before its own stamp, then the next look stamps one. Otherwise (our goal for that move, too) the array
 * that it grew out of would be released under readers that came after our goal.
 */
function moveAll(parts: TableParts, bits: number, shared: number): Outcome {
  const { chains } = parts
  const moved: number[] = []
  let all: Outcome = 'done'
  eachStripe(parts, (stripe) => {
    const outcome = move(parts, stripe, bits, shared)
    moved[stripe] = chains.current(stripe)
    if (outcome !== 'done') all = outcome
    return outcome !== 'no memory'
  })
  const goal = parts.smr.stamp()
  eachStripe(parts, (stripe) => {
    if (chains.current(stripe) === moved[stripe]) stampRetired(parts, stripe, goal)
    collect(parts, stripe)
    return true
  })
  releaseUnused(parts)
  return all
}

/** The goal that is met when nobody is on the previous array of a stripe, which is locked. */
function stampRetired({ arena, stripes }: TableParts, stripe: number, goal: Seq): void {
  const at = stripes.at(stripe) + StripeWords.goal
  if (arena.memory.peek(at) === 0) arena.memory.poke(at, goal)
}

/**
 * Releases the shared arrays that no stripe uses. Two cases for a stripe: it is in the array, or has
 * just left it by growing, then the array is still its `retired`, which was written before its new word
 * was published, and is loaded after it; or it has left it and its readers have too. Otherwise (a stripe
 * on its way into the array) somebody else would be resizing.
 */
function releaseUnused(parts: TableParts): void {
  const { memory, pages } = parts.arena.space
  const first = parts.at + TableWords.shared
  // Before any of them is looked at: a redo record may be about the one that is 0.
  pages.recover()
  for (let at = first; at < first + SHARED_ARRAYS; at++) {
    const base = memory.peek(at)
    if (base === 0 || wordsOf(parts).some((word) => isIn(parts, word, base))) continue
    pages.releaseFrom(at, base)
  }
}

/** The words of all stripes that name chains, each stripe's current one before its retired one. */
function wordsOf({ arena, chains, stripes }: TableParts): number[] {
  const words: number[] = []
  for (let i = 0; i < 2 ** stripes.bits; i++) {
    words.push(chains.current(i))
    words.push(arena.memory.load(stripes.at(i) + StripeWords.retired))
  }
  return words
}

/** Whether chains lie in the shared array at `base`. */
function isIn({ chains }: TableParts, word: number, base: number): boolean {
  return chains.isShared(chainBits(word)) && (word & ChainsWord.pageMask) === base
}

/**
 * Moves a stripe, which is locked, to 2^bits chains in the shared array at `shared`, or with 0 in an
 * array of its own. The caller stamps a goal for the array that it leaves.
 */
function move(parts: TableParts, stripe: number, bits: number, shared: number): Outcome {
  const { chains, stripes } = parts
  const { memory } = parts.arena
  const words = stripes.at(stripe)
  if (!collect(parts, stripe)) return 'readers'
  const current = chains.current(stripe)
  const isThere = shared === 0 ? !chains.isShared(bits) : isIn(parts, current, shared)
  if (isThere && chainBits(current) === bits) return 'done'
  // Before the stripe leaves its own array, which `building` may still name: later it would release it
  // a second time.
  if (shared !== 0) releaseUnfinished(parts, stripe)
  else if (!hasOwnArray(parts, stripe, bits)) return 'no memory'
  const base = shared === 0 ? memory.peek(words + StripeWords.building) : shared
  const link = 1 - (current & ChainsWord.linkMask)
  const next = chains.wordFor(stripe, base, bits, link)
  chains.thread(stripe, next)
  // First, because `retired` and a goal are read together. Two cases for a goal: it is 0, then whoever
  // looks at it next stamps one, which is later than the store that publishes; or it was stamped after
  // that store. Otherwise (the goal of the move before, long met, left there) the array would be released
  // under its readers.
  memory.poke(words + StripeWords.goal, 0)
  memory.store(words + StripeWords.retired, current)
  chains.publish(stripe, next)
  if (shared === 0) memory.store(words + StripeWords.building, 0)
  return 'done'
}

/**
 * Sees to it that a stripe, which is locked, has 2^bits chains of its own or a new array for them, named
 * by `building`. False: no memory.
 */
function hasOwnArray(parts: TableParts, stripe: number, bits: number): boolean {
  const { chains, stripes } = parts
  const { pages } = parts.arena.space
  const current = chains.current(stripe)
  if (chainBits(current) === bits) return true
  const at = stripes.at(stripe) + StripeWords.building
  const own = 2 ** (bits - chains.stripeBits)
  const left = unfinished(parts, stripe)
  if (left !== 0) {
    if (pages.wordsAt(left) === own) return true
    pages.releaseFrom(at, left)
  }
  return pages.allocateInto(at, own, RunKind.chains) !== 0
}

/** Releases the array that was made for a stripe, which is locked, and is not in use. */
function releaseUnfinished(parts: TableParts, stripe: number): void {
  const left = unfinished(parts, stripe)
  const at = parts.stripes.at(stripe) + StripeWords.building
  if (left !== 0) parts.arena.space.pages.releaseFrom(at, left)
}

function releaseAllUnfinished(parts: TableParts): void {
  eachStripe(parts, (stripe) => {
    releaseUnfinished(parts, stripe)
    return true
  })
}

/**
 * The array that was made for a stripe, which is locked, and is not in use; 0: none. The last worker to
 * move the stripe may have died with a redo record for `building`. Its lock can be taken before its
 * reaper repairs the pages; done later, that record would undo what we do here.
 */
function unfinished(parts: TableParts, stripe: number): number {
  const { memory, pages } = parts.arena.space
  const at = parts.stripes.at(stripe) + StripeWords.building
  pages.recover()
  const left = memory.peek(at)
  if (left === 0 || left !== ownArray(parts, parts.chains.current(stripe), stripe)) return left
  // It was published, but its worker died before it said so.
  memory.store(at, 0)
  return 0
}

/** The run of these chains if it is the stripe's own, else 0. */
function ownArray({ chains }: TableParts, word: number, stripe: number): number {
  return chains.isShared(chainBits(word)) ? 0 : chains.runOf(word, stripe)
}

/**
 * Gives up the previous array of a stripe if its readers have left. True when there is none. The stripe
 * is locked.
 */
function collect(parts: TableParts, stripe: number): boolean {
  const { chains, smr, stripes } = parts
  const { memory, pages } = parts.arena.space
  const words = stripes.at(stripe)
  if (memory.peek(words + StripeWords.retired) === 0) return true
  // A worker that died while it released an array may have left a redo record that clears `retired`.
  pages.recover()
  const retired = memory.peek(words + StripeWords.retired)
  if (retired === 0) return true
  if (retired === chains.current(stripe)) {
    // Its worker died before it published the next array: this one is still current.
    memory.store(words + StripeWords.retired, 0)
    return true
  }
  // Its worker died before it stamped one.
  if (memory.peek(words + StripeWords.goal) === 0)
    memory.poke(words + StripeWords.goal, smr.stamp())
  if (!smr.expiredUrgently(memory.peek(words + StripeWords.goal) as Seq)) return false
  const own = ownArray(parts, retired, stripe)
  if (own === 0) memory.store(words + StripeWords.retired, 0)
  else pages.releaseFrom(words + StripeWords.retired, own)
  return true
}

/**
 * Resizing a table: a new array of chains, built with all stripes locked, published by one store.
 *
 * Readers never wait. Writers wait while all records are walked once. The previous array may still
 * have readers, and the new array needs the link words that it used: so a resize first waits, with
 * no lock held, until those readers have left.
 *
 * A death or an exception in the middle changes nothing that a reader sees: until the one store
 * that publishes it the new array is only `building`, and the next resize releases its pages.
 */

import { Exhausted, show } from '../base/errors.ts'
import type { Seq } from '../base/seq.ts'
import { ChainsWord, TableWords } from '../memory/layout.ts'
import { DEAF } from '../smr/goals.ts'
import { timeoutOf, until, type WaitOptions } from '../space/wait.ts'
import { relieve } from '../zone/pressure.ts'
import { bitsOf } from './chains.ts'
import type { TableParts } from './parts.ts'
import type { Stripes } from './stripes.ts'

const CALL = 'table.resize'

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
  // With no stripe locked: idle zones may give up pages.
  if ((outcome as Outcome) === 'no memory' && relieve(space, [2 ** bits])) {
    until(space, timeoutMs, attempted)
  }
  if ((outcome as Outcome) === 'done') return
  if ((outcome as Outcome) === 'no memory') {
    throw new Exhausted(`${CALL}: table ${show(parts.name)}: no memory for 2^${bits} chains`, {
      table: parts.name,
      chains: 2 ** bits,
    })
  }
  const why = space.locks.supervises && options?.timeoutMs === undefined ? DEAF : ''
  throw new Exhausted(
    `${CALL}: table ${show(parts.name)}: readers of the last resize have not left after ${timeoutMs} ms${why}`,
    { table: parts.name, timeoutMs },
  )
}

/** One try; 'readers': the previous array still has readers. */
function attempt(parts: TableParts, bits: number): Outcome {
  const { at, chains, smr, stripes } = parts
  const { memory, pages } = parts.arena.space
  return withStripes(stripes, 2 ** stripes.bits, () => {
    // The last worker to resize may have died with a redo record for these words. Its locks can be
    // taken before its reaper repairs the pages; done later, that record would undo what we do
    // here.
    pages.recover()
    if (!collect(parts)) return 'readers'
    const current = chains.current()
    const left = memory.peek(at + TableWords.building)
    if (left === (current & ChainsWord.pageMask)) memory.store(at + TableWords.building, 0)
    else if (left !== 0) chains.releaseFrom(at + TableWords.building)
    if (bitsOf(current) === bits) return 'done'
    const link = 1 - (current & ChainsWord.linkMask)
    const next = chains.makeInto(at + TableWords.building, bits, link)
    if (next === 0) return 'no memory'
    chains.thread(next)
    // First, because `retired` and a goal are read together. Two cases for a death in between: the
    // goal is 0, then the next resize stamps one; or it is stamped. Otherwise (the goal of the
    // resize before, long met, left there) the array would be released under its readers.
    memory.poke(at + TableWords.goal, 0)
    memory.poke(at + TableWords.retired, current)
    chains.publish(next)
    memory.poke(at + TableWords.goal, smr.stamp())
    memory.store(at + TableWords.building, 0)
    // Releases the old array now if it has no readers; else the next resize does.
    collect(parts)
    return 'done'
  })
}

/**
 * Releases the previous array if its readers have left. True when there is none. The first stripe
 * is locked.
 */
function collect(parts: TableParts): boolean {
  const { at, chains, smr } = parts
  const { memory } = parts.arena.space
  const retired = memory.peek(at + TableWords.retired)
  if (retired === 0) return true
  if (retired === chains.current()) {
    // Its worker died before it published the next array: this one is still current.
    memory.poke(at + TableWords.retired, 0)
    return true
  }
  // Its worker died before the stamp.
  if (memory.peek(at + TableWords.goal) === 0) memory.poke(at + TableWords.goal, smr.stamp())
  if (!smr.expiredUrgently(memory.peek(at + TableWords.goal) as Seq)) return false
  chains.releaseFrom(at + TableWords.retired)
  return true
}

/**
 * Runs `body` with the first `count` stripes locked, always in the same order. If it throws, the
 * next resize cleans up, and the next owner of each stripe counts its records.
 */
function withStripes<T>(stripes: Stripes, count: number, body: () => T): T {
  let held = 0
  let whole = true
  try {
    for (; held < count; held++) stripes.lock(held)
    whole = false
    const result = body()
    whole = true
    return result
  } finally {
    while (held > 0) stripes.release(--held, whole)
  }
}

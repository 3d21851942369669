/**
 * Resizing a table: a new array of chains, threaded with all stripes locked, published by one
 * store.
 *
 * Readers never wait. Writers do, for the time it takes to walk all records once. The array before
 * the current one may still have readers, and its links are the ones that the new array wants: so
 * a resize first waits, with no lock held, until these have left.
 *
 * A worker that dies in the middle, or is thrown out of it, has changed nothing that a reader sees:
 * until the one store that publishes, the new array is only `building`, and the next resize gives
 * its pages back.
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

/** What an attempt came to. */
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
  // With no stripe locked: idle zones may give up the pages that are missing.
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

/** One try; 'readers': some are still on the array before the current one. */
function attempt(parts: TableParts, bits: number): Outcome {
  const { at, chains, smr, stripes } = parts
  const { memory, pages } = parts.arena.space
  return withStripes(stripes, 2 ** stripes.bits, () => {
    // The last to resize may have died with pages promised to these words. His locks can be taken
    // before his reaper gets to the pages: kept later, the promise would undo what we do here.
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
    // First: whoever finds `retired` and a goal takes that for its goal. If we die in between there
    // is none, and the next resize makes one; otherwise it would be that of the resize before, long
    // met, and the array would go under its readers.
    memory.poke(at + TableWords.goal, 0)
    memory.poke(at + TableWords.retired, current)
    chains.publish(next)
    memory.poke(at + TableWords.goal, smr.stamp())
    memory.store(at + TableWords.building, 0)
    // If no reader is on it the old array goes back now; else the next resize sees to it.
    collect(parts)
    return 'done'
  })
}

/**
 * Gives the array before the current one back, if its readers have left. True when there is none
 * left. The first stripe is locked.
 */
function collect(parts: TableParts): boolean {
  const { at, chains, smr } = parts
  const { memory } = parts.arena.space
  const retired = memory.peek(at + TableWords.retired)
  if (retired === 0) return true
  if (retired === chains.current()) {
    // Whoever wrote it down died before he published the next array: it is not retired at all.
    memory.poke(at + TableWords.retired, 0)
    return true
  }
  // He died before it had a goal.
  if (memory.peek(at + TableWords.goal) === 0) memory.poke(at + TableWords.goal, smr.stamp())
  if (!smr.expiredUrgently(memory.peek(at + TableWords.goal) as Seq)) return false
  chains.releaseFrom(at + TableWords.retired)
  return true
}

/**
 * Runs `body` with the first `count` stripes locked, always taken in order. If it throws, what it
 * has left is for the next resize to finish, and for the next owner of each stripe to count.
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

/**
 * Statistics of a domain. They need no handle. Other workers' counters may be a moment old.
 */

import { delta, type Seq } from '../base/seq.ts'
import { DomainWords, ReaderWords } from '../memory/layout.ts'
import type { Space } from '../space/space.ts'

/** What `smr.stats()` returns: sums over all workers, since the domain was created. */
export interface SmrStats {
  /** The name of the domain. */
  readonly name: string
  /** What the write hand shows. */
  readonly wr: number
  /** What the read hand shows. */
  readonly rd: number
  /** Steps from the read hand to the write hand. */
  readonly lag: number
  /** Steps of the write hand, by whatever call. */
  readonly advances: number
  /** Advances that found the hands too far apart and gave a goal ahead instead. */
  readonly advanceWaits: number
  /** Polls of any kind. */
  readonly polls: number
  /** Polls that had to scan the readers. */
  readonly pollScans: number
  /** Polls that said no. */
  readonly pollFails: number
  /** Callbacks queued with `call`. */
  readonly calls: number
  /** Callbacks that wait. */
  readonly callsPending: number
  /** Callbacks that threw. */
  readonly callErrors: number
  /** Callbacks that will never run, since their worker left or died. */
  readonly callsLost: number
}

export function smrStats(space: Space, domain: number, name: string): SmrStats {
  const { memory } = space
  const sum = (offset: number): number => {
    let total = 0
    for (let slot = 0; slot < space.maxWorkers; slot++) {
      total += memory.tallied(domain + DomainWords.WORDS + slot * ReaderWords.WORDS + offset)
    }
    return total
  }
  // `calls` is summed first and `callsRun` last: a callback that runs meanwhile is not counted
  // lost.
  const calls = sum(ReaderWords.calls)
  let callsPending = 0
  for (let slot = 0; slot < space.maxWorkers; slot++) {
    const reader = domain + DomainWords.WORDS + slot * ReaderWords.WORDS
    // `completed` is loaded first: what completes meanwhile was queued before, so none is negative.
    const completed = memory.load(reader + ReaderWords.completed)
    callsPending += (memory.load(reader + ReaderWords.queued) - completed) | 0
  }
  const rd = memory.load(domain + DomainWords.rd) as Seq
  const wr = memory.load(domain + DomainWords.wr) as Seq
  return {
    name,
    wr,
    rd,
    lag: delta(wr, rd) / memory.peek(domain + DomainWords.step),
    advances: sum(ReaderWords.advances),
    advanceWaits: sum(ReaderWords.advanceWaits),
    polls: sum(ReaderWords.polls),
    pollScans: sum(ReaderWords.pollScans),
    pollFails: sum(ReaderWords.pollFails),
    calls,
    callsPending,
    callErrors: sum(ReaderWords.callErrors),
    callsLost: Math.max(0, calls - callsPending - sum(ReaderWords.callsRun)),
  }
}

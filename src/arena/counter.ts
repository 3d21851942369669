/**
 * A counter that all workers add to, without a lock and without touching one another's words: each
 * slot has a share of its own, and the value is their sum.
 *
 * A worker that dies takes nothing with it. Two cases for the share of its slot: nobody has the
 * slot, then the share stays as it is; or a successor has, then that has claimed the slot after the
 * dead one was reaped, and goes on from what it left. So no reaper has to do anything. Otherwise (a
 * share that a new worker clears) what a dead worker has added would be lost. An addition is one
 * store, so a death in it has either added or not.
 *
 * Kernels: counter(9), and zones with UMA_ZONE_PCPU.
 */

import { Misuse, show } from '../base/errors.ts'
import { INSPECT, inOneLine, type Summary, summary } from '../base/inspect.ts'
import { CounterWords, Named, RunKind } from '../memory/layout.ts'
import { BYTES_PER_WORD, type Memory } from '../memory/memory.ts'
import type { Space } from '../space/space.ts'
import { relieve } from '../zone/pressure.ts'
import { noMemory } from '../zone/shortage.ts'

const CALL = 'arena.counter'

export function openCounter(space: Space, name: string): Counter {
  const words = space.maxWorkers * CounterWords.WORDS
  const open = () => space.directory.open(CALL, Named.counter, name, () => build(space, words))
  const found = open() ?? (relieve(space, [words]) ? open() : undefined)
  if (found !== undefined) return new Counter(space, name, found.address)
  const what = `${CALL}: no memory for counter ${show(name)}`
  throw noMemory(space, what, words * BYTES_PER_WORD, { counter: name })
}

function build({ memory, pages }: Space, words: number): number {
  const at = pages.reserve(words)
  if (at === 0) return 0
  memory.fill(at, words, 0)
  pages.publish(at, RunKind.counter)
  return at
}

/** One counter, as one worker holds it. Get it with `arena.counter(name)`. */
export class Counter {
  /** The name that `arena.counter` was called with. */
  readonly name: string
  private readonly space: Space
  private readonly memory: Memory
  private readonly at: number
  private readonly own: number

  /** @internal */
  constructor(space: Space, name: string, at: number) {
    this.name = name
    this.space = space
    this.memory = space.memory
    this.at = at
    this.own = at + space.slot * CounterWords.WORDS + CounterWords.sum
  }

  /**
   * Adds `n`, a safe integer, which may be negative; default 1. Misuse for anything else, and when
   * this worker has left. Never blocks; legal inside a section, and under a lock.
   */
  add(n = 1): void {
    this.space.assertOpen('counter.add')
    if (!Number.isSafeInteger(n))
      throw new Misuse(`counter.add: counter ${show(this.name)}: n is ${show(n)}; give an integer`)
    this.memory.tally(this.own, n)
  }

  /**
   * The sum of what all workers have added, those that have left or died as well. Has every
   * addition that happened before this call: by this worker, or by one from which it has heard
   * since. Others that are under way may be in it or not. Exact up to 2^53. Misuse when this worker
   * has left. Never blocks; legal anywhere else.
   */
  get value(): number {
    this.space.assertOpen('counter.value')
    let sum = 0
    for (let slot = 0; slot < this.space.maxWorkers; slot++) {
      sum += this.memory.tallied(this.at + slot * CounterWords.WORDS + CounterWords.sum)
    }
    return sum
  }

  /** What `JSON.stringify` shows. @internal */
  toJSON(): Summary {
    return summary('Counter', this.name, () => {
      return this.space.isOpen ? { value: this.value } : undefined
    })
  }

  /** What `console.log` shows. @internal */
  [INSPECT](): string {
    return inOneLine(this.toJSON())
  }
}

/**
 * Who decides: three ways of choosing the next thread.
 *
 * The engine asks at every point where more than one thread could go on (and at every other choice,
 * such as whether a delayed store is visible yet). A strategy answers; it knows nothing of memory.
 *
 *   DepthFirst  all answers, one after the other. A schedule is the path of its answers; the next
 *               one keeps the path up to the last choice with an untried answer. States that were
 *               reached before are cut off (see hash.ts).
 *   Random      every other schedule PCT: threads get random priorities, the highest that is ready
 *               runs, and at d - 1 random moments the running one drops to the bottom. A bug that
 *               needs d ordering decisions among n threads and k steps is met with probability
 *               1 / (n * k^(d-1)) or better. (Burckhardt et al., "A Randomized Scheduler with
 *               Probabilistic Guarantees of Finding Bugs".) In between, random walks that tend to
 *               go on: no guarantee, but in small programs often the first to find something.
 *   Replay      the answers of a given string, then whatever comes first.
 */

import { Visited } from './hash.ts'

export interface Strategy {
  /** Whether there is another schedule to run; called before each. */
  start(): boolean
  /** Picks a thread from the set bits of `mask`; `last` is the one that runs now, or -1. */
  thread(mask: number, last: number): number
  /** Picks one of `n` answers; of `rare` ones, mostly the first. */
  data(n: number, rare?: boolean): number
  /** Whether this state, at this price, needs no further look. */
  seen(a: number, b: number, price: number): boolean
  /** Whether `seen` wants to be asked: fingerprints cost time. */
  readonly prunes: boolean
}

/** The answer of a strategy whose plan asks for what cannot be. */
export const MISFIT: number = -1

function lowest(mask: number): number {
  return 31 - Math.clz32(mask & -mask)
}

function bits(mask: number): number {
  let count = 0
  for (let left = mask; left !== 0; left &= left - 1) count++
  return count
}

export class DepthFirst implements Strategy {
  readonly prunes: boolean
  readonly visited = new Visited()
  private readonly chosen: number[] = []
  private readonly untried: number[] = []
  private depth = 0
  private planned = 0
  private fresh = true

  constructor(prunes: boolean) {
    this.prunes = prunes
  }

  start(): boolean {
    if (!this.fresh && !this.backtrack()) return false
    this.fresh = false
    this.depth = 0
    return true
  }

  thread(mask: number, last: number): number {
    return this.next(mask, last < 0 ? lowest(mask) : last)
  }

  data(n: number): number {
    return this.next(2 ** n - 1, 0)
  }

  seen(a: number, b: number, price: number): boolean {
    return this.depth >= this.planned && this.visited.seen(a, b, price)
  }

  private next(mask: number, first: number): number {
    const place = this.depth++
    if (place < this.planned) {
      const planned = this.chosen[place] as number
      return (mask & (1 << planned)) === 0 ? MISFIT : planned
    }
    this.chosen[place] = first
    this.untried[place] = mask & ~(1 << first)
    return first
  }

  private backtrack(): boolean {
    let length = this.depth
    while (length > 0 && this.untried[length - 1] === 0) length--
    if (length === 0) return false
    const untried = this.untried[length - 1] as number
    const answer = lowest(untried)
    this.chosen[length - 1] = answer
    this.untried[length - 1] = untried & ~(1 << answer)
    this.planned = length
    return true
  }
}

/** Small, fast and good enough: Mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let z = Math.imul(state ^ (state >>> 15), 1 | state)
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32
  }
}

const FIRST_LENGTH = 20
/** How readily a random walk switches. */
const RESTLESS = 0.3
/** How readily it lets happen what need not: one of these, so that it comes early or late. */
const RARELY = [0.3, 0.1, 0.03, 0.01, 0.003] as const

export class Random implements Strategy {
  readonly prunes = false
  private readonly random: () => number
  private readonly schedules: number
  private readonly maxDepth: number
  private readonly priorities: number[]
  private drops: number[] = []
  private run = 0
  private place = 0
  private longest = FIRST_LENGTH
  private rarely = 0

  constructor(threads: number, schedules: number, seed: number, maxDepth: number) {
    this.random = randomFrom(seed)
    this.schedules = schedules
    this.maxDepth = maxDepth
    this.priorities = Array.from({ length: threads }, () => 0)
  }

  start(): boolean {
    if (this.run === this.schedules) return false
    this.longest = Math.max(this.longest, this.place)
    this.place = 0
    const { priorities } = this
    for (let t = 0; t < priorities.length; t++) priorities[t] = 1 + this.random()
    const drops = (this.run >> 1) % this.maxDepth
    this.drops = Array.from({ length: drops }, () => Math.floor(this.random() * this.longest))
    this.rarely = RARELY[this.run % RARELY.length] as number
    this.run++
    return true
  }

  thread(mask: number, last: number): number {
    const { priorities } = this
    const place = this.place++
    if ((this.run & 1) === 0) return this.walk(mask, last)
    const drop = this.drops.indexOf(place)
    if (drop >= 0 && last >= 0) priorities[last] = -drop - 1
    let best = lowest(mask)
    for (let t = best + 1; t < priorities.length; t++) {
      if ((mask & (1 << t)) !== 0 && (priorities[t] as number) > (priorities[best] as number)) {
        best = t
      }
    }
    return best
  }

  data(n: number, rare = false): number {
    if (rare && this.random() >= this.rarely) return 0
    return Math.floor(this.random() * n)
  }

  private walk(mask: number, last: number): number {
    if (last >= 0 && this.random() >= RESTLESS) return last
    let left = mask
    for (let skip = this.data(bits(mask)); skip > 0; skip--) left &= left - 1
    return lowest(left)
  }

  seen(): boolean {
    return false
  }
}

export class Replay implements Strategy {
  readonly prunes = false
  private readonly choices: readonly number[]
  private readonly isData: (choice: number) => boolean
  private place = 0
  private started = false

  constructor(choices: readonly number[], isData: (choice: number) => boolean) {
    this.choices = choices
    this.isData = isData
  }

  start(): boolean {
    const first = !this.started
    this.started = true
    return first
  }

  thread(mask: number, last: number): number {
    const choice = this.choices[this.place++]
    if (choice === undefined) return last < 0 ? lowest(mask) : last
    return !this.isData(choice) && (mask & (1 << choice)) !== 0 ? choice : MISFIT
  }

  data(n: number): number {
    const choice = this.choices[this.place++]
    if (choice === undefined) return 0
    const answer = -1 - choice
    return this.isData(choice) && answer < n ? answer : MISFIT
  }

  seen(): boolean {
    return false
  }
}

/**
 * The blocks of a heap that are too large for a zone: each is a run of pages of its own, with a
 * header.
 *
 *   take      a run of pages, its header, published as a block of this heap
 *   release   back to the arena at once, for blocks that no reader can see
 *   retire    stamped with a goal, and into the list; back to the arena when the goal is met
 *
 * The page table and the headers are the truth: whose block a run is, and whether it is being made,
 * live or retired. The list and the counts are an index over them, made again by the next owner of
 * the lock after a death or an exception under it. What is being made then is nobody's, and goes
 * back. So a worker that dies loses the block that it was about to be given to nobody, and one that
 * it has in its hands stays live, as an item of a zone does, unless it was taken for a table's record.
 *
 * A free finds the header without the lock, as every free of a zone finds its slab; both reads race
 * with workers that give pages back. Two cases: the caller holds the block rightly, then nobody
 * else changes its entry and its header, and both were written before it was handed out; or it does
 * not, then it is refused as well as the state under the lock can tell. Otherwise (a lock for the
 * first read too) nothing would be refused that is not refused now.
 */

import { Corruption, type Facts } from '../base/errors.ts'
import { delta, lt, type Seq } from '../base/seq.ts'
import { HeapWords, RunKind, RunState, RunWords } from '../memory/layout.ts'
import { BYTES_PER_WORD, type Memory } from '../memory/memory.ts'
import type { Smr } from '../smr/domain.ts'
import { type Run, sizeOf } from '../space/pageEntry.ts'
import type { Space } from '../space/space.ts'

/** Why a block was refused. */
export type Refusal = 'foreign' | 'free'

/** What a caller has to free yet. */
export interface Hands {
  held: number
}

/** Counts of a heap's runs, each possibly a moment old. */
export interface RunCounts {
  readonly live: number
  readonly livePages: number
  readonly retired: number
  readonly retiredPages: number
}

export class Runs {
  private readonly space: Space
  private readonly memory: Memory
  private readonly at: number
  private readonly domain: Smr | undefined
  /** The lock's name in errors, and what its next owner does after a death. */
  private readonly what: string
  private readonly whenDead = (): void => this.repair()
  /**
   * A run that was made live and not returned yet: set right after the store that does it. If an
   * exception came in between, the next call gives it back.
   */
  private given = 0
  constructor(space: Space, at: number, name: string, domain: Smr | undefined) {
    this.space = space
    this.memory = space.memory
    this.at = at
    this.domain = domain
    this.what = `heap ${JSON.stringify(name)} runs`
  }

  // ---- blocks come and go ------------------------------------------------------------------

  /** Words of the run for a block of so many bytes. */
  wordsFor(bytes: number): number {
    return RunWords.WORDS + Math.ceil(bytes / BYTES_PER_WORD)
  }

  /**
   * A block of so many bytes, 0 when there are no pages. The word at `into`, if that is not 0, names it
   * from before it is live. After a death the header tells whether it is still the block that the word
   * was about: each word is in the hands of one worker.
   */
  take(bytes: number, into = 0): number {
    const { memory, space } = this
    if (this.given !== 0) this.takeBack()
    const block = this.locked(() => {
      const run = space.pages.reserve(this.wordsFor(bytes))
      if (run === 0) return 0
      memory.poke(run + RunWords.heap, this.at)
      memory.poke(run + RunWords.bytes, bytes)
      memory.poke(run + RunWords.goal, 0)
      memory.poke(run + RunWords.holder, into)
      memory.poke(run + RunWords.state, RunState.made)
      // Two cases for a death or an exception after this: the state is `made`, then `repair` gives
      // the run back; or it is `live`, then the block counts as handed out. Otherwise (live before
      // it is published) there is no time at which it could be told from one that is.
      space.pages.publish(run, RunKind.block)
      if (into !== 0) memory.poke(into, run + RunWords.WORDS)
      memory.poke(run + RunWords.state, RunState.live)
      this.given = run
      this.countLive(run, 1)
      return run + RunWords.WORDS
    })
    this.given = 0
    return block
  }

  private takeBack(): void {
    const run = this.given
    this.locked(() => {
      // With another state it was given back, and an exception came after that.
      if (this.runOf(run + RunWords.WORDS) === run && this.isLive(run)) {
        this.countLive(run, -1)
        this.space.pages.release(run)
      }
      this.given = 0
    })
  }

  /**
   * Gives a block back that no reader can see. Returns why not. `hands` as in `retire`; `holder`: only if
   * it was taken into that word.
   */
  release(block: number, hands: Hands = { held: 0 }, holder = 0): Refusal | undefined {
    const { memory } = this
    const run = this.runOf(block)
    if (run === 0) return 'foreign'
    if (this.given !== 0) this.takeBack()
    return this.locked(() => {
      if (this.runOf(block) !== run || !this.isLive(run)) return 'free'
      if (holder !== 0 && memory.peek(run + RunWords.holder) !== holder) return 'free'
      // From here on `repair` gives it back.
      memory.poke(run + RunWords.state, RunState.made)
      hands.held--
      this.countLive(run, -1)
      this.space.pages.release(run)
      return undefined
    })
  }

  /**
   * Gives a block back when its readers have left. Returns why not. One is taken from what `hands`
   * hold right after the store that retires it, with no call in between where an exception could
   * come: so the caller knows whether a call that was cut off has retired it. `holder` as in `release`.
   */
  retire(block: number, hands: Hands = { held: 0 }, holder = 0): Refusal | undefined {
    const { memory } = this
    const domain = this.domain as Smr
    const run = this.runOf(block)
    if (run === 0) return 'foreign'
    if (this.given !== 0) this.takeBack()
    domain.makeRoom()
    return this.locked(() => {
      if (this.runOf(block) !== run || !this.isLive(run)) return 'free'
      if (holder !== 0 && memory.peek(run + RunWords.holder) !== holder) return 'free'
      // Stamped under the lock, so goals stand in the list in their order.
      memory.poke(run + RunWords.goal, domain.stamp())
      memory.poke(run + RunWords.state, RunState.retired)
      hands.held--
      this.countLive(run, -1)
      this.append(run)
      return undefined
    })
  }

  /**
   * Gives retired runs whose readers have left back to the arena. Returns how many. Each is polled
   * under the lock, right before it leaves the list. Two cases: the poll says yes, then every reader
   * that could see the block has left, whichever worker retired it; or it says no, and the run stays.
   * Otherwise (a poll before locking, used for another head) a run could go whose own goal was not
   * polled.
   */
  collect(urgent = false): number {
    const { domain, memory } = this
    if (this.given !== 0) this.takeBack()
    const oldest = memory.load(this.at + HeapWords.oldest)
    if (domain === undefined || oldest === 0) return 0
    const isMet = (goal: number): boolean =>
      urgent ? domain.expiredUrgently(goal as Seq) : domain.expired(goal as Seq)
    if (!isMet(oldest)) return 0
    return this.locked(() => {
      let released = 0
      for (let run = this.get(HeapWords.head); run !== 0; run = this.get(HeapWords.head)) {
        if (!isMet(memory.peek(run + RunWords.goal))) break
        this.behead(run)
        this.space.pages.release(run)
        released++
      }
      return released
    })
  }

  /** Gives every run back, live or not: the end of the heap. */
  abolish(): void {
    this.locked(() => {
      for (const { base } of this.all()) this.space.pages.release(base)
    })
  }

  // ---- queries -----------------------------------------------------------------------------

  /** The run of a block of this heap, live or not; 0 if `block` is none. */
  runOf(block: number): number {
    const run = typeof block === 'number' ? block - RunWords.WORDS : 0
    if (run === 0 || this.space.pages.find(run, RunKind.block) !== run) return 0
    return this.memory.peekRacy(run + RunWords.heap) === this.at ? run : 0
  }

  /** Bytes that fit into the block at the end of this run's header. */
  roomIn(run: number): number {
    return (this.space.pages.wordsAt(run) - RunWords.WORDS) * BYTES_PER_WORD
  }

  /** Blocks that are in use. */
  liveBlocks(): number[] {
    return this.watched(() =>
      this.all()
        .filter(({ base }) => this.isLive(base))
        .map(({ base }) => base + RunWords.WORDS),
    )
  }

  /** For print. */
  counts(): RunCounts {
    const { at, memory } = this
    return {
      live: memory.peekRacy(at + HeapWords.live),
      livePages: memory.peekRacy(at + HeapWords.livePages),
      retired: memory.peekRacy(at + HeapWords.retired),
      retiredPages: memory.peekRacy(at + HeapWords.retiredPages),
    }
  }

  /** Conservation: the counts and the list say what the headers say. */
  check(): void {
    this.watched(() => {
      const { memory } = this
      const found = { live: 0, livePages: 0, retired: 0, retiredPages: 0 }
      for (const { base, order } of this.all()) {
        const isLive = this.isLive(base)
        found[isLive ? 'live' : 'retired']++
        found[isLive ? 'livePages' : 'retiredPages'] += sizeOf(order)
      }
      let listed = 0
      let before: Seq | undefined
      for (let run = this.get(HeapWords.head); run !== 0 && listed <= found.retired; listed++) {
        const goal = memory.peek(run + RunWords.goal) as Seq
        if (before !== undefined && lt(goal, before)) throw this.damaged({ run, goal, before })
        before = goal
        run = memory.peek(run + RunWords.next)
      }
      const counts = this.counts()
      const isSame = (Object.keys(found) as (keyof RunCounts)[]).every(
        (each) => found[each] === counts[each],
      )
      if (!isSame || listed !== found.retired) throw this.damaged({ ...counts, listed })
    })
  }

  // ---- under the lock ----------------------------------------------------------------------

  private lock(): void {
    this.space.locks.acquireAndRepair(this.at + HeapWords.lock, this.what, this.whenDead)
  }

  /** Runs `body` with the lock held. If it throws, the next owner repairs. */
  private locked<T>(body: () => T): T {
    this.lock()
    let whole = false
    try {
      const result = body()
      whole = true
      return result
    } finally {
      this.space.locks.release(this.at + HeapWords.lock, whole)
    }
  }

  /** `locked` for a body that changes nothing. */
  private watched<T>(body: () => T): T {
    this.lock()
    try {
      return body()
    } finally {
      this.space.locks.release(this.at + HeapWords.lock, true)
    }
  }

  /** Every run of this heap. A header is written before its run is published, as that of a slab. */
  private all(): Run[] {
    const { memory } = this
    return this.space.pages.runs(
      ({ base, state, who }) =>
        state === 'used' && who === RunKind.block && memory.peek(base + RunWords.heap) === this.at,
    )
  }

  /** After a death under the lock: what was being made goes back, the rest is listed again. */
  private repair(): void {
    const { memory } = this
    const retired: number[] = []
    const words = ['head', 'tail', 'live', 'livePages', 'retired', 'retiredPages'] as const
    for (const word of words) this.set(HeapWords[word], 0)
    memory.store(this.at + HeapWords.oldest, 0)
    for (const { base } of this.all()) {
      const state = memory.peek(base + RunWords.state)
      if (state === RunState.made) this.space.pages.release(base)
      else if (state === RunState.live) this.countLive(base, 1)
      else retired.push(base)
    }
    const goalOf = (run: number): Seq => memory.peek(run + RunWords.goal) as Seq
    for (const run of retired.sort((a, b) => delta(goalOf(a), goalOf(b)))) this.append(run)
  }

  private isLive(run: number): boolean {
    return this.memory.peek(run + RunWords.state) === RunState.live
  }

  private countLive(run: number, by: 1 | -1): void {
    this.add(HeapWords.live, by)
    this.add(HeapWords.livePages, by * this.pagesOf(run))
  }

  /** Puts a stamped run behind the last. */
  private append(run: number): void {
    const { memory } = this
    const tail = this.get(HeapWords.tail)
    memory.poke(run + RunWords.next, 0)
    if (tail === 0) {
      this.set(HeapWords.head, run)
      memory.store(this.at + HeapWords.oldest, memory.peek(run + RunWords.goal))
    } else memory.poke(tail + RunWords.next, run)
    this.set(HeapWords.tail, run)
    this.add(HeapWords.retired, 1)
    this.add(HeapWords.retiredPages, this.pagesOf(run))
  }

  /** Takes the first run, which is `run`, out of the list. */
  private behead(run: number): void {
    const { memory } = this
    const next = memory.peek(run + RunWords.next)
    this.set(HeapWords.head, next)
    if (next === 0) this.set(HeapWords.tail, 0)
    const oldest = next === 0 ? 0 : memory.peek(next + RunWords.goal)
    memory.store(this.at + HeapWords.oldest, oldest)
    this.add(HeapWords.retired, -1)
    this.add(HeapWords.retiredPages, -this.pagesOf(run))
  }

  private pagesOf(run: number): number {
    return sizeOf(this.space.pages.orderAt(run))
  }

  private damaged(facts: Facts): Corruption {
    return new Corruption(`${this.what}: its large blocks are not conserved`, facts)
  }

  private get(word: number): number {
    return this.memory.peek(this.at + word)
  }

  private set(word: number, value: number): void {
    this.memory.poke(this.at + word, value)
  }

  private add(word: number, by: number): void {
    this.set(word, this.get(word) + by)
  }
}

/**
 * When the write hand moves: the three clocks.
 *
 *   default    at every advance. The goal is where the hand then stands.
 *   deferred   at every `limit`-th advance of a worker. The others get a goal one step ahead, and
 *              leave it to a later advance, a wait or a `commit` to move the hand there.
 *   lazy       with time: at most one step per tick, made by any worker that polls or advances.
 *              The goal lies two ticks ahead; no call moves the hand for it, only time.
 *
 * Safety is the same for all: a goal is taken by a read-modify-write of the write hand [W] and is
 * later than what the hand showed, so the caller's unlink happens before the step that reaches the
 * goal. They differ in which call pays for that step, and in how long it takes to come.
 *
 * At the wrap guard none of them moves the hand. The default and the deferred clock then give a
 * goal one step ahead, although their caller did not ask for a deferred one. The domain remembers
 * (`owed`) that such goals exist, and from then on polls commit them themselves; otherwise they
 * could stay ahead of the hand for ever. (FreeBSD spins instead, in the thread that frees.)
 *
 * FreeBSD keeps tick and sequence of a lazy clock in one 64-bit word. Here they are two words. The
 * worker whose CAS moves the tick also moves the hand, by a CAS from the value that it loaded
 * before the tick. If it is descheduled in between and others move the hand, its CAS fails and a
 * tick is lost: the hand lags, which delays and does no harm. Otherwise (an add) late steps could
 * pile up beyond the wrap guard.
 */

import { forward, type Seq } from '../base/seq.ts'
import { DomainWords, ReaderWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Clock } from './clock.ts'
import { CLOCKS } from './options.ts'

/** A lazy goal lies two ticks ahead; and the hand takes at most two steps at once. */
const GRACE_TICKS = 2
/** A tick this little behind is taken for a difference of two workers' clocks. */
const SKEW_TICKS = 2

export interface Pace {
  /** How far ahead of the write hand, in sequence numbers, a goal of this clock may lie. */
  readonly reach: number
  /** Whether this clock gives goals ahead of the hand on purpose, to advance less often. */
  readonly defers: boolean
  /** Milliseconds per tick of a lazy clock, else 0. */
  readonly tickMs: number
  /**
   * The goal for what the caller has unlinked so far. The steps that the hand made for it are
   * counted for this worker, and also in the tally `countAt` of the caller's, if that is not 0.
   */
  goal(countAt?: number): Seq
  /** Moves a lazy clock to the present tick. Called before every poll. */
  pass(): void
  /** Moves the hand from `wr` to a goal ahead of it, unless only time moves this clock. */
  moveTo(wr: Seq, goal: Seq): void
}

/** `reader`: the words of this worker in the domain, where its steps are counted. */
export function paceOf(memory: Memory, domain: number, clock: Clock, reader: number): Pace {
  switch (CLOCKS[memory.peek(domain + DomainWords.clock)]) {
    case 'deferred':
      return new DeferredPace(memory, domain, clock, reader)
    case 'lazy':
      return new LazyPace(memory, domain, clock, reader)
    default:
      return new DefaultPace(memory, domain, clock, reader)
  }
}

/** What all clocks count. */
abstract class Counting {
  protected readonly memory: Memory
  protected readonly clock: Clock
  private readonly reader: number

  constructor(memory: Memory, clock: Clock, reader: number) {
    this.memory = memory
    this.clock = clock
    this.reader = reader
  }

  protected count(steps: number): void {
    if (steps > 0) this.memory.tally(this.reader + ReaderWords.advances, steps)
  }

  /** Counts what was done for a goal, and returns the goal. */
  protected counted(goal: Seq, steps: number, countAt: number): Seq {
    this.count(steps)
    if (steps === 0 && !this.clock.hasRoom())
      this.memory.tally(this.reader + ReaderWords.advanceWaits, 1)
    if (countAt !== 0) this.memory.tally(countAt, steps)
    return goal
  }
}

class DefaultPace extends Counting implements Pace {
  readonly reach: number
  readonly defers: boolean = false
  readonly tickMs = 0
  private readonly owedAt: number

  constructor(memory: Memory, domain: number, clock: Clock, reader: number) {
    super(memory, clock, reader)
    this.reach = clock.step
    this.owedAt = domain + DomainWords.owed
  }

  goal(countAt = 0): Seq {
    if (this.clock.hasRoom()) return this.counted(this.clock.advance(), 1, countAt)
    // Stored before the goal is given away, so every poller of this goal finds the word set, and
    // moves the hand itself. Otherwise the goal could stay ahead of the hand for ever. If we die
    // here, nobody has the goal.
    this.memory.store(this.owedAt, 1)
    return this.counted(this.clock.ahead(1), 0, countAt)
  }

  pass(): void {}

  moveTo(wr: Seq, goal: Seq): void {
    if (this.clock.commit(wr, goal)) this.count(1)
  }
}

class DeferredPace extends DefaultPace {
  override readonly defers: boolean = true
  private readonly limit: number
  /** Advances since this worker last moved the hand. Private: a death loses it, without harm. */
  private deferred = 0

  constructor(memory: Memory, domain: number, clock: Clock, reader: number) {
    super(memory, domain, clock, reader)
    this.limit = memory.peek(domain + DomainWords.limit)
  }

  override goal(countAt = 0): Seq {
    this.deferred++
    if (this.deferred < this.limit) return this.counted(this.clock.ahead(1), 0, countAt)
    this.deferred = 0
    return super.goal(countAt)
  }
}

class LazyPace extends Counting implements Pace {
  readonly reach: number
  readonly defers: boolean = true
  private readonly tickAt: number
  readonly tickMs: number

  constructor(memory: Memory, domain: number, clock: Clock, reader: number) {
    super(memory, clock, reader)
    this.reach = GRACE_TICKS * clock.step
    this.tickAt = domain + DomainWords.tick
    this.tickMs = memory.peek(domain + DomainWords.tickMs)
  }

  goal(countAt = 0): Seq {
    const steps = this.catchUp()
    return this.counted(this.clock.ahead(GRACE_TICKS), steps, countAt)
  }

  pass(): void {
    this.count(this.catchUp())
  }

  /** Moves the hand to the present tick. Returns its steps. */
  private catchUp(): number {
    const { clock, memory } = this
    // The present tick last: what is read later can only be later, so however long we are descheduled
    // before, no time is counted twice. Hand and old tick may be read in either order: if one of them
    // has moved since, a CAS fails.
    const wr = clock.wr()
    const before = memory.load(this.tickAt)
    const now = tickOf(memory, this.tickMs)
    const passed = (now - before) | 0
    // Workers' clocks differ a little, so a tick just behind counts as none. One far behind means
    // that the clock was set back: waiting until it gets there again would take too long.
    if (passed === 0 || (passed < 0 && passed >= -SKEW_TICKS)) return 0
    if (!clock.hasRoom() || memory.cas(this.tickAt, before, now) !== before) return 0
    const steps = passed < 0 || passed > GRACE_TICKS ? GRACE_TICKS : passed
    return clock.commit(wr, forward(wr, steps * clock.step)) ? steps : 0
  }

  moveTo(): void {} // Only time moves this clock.
}

/** The present tick, modulo 2^32. */
export function tickOf(memory: Memory, tickMs: number): number {
  return Math.floor(memory.now() / tickMs) | 0
}

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
import { DomainWords } from '../memory/layout.ts'
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
  readonly keeps: boolean
  /** Milliseconds per tick of a lazy clock, else 0. */
  readonly tickMs: number
  /** Steps of the write hand that the last `goal`, `moveTo` or `pass` made. */
  steps: number
  /** The goal for what the caller has unlinked so far. */
  goal(): Seq
  /** Moves a lazy clock to the present tick. Called before every poll. */
  pass(): void
  /** Moves the hand from `wr` to a goal ahead of it, unless only time moves this clock. */
  moveTo(wr: Seq, goal: Seq): void
}

export function paceOf(memory: Memory, domain: number, clock: Clock): Pace {
  switch (CLOCKS[memory.peek(domain + DomainWords.clock)]) {
    case 'deferred':
      return new DeferredPace(memory, domain, clock)
    case 'lazy':
      return new LazyPace(memory, domain, clock)
    default:
      return new DefaultPace(memory, domain, clock)
  }
}

class DefaultPace implements Pace {
  readonly reach: number
  readonly keeps: boolean = false
  readonly tickMs = 0
  steps = 0
  protected readonly clock: Clock
  private readonly memory: Memory
  private readonly owedAt: number

  constructor(memory: Memory, domain: number, clock: Clock) {
    this.memory = memory
    this.clock = clock
    this.reach = clock.step
    this.owedAt = domain + DomainWords.owed
  }

  goal(): Seq {
    this.steps = 0
    if (this.clock.hasRoom()) {
      this.steps = 1
      return this.clock.advance()
    }
    // Stored before the goal is given away, so every poller of this goal finds the word set, and
    // moves the hand itself. Otherwise the goal could stay ahead of the hand for ever. If we die
    // here, nobody has the goal.
    this.memory.store(this.owedAt, 1)
    return this.clock.ahead(1)
  }

  pass(): void {
    this.steps = 0
  }

  moveTo(wr: Seq, goal: Seq): void {
    this.steps = this.clock.commit(wr, goal) ? 1 : 0
  }
}

class DeferredPace extends DefaultPace {
  override readonly keeps: boolean = true
  private readonly limit: number
  /** Advances since this worker last moved the hand. Private: a death loses it, without harm. */
  private deferred = 0

  constructor(memory: Memory, domain: number, clock: Clock) {
    super(memory, domain, clock)
    this.limit = memory.peek(domain + DomainWords.limit)
  }

  override goal(): Seq {
    this.deferred++
    if (this.deferred < this.limit) {
      this.steps = 0
      return this.clock.ahead(1)
    }
    this.deferred = 0
    return super.goal()
  }
}

class LazyPace implements Pace {
  readonly reach: number
  readonly keeps: boolean = true
  steps = 0
  private readonly memory: Memory
  private readonly clock: Clock
  private readonly tickAt: number
  readonly tickMs: number

  constructor(memory: Memory, domain: number, clock: Clock) {
    this.memory = memory
    this.clock = clock
    this.reach = GRACE_TICKS * clock.step
    this.tickAt = domain + DomainWords.tick
    this.tickMs = memory.peek(domain + DomainWords.tickMs)
  }

  goal(): Seq {
    this.pass()
    return this.clock.ahead(GRACE_TICKS)
  }

  pass(): void {
    const { clock, memory } = this
    this.steps = 0
    // In this order: the hand, the old tick, the present tick. What is read later can only be
    // later, so however long we are descheduled in between, no time is counted twice.
    const wr = clock.wr()
    const before = memory.load(this.tickAt)
    const now = tickOf(memory, this.tickMs)
    const passed = (now - before) | 0
    // Workers' clocks differ a little, so a tick just behind counts as none. One far behind means
    // that the clock was set back: waiting until it gets there again would take too long.
    if (passed === 0 || (passed < 0 && passed >= -SKEW_TICKS)) return
    if (!clock.hasRoom() || memory.cas(this.tickAt, before, now) !== before) return
    const steps = passed < 0 || passed > GRACE_TICKS ? GRACE_TICKS : passed
    if (clock.commit(wr, forward(wr, steps * clock.step))) this.steps = steps
  }

  moveTo(): void {
    this.steps = 0 // Only time moves this clock.
  }
}

/** The present tick, modulo 2^32. */
export function tickOf(memory: Memory, tickMs: number): number {
  return Math.floor(memory.now() / tickMs) | 0
}

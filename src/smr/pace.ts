/**
 * When the write hand moves: the three clocks.
 *
 *   default    at every advance. The goal is where the hand then stands.
 *   deferred   at every `limit`-th advance of a worker. The others get a goal one step ahead, and
 *              leave it to a later advance, a wait or a `commit` to move the hand there.
 *   lazy       with time: at most one step per tick, whoever polls or advances. The goal lies two
 *              ticks ahead; nobody ever has to move the hand for it, only time has to pass.
 *
 * For safety they are one: a goal is taken by a read-modify-write of the write hand [W] and is later
 * than what the hand showed, so the caller's unlink happens before the step that reaches the goal.
 * They differ in who pays for that step, and in how long it takes until the hand gets there.
 *
 * At the wrap guard none of them moves the hand. The default and the deferred clock then give a goal
 * one step ahead which their caller never asked to be deferred; the domain remembers that it owes
 * somebody a step, and from then on polls commit such goals themselves, or they could stay ahead of
 * the hand for ever. (FreeBSD spins instead, in whoever frees.)
 *
 * FreeBSD keeps tick and sequence of a lazy clock in one 64-bit word. Two words do: whoever's CAS
 * moves the tick moves the hand, by a CAS from where he saw it before he looked at the tick. If he
 * naps in between and others move the hand, his CAS fails, and a tick is lost: the hand lags, which
 * delays and does not harm. Otherwise (an add) late steps could pile up beyond the wrap guard.
 */

import { forward, type Seq } from '../base/seq.ts'
import { DomainWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { Clock } from './clock.ts'
import { CLOCKS } from './options.ts'

/** A lazy goal is met two ticks later; the hand takes no more steps than that at once either. */
const GRACE_TICKS = 2
/** How far two workers' clocks may differ before a tick that lies behind is believed. */
const SKEW_TICKS = 2

export interface Pace {
  /** How far ahead of the write hand, in sequence numbers, a goal of this clock may lie. */
  readonly reach: number
  /** Whether a goal ahead of the hand is this clock's way of keeping its pace. */
  readonly keeps: boolean
  /** Milliseconds per tick, where only time moves the hand; else 0. */
  readonly tickMs: number
  /** Steps of the write hand that the last `goal`, `urge` or `pass` made. */
  steps: number
  /** The goal for what the caller has unlinked. */
  goal(): Seq
  /** Lets time pass: called before every poll. */
  pass(): void
  /** Moves the hand to a goal ahead of it, if that is this clock's way. */
  urge(wr: Seq, goal: Seq): void
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
    // Once for all. If a poller of this goal finds the word, it moves the hand itself. It does find
    // it: we store before we give the goal away, and whoever passes it on passes this on as well.
    // Otherwise the goal could stay ahead of the hand for ever. If we die here, nobody has the goal.
    this.memory.store(this.owedAt, 1)
    return this.clock.ahead(1)
  }

  pass(): void {
    this.steps = 0
  }

  urge(wr: Seq, goal: Seq): void {
    this.steps = this.clock.commit(wr, goal) ? 1 : 0
  }
}

class DeferredPace extends DefaultPace {
  override readonly keeps: boolean = true
  private readonly limit: number
  /** Advances since this worker last moved the hand. Its own, and lost with it: no harm. */
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
    // In this order: the hand, the tick that was, the tick that is. What is read later can only be
    // later, so no nap of ours makes time that has been counted count again.
    const wr = clock.wr()
    const before = memory.load(this.tickAt)
    const now = tickOf(memory, this.tickMs)
    const passed = (now - before) | 0
    // Workers' clocks differ a little, so a tick just behind is none; one far behind means that the
    // clock was set back, and waiting for it to come round again would take too long.
    if (passed === 0 || (passed < 0 && passed >= -SKEW_TICKS)) return
    if (!clock.hasRoom() || memory.cas(this.tickAt, before, now) !== before) return
    const steps = passed < 0 || passed > GRACE_TICKS ? GRACE_TICKS : passed
    if (clock.commit(wr, forward(wr, steps * clock.step))) this.steps = steps
  }

  urge(): void {
    this.steps = 0 // Only time moves this clock.
  }
}

/** The number of the present tick, on a circle of 2^32. */
export function tickOf(memory: Memory, tickMs: number): number {
  return Math.floor(memory.now() / tickMs) | 0
}

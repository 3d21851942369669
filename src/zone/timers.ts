/**
 * What a zone does when nobody asks it to: part-filled free buckets that grow old are retired, and
 * what nobody needs is given back.
 *
 *   age    a free bucket is loaded for the first item that goes into it. So its age is that of the
 *          item, and neither frees nor allocations have to look at a clock: a timer is set when a
 *          bucket is loaded, one at a time, and a refill looks at the time as well, for a worker
 *          whose event loop does not turn. Who ages out loads no other bucket: the next free does,
 *          and sets the next timer. A worker that frees nothing has none.
 *   trim   all workers that use the zone set a timer; the first whose timer comes due trims for
 *          all. A worker that has not touched its alloc bucket between two of them puts it back as
 *          well. When nothing is left to give back, no timer is set until the next slow path.
 *
 * No timer keeps a thread alive, and none is heard while a section is left open across turns.
 */

import { report } from '../base/host.ts'
import { BucketWords, ZoneWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import { isTimeOut } from '../space/lock.ts'
import type { Turn } from '../space/turn.ts'
import type { Failure } from './hooks.ts'
import type { Parts } from './parts.ts'
import { shrink } from './pressure.ts'
import { trim } from './reclaim.ts'
import type { Supply } from './supply.ts'

/** Set by a zone for each of its handles. */
export class Timers {
  private readonly parts: Parts
  private readonly supply: Supply
  private readonly memory: Memory
  /** When the free bucket was loaded; 0: unknown, the knob was off. */
  private loadedAt = 0
  private readonly aging: Alarm
  private readonly trimming: Alarm
  /** The alloc bucket and its count, at the last trim of this worker's. */
  private seen = 0
  private seenCount = 0

  constructor(parts: Parts, supply: Supply) {
    this.parts = parts
    this.supply = supply
    this.memory = parts.space.memory
    const alarm = (work: (failure: Failure) => void): Alarm =>
      new Alarm(parts.space.turn, (again) => this.quietly(work, again))
    this.aging = alarm((failure) => this.age(failure))
    this.trimming = alarm((failure) => this.trim(failure))
  }

  /** A free bucket was loaded, for an item that comes now. */
  loaded(): void {
    const { sealAfterMs, trimEveryMs } = this.parts.knobs
    if (trimEveryMs > 0) this.trimming.set(trimEveryMs)
    this.loadedAt = sealAfterMs === 0 ? 0 : this.memory.now()
    if (sealAfterMs > 0) this.aging.set(sealAfterMs)
  }

  /** The alloc bucket has run dry: a worker that is busy and does not turn comes by here. */
  refilling(): void {
    const { cache, knobs } = this.parts
    const { sealAfterMs, trimEveryMs } = knobs
    if (trimEveryMs > 0) this.trimming.set(trimEveryMs)
    if (sealAfterMs === 0 || cache.free === 0) return
    const now = this.memory.now()
    if (this.loadedAt === 0) this.loadedAt = now
    if (now - this.loadedAt >= sealAfterMs) this.supply.seal()
    else this.aging.set(sealAfterMs)
  }

  /** The handle is closed: no timer is heard, or keeps it. */
  end(): void {
    this.aging.end()
    this.trimming.end()
  }

  private age(failure: Failure): void {
    const { cache, domain, knobs } = this.parts
    const { sealAfterMs, trimEveryMs } = knobs
    if (sealAfterMs === 0 || cache.free === 0) return
    const left = this.loadedAt + sealAfterMs - this.memory.now()
    // No later than from now: the clock may have been set back.
    if (left > 0) this.aging.set(Math.min(Math.ceil(left), sealAfterMs))
    else if (domain?.inside) this.aging.set(sealAfterMs)
    else {
      this.supply.ageOut()
      this.supply.easeDepot(failure)
      // What has just come into the depot may be all that is there, and the last trim long over.
      if (trimEveryMs > 0) this.trimming.set(trimEveryMs)
    }
  }

  private trim(failure: Failure): void {
    const { cache, depot, domain, knobs } = this.parts
    const { trimEveryMs } = knobs
    if (trimEveryMs === 0) return
    if (!domain?.inside) {
      this.putBack()
      if (this.isFirst(trimEveryMs)) {
        trim(this.parts, this.supply, failure)
        shrink(this.parts)
      }
    }
    const { pending, safe } = depot.counts()
    if (pending + safe > 0 || cache.alloc !== 0) this.trimming.set(trimEveryMs)
  }

  /** Puts the alloc bucket back if nothing has happened to it since the last time. */
  private putBack(): void {
    const { cache } = this.parts
    const { alloc } = cache
    const count = this.memory.peek(alloc + BucketWords.count)
    const untouched = alloc !== 0 && alloc === this.seen && count === this.seenCount
    if (untouched) this.supply.putAllocBack()
    this.seen = cache.alloc
    this.seenCount = count
  }

  /** Whether no other worker has trimmed in this period. */
  private isFirst(everyMs: number): boolean {
    const { memory } = this
    const at = this.parts.at + ZoneWords.trimmedAt
    const before = memory.load(at)
    const now = Math.floor(memory.now()) | 0
    const passed = (now - before) | 0
    // Timers come a little early; a clock that was set back must not stop us for days.
    if (passed >= 0 && passed < everyMs - 1) return false
    return memory.cas(at, before, now) === before
  }

  /**
   * Nobody is there to catch what a hook throws; and the zone may be gone by now. For a lock that
   * somebody has died with this thread must not wait long: perhaps only its event loop can hear of
   * the death. It comes `again` later.
   */
  private quietly(work: (failure: Failure) => void, again: () => void): void {
    const { isOpen, locks } = this.parts.space
    if (!isOpen || !this.supply.isAlive()) return
    try {
      locks.withPatience(PATIENCE_MS, () => {
        // A timer's turn is one of its own.
        this.supply.check()
        this.supply.run(work)
      })
    } catch (error) {
      if (isTimeOut(error)) again()
      else report(error)
    }
  }
}

const PATIENCE_MS = 50

/** A timer that is set once, however often it is set; and again when it is to come sooner. */
class Alarm {
  private readonly turn: Turn
  private ring: (again: () => void) => void
  /**
   * What it was set to, 0 when it is not; and which of all timers it is: the others are not heard.
   */
  private ms = 0
  private timer = 0

  /** `ring` is told how to have it ring `again`, as long after. */
  constructor(turn: Turn, ring: (again: () => void) => void) {
    this.turn = turn
    this.ring = ring
  }

  /** It will not ring, and lets go of whom it would have rung for. */
  end(): void {
    this.timer++
    this.ring = () => {}
  }

  set(ms: number): void {
    if (this.ms !== 0 && this.ms <= ms) return
    this.ms = ms
    this.timer++
    const { timer } = this
    this.turn.after(() => {
      if (timer !== this.timer) return
      this.ms = 0
      this.ring(() => this.set(ms))
    }, ms)
  }
}

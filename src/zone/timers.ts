/**
 * A zone's maintenance by timers: part-filled free buckets are retired by age, and unused memory is
 * given back.
 *
 *   age    A free bucket is loaded when its first item is freed, so its age is that of the item,
 *          and fast paths need no clock: loading sets the timer, and a refill checks the time as
 *          well, for a worker whose event loop does not turn. Retiring by age loads no other
 *          bucket; the next free does, and sets the next timer. A worker that frees nothing has no
 *          timer.
 *   trim   Every worker that uses the zone sets a timer; the first that is due trims for all. A
 *          worker that has not used its alloc bucket between two timers puts it back as well. When
 *          nothing is left to give back, no timer is set until the next slow path.
 *
 * No timer keeps a thread alive. While a section is open none does anything.
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

/** The timers of one handle. */
export class Timers {
  private readonly parts: Parts
  private readonly supply: Supply
  private readonly memory: Memory
  /** When the free bucket was loaded; 0: unknown, the knob was off. */
  private loadedAt = 0
  private readonly aging: Alarm
  private readonly trimming: Alarm
  /** The alloc bucket and its count at this worker's last trim. */
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

  /** A free bucket was loaded; its first item is freed next. */
  loaded(): void {
    const { sealAfterMs, trimEveryMs } = this.parts.knobs
    if (trimEveryMs > 0) this.trimming.set(trimEveryMs)
    this.loadedAt = sealAfterMs === 0 ? 0 : this.memory.now()
    if (sealAfterMs > 0) this.aging.set(sealAfterMs)
  }

  /**
   * The alloc bucket has run dry. Checks the age as well, for a worker whose event loop does not
   * turn.
   */
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

  /** The handle is closed: timers do nothing any more, and do not keep it in memory. */
  end(): void {
    this.aging.end()
    this.trimming.end()
  }

  private age(failure: Failure): void {
    const { cache, domain, knobs } = this.parts
    const { sealAfterMs, trimEveryMs } = knobs
    if (sealAfterMs === 0 || cache.free === 0) return
    const left = this.loadedAt + sealAfterMs - this.memory.now()
    // At most `sealAfterMs` from now: the clock may have been set back.
    if (left > 0) this.aging.set(Math.min(Math.ceil(left), sealAfterMs))
    else if (domain?.inside) this.aging.set(sealAfterMs)
    else {
      this.supply.ageOut()
      this.supply.easeDepot(failure)
      // The depot may have been empty at the last trim, which then set no timer.
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

  /** Puts the alloc bucket into the depot if this worker has not used it since the last call. */
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
    // Timers may be a little early; and a clock that was set back must not stop trims for days.
    if (passed >= 0 && passed < everyMs - 1) return false
    return memory.cas(at, before, now) === before
  }

  /**
   * Runs a timer's work: errors of hooks are reported, and the zone may be gone. Waits only briefly
   * for a lock: if its owner has died, this thread may hear of that only when its event loop turns.
   * Then `again` sets the timer once more.
   */
  private quietly(work: (failure: Failure) => void, again: () => void): void {
    const { isOpen, locks } = this.parts.space
    if (!isOpen || !this.supply.isAlive()) return
    try {
      locks.withPatience(PATIENCE_MS, () => {
        // A timer runs in a turn of its own.
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

/** A timer. Setting it again does nothing, unless the new time is earlier. */
class Alarm {
  private readonly turn: Turn
  private ring: (again: () => void) => void
  /** The time it was set to, 0 when it is not set; and the serial of the host timer that counts. */
  private ms = 0
  private timer = 0

  /** `ring` gets a function that sets the timer again, to the same time. */
  constructor(turn: Turn, ring: (again: () => void) => void) {
    this.turn = turn
    this.ring = ring
  }

  /** It will not ring, and no longer refers to `ring`. */
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

/**
 * Time in a test's own hands: what workers read as the time, and when their timers come due.
 */

import type { Arena } from '#src/index.ts'

interface Timer {
  readonly at: number
  readonly ring: () => void
}

export class Time {
  now = 1000
  private timers: Timer[] = []

  /** Has these workers live by this time. */
  constructor(...arenas: readonly Arena[]) {
    for (const arena of arenas) {
      arena.memory.now = () => this.now
      arena.space.turn.after = (ring, ms) => this.timers.push({ at: this.now + ms, ring })
    }
  }

  /** Timers that have not rung yet. */
  get waiting(): number {
    return this.timers.length
  }

  /** Lets `ms` pass, and rings each timer at its time. */
  pass(ms: number): void {
    const end = this.now + ms
    for (let next = this.earliest(end); next !== undefined; next = this.earliest(end)) {
      const timer = next
      this.timers = this.timers.filter((each) => each !== timer)
      this.now = Math.max(this.now, timer.at)
      timer.ring()
    }
    this.now = Math.max(this.now, end)
  }

  /** Lets `ms` pass for a worker whose event loop does not turn. */
  compute(ms: number): void {
    this.now += ms
  }

  private earliest(end: number): Timer | undefined {
    return this.timers.filter((each) => each.at <= end).sort((a, b) => a.at - b.at)[0]
  }
}

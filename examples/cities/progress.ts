/**
 * What one sees while it runs: on a terminal one line that is drawn again and again, elsewhere one
 * line a second. Rates are those of the last second, not of the whole run, so that a hitch shows.
 */

import { bold, CLEAR_TO_END, count, dim, isLive, perSecond, seconds } from './screen.ts'

/** What there is to be seen at one moment. */
export interface Sight {
  readonly reads: number
  readonly writes: number
  /** Records freed, and not yet known to be out of every reader's sight. */
  readonly pending: number
}

interface Sample extends Sight {
  readonly at: number
}

const LIVE_TICK_MS = 100
const PLAIN_TICK_MS = 1000
const WINDOW_MS = 1000
/** The bar takes what the figures leave of the line: a line that wraps cannot be drawn over. */
const MOST_CELLS = 30
const WIDTH_OF_FIGURES = 70
const USUAL_WIDTH = 80
const DONE = '\u2501'
const TO_DO = '\u2500'

export class Progress {
  private readonly forMs: number
  private readonly look: () => Sight
  private readonly start = performance.now()
  private readonly timer: NodeJS.Timeout
  private samples: Sample[] = []

  constructor(forMs: number, look: () => Sight) {
    this.forMs = forMs
    this.look = look
    this.samples.push({ at: this.start, ...look() })
    const tick = isLive ? () => this.draw() : () => this.print()
    this.timer = setInterval(tick, isLive ? LIVE_TICK_MS : PLAIN_TICK_MS)
  }

  end(): void {
    clearInterval(this.timer)
    if (isLive) process.stdout.write(`\r${CLEAR_TO_END}`)
  }

  private draw(): void {
    const { elapsed, reads, writes, pending } = this.now()
    const width = process.stdout.columns || USUAL_WIDTH
    const cells = Math.max(0, Math.min(MOST_CELLS, width - WIDTH_OF_FIGURES))
    const done = Math.min(cells, Math.round((cells * elapsed) / this.forMs))
    const bar = bold(DONE.repeat(done)) + dim(TO_DO.repeat(cells - done))
    const rates = `${reads} reads/s  ${writes} writes/s  ${pending} pending`
    process.stdout.write(`\r  ${bar} ${seconds(elapsed)}  ${rates}${CLEAR_TO_END}`)
  }

  private print(): void {
    const { elapsed, reads, writes, pending } = this.now()
    const time = seconds(elapsed).padStart(8)
    const rates = `${reads.padStart(12)} reads/s${writes.padStart(12)} writes/s`
    console.log(`${time}${rates}${pending.padStart(10)} pending`)
  }

  private now(): { elapsed: number; reads: string; writes: string; pending: string } {
    const now: Sample = { at: performance.now(), ...this.look() }
    this.samples.push(now)
    // The newest sample that is a window old stays: it is what the rates are measured from.
    const first = this.samples.findLastIndex((sample) => sample.at <= now.at - WINDOW_MS)
    if (first > 0) this.samples = this.samples.slice(first)
    const then = this.samples[0] ?? now
    const ms = now.at - then.at
    return {
      elapsed: now.at - this.start,
      reads: count(perSecond(now.reads - then.reads, ms)),
      writes: count(perSecond(now.writes - then.writes, ms)),
      pending: count(now.pending),
    }
  }
}

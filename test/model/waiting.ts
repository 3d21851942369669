/**
 * Who can run, who spins, who sleeps, and how time passes when nobody can run.
 *
 * Spinning is fair. A thread that pauses although nothing has changed since its last spin would
 * only find what it found before, so it runs again when somebody has changed a word: a spin loop has
 * as many iterations as the others make changes. Sleepers on a word wake by `notify`, the first
 * first.
 *
 * When nobody can run, delayed stores land. If that helps nobody, virtual time jumps to the earliest
 * wake-up: so a time limit runs out only where a real one would have to. And if nobody sleeps with a
 * limit either, those who are left are in a deadlock.
 *
 * Under the rule `impatience` time also passes where others could go on, sleepers wake for no reason,
 * and a thread is held up: a real worker may be kept off its processor for longer than any time limit.
 */

import type { StoreBuffers } from './storeBuffer.ts'
import { ENDED, type ModelThread, PAUSED, READY, WAITING } from './thread.ts'

const FIRST_TIME = 1000
/** Longer than any time limit of the library's own. */
const LONGEST_LIMIT_MS = 100_000
/** Where a thread sleeps that is held up: no word. */
const NOWHERE = -1

/** Something that need not happen, happens. */
export type Surprise = () => void

export class Waiting {
  /** Who can run, and who is spinning: one bit per thread. */
  ready = 0
  paused = 0
  /** Milliseconds. */
  time = FIRST_TIME
  /** Changes of any word, by anybody. */
  changes = 0
  /** Who sleeps on a word, in the order of going to sleep. */
  readonly sleepers: ModelThread[] = []
  private readonly threads: readonly ModelThread[]

  constructor(threads: readonly ModelThread[]) {
    this.threads = threads
  }

  clear(): void {
    this.ready = 0
    this.paused = 0
    this.time = FIRST_TIME
    this.changes = 0
    this.sleepers.length = 0
  }

  becomeReady(t: ModelThread): void {
    t.status = READY
    this.ready |= 1 << t.index
  }

  /** `t` has ended, one way or the other. */
  leave(t: ModelThread, status: number): void {
    t.status = status
    this.ready &= ~(1 << t.index)
    const asleep = this.sleepers.indexOf(t)
    if (asleep >= 0) this.sleepers.splice(asleep, 1)
  }

  /** A word has changed, or may have as far as others can tell: whoever spins looks again. */
  changed(t: ModelThread): void {
    this.changes++
    t.own++
    if (this.paused !== 0) this.stir(this.paused & ~(1 << t.index))
  }

  /** Whether others have changed anything since `t` last took a spin. */
  news(t: ModelThread): boolean {
    return this.changes - t.own !== t.noticed
  }

  notice(t: ModelThread): void {
    t.noticed = this.changes - t.own
  }

  giveWay(t: ModelThread, ms: number): void {
    t.status = PAUSED
    t.wakesAt = this.time + ms
    this.ready &= ~(1 << t.index)
    this.paused |= 1 << t.index
  }

  sleep(t: ModelThread, at: number, ms: number): void {
    t.status = WAITING
    t.waitsAt = at
    t.wakesAt = this.time + ms
    this.ready &= ~(1 << t.index)
    this.sleepers.push(t)
  }

  /** The first sleeper of a word, no longer asleep. `reason` becomes part of its state. */
  rouseFirst(at: number, reason: number): ModelThread | undefined {
    const sleeper = this.sleepers.find((each) => each.waitsAt === at)
    if (sleeper !== undefined) this.rouse(sleeper, reason)
    return sleeper
  }

  /** Makes somebody ready, if that can be done. Otherwise names the deadlock, or '' at the end. */
  passTime(landStores: () => void, buffers: StoreBuffers): string | undefined {
    if (buffers.total > 0) {
      landStores()
      if (this.ready !== 0) return undefined
    }
    const earliest = this.nextWakeUp()
    if (earliest === Number.POSITIVE_INFINITY) {
      return this.threads
        .filter((t) => t.status < ENDED)
        .map(plight)
        .join(', ')
    }
    this.passTo(earliest)
    return undefined
  }

  /**
   * What may happen that need not: time passes, a little or far; a sleeper wakes early; the thread
   * that runs (or -1) is held up for longer than anybody's patience.
   */
  surprises(running: number): readonly Surprise[] {
    const found: Surprise[] = this.sleepers
      .filter((sleeper) => sleeper.waitsAt !== NOWHERE)
      .map((sleeper) => () => this.rouse(sleeper, 0))
    if (this.paused !== 0 || this.sleepers.length > 0) {
      found.push(
        () => this.passTo(this.nextWakeUp()),
        () => this.passTo(this.time + LONGEST_LIMIT_MS),
      )
    }
    const slow = this.threads[running]
    if (slow?.status === READY) found.push(() => this.sleep(slow, NOWHERE, LONGEST_LIMIT_MS))
    return found
  }

  private nextWakeUp(): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const t of this.threads) {
      if (t.status === PAUSED || t.status === WAITING) earliest = Math.min(earliest, t.wakesAt)
    }
    return earliest
  }

  private passTo(time: number): void {
    if (time === Number.POSITIVE_INFINITY) return
    this.time = Math.max(this.time, time)
    for (const t of this.threads) {
      if (t.wakesAt > this.time) continue
      if (t.status === WAITING) this.rouse(t, 0)
      else if (t.status === PAUSED) this.stir(1 << t.index)
    }
  }

  private rouse(sleeper: ModelThread, reason: number): void {
    this.sleepers.splice(this.sleepers.indexOf(sleeper), 1)
    sleeper.mix(reason)
    this.becomeReady(sleeper)
  }

  private stir(mask: number): void {
    for (const t of this.threads) if ((mask & (1 << t.index)) !== 0) t.status = READY
    this.paused &= ~mask
    this.ready |= mask
  }
}

function plight(t: ModelThread): string {
  if (t.status === WAITING && t.waitsAt === NOWHERE) return `${t.name} is held up`
  if (t.status === WAITING) return `${t.name} sleeps on word ${t.waitsAt}`
  if (t.status === PAUSED) return `${t.name} sleeps for ever`
  return `${t.name} has not begun, since the thread it comes after has not ended`
}

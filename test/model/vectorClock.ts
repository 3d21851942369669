/**
 * Who happens before whom, and which plain access had no right to be.
 *
 * Each thread carries a vector clock: how much of every thread's past it has a right to see. An
 * atomic write leaves its writer's clock at the word [release]; an atomic read joins the clock that
 * it finds there [acquire]. A store replaces what was left by earlier writers, because whoever reads
 * it has not read from them; a read-modify-write has read from them, so its own clock contains
 * theirs already. A plain write leaves nothing. This is JavaScript's synchronizes-with: all atomics
 * are sequentially consistent, and reading from one is what orders.
 *
 * Two accesses to one word, at least one of them plain and at least one a write, race when neither
 * happens before the other. (FastTrack, with full vectors: we have at most a handful of threads.)
 * Per word and thread four moments are kept, each the latest of its class, nested so that every
 * check reads exactly one of them:
 *
 *   a plain read   races with others' latest write of any kind      `written`
 *   a plain write  races with others' latest access of any kind     `accessed`
 *   an atomic read races with others' latest plain write            `poked`
 *   an atomic write races with others' latest plain access          `plain`
 *
 * Nothing is cleared between schedules. Clocks go on rising, and a new schedule starts with all
 * threads having seen everything up to now: what older schedules have left is in everybody's past.
 */

/** No thread races. */
export const NOBODY: number = -1

const OVERFLOW = 2 ** 30

export class Clocks {
  private readonly n: number
  /** clock[t * n + u]: how much of u's past t has a right to see. */
  private readonly clock: Int32Array
  private readonly left: Int32Array
  private readonly accessed: Int32Array
  private readonly written: Int32Array
  private readonly plain: Int32Array
  private readonly poked: Int32Array

  constructor(threads: number, words: number) {
    this.n = threads
    this.clock = new Int32Array(threads * threads)
    this.left = new Int32Array(threads * words)
    this.accessed = new Int32Array(threads * words)
    this.written = new Int32Array(threads * words)
    this.plain = new Int32Array(threads * words)
    this.poked = new Int32Array(threads * words)
  }

  /** A new schedule: everything so far happens before everything from now on. */
  begin(): void {
    const { clock, n } = this
    let base = 0
    for (const value of clock) base = Math.max(base, value)
    if (base > OVERFLOW) {
      for (const each of [this.left, this.accessed, this.written, this.plain, this.poked]) {
        each.fill(0)
      }
      base = 0
    }
    clock.fill(base)
    for (let t = 0; t < n; t++) clock[t * n + t] = base + 1
  }

  /** `t` sees everything that `from` has done so far. */
  join(t: number, from: number): void {
    const { clock, n } = this
    for (let u = 0; u < n; u++) {
      const other = clock[from * n + u] as number
      if (other > (clock[t * n + u] as number)) clock[t * n + u] = other
    }
    clock[from * n + from] = (clock[from * n + from] as number) + 1
  }

  acquire(t: number, at: number): void {
    const { clock, left, n } = this
    for (let u = 0; u < n; u++) {
      const other = left[at * n + u] as number
      if (other > (clock[t * n + u] as number)) clock[t * n + u] = other
    }
  }

  release(t: number, at: number): void {
    const { clock, left, n } = this
    for (let u = 0; u < n; u++) left[at * n + u] = clock[t * n + u] as number
    clock[t * n + t] = (clock[t * n + t] as number) + 1
  }

  /** A plain write has replaced what atomic writers left. */
  drop(at: number): void {
    const { left, n } = this
    for (let u = 0; u < n; u++) left[at * n + u] = 0
  }

  // Each of the four answers with the index of a thread it races with, or NOBODY.

  atomicRead(t: number, at: number): number {
    this.accessed[at * this.n + t] = this.clock[t * this.n + t] as number
    return this.ahead(this.poked, t, at)
  }

  atomicWrite(t: number, at: number): number {
    const mine = at * this.n + t
    const now = this.clock[t * this.n + t] as number
    this.accessed[mine] = now
    this.written[mine] = now
    return this.ahead(this.plain, t, at)
  }

  plainRead(t: number, at: number): number {
    const mine = at * this.n + t
    const now = this.clock[t * this.n + t] as number
    this.accessed[mine] = now
    this.plain[mine] = now
    return this.ahead(this.written, t, at)
  }

  plainWrite(t: number, at: number): number {
    const mine = at * this.n + t
    const now = this.clock[t * this.n + t] as number
    this.accessed[mine] = now
    this.written[mine] = now
    this.plain[mine] = now
    this.poked[mine] = now
    return this.ahead(this.accessed, t, at)
  }

  /** A write whose races are not to be reported; stale reads still want to know of it. */
  exemptWrite(t: number, at: number): void {
    this.written[at * this.n + t] = this.clock[t * this.n + t] as number
  }

  /** How far `t` has come. */
  now(t: number): number {
    return this.clock[t * this.n + t] as number
  }

  /** Whether `t` has a right to see what `u` did at that moment of its own. */
  has(t: number, u: number, moment: number): boolean {
    return (this.clock[t * this.n + u] as number) >= moment
  }

  /** Whether `t` may still miss the latest write of `u` to this word. */
  mayMiss(t: number, u: number, at: number): boolean {
    return (this.written[at * this.n + u] as number) > (this.clock[t * this.n + u] as number)
  }

  /** What `u` has last done to the word that `t` has no right to see, in words for a message. */
  kindOf(t: number, u: number, at: number): string {
    const seen = this.clock[t * this.n + u] as number
    const place = at * this.n + u
    if ((this.poked[place] as number) > seen) return 'plain write'
    if ((this.written[place] as number) > seen) return 'atomic write'
    return (this.plain[place] as number) > seen ? 'plain read' : 'atomic read'
  }

  private ahead(moments: Int32Array, t: number, at: number): number {
    const { clock, n } = this
    for (let u = 0; u < n; u++) {
      if (u !== t && (moments[at * n + u] as number) > (clock[t * n + u] as number)) return u
    }
    return NOBODY
  }
}

/**
 * What a word has held since the schedule began: what a plain look that races may still find.
 *
 * JavaScript lets such a read return any write that is not hidden from it: one that does not happen
 * after the read, and after which no other write to the word happens before the read. So the values
 * are kept with their writers and the writers' clocks, and a read goes back from the last one as far
 * as its thread has no right to know better. (A write that comes later in the schedule is met where
 * the read is late.)
 */

import type { Clocks } from './vectorClock.ts'

interface Write {
  readonly value: number
  readonly writer: number
  readonly clock: number
}

export class PastValues {
  /** Fingerprint: what somebody may still read is part of the state. */
  hashA = 0
  hashB = 0
  private readonly writes = new Map<number, Write[]>()
  private readonly clocks: Clocks
  private readonly before: (at: number) => number

  /** `before`: what a word held when the schedule began. */
  constructor(clocks: Clocks, before: (at: number) => number) {
    this.clocks = clocks
    this.before = before
  }

  clear(): void {
    this.writes.clear()
    this.hashA = 0
    this.hashB = 0
  }

  /** `writer` is about to put `value` into the word. */
  note(at: number, value: number, writer: number): void {
    let writes = this.writes.get(at)
    if (writes === undefined) {
      writes = []
      this.writes.set(at, writes)
    }
    writes.push({ value: value | 0, writer, clock: this.clocks.now(writer) })
    const x = Math.imul(at ^ Math.imul(writes.length, 0x2c1b3c6d), 0x9e3779b1)
    const y = Math.imul(value ^ Math.imul(writer + 1, 0x27d4eb2f), 0x85ebca6b)
    this.hashA ^= Math.imul(x ^ (y >>> 13) ^ y, 0xc2b2ae35)
    this.hashB ^= Math.imul((x >>> 15) ^ x ^ Math.imul(y, 0x165667b1), 0x297a2d39)
  }

  /** All values that a look of `t` may find, the latest first, none twice. */
  visibleTo(t: number, at: number): number[] {
    const writes = this.writes.get(at) ?? []
    const values = new Set<number>()
    for (let i = writes.length - 1; i >= 0; i--) {
      const { value, writer, clock } = writes[i] as Write
      values.add(value)
      if (writer === t || this.clocks.has(t, writer, clock)) return [...values]
    }
    return [...values.add(this.before(at))]
  }
}

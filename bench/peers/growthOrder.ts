/**
 * What the writers and the reader of a growing table agree on.
 *
 * Writer w of two puts the keys w, w + 2, w + 4 and so on, and says how many are there: so a reader
 * knows keys that it must find.
 */
import { type Handle, record, u32 } from 'uma-smr'

export const NAME = 'growing'
export const WRITERS = 2
export const Row = record({ id: u32, size: u32, time: u32 })

/** Not zero when the writers shall begin. */
export const START = 0
/** Not zero when both writers have ended. */
export const STILL = 1
/** Not zero when the reader shall end. */
export const STOP = 2
/** How many threads are ready. */
export const READY = 3
/** How many records writer w has put: word `DONE + w`. */
export const DONE = 4
export const CONTROL = DONE + WRITERS

/** Upper limits of a histogram of waits, in microseconds; a last class has none. */
export const LIMITS_US = [1, 10, 100, 1000, 10_000] as const
/** Reads that are timed together. */
export const BATCH = 128

export interface GrowthOrder {
  readonly handle: Handle
  readonly control: Int32Array<SharedArrayBuffer>
  /** Records that each writer puts. */
  readonly each: number
  /** Which of the writers this is. */
  readonly writer: number
}

/** What a writer found. */
export interface Waits {
  readonly classes: readonly number[]
  readonly longestMs: number
}

const US_PER_MS = 1000

/** Calls `put` for each number, and measures each call. */
export function putAll(count: number, put: (i: number) => void): Waits {
  const classes = new Array<number>(LIMITS_US.length + 1).fill(0)
  let longestMs = 0
  for (let i = 0; i < count; i++) {
    const start = performance.now()
    put(i)
    const ms = performance.now() - start
    let at = 0
    while (at < LIMITS_US.length && ms * US_PER_MS >= (LIMITS_US[at] ?? 0)) at++
    classes[at] = (classes[at] ?? 0) + 1
    if (ms > longestMs) longestMs = ms
  }
  return { classes, longestMs }
}

/** What the reader found: nanoseconds per read. */
export interface Reads {
  readonly growing: Quantiles
  readonly still: Quantiles
}

export interface Quantiles {
  readonly p50: number
  readonly p99: number
}

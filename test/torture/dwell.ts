/**
 * How long a reader stays between two looks inside one section.
 *
 * A broken grace period shows only when a writer does its whole round - unlink, free, retire,
 * reuse - between two looks. Mostly we stay for nothing to a few microseconds, so that there are many
 * sections; seldom we sleep, so that on a machine with fewer processors than threads somebody else
 * runs while we are inside. Real threads are stopped anywhere by their scheduler; this only makes it
 * happen where it hurts.
 */

import type { Random } from '../helpers/random.ts'

/** A word of our own to sleep on. */
const sleepWord = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))

const BLOCK_ONE_IN = 256
const LONG_SPIN_ONE_IN = 16
const TURN_ENDS_ONE_IN = 32
const SHORT_SPIN = 40
const LONG_SPIN = 4000
const LONGEST_SLEEP_MS = 0.5

export function dwell(random: Random): void {
  if (random.oneIn(BLOCK_ONE_IN)) blockFor(((random.below(8) + 1) / 8) * LONGEST_SLEEP_MS)
  else if (random.oneIn(LONG_SPIN_ONE_IN)) spin(random.below(LONG_SPIN))
  else spin(random.below(SHORT_SPIN))
}

/** Sleeps: somebody else has the processor. */
export function blockFor(ms: number): void {
  Atomics.wait(sleepWord, 0, 0, ms)
}

/** Mostly the turn goes on; now and then it ends, and another task runs before the next. */
export function turnEnds(random: Random): Promise<void> | undefined {
  return random.oneIn(TURN_ENDS_ONE_IN)
    ? new Promise((resolve) => setImmediate(resolve))
    : undefined
}

/** Atomic, so that no optimizer moves our looks across it or drops it. */
function spin(turns: number): void {
  for (let i = 0; i < turns; i++) Atomics.load(sleepWord, 0)
}

/**
 * What the reader of the knobs' grid and the thread that frees agree on.
 */
import type { Handle } from 'uma-smr'

export interface ReaderPlan {
  readonly handle: Handle
  readonly control: Int32Array<SharedArrayBuffer>
  readonly holdMs: number
}

/** Not zero when the reader shall end. */
export const STOP = 0
/** Not zero when it reads. */
export const READY = 1
/** Its longest section so far, in microseconds. */
export const LONGEST_US = 2
/** How many sections it has held. */
export const HOLDS = 3

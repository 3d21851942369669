/** What the workers of this example are told, and what they tell. Counts only ever grow. */

import type { Handle } from 'uma-smr'

/** Goes to each worker as its `workerData`. */
export interface Order {
  readonly arena: Handle
  readonly ids: Uint32Array
  /** Readers keep what they found after they have left their section: see reader.ts. */
  readonly careless: boolean
}

/** The one message that goes to workers while they run. */
export const STOP = 'stop'

export interface Report {
  /** The last one: the worker has left the arena. */
  readonly last: boolean
  /** Time at work, in milliseconds. */
  readonly ms: number
}

export interface ReaderReport extends Report {
  /** Records that were looked at and verified. */
  readonly reads: number
  /** Cities that were not there: the writer had deleted them. */
  readonly absent: number
  /** Records whose checksum was not that of their fields. */
  readonly torn: number
  /** Records of another city than the one that was asked for, or replaced under the reader's eyes. */
  readonly recycled: number
  /** Versions older than one that this reader had seen before. */
  readonly outdated: number
}

export interface WriterReport extends Report {
  readonly updates: number
  readonly deletes: number
  readonly inserts: number
  /** Cities that should have been in the table and were not. */
  readonly lost: number
  /** Writes that found the arena full, and were put off. */
  readonly waits: number
  /** How many cities the table should hold now, and the sum of their versions. */
  readonly present: number
  readonly versions: number
}

export const NO_READS: ReaderReport = {
  last: false,
  ms: 0,
  reads: 0,
  absent: 0,
  torn: 0,
  recycled: 0,
  outdated: 0,
}

export const NO_WRITES: WriterReport = {
  last: false,
  ms: 0,
  updates: 0,
  deletes: 0,
  inserts: 0,
  lost: 0,
  waits: 0,
  present: 0,
  versions: 0,
}

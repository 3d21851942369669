/**
 * What the reading worker and the thread that watches it agree on.
 */
import type { KeyKind } from '../harness/data.ts'
import type { TableName } from '../rivals/table.ts'

export interface ReaderOrder {
  readonly table: TableName
  readonly ticket: unknown
  readonly kind: KeyKind
  /** Word `STOP` and word `BATCHES`. */
  readonly control: Int32Array<SharedArrayBuffer>
}

/** Not zero when the reader shall end. */
export const STOP = 0
/** How many batches of lookups the reader has done. */
export const BATCHES = 1
/** Lookups in a batch. */
export const BATCH = 128

/** What a worker of this example is told, and what it reports when it is done. */

import type { Handle, Item } from 'uma-smr'

export interface Order {
  readonly arena: Handle
  /** Addresses are numbers, the same in every worker: they can simply be sent. */
  readonly heads: Item
  readonly forMs: number
}

/** Products below `KEPT` are always in the table, those from there on come and go. */
export const PRODUCTS = 4096
export const KEPT = 2048

export interface ReaderReport {
  readonly worker: number
  readonly reads: number
  readonly absent: number
  /** Nodes that were not in one piece, or another product's. */
  readonly torn: number
  /** Products that are never deleted, and were not found. */
  readonly lost: number
}

export interface WriterReport {
  readonly worker: number
  readonly puts: number
  readonly deletes: number
  readonly present: number
}

/** What a reader of the hash table is told, and what it reports. */

import type { Handle, Item } from 'uma-smr'

/** Names below `KEPT` are always there, the others come and go. */
export const NAMES = 512
export const KEPT = 256

export interface Order {
  readonly arena: Handle
  readonly heads: Item
}

/** What a reader says before it begins, and what it is told when it shall end. */
export const READY = 'ready'
export const STOP = 'stop'

export interface Report {
  readonly worker: number
  readonly reads: number
  /** Elements that were freed, or not in one piece. */
  readonly torn: number
  /** Names that are never removed, and were not found. */
  readonly lost: number
}

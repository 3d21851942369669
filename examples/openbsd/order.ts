/** What a reader of this example is told, and what it reports. */

import type { Handle } from 'uma-smr'

/** How many addresses are known to the bridge. */
export const ADDRESSES = 64

export interface Order {
  readonly arena: Handle
}

/** What a reader says before it begins, and what it is told when it shall end. */
export const READY = 'ready'
export const STOP = 'stop'

export interface Report {
  readonly worker: number
  /** Lookups that found their entry, and those that found none. */
  readonly hits: number
  readonly misses: number
  /** Entries that were not in one piece. */
  readonly torn: number
  /** Lookups that found nothing while the module was loaded. */
  readonly lost: number
  /** Lookups that found something when it was gone. */
  readonly late: number
}

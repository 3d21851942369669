/** What the test and its workers agree on: see death.worker.ts. */

import type { Handle } from 'uma-smr'

export interface Life {
  readonly handle: Handle
  readonly seed: number
  readonly role: 'victim' | 'thrower' | 'reader' | 'writer'
  readonly keys: number
}

/** Root words: reads of all survivors, violations, and the word that ends it all. */
export const READS = 'reads'
export const VIOLATIONS = 'violations'
export const STOP = 'stop'
export const LOCK = 'lock'
export const DEFERRED = { name: 'deferred', bytes: 24, bucket: 4 } as const
export const PLAIN = { name: 'plain', bytes: 40, bucket: 4 } as const

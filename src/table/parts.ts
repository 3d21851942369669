/**
 * The parts of a table that one worker holds.
 */

import type { Arena } from '../arena/arena.ts'
import type { Smr } from '../smr/domain.ts'
import type { Zone } from '../zone/zone.ts'
import type { Blocks } from './blocks.ts'
import type { Chains } from './chains.ts'
import type { Holds } from './holds.ts'
import type { Stripes } from './stripes.ts'
import type { Versions } from './version.ts'

/** @internal */
export interface TableParts {
  readonly arena: Arena
  readonly name: string
  readonly at: number
  readonly serial: number
  readonly zone: Zone
  readonly smr: Smr
  readonly blocks: Blocks
  readonly chains: Chains
  readonly stripes: Stripes
  readonly versions: Versions
  /** If its records can be held. */
  readonly holds: Holds | undefined
  /** Whether it grows by itself. */
  readonly grows: boolean
}

/**
 * The parts of an ordered table that one worker holds.
 */

import type { Arena } from '../arena/arena.ts'
import type { Smr } from '../smr/domain.ts'
import type { Blocks } from '../table/blocks.ts'
import type { Zone } from '../zone/zone.ts'
import type { Guard } from './guard.ts'
import type { Trie } from './trie.ts'

/** @internal */
export interface OrderParts {
  readonly arena: Arena
  readonly name: string
  readonly at: number
  readonly serial: number
  /** The zone of the records. */
  readonly zone: Zone
  /** The zone of the nodes. */
  readonly nodes: Zone
  readonly smr: Smr
  readonly blocks: Blocks
  readonly trie: Trie
  readonly guard: Guard
}

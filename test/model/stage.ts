/**
 * The shipped arena on the explorer's memory: how scenarios get real handles.
 *
 * `raise` formats an arena in setup, with a builder attached who makes what the scenario needs and
 * leaves. `join` attaches a worker; call it in `prepare`, so that slots are claimed in order and
 * every run of a body has handles of its own.
 *
 * Scenarios take the library as an argument: the shipped one, or a mutant of it (mutants.ts).
 */

import { reapSlot } from '#src/arena/reap.ts'
import {
  Arena,
  atomic,
  HashTable,
  OrderedTable,
  pointer,
  record,
  SmrList,
  SmrSList,
  SmrStailQ,
  SmrTailQ,
  text,
  u32,
  utf8,
} from '#src/index.ts'
import * as compound from '#src/memory/compound.ts'
import { geometry, Header } from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import { checkOrdered } from '#src/order/stats.ts'
import { Queued } from '#src/smr/call.ts'
import { type Claim, Claims } from '#src/space/claims.ts'
import { checkPages } from '#src/space/pages.ts'
import { assertArena, format, type Handle, Space } from '#src/space/space.ts'
import { checkTable } from '#src/table/stats.ts'
import { type Compound, lendCompound } from './modelMemory.ts'

/** What scenarios use of the library. */
export interface Library {
  readonly Arena: typeof Arena
  readonly HashTable: typeof HashTable
  readonly OrderedTable: typeof OrderedTable
  readonly pointer: typeof pointer
  readonly record: typeof record
  readonly atomic: typeof atomic
  readonly SmrList: typeof SmrList
  readonly SmrSList: typeof SmrSList
  readonly SmrStailQ: typeof SmrStailQ
  readonly SmrTailQ: typeof SmrTailQ
  readonly text: typeof text
  readonly u32: typeof u32
  readonly utf8: typeof utf8
  readonly Claims: typeof Claims
  readonly Space: typeof Space
  readonly compound: Compound
  readonly assertArena: typeof assertArena
  readonly format: typeof format
  readonly geometry: typeof geometry
  readonly reapSlot: typeof reapSlot
  readonly Queued: typeof Queued
  readonly checkPages: typeof checkPages
  readonly checkTable: typeof checkTable
  readonly checkOrdered: typeof checkOrdered
  /** The memory that a worker's handles get; where there is none, the one that the threads have. */
  readonly memoryOf?: (memory: Memory) => Memory
}

export const shipped: Library = {
  Arena,
  HashTable,
  OrderedTable,
  pointer,
  record,
  atomic,
  SmrList,
  SmrSList,
  SmrStailQ,
  SmrTailQ,
  text,
  u32,
  utf8,
  Claims,
  Space,
  compound,
  assertArena,
  format,
  geometry,
  reapSlot,
  Queued,
  checkPages,
  checkTable,
  checkOrdered,
}

export interface Stage {
  readonly words: number
  readonly maxWorkers: number
  readonly checks: boolean
  readonly sequence: { readonly first: number; readonly step: number }
}

/** 13 pages, 3 workers, a clock that starts just below 0 and gets there in a few steps. */
export const SMALL: Stage = {
  words: 2 ** 14,
  maxWorkers: 3,
  checks: false,
  sequence: { first: -5, step: 2 },
}

/** The same with a clock that crosses the sign bit, 16 steps from its wrap guard. */
export const GIANT: Stage = { ...SMALL, sequence: { first: 2 ** 31 - 2 ** 27 - 1, step: 2 ** 26 } }

/** Formats an arena and lets `build` make what is needed in it. */
export function raise<W>(
  lib: Library,
  memory: Memory,
  stage: Stage,
  build: (arena: Arena) => W,
): W {
  const { words, maxWorkers, checks, sequence } = stage
  lib.format(memory, lib.geometry(words, maxWorkers), checks, sequence, false)
  const arena = join(lib, memory)
  const world = build(arena)
  arena.detach()
  return world
}

/** Attaches a worker. Its handle cannot be sent anywhere: there is one memory, and it is here. */
export function join(lib: Library, memory: Memory, claim?: Claim): Arena {
  lendCompound(memory, lib.compound)
  // A buffer of its own: what a thread supervises is kept by buffer, and not in memory.
  const handle = { umaSmr: memory.peek(Header.version), buffer: {} } as Handle
  const space = new lib.Space('model', lib.memoryOf?.(memory) ?? memory, claim)
  // A timer of the host's would act when the schedule is over; what it would do, a action does.
  space.turn.after = () => {}
  space.watch.every = () => {}
  return new lib.Arena(space, handle)
}

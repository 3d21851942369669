/**
 * Scenarios in which somebody dies, and how the others go on.
 *
 * The victim does one action and is killed after each of its steps, one exploration for each. The
 * heir starts when it is dead (or done), reaps its slot, and goes on working until it has had every
 * item there is. A worker may live beside the two all the while, and meet torn lists, held locks
 * and half-done batches before anybody has reaped. In the end all laws hold, nobody is blocked, and
 * at most the items in the dead worker's hands, mostly one, are unaccounted for.
 */

import type { Item, ZoneOptions } from '#src/index.ts'
import type { Memory } from '#src/memory/memory.ts'
import { freeing } from './actions.ts'
import type { Scenario, Thread } from './scenario.ts'
import type { Library, Stage } from './stage.ts'
import { reap, type Worker, ZONE_STAGE } from './world.ts'
import {
  type Body,
  type Hand,
  type Head,
  reachable,
  watching,
  worker,
  zoneScene,
} from './zoneStage.ts'

export const VICTIM = 'victim'
export const HEIR = 'heir'
/** Slots are claimed in the order of the threads. */
const VICTIM_SLOT = 0
const LIMIT = 6

export interface Action {
  readonly name: string
  readonly body: Body
  /** What the victim does before, undisturbed. */
  readonly first?: Body
  readonly heads?: readonly Head[]
  readonly plain?: boolean
  /** A worker beside the two. */
  readonly other?: Body
  /** What the heir does before it works on. */
  readonly also?: Body
  readonly limit?: number
  /** Items that it may have in its hands when it dies. Default: one. */
  readonly hands?: number
  /** Knobs, or a shape, that the action is about. */
  readonly knobs?: ZoneOptions
  readonly stage?: Stage
  /** Hooks other than those that watch destructors. */
  readonly hooks?: (memory: Memory) => ZoneOptions
}

/** The scenario of one action; kill `VICTIM`. */
export function deathScene(lib: Library, action: Action): Scenario<undefined> {
  const { name, body, first, heads = [], plain = false, other, also, limit = LIMIT, knobs } = action
  const { hands = 1 } = action
  const { hooks = plain ? undefined : watching } = action
  const hooked = hooks === undefined ? {} : { hooks }
  const threads: Thread<undefined>[] = [
    worker(lib, VICTIM, 0, body, { ...hooked, ...(first === undefined ? {} : { first }) }),
    worker(
      lib,
      HEIR,
      1,
      (memory, hired, hand) => {
        reap(lib, hired.arena, VICTIM_SLOT)
        also?.(memory, hired, hand)
        const taken = work(memory, hired, hand, plain)
        // Beside a third worker neither the items that it has nor what it says of them is for us.
        if (other !== undefined || taken + known(memory, hand) + hands >= limit) return
        throw new Error(`of ${limit} items ${taken} are to be had`)
      },
      { ...hooked, after: VICTIM },
    ),
  ]
  if (other !== undefined) threads.push(worker(lib, 'other', 2, other, hooked))
  const { stage = ZONE_STAGE } = action
  return zoneScene(
    lib,
    name,
    threads,
    { stage, heads, plain, ...hooked, zone: { limit, ...knobs }, laws: { thorough: true }, hands },
    { rules: { bound: other === undefined ? 0 : 1, maxVerbs: 30_000 } },
  )
}

/** Items that somebody else can reach. */
function known(memory: Memory, hand: Hand): number {
  return reachable(memory).length - hand.items().length
}

/** Takes all the items there are and frees them. Answers how many there were. */
export function work(memory: Memory, hired: Worker, hand: Hand, plain: boolean): number {
  const { zone } = hired
  let taken = 0
  // Twice: the first time, what was pending may have been asked about too early.
  for (let round = 0; round < 2; round++) {
    while (hand.take(plain ? zone.tryZalloc() : zone.tryZallocSmr())) taken++
  }
  if (plain) for (let item = hand.drop(); item !== 0; item = hand.drop()) zone.zfree(item as Item)
  else freeing(memory, hired, hand)
  return taken
}

/**
 * What the knobs torture's threads share: the zone, its steps, the words they talk through, and
 * turns of knobs at random.
 */

import type { KnobStats, PresetName, TuneOptions, Zone } from 'uma-smr'
import type { Random } from '../helpers/random.ts'

export const ZONE = 'turned'
export const DOMAIN = 'turning'
export const RECORD_BYTES = 32
/** The range that the zone's buckets have room for. */
export const MADE = { min: 2, max: 32 } as const
/** Records that each allocates at once before it is quiet. */
export const BURST = 800

/** What only knobs can have broken. */
export const KNOB_SABOTAGES = [
  'a trim shrinks buckets below their range',
  'knobs are turned without the lock',
  'records are destroyed when they are freed',
] as const
export type KnobSabotage = (typeof KNOB_SABOTAGES)[number]

/**
 * What everybody does, in this order. A step lasts until the main thread commands the next one.
 *
 *   main      traffic; the main thread turns knobs
 *   own       traffic; everybody turns knobs, each only its own, and finds them as it left them
 *   all       traffic; everybody turns everything
 *   grow      traffic; nobody turns, and the main thread makes the others meet at the depot's lock
 *   burst     each allocates many records and frees them, then there is quiet, without a trim
 *   trimmed   quiet, with a trim; one record stays published
 *   again     traffic; the main thread turns knobs
 *   sealed    each has freed what it kept to itself, and its part-filled bucket is retired
 *   over      all leave
 */
export const STEPS = [
  'main',
  'own',
  'all',
  'grow',
  'burst',
  'trimmed',
  'again',
  'sealed',
  'over',
] as const
export type Step = (typeof STEPS)[number]
export const TRAFFIC: readonly Step[] = ['main', 'own', 'all', 'grow', 'again']

/** Words of the board that all see; then come those of each member, then the cells. */
export const COMMAND = 0
export const STIR = 1
const MEMBERS_AT = 2
const MEMBER_WORDS = 2
export const MOST_MEMBERS = 3
export const CELLS = 8
export const BOARD_WORDS = MEMBERS_AT + MOST_MEMBERS * MEMBER_WORDS + CELLS

/** What a member has come to: see `entered` and `did`. */
export const ackAt = (board: number, member: number): number =>
  board + MEMBERS_AT + member * MEMBER_WORDS
/** Its rounds of traffic in this step; in `trimmed`, how often it came by the slow paths. */
export const roundsAt = (board: number, member: number): number => ackAt(board, member) + 1
export const cellAt = (board: number, cell: number): number =>
  board + MEMBERS_AT + MOST_MEMBERS * MEMBER_WORDS + cell

/** The command of a step; 0 is none yet. */
export const commandOf = (step: Step): number => STEPS.indexOf(step) + 1
/** Acknowledged by who has come to a step, and by who has done what it had to do at once. */
export const entered = (step: Step): number => 2 * commandOf(step)
export const did = (step: Step): number => 2 * commandOf(step) + 1

// ---- turns of knobs --------------------------------------------------------------------------

export type Turn = TuneOptions & { readonly preset?: PresetName }

const PACES = [1, 2, 3, 8]
const DEPOTS = [0, 5, 40, { bytes: 20 * RECORD_BYTES }, Number.POSITIVE_INFINITY]
const PENDING = [
  4 * RECORD_BYTES,
  64 * RECORD_BYTES,
  512 * RECORD_BYTES,
  Number.POSITIVE_INFINITY,
  Number.POSITIVE_INFINITY,
]
const TRIMS = [0, 5, 50]
const NAMES: readonly PresetName[] = ['latency', 'balanced', 'memory']
const PRESET_ONE_IN = 6

function oneOf<T>(random: Random, list: readonly T[]): T {
  return list[random.below(list.length)] as T
}

function range(random: Random): { min: number; max: number } {
  const { min, max } = MADE
  const least = min + random.below(max - min + 1)
  return { min: least, max: least + random.below(max - least + 1) }
}

/** A value for one knob. `ages`: what sealAfterMs may be. */
const VALUES: readonly ((random: Random, ages: readonly number[]) => Turn)[] = [
  (random) => ({ bucket: range(random) }),
  (random) => ({ advanceEvery: oneOf(random, PACES) }),
  (random) => ({ depot: oneOf(random, DEPOTS) }),
  (random, ages) => ({ sealAfterMs: oneOf(random, ages) }),
  (random) => ({ trimEveryMs: oneOf(random, TRIMS) }),
  (random) => ({ pendingBytes: oneOf(random, PENDING) }),
]

type Value = (typeof VALUES)[number]

function together(values: readonly Value[], random: Random, ages: readonly number[]): Turn {
  let turn: Turn = {}
  for (const value of values) turn = { ...turn, ...value(random, ages) }
  return turn
}

/** Some knobs, or a preset and some. */
export function anyTurn(random: Random, ages: readonly number[]): Turn {
  const picked = VALUES.filter(() => random.oneIn(2))
  const some = together(picked, random, ages)
  if (!random.oneIn(PRESET_ONE_IN)) return some
  // Its own times are seconds: said beside it, so that a timer of a short run can come due.
  const trimEveryMs = oneOf(random, TRIMS)
  return { sealAfterMs: oneOf(random, ages), trimEveryMs, ...some, preset: oneOf(random, NAMES) }
}

/** Every n-th knob: those that nobody else of `sharers` turns. */
export function ownTurn(
  random: Random,
  ages: readonly number[],
  sharer: number,
  sharers: number,
): Turn {
  const own = VALUES.filter((_, i) => i % sharers === sharer)
  return together(own, random, ages)
}

/** In a checked arena two words of guard stand behind each record, and count as its bytes. */
const GUARD_BYTES = 8

/** What a zone's stats must say of the knobs that a turn names. */
export function said(turn: Turn, checks: boolean): Partial<KnobStats> {
  const itemBytes = RECORD_BYTES + (checks ? GUARD_BYTES : 0)
  const { bucket, depot, pendingBytes, preset: _, ...plain } = turn
  const room = typeof bucket === 'number' ? { min: bucket, max: bucket } : bucket
  return {
    ...plain,
    ...(room === undefined ? {} : { bucketMin: room.min, bucketMax: room.max }),
    ...(depot === undefined ? {} : { depot: depotItems(depot, itemBytes) }),
    ...(pendingBytes === undefined ? {} : { pendingLimit: pendingItems(pendingBytes, itemBytes) }),
  }
}

function depotItems(depot: number | { readonly bytes: number }, itemBytes: number): number {
  if (typeof depot === 'object') return Math.floor(depot.bytes / itemBytes)
  return depot === Number.POSITIVE_INFINITY ? -1 : depot
}

function pendingItems(bytes: number, itemBytes: number): number {
  return bytes === Number.POSITIVE_INFINITY ? 0 : Math.floor(bytes / itemBytes)
}

/** Knobs that are not as `expected`, in words; undefined: none. */
export function differing(knobs: KnobStats, expected: Partial<KnobStats>): string | undefined {
  const found = Object.entries(expected).filter(([name, n]) => knobs[name as keyof KnobStats] !== n)
  if (found.length === 0) return undefined
  return `${JSON.stringify(Object.fromEntries(found))} said, ${JSON.stringify(knobs)} found`
}

/**
 * What is wrong with the size of buckets; undefined: nothing. Looked at under the depot's lock,
 * under which size and range agree at any time; without it one may be a moment older.
 */
export function wrongBucket(zone: Zone): string | undefined {
  let wrong: string | undefined
  zone.parts.depot.tune(() => {
    const { bucket, knobs } = zone.stats()
    const { bucketMin, bucketMax } = knobs
    const isInside = bucketMin <= bucket && bucket <= bucketMax
    const hasRoom = MADE.min <= bucketMin && bucketMax <= MADE.max
    if (!isInside || !hasRoom) wrong = `buckets of ${bucket}, of ${bucketMin} to ${bucketMax}`
  })
  return wrong
}

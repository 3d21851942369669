/**
 * The knobs of a zone as options, at creation and for `zone.tune`: checked, and completed from a
 * preset or from the zone's present values.
 *
 * Presets are named sets of knobs, from memory spent to memory saved:
 *
 *                 latency          balanced        memory
 *   bucket        B to 4 B         B               B/8 to B/2     B: the default for the item size
 *   advanceEvery  2                1               1
 *   sealAfterMs   1000             1000            5
 *   depot         no limit         no limit        4 B items
 *   trimEveryMs   never            5000            250
 *
 * `latency` has few slow paths and gives nothing back. `memory` keeps little pending and cached,
 * and pays with more steps of the clock and more locking. docs/tuning.md measures them.
 */

import { integer, Misuse, onlyOptions, show } from '../base/errors.ts'
import { NO_LIMIT } from '../memory/layout.ts'
import { BYTES_PER_WORD } from '../memory/memory.ts'

export type PresetName = 'latency' | 'balanced' | 'memory'

/** Fewest and most items of a full bucket. */
export interface BucketRange {
  /** Items in a bucket at first. */
  readonly min: number
  /** Items that a bucket grows to. */
  readonly max: number
}

/** Every knob as the words that a zone keeps; `depotItems` and `pendingItems` may be NO_LIMIT. */
export interface KnobValues {
  readonly bucket: BucketRange
  readonly advanceEvery: number
  readonly sealAfterMs: number
  readonly trimEveryMs: number
  readonly depotItems: number
  readonly pendingItems: number
}

/** A zone stores a preset as its index here. */
export const PRESETS: readonly PresetName[] = ['latency', 'balanced', 'memory']
export const DEFAULT_PRESET: PresetName = 'balanced'

export const MAX_CAPACITY = 4096

/** The values of `preset` for items of which a bucket holds `usual` by default. */
export function presetValues(preset: PresetName, usual: number): KnobValues {
  switch (preset) {
    case 'latency':
      return {
        bucket: { min: usual, max: Math.min(MAX_CAPACITY, usual * 4) },
        advanceEvery: 2,
        sealAfterMs: 1000,
        trimEveryMs: 0,
        depotItems: NO_LIMIT,
        pendingItems: NO_LIMIT,
      }
    case 'balanced':
      return {
        bucket: { min: usual, max: usual },
        advanceEvery: 1,
        sealAfterMs: 1000,
        trimEveryMs: 5000,
        depotItems: NO_LIMIT,
        pendingItems: NO_LIMIT,
      }
    case 'memory':
      return {
        bucket: { min: Math.max(1, usual >> 3), max: Math.max(1, usual >> 1) },
        advanceEvery: 1,
        sealAfterMs: 5,
        trimEveryMs: 250,
        depotItems: usual * 4,
        pendingItems: NO_LIMIT,
      }
  }
}

/** The knobs that `zone.tune` changes; `arena.zone` and `HashTable.create` take them too. */
export interface TuneOptions {
  /**
   * Items per bucket, 1 to 4096: one number, or a range. Fewer: memory comes back sooner; more:
   * fewer advances. Within a range a bucket grows when workers meet at the depot's lock, and
   * shrinks when the zone is trimmed. Default by item size, as UMA: 249 up to 64 bytes, 121 to 128,
   * 57 to 256, 25 to 1024, then 9 to 2.
   */
  readonly bucket?: number | BucketRange
  /**
   * Full buckets retired per step of the clock, 1 to 4096. More: fewer writes of the clock, but
   * freed items stay pending for longer. No effect with a lazy clock, which moves by time. Default
   * 1. Only for zones with smr.
   */
  readonly advanceEvery?: number
  /**
   * Retires a part-filled free bucket this many ms after its first item was freed, 0 to 2^31 - 1;
   * 0: never. Works only while the worker's event loop turns, or it allocates. Default 1000, in a
   * zone without smr 0.
   */
  readonly sealAfterMs?: number
  /**
   * Time in ms between trims, which give back what the depot has not used since the last one, 0 to
   * 2^31 - 1; 0: never. Any worker that uses the zone and whose event loop turns does it. Default
   * 5000.
   */
  readonly trimEveryMs?: number
  /**
   * Most items that the depot keeps for reuse; more expired ones go back to the slabs. Items, 0 to
   * 2^31 - 2, or bytes. `Infinity`, the default: no limit.
   */
  readonly depot?: number | { readonly bytes: number }
  /**
   * Limit of bytes that are freed but not reclaimed. At the limit allocations take no fresh memory:
   * they throw Exhausted and name the reader that holds the clock back. Counts retired buckets, not
   * those that workers are still filling. `Infinity`, the default: no limit.
   */
  readonly pendingBytes?: number
}

/** The knobs that a caller gave, checked. `undefined`: not given. */
export interface GivenKnobs {
  readonly bucket: BucketRange | undefined
  readonly advanceEvery: number | undefined
  readonly sealAfterMs: number | undefined
  readonly trimEveryMs: number | undefined
  readonly depot: number | { readonly bytes: number } | undefined
  readonly pendingBytes: number | undefined
}

export const KNOBS = [
  'bucket',
  'advanceEvery',
  'sealAfterMs',
  'trimEveryMs',
  'depot',
  'pendingBytes',
] as const satisfies readonly (keyof TuneOptions)[]

const MAX_EVERY = 4096
const MAX_MS = 2 ** 31 - 1

/** Misuse for values that no zone can have. */
export function givenKnobs(call: string, options: TuneOptions, arenaBytes: number): GivenKnobs {
  const { advanceEvery, sealAfterMs, trimEveryMs, depot, pendingBytes } = options
  const ms = (what: string, value: number | undefined): number | undefined =>
    value === undefined ? undefined : integer(call, what, value, 0, MAX_MS)
  return {
    bucket: options.bucket === undefined ? undefined : bucketRange(call, options.bucket),
    advanceEvery:
      advanceEvery === undefined
        ? undefined
        : integer(call, 'advanceEvery', advanceEvery, 1, MAX_EVERY),
    sealAfterMs: ms('sealAfterMs', sealAfterMs),
    trimEveryMs: ms('trimEveryMs', trimEveryMs),
    depot: depot === undefined ? undefined : depotLimit(call, depot, arenaBytes),
    pendingBytes:
      pendingBytes === undefined || pendingBytes === Number.POSITIVE_INFINITY
        ? pendingBytes
        : integer(call, 'pendingBytes', pendingBytes, 1, arenaBytes),
  }
}

function bucketRange(call: string, bucket: unknown): BucketRange {
  if (typeof bucket !== 'object' || bucket === null) {
    const both = integer(call, 'bucket', bucket, 1, MAX_CAPACITY)
    return { min: both, max: both }
  }
  onlyOptions(`${call}: bucket`, bucket, ['min', 'max'])
  const range = bucket as Partial<BucketRange>
  const min = integer(call, 'bucket.min', range.min, 1, MAX_CAPACITY)
  return { min, max: integer(call, 'bucket.max', range.max, min, MAX_CAPACITY) }
}

function depotLimit(
  call: string,
  depot: unknown,
  arenaBytes: number,
): number | { readonly bytes: number } {
  if (depot === Number.POSITIVE_INFINITY) return depot
  if (typeof depot !== 'object' || depot === null) {
    return integer(call, 'depot', depot, 0, NO_LIMIT - 1)
  }
  onlyOptions(`${call}: depot`, depot, ['bytes'])
  const { bytes } = depot as { bytes?: number }
  return { bytes: integer(call, 'depot.bytes', bytes, 0, arenaBytes) }
}

export function checkPreset(call: string, preset: unknown): PresetName | undefined {
  if (preset === undefined || PRESETS.includes(preset as PresetName)) {
    return preset as PresetName | undefined
  }
  throw new Misuse(`${call}: preset is ${show(preset)}; known are ${PRESETS.join(', ')}`, {
    preset: show(preset),
  })
}

/** Misuse for a knob of the clock in a zone without smr. */
export function assertSuits(call: string, given: GivenKnobs, hasSmr: boolean): void {
  if (hasSmr || given.advanceEvery === undefined) return
  throw new Misuse(`${call}: advanceEvery is for zones with smr; this one has no clock to move`, {
    advanceEvery: given.advanceEvery,
  })
}

/** Values for a new zone: those given, and for the rest those of the preset. */
export function knobValues(
  given: GivenKnobs,
  preset: PresetName | undefined,
  usual: number,
  stride: number,
  hasSmr: boolean,
): KnobValues {
  return merged(given, presetFor(preset ?? DEFAULT_PRESET, usual, hasSmr), stride)
}

export function presetFor(preset: PresetName, usual: number, hasSmr: boolean): KnobValues {
  const values = presetValues(preset, usual)
  // Without readers nothing needs to be retired before reuse.
  return hasSmr ? values : { ...values, sealAfterMs: 0, advanceEvery: 1 }
}

/** `values`, overridden by what was given. Bytes become items of `stride` words. */
export function merged(given: GivenKnobs, values: KnobValues, stride: number): KnobValues {
  return {
    bucket: given.bucket ?? values.bucket,
    advanceEvery: given.advanceEvery ?? values.advanceEvery,
    sealAfterMs: given.sealAfterMs ?? values.sealAfterMs,
    trimEveryMs: given.trimEveryMs ?? values.trimEveryMs,
    depotItems: given.depot === undefined ? values.depotItems : depotItems(given.depot, stride),
    pendingItems:
      given.pendingBytes === undefined
        ? values.pendingItems
        : Math.max(1, itemsIn(given.pendingBytes, stride)),
  }
}

function depotItems(depot: number | { readonly bytes: number }, stride: number): number {
  if (typeof depot === 'object') return itemsIn(depot.bytes, stride)
  return Math.min(depot, NO_LIMIT)
}

function itemsIn(bytes: number, stride: number): number {
  return Math.min(NO_LIMIT, Math.floor(bytes / (stride * BYTES_PER_WORD)))
}

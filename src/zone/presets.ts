/**
 * Presets: named sets of the knobs, from memory spent to memory saved.
 *
 *                 latency          balanced        memory
 *   bucket        B to 4 B         B               B/8 to B/2     B: the default for the item size
 *   advanceEvery  2                1               1
 *   sealAfterMs   1000             1000            5
 *   depot         no limit         no limit        4 B items
 *   trimEveryMs   never            5000            250
 *
 * `latency` makes allocations and frees short: rare slow paths, nothing given back. `memory` makes
 * what is freed and what is cached small, and pays with more steps of the clock and more locking.
 * How they compare is measured, and drawn, in docs/tuning.md.
 */

import { NO_LIMIT } from '../memory/layout.ts'

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

/** How a preset is written down: by position. */
export const PRESETS: readonly PresetName[] = ['latency', 'balanced', 'memory']
export const DEFAULT_PRESET: PresetName = 'balanced'

/** Items that a bucket of any zone may have room for. */
export const MAX_CAPACITY = 4096

/** What `preset` means for items of which a bucket holds `usual` by default. */
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

/**
 * `zone.tune`: knobs and the limit, changed while the zone is in use.
 */

import { integer, onlyOptions, show } from '../base/errors.ts'
import { CacheWords, ZoneWords } from '../memory/layout.ts'
import { BYTES_PER_WORD } from '../memory/memory.ts'
import { misuse } from './errors.ts'
import type { Failure } from './hooks.ts'
import {
  assertSuits,
  checkPreset,
  givenKnobs,
  KNOBS,
  type PresetName,
  presetFor,
  type TuneOptions,
} from './knobOptions.ts'
import { capacityFor, MAX_ITEMS } from './options.ts'
import type { Parts } from './parts.ts'
import type { Supply } from './supply.ts'

/** What `zone.tune` takes: see `ZoneOptions`, too. */
export interface RunTimeOptions extends TuneOptions {
  /** Knobs not given become those of this preset. */
  readonly preset?: PresetName
  /**
   * Most items outside the slabs, 1 to 2^31 - 1, not below the reserve; `Infinity`: no limit.
   */
  readonly limit?: number
}

const NONE = 0

/** Misuse before anything has changed. */
export function tuneZone(
  parts: Parts,
  supply: Supply,
  options: RunTimeOptions,
  failure: Failure,
): void {
  const { depot, domain, name, recordWords, keg, space } = parts
  const call = `zone.tune: zone ${show(name)}`
  onlyOptions(call, options, [...KNOBS, 'preset', 'limit'])
  const given = givenKnobs(call, options, space.memory.words.length * BYTES_PER_WORD)
  const hasSmr = domain !== undefined
  assertSuits(call, given, hasSmr)
  const preset = checkPreset(call, options.preset)
  const limit = limitOf(parts, call, options.limit)
  const values = preset && presetFor(preset, capacityFor(recordWords), hasSmr)
  depot.tune((knobs) => knobs.turn(call, given, values, keg.shape.stride))
  if (limit === undefined) return
  keg.setLimit(limit)
  if (keg.isOverLimit) shed(parts, supply, failure)
}

function limitOf(parts: Parts, call: string, limit: number | undefined): number | undefined {
  if (limit === undefined) return undefined
  if (limit === Number.POSITIVE_INFINITY) return NONE
  const items = integer(call, 'limit', limit, 1, MAX_ITEMS)
  const reserve = parts.space.memory.peek(parts.at + ZoneWords.reserve)
  if (items >= reserve) return items
  const what = `limit is ${items}; give at least its reserve of ${reserve}`
  throw misuse(parts, 'tune', what, { limit: items, reserve })
}

/** More items are out than the new limit allows: those that nobody uses go back. */
function shed({ at, cache, space }: Parts, supply: Supply, failure: Failure): void {
  const { memory } = space
  // The other workers follow at their next slow path, or when their event loop turns.
  memory.poke(cache.at + CacheWords.flushed, memory.add(at + ZoneWords.flush, 1) + 1)
  supply.obeyLimit(failure)
}

/**
 * Turning the knobs of a zone that is in use.
 */

import { onlyOptions, show } from '../errors.ts'
import { BYTES_PER_WORD } from '../memory/memory.ts'
import { capacityFor } from './options.ts'
import type { Parts } from './parts.ts'
import type { PresetName } from './presets.ts'
import { assertSuits, checkPreset, KNOBS, knobWish, presetFor, type TuneOptions } from './wish.ts'

export type { TuneOptions } from './wish.ts'

export function tuneZone(
  parts: Parts,
  options: TuneOptions & { readonly preset?: PresetName },
): void {
  const { depot, domain, name, recordWords, records, space } = parts
  const call = `zone.tune: zone ${show(name)}`
  onlyOptions(call, options, [...KNOBS, 'preset'])
  const wish = knobWish(call, options, space.memory.words.length * BYTES_PER_WORD)
  const hasSmr = domain !== undefined
  assertSuits(call, wish, hasSmr)
  const preset = checkPreset(call, options.preset)
  const values = preset && presetFor(preset, capacityFor(recordWords), hasSmr)
  depot.tune((knobs) => knobs.turn(call, wish, values, records.shape.stride))
}

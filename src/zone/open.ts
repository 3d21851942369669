/**
 * Opening a zone by name: finding it or building it, checking that both sides mean the same, and
 * putting together this worker's handle.
 */

import { Exhausted, Misuse, show } from '../errors.ts'
import type { Listing } from '../memory/directory.ts'
import { DomainWords, Named, ZoneWords } from '../memory/layout.ts'
import { BYTES_PER_WORD } from '../memory/memory.ts'
import type { Space } from '../memory/space.ts'
import { encodeText } from '../memory/utf8.ts'
import type { Smr } from '../smr/domain.ts'
import { bucketsFor } from './bucket.ts'
import { assertSameZone, buildZone, clearCache, zoneWords } from './build.ts'
import { type Hooks, hookBits, type ZoneOptions, zoneShape } from './options.ts'
import { markOpened, partsOf } from './parts.ts'
import { reachUnderPressure, relieve } from './pressure.ts'
import { Zone } from './zone.ts'

/**
 * Opens the zone, or creates it. `known` is what this worker has under that name; `domainAt` gives this worker's handle of the domain at an address,
 * for an opener that did not name it.
 */
export function openZone(
  caller: string,
  space: Space,
  name: string,
  options: ZoneOptions,
  known: Zone | undefined,
  domainAt: (address: number) => Smr | undefined,
  purpose: Purpose = 'use',
): Zone {
  const call = `${caller}: zone ${show(name)}`
  const asked = zoneShape(call, options, space.memory.words.length * BYTES_PER_WORD)
  const shape = { ...asked, forTable: purpose === 'table' }
  const { smr, hooks } = shape
  if (smr !== undefined && smr.space !== space) {
    throw new Misuse(`${call}: smr ${show(smr.name)} is another arena handle's; use the same one`)
  }
  if (smr !== undefined && !smr.isAlive()) {
    throw new Misuse(`${call}: smr ${show(smr.name)} was destroyed; open it again`)
  }
  const open = (): Listing | undefined =>
    space.directory.open(caller, Named.zone, name, (serial) => {
      if (smr !== undefined && !smr.isAlive())
        throw new Misuse(`${call}: smr ${show(smr.name)} was destroyed; open it again`)
      const zone = buildZone(call, space, shape, serial)
      if (zone !== 0 && smr !== undefined) space.memory.add(smr.address + DomainWords.users, 1)
      return zone
    })
  const relieved = (): boolean =>
    relieve(space, [zoneWords(space, encodeText(shape.schema ?? '').length)])
  const found = open() ?? (relieved() ? open() : undefined)
  if (found === undefined) throw new Exhausted(`${call}: no memory for it`, { zone: name })
  const same = known?.serial === found.serial ? known : undefined
  if (!found.created) {
    // This worker has brought its hooks before; it need not bring them to every look-up.
    const brought = same !== undefined && hookBits(hooks) === 0 ? same.parts.hooks : hooks
    assertSameZone(call, space, found.address, { ...shape, hooks: brought })
  }
  if (same !== undefined) return same
  const zone = handle(space, found, hooks, domainAt)
  const reserve = space.memory.peek(found.address + ZoneWords.reserve)
  // Also where it was made by another: he may be at it still, or may have died on the way.
  if (reserve > 0 && purpose !== 'reclaim') reserveOrUndo(zone, reserve)
  return zone
}

/** What a zone is opened for: to be used, to be a table's, or for the moment, to see what it can spare. */
export type Purpose = 'use' | 'table' | 'reclaim'

function handle(
  space: Space,
  found: Listing,
  hooks: Hooks,
  domainAt: (address: number) => Smr | undefined,
): Zone {
  const { memory } = space
  const { address: at, name, serial } = found
  const domainAddress = memory.peek(at + ZoneWords.domain)
  const domain = domainAddress === 0 ? undefined : domainAt(domainAddress)
  if (domainAddress !== 0 && domain === undefined) {
    // A zone that forgot its domain would free under its readers.
    throw new Misuse(`arena.zone: the smr domain of zone ${show(name)} is gone`, { zone: name })
  }
  const parts = partsOf(space, found, hooks, domain)
  space.directory.whileLocked((names) => {
    // With the directory locked nobody can end the zone: these words are its cache, or nobody's.
    if (!names.some((each) => each.serial === serial)) {
      throw new Misuse(`arena.zone: zone ${show(name)} was destroyed meanwhile`, { zone: name })
    }
    clearCache(memory, parts.cache.at, memory.load(at + ZoneWords.flush))
    markOpened(parts)
  })
  return new Zone(parts)
}

/** The reserve is there, or the zone is not opened; and one that nobody else has does not stay behind. */
function reserveOrUndo(zone: Zone, items: number): void {
  const { name, buckets, knobs, space } = zone.parts
  try {
    zone.prealloc(items)
    const spare = bucketsFor(items, knobs.leastBucket, space.maxWorkers)
    if (!reachUnderPressure(zone.parts, buckets.keg, spare)) {
      throw new Exhausted(
        `zone.prealloc: zone ${show(name)}: no memory for buckets of its reserve`,
        {
          zone: name,
        },
      )
    }
  } catch (error) {
    zone.undo()
    throw error
  }
}

/**
 * Opening a zone by name: finds it or builds it, checks that the options agree, and makes this
 * worker's handle.
 *
 * A zone is one run of pages: its own words, two kegs (records and buckets), the depot, a cache for
 * each possible worker, and the text of its schema. It is written before the directory names it, so
 * nobody sees it half made.
 */

import { Misuse, show } from '../base/errors.ts'
import {
  CacheWords,
  DepotWords,
  DomainWords,
  KegWords,
  KnobWords,
  Named,
  RunKind,
  ZoneWords,
  zoneParts,
} from '../memory/layout.ts'
import { BYTES_PER_WORD, LINE_WORDS, type Memory } from '../memory/memory.ts'
import { decodeText, encodeText } from '../memory/utf8.ts'
import type { Smr } from '../smr/domain.ts'
import type { Listing } from '../space/directory.ts'
import type { Space } from '../space/space.ts'
import { bucketsFor, bucketWords } from './bucket.ts'
import { GUARD_WORDS } from './guard.ts'
import { assertSuits, DEFAULT_PRESET, knobValues, PRESETS } from './knobOptions.ts'
import { assertSameKnobs, writeKnobs } from './knobs.ts'
import {
  capacityFor,
  type Hooks,
  hookBits,
  hookNames,
  MIN_ALIGN_BYTES,
  strideFor,
  type ZoneOptions,
  type ZoneShape,
  zoneShape,
} from './options.ts'
import { markOpened, partsOf } from './parts.ts'
import { reachUnderPressure, relieve } from './pressure.ts'
import { noMemory } from './shortage.ts'
import { type SlabShape, slabShape } from './slab.ts'
import { Zone } from './zone.ts'

/**
 * Opens the zone, or creates it. `known` is this worker's handle of that name; `domainAt` finds
 * this worker's handle of a domain by address, for an opener that did not name the domain.
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
  const heap = typeof purpose === 'object' ? purpose : undefined
  const shape = { ...asked, forTable: purpose === 'table', heap: heap?.serial }
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
      heap?.assertAlive()
      const zone = buildZone(call, space, shape, serial)
      if (zone !== 0 && smr !== undefined) space.memory.add(smr.address + DomainWords.users, 1)
      return zone
    })
  const words = zoneWords(space, encodeText(shape.schema ?? '').length)
  const relieved = (): boolean => relieve(space, [words])
  const found = open() ?? (relieved() ? open() : undefined)
  if (found === undefined)
    throw noMemory(space, `${call}: no memory for it`, words * BYTES_PER_WORD, { zone: name })
  const same = known?.serial === found.serial ? known : undefined
  if (!found.created) {
    // A worker gives its hooks once; later calls may leave them out.
    const brought = same !== undefined && hookBits(hooks) === 0 ? same.parts.hooks : hooks
    assertSameZone(call, space, found.address, { ...shape, hooks: brought })
  }
  if (same !== undefined) return same
  const zone = handle(space, found, hooks, domainAt)
  const reserve = space.memory.peek(found.address + ZoneWords.reserve)
  // Also for a zone that another worker created: it may not have finished, or may have died before
  // that.
  if (reserve > 0 && purpose !== 'reclaim') reserveOrUndo(zone, reserve)
  return zone
}

/**
 * What a zone is opened for: for use, for a table, for one call of `arena.reclaim`, or as a size
 * class of a heap.
 */
export type Purpose = 'use' | 'table' | 'reclaim' | ZoneOwner

/** A heap, as its zones know it. */
export interface ZoneOwner {
  readonly serial: number
  /** Misuse when it has ended. The directory is locked. */
  assertAlive(): void
}

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
    // Without its domain the zone would reuse items under readers.
    throw new Misuse(`arena.zone: the smr domain of zone ${show(name)} is gone`, { zone: name })
  }
  const parts = partsOf(space, found, hooks, domain)
  space.directory.whileLocked((names) => {
    // While the directory is locked nobody can destroy the zone: if it is listed, these words are
    // its cache.
    if (!names.some((each) => each.serial === serial)) {
      throw new Misuse(`arena.zone: zone ${show(name)} was destroyed meanwhile`, { zone: name })
    }
    clearCache(memory, parts.cache.at, memory.load(at + ZoneWords.flush))
    markOpened(parts)
  })
  return new Zone(parts)
}

/**
 * Makes the reserve. If it cannot, the zone is not opened, and destroyed if nobody else uses it.
 */
function reserveOrUndo(zone: Zone, items: number): void {
  const { name, buckets, knobs, space } = zone.parts
  try {
    zone.prealloc(items)
    const spare = bucketsFor(items, knobs.leastBucket, space.maxWorkers)
    if (!reachUnderPressure(zone.parts, buckets.keg, spare)) {
      const what = `zone.prealloc: zone ${show(name)}: no memory for buckets of its reserve`
      throw noMemory(space, what, spare * buckets.keg.shape.stride * BYTES_PER_WORD, { zone: name })
    }
  } catch (error) {
    zone.undo()
    throw error
  }
}

const DEFAULT_ALIGN = MIN_ALIGN_BYTES / BYTES_PER_WORD

/** Writes a new zone and returns its address; 0 when the arena has no pages for it. */
export function buildZone(call: string, space: Space, shape: ZoneShape, serial: number): number {
  const { memory, pages, maxWorkers } = space
  if (shape.words === undefined || shape.bytes === undefined) {
    throw new Misuse(`${call}: no such zone yet, and no size to make one: give bytes or record`)
  }
  const align = shape.alignWords ?? DEFAULT_ALIGN
  if (shape.keepReserve === true && !(Number(shape.reserve) > 0)) {
    throw new Misuse(`${call}: keepReserve, and no reserve to keep: give reserve, too`)
  }
  const hasSmr = shape.smr !== undefined
  assertSuits(call, shape.knobs, hasSmr)
  const guard = space.checks ? GUARD_WORDS : 0
  const stride = strideFor(shape.words + guard, align)
  const usual = capacityFor(shape.words)
  const knobs = knobValues(shape.knobs, shape.preset, usual, stride, hasSmr)
  const capacity = knobs.bucket.max
  const records = slabShape(stride, align, space.checks, pages.count)
  const buckets = slabShape(bucketWords(capacity, LINE_WORDS), LINE_WORDS, false, pages.count)
  if (2 ** records.slabOrder > pages.count) {
    throw new Misuse(
      `${call}: an item of ${shape.bytes} bytes does not fit into the arena of ${memory.words.length * BYTES_PER_WORD}`,
      { bytes: shape.bytes },
    )
  }
  const schema = encodeText(shape.schema ?? '')
  const own = zoneWords(space, schema.length)
  const zone = pages.reserve(own)
  if (zone === 0) return 0
  const parts = zoneParts(zone, maxWorkers)
  memory.fill(zone, own, 0)
  memory.poke(zone + ZoneWords.serial, serial)
  memory.poke(zone + ZoneWords.recordWords, shape.words)
  memory.poke(zone + ZoneWords.recordBytes, shape.bytes)
  memory.poke(zone + ZoneWords.align, align)
  memory.poke(zone + ZoneWords.maker, shape.forTable === true ? space.locks.signature : 0)
  memory.poke(zone + ZoneWords.heap, shape.heap ?? 0)
  memory.poke(zone + ZoneWords.capacity, capacity)
  memory.poke(zone + ZoneWords.domain, shape.smr?.address ?? 0)
  memory.poke(zone + ZoneWords.hooks, hookBits(shape.hooks))
  memory.poke(zone + ZoneWords.noFree, shape.noFree === true ? 1 : 0)
  memory.poke(zone + ZoneWords.limit, shape.limit ?? 0)
  memory.poke(zone + ZoneWords.reserve, shape.reserve ?? 0)
  memory.poke(zone + ZoneWords.keepReserve, shape.keepReserve === true ? 1 : 0)
  memory.poke(zone + ZoneWords.schemaBytes, schema.length)
  memory.writeBytes(parts.schema, 0, schema)
  const preset = PRESETS.indexOf(shape.preset ?? DEFAULT_PRESET)
  for (const at of [parts.made, parts.knobs]) writeKnobs(memory, at, knobs, preset)
  memory.store(parts.knobs + KnobWords.bucketNow, knobs.bucket.min)
  initKeg(memory, parts.keg, records, shape.limit ?? 0)
  memory.poke(parts.keg + KegWords.guardAt, space.checks ? shape.words : 0)
  initKeg(memory, parts.buckets, buckets, 0)
  memory.store(parts.depot + DepotWords.oldest, 0)
  // Before others can find it: another opener that fails must not take it for unused and destroy
  // it.
  memory.poke(parts.caches + space.slot * CacheWords.WORDS + CacheWords.opened, 1)
  pages.publish(zone, RunKind.zone)
  return zone
}

/** Words of a zone's own run, with `schemaBytes` bytes of schema text. */
export function zoneWords({ maxWorkers }: Space, schemaBytes: number): number {
  return zoneParts(0, maxWorkers).schema + Math.ceil(schemaBytes / BYTES_PER_WORD)
}

/** Misuse when the options differ from those that the zone was created with. */
export function assertSameZone(call: string, space: Space, zone: number, shape: ZoneShape): void {
  const { memory } = space
  const parts = zoneParts(zone, space.maxWorkers)
  const get = (at: number): number => memory.peek(at)
  const schemaBytes = get(zone + ZoneWords.schemaBytes)
  const schema = decodeText(memory.readBytes(parts.schema, 0, schemaBytes))
  const limit = get(zone + ZoneWords.limit)
  const align = shape.alignWords && shape.alignWords * BYTES_PER_WORD
  same(call, 'schema', shape.schema, schema)
  same(call, 'bytes', shape.bytes, get(zone + ZoneWords.recordBytes))
  same(call, 'limit', shape.limit, limit)
  same(call, 'reserve', shape.reserve, get(zone + ZoneWords.reserve))
  same(call, 'keepReserve', shape.keepReserve, get(zone + ZoneWords.keepReserve) !== 0)
  same(call, 'noFree', shape.noFree, get(zone + ZoneWords.noFree) !== 0)
  same(call, 'align', align, get(zone + ZoneWords.align) * BYTES_PER_WORD)
  const domain = get(zone + ZoneWords.domain)
  assertSuits(call, shape.knobs, domain !== 0)
  const stride = get(parts.keg + KegWords.stride)
  assertSameKnobs(call, memory, parts.made, shape.knobs, shape.preset, stride)
  if (shape.smr !== undefined && shape.smr.address !== domain) {
    throw new Misuse(`${call}: the zone exists with ${domain === 0 ? 'no' : 'another'} smr domain`)
  }
  const bits = get(zone + ZoneWords.hooks)
  const given = hookBits(shape.hooks)
  if (bits !== given) {
    throw new Misuse(
      `${call}: the zone exists with ${hookNames(bits)}, opened with ${hookNames(given)}; every worker must bring its own of each`,
    )
  }
}

/** Resets a worker's cache words. */
export function clearCache(memory: Memory, cache: number, flush: number): void {
  memory.poke(cache + CacheWords.alloc, 0)
  memory.poke(cache + CacheWords.free, 0)
  memory.poke(cache + CacheWords.flushed, flush)
  memory.poke(cache + CacheWords.hand, 0)
  memory.poke(cache + CacheWords.owed, 0)
}

function initKeg(memory: Memory, at: number, shape: SlabShape, limit: number): void {
  memory.poke(at + KegWords.stride, shape.stride)
  memory.poke(at + KegWords.perSlab, shape.perSlab)
  memory.poke(at + KegWords.slabOrder, shape.slabOrder)
  memory.poke(at + KegWords.itemsAt, shape.itemsAt)
  memory.poke(at + KegWords.busyAt, shape.busyAt)
  memory.store(at + KegWords.limit, limit)
}

function same<T>(call: string, what: string, given: T | undefined, actual: T): void {
  if (given === undefined || given === actual) return
  throw new Misuse(
    `${call}: the zone exists with another ${what}: ${show(actual)}, opened with ${show(given)}`,
    { actual: show(actual), given: show(given) },
  )
}

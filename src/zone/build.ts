/**
 * How a zone comes into being: sizes are worked out, words are written, and nobody sees any of it
 * until the directory names it.
 *
 * A zone is one run of pages: its own words, two kegs (records and buckets), the depot, a cache for
 * each possible worker, and the text of its schema.
 */

import { Misuse, show } from '../errors.ts'
import {
  CacheWords,
  DepotWords,
  KegWords,
  KnobWords,
  RunKind,
  ZoneWords,
  zoneParts,
} from '../memory/layout.ts'
import { BYTES_PER_WORD, LINE_WORDS, type Memory } from '../memory/memory.ts'
import type { Space } from '../memory/space.ts'
import { decodeText, encodeText } from '../memory/utf8.ts'
import { bucketWords } from './bucket.ts'
import { assertSameKnobs, writeKnobs } from './knobs.ts'
import {
  capacityFor,
  hookBits,
  hookNames,
  MIN_ALIGN_BYTES,
  strideFor,
  type ZoneShape,
} from './options.ts'
import { DEFAULT_PRESET, PRESETS } from './presets.ts'
import { type SlabShape, slabShape } from './slab.ts'
import { assertSuits, knobValues } from './wish.ts'

const DEFAULT_ALIGN = MIN_ALIGN_BYTES / BYTES_PER_WORD

/** Writes a new zone and returns its address; 0 when the arena has no pages for it. */
export function buildZone(call: string, space: Space, shape: ZoneShape, serial: number): number {
  const { memory, pages, maxWorkers } = space
  if (shape.words === undefined || shape.bytes === undefined) {
    throw new Misuse(`${call}: no such zone yet, and no size to make one: give bytes or record`)
  }
  const align = shape.alignWords ?? DEFAULT_ALIGN
  const hasSmr = shape.smr !== undefined
  assertSuits(call, shape.knobs, hasSmr)
  const stride = strideFor(shape.words, align)
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
  memory.poke(zone + ZoneWords.capacity, capacity)
  memory.poke(zone + ZoneWords.domain, shape.smr?.address ?? 0)
  memory.poke(zone + ZoneWords.hooks, hookBits(shape.hooks))
  memory.poke(zone + ZoneWords.noFree, shape.noFree === true ? 1 : 0)
  memory.poke(zone + ZoneWords.reserve, shape.reserve ?? 0)
  memory.poke(zone + ZoneWords.schemaBytes, schema.length)
  memory.writeBytes(parts.schema, 0, schema)
  const preset = PRESETS.indexOf(shape.preset ?? DEFAULT_PRESET)
  for (const at of [parts.made, parts.knobs]) writeKnobs(memory, at, knobs, preset)
  memory.store(parts.knobs + KnobWords.bucketNow, knobs.bucket.min)
  initKeg(memory, parts.records, records, shape.limit ?? 0)
  initKeg(memory, parts.buckets, buckets, 0)
  memory.store(parts.depot + DepotWords.oldest, 0)
  // Before anybody can find it: who else opens it must not take it for one that nobody has.
  memory.poke(parts.caches + space.slot * CacheWords.WORDS + CacheWords.opened, 1)
  pages.publish(zone, RunKind.zone)
  return zone
}

/** Words of a zone's own run, with so many bytes of schema text. */
export function zoneWords({ maxWorkers }: Space, schemaBytes: number): number {
  return zoneParts(0, maxWorkers).schema + Math.ceil(schemaBytes / BYTES_PER_WORD)
}

/** Misuse when a zone that exists is not the one that the opener describes. */
export function assertSameZone(call: string, space: Space, zone: number, shape: ZoneShape): void {
  const { memory } = space
  const parts = zoneParts(zone, space.maxWorkers)
  const get = (at: number): number => memory.peek(at)
  const schemaBytes = get(zone + ZoneWords.schemaBytes)
  const schema = decodeText(memory.readBytes(parts.schema, 0, schemaBytes))
  const limit = get(parts.records + KegWords.limit)
  const align = shape.alignWords && shape.alignWords * BYTES_PER_WORD
  same(call, 'schema', shape.schema, schema)
  same(call, 'bytes', shape.bytes, get(zone + ZoneWords.recordBytes))
  same(call, 'limit', shape.limit, limit)
  same(call, 'reserve', shape.reserve, get(zone + ZoneWords.reserve))
  same(call, 'noFree', shape.noFree, get(zone + ZoneWords.noFree) !== 0)
  same(call, 'align', align, get(zone + ZoneWords.align) * BYTES_PER_WORD)
  const domain = get(zone + ZoneWords.domain)
  assertSuits(call, shape.knobs, domain !== 0)
  const stride = get(parts.records + KegWords.stride)
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

/** Words that each worker's cache starts from. */
export function clearCache(memory: Memory, cache: number, flush: number): void {
  memory.poke(cache + CacheWords.alloc, 0)
  memory.poke(cache + CacheWords.free, 0)
  memory.poke(cache + CacheWords.flushed, flush)
}

function initKeg(memory: Memory, at: number, shape: SlabShape, limit: number): void {
  memory.poke(at + KegWords.stride, shape.stride)
  memory.poke(at + KegWords.perSlab, shape.perSlab)
  memory.poke(at + KegWords.slabOrder, shape.slabOrder)
  memory.poke(at + KegWords.itemsAt, shape.itemsAt)
  memory.poke(at + KegWords.busyAt, shape.busyAt)
  memory.poke(at + KegWords.limit, limit)
}

function same<T>(call: string, what: string, given: T | undefined, actual: T): void {
  if (given === undefined || given === actual) return
  throw new Misuse(
    `${call}: the zone exists with another ${what}: ${show(actual)}, opened with ${show(given)}`,
    { actual: show(actual), given: show(given) },
  )
}

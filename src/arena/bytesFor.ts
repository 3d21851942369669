/**
 * How many bytes an arena needs for given records: `Arena.bytesFor`.
 *
 * It adds up what is really laid out: header, slots and page table; for each shape its domain, its
 * zone, the slabs of its records and of the buckets that hold freed ones, and for a table its
 * stripes and chains, twice, since it may grow. On top of the records that are asked for come a
 * quarter more, which wait for readers after they were replaced, and what workers cache. Runs of
 * pages are powers of two, so some room is left over between them.
 */

import { integer, Misuse, onlyOptions, show } from '../base/errors.ts'
import { versionBits } from '../memory/arrays.ts'
import {
  DomainWords,
  geometry,
  MAX_WORKERS,
  NODE_WORDS,
  PAGE_WORDS,
  ReaderWords,
  tableParts,
  zoneParts,
} from '../memory/layout.ts'
import { BYTES_PER_WORD, LINE_WORDS } from '../memory/memory.ts'
import { encodeText } from '../memory/utf8.ts'
import { orderFor } from '../space/pageEntry.ts'
import { bucketWords } from '../zone/bucket.ts'
import { GUARD_WORDS } from '../zone/guard.ts'
import { capacityFor, MIN_ALIGN_BYTES, type RecordShape, strideFor } from '../zone/options.ts'
import { slabShape } from '../zone/slab.ts'

/** Records of one kind, for `Arena.bytesFor`. */
export interface RecordCount {
  /** What `record()` returned. */
  readonly record: RecordShape
  /** How many of them there are to be: 0 to 2^26. */
  readonly count: number
  /** The key of the table that they are for; left out for a zone. */
  readonly key?: string
}

/** How the arena will be created: see `ArenaOptions`. */
export interface BytesForOptions {
  /** Default 64. */
  readonly maxWorkers?: number
  /** Default false. */
  readonly checks?: boolean
}

const CALL = 'Arena.bytesFor'
const MOST = 2 ** 26
const DEFAULT_WORKERS = 64
/** More than so many workers seldom cache as much as they could at the same time. */
const BUSY_WORKERS = 8
const WAITING_SHARE = 1 / 4
const MOST_STRIPE_BITS = 6
/** A name each for zone, domain and table. */
const NAMES_PER_SHAPE = 3
const ALIGN = MIN_ALIGN_BYTES / BYTES_PER_WORD
const UNIT = 2 ** 16

/** Misuse for what is no list of records and counts. */
export function bytesFor(shapes: readonly RecordCount[], options: BytesForOptions): number {
  onlyOptions(CALL, options, ['maxWorkers', 'checks'])
  const { checks = false } = options
  if (typeof checks !== 'boolean')
    throw new Misuse(`${CALL}: checks is ${show(checks)}; give true or false`)
  const most = options.maxWorkers === undefined ? DEFAULT_WORKERS : options.maxWorkers
  const maxWorkers = integer(CALL, 'maxWorkers', most, 1, MAX_WORKERS)
  if (!Array.isArray(shapes)) {
    throw new Misuse(
      `${CALL}: shapes are ${show(shapes)}; give an array of { record, count, key? }`,
    )
  }
  for (const shape of shapes) assertShape(shape)
  const names = shapes.length * NAMES_PER_SHAPE
  // Slabs are the larger the more pages there are, so the sum is done again until it fits.
  let bytes = UNIT
  for (;;) {
    const geo = geometry(bytes / BYTES_PER_WORD, maxWorkers)
    const pages = shapes.reduce(
      (sum, each) => sum + pagesFor(each, geo.pages, maxWorkers, checks),
      0,
    )
    const missing = Math.max(pages - geo.pages, names > geo.names ? 1 : 0)
    if (missing <= 0) return bytes
    bytes += Math.ceil((missing * PAGE_WORDS * BYTES_PER_WORD) / UNIT) * UNIT
  }
}

/** Pages of one shape, in an arena of `pages`. */
function pagesFor(
  { count, key, record }: RecordCount,
  pages: number,
  maxWorkers: number,
  checks: boolean,
): number {
  const words = Math.ceil(record.bytes / BYTES_PER_WORD) + (key === undefined ? 0 : NODE_WORDS)
  const capacity = capacityFor(words)
  const cached = 2 * capacity * Math.min(BUSY_WORKERS, maxWorkers)
  const items = count + Math.ceil(count * WAITING_SHARE) + cached
  const stride = strideFor(words + (checks ? GUARD_WORDS : 0), ALIGN)
  const slabs = inSlabs(items, stride, ALIGN, checks, pages)
  const full = Math.ceil((items - count) / capacity) + 2 * maxWorkers
  const buckets = inSlabs(full, bucketWords(capacity, LINE_WORDS), LINE_WORDS, false, pages)
  const schema = Math.ceil(encodeText(record.signature).length / BYTES_PER_WORD)
  const own =
    run(DomainWords.WORDS + maxWorkers * ReaderWords.WORDS) +
    run(zoneParts(0, maxWorkers).schema + schema)
  return own + slabs + buckets + (key === undefined ? 0 : tablePages(count))
}

function tablePages(count: number): number {
  const chains = Math.max(2 ** MOST_STRIPE_BITS, run(Math.max(1, count)))
  const { versions } = tableParts(0, MOST_STRIPE_BITS)
  const bits = versionBits(Math.ceil(Math.log2(Math.max(1, count))), MOST_STRIPE_BITS)
  return run(versions + 2 ** bits) + 2 * chains
}

/** Pages of the slabs for so many items, and room that runs leave between them. */
function inSlabs(
  items: number,
  stride: number,
  align: number,
  checks: boolean,
  pages: number,
): number {
  const { perSlab, slabOrder } = slabShape(stride, align, checks, pages)
  return (Math.ceil(items / perSlab) + 1) * 2 ** slabOrder
}

/** Pages of the run for so many words. */
function run(words: number): number {
  return 2 ** orderFor(words)
}

function assertShape(shape: unknown): asserts shape is RecordCount {
  onlyOptions(CALL, shape, ['record', 'count', 'key'])
  const { count, key, record } = shape as Partial<RecordCount>
  if (typeof record !== 'object' || record === null || typeof record.signature !== 'string')
    throw new Misuse(`${CALL}: record is ${show(record)}; give what record() returned`)
  if (key !== undefined && typeof key !== 'string')
    throw new Misuse(`${CALL}: key is ${show(key)}; give the name of a field`)
  integer(CALL, 'count', count, 0, MOST)
}

/**
 * How many bytes an arena needs for given records: `Arena.bytesFor`.
 *
 * It adds up what is really laid out: header, slots and page table; for each shape its domain, its
 * zone, the slabs of its records and of the buckets that hold freed ones; for a table its stripes and
 * chains, twice, since it may grow; for an ordered table a node for each record, as there never are
 * more; for values of any size their blocks, a zone for each size near the mean, and what workers cache of
 * each. On top of the records that are asked for come a quarter more, which wait for readers after they
 * were replaced, and what workers cache. Runs of pages are powers of two, so some room is left over
 * between them.
 */

import { integer, Misuse, onlyOptions, show } from '../base/errors.ts'
import { bucketFor, indexFor, LARGEST, SIZES, sizeAt } from '../heap/sizes.ts'
import { versionBits } from '../memory/arrays.ts'
import {
  DomainWords,
  geometry,
  HeapWords,
  MAX_WORKERS,
  NODE_WORDS,
  OrderWords,
  PAGE_WORDS,
  ReaderWords,
  TRIE_WORDS,
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
  readonly record: RecordShape & { readonly unbounded?: readonly unknown[] }
  /** How many of them there are to be: 0 to 2^26. */
  readonly count: number
  /** The key of the table that they are for; left out for a zone. */
  readonly key?: string
  /** Whether that is an `OrderedTable`. Default false. */
  readonly ordered?: boolean
  /**
   * Bytes of the values of one record in its `text`, `data` and `json` fields, all together, on average:
   * 0 to 2^30. Required if it has such fields. Text has up to three bytes for each letter.
   */
  readonly valueBytes?: number
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
/** And one for the heap of its values, and for each size of blocks near the mean. */
const NEAR_SIZES = 6
const NAMES_OF_VALUES = 2 * NEAR_SIZES + 2
const MOST_VALUE_BYTES = 2 ** 30
/** Blocks are at most a fifth empty, and slabs have a rest. */
const BLOCK_SHARE = 4 / 3
/** A run of pages is a power of two. */
const RUN_SHARE = 2
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
  const names = shapes.reduce(
    (sum, each) => sum + NAMES_PER_SHAPE + (each.valueBytes ? NAMES_OF_VALUES : 0),
    0,
  )
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
  { count, key, ordered, record, valueBytes = 0 }: RecordCount,
  pages: number,
  maxWorkers: number,
  checks: boolean,
): number {
  const arena: Size = { pages, maxWorkers, checks }
  const words = Math.ceil(record.bytes / BYTES_PER_WORD) + (key === undefined ? 0 : NODE_WORDS)
  const schema = Math.ceil(encodeText(record.signature).length / BYTES_PER_WORD)
  const domain = run(DomainWords.WORDS + maxWorkers * ReaderWords.WORDS)
  const records = zonePages(count, words, capacityFor(words), arena, schema)
  const values = valueBytes === 0 ? 0 : valuePages(count, valueBytes, arena)
  if (key === undefined) return domain + records + values
  const index = ordered
    ? run(OrderWords.WORDS) + zonePages(count, TRIE_WORDS, capacityFor(TRIE_WORDS), arena)
    : tablePages(count)
  return domain + records + values + index
}

/** The arena that is being planned. */
interface Size {
  readonly pages: number
  readonly maxWorkers: number
  readonly checks: boolean
}

/** A zone of so many items of so many words. */
function zonePages(
  count: number,
  words: number,
  capacity: number,
  { checks, maxWorkers, pages }: Size,
  schema = 0,
): number {
  const cached = 2 * capacity * Math.min(BUSY_WORKERS, maxWorkers)
  const items = count + Math.ceil(count * WAITING_SHARE) + cached
  const stride = strideFor(words + (checks ? GUARD_WORDS : 0), ALIGN)
  const slabs = inSlabs(items, stride, ALIGN, checks, pages)
  const full = Math.ceil((items - count) / capacity) + 2 * maxWorkers
  const buckets = inSlabs(full, bucketWords(capacity, LINE_WORDS), LINE_WORDS, false, pages)
  return run(zoneParts(0, maxWorkers).schema + schema) + slabs + buckets
}

/** Blocks of values of so many bytes on average: of sizes near that, and runs if they are large. */
function valuePages(count: number, bytes: number, arena: Size): number {
  const mean = Math.min(indexFor(Math.min(bytes, LARGEST)), SIZES - 1)
  const first = Math.max(0, mean - NEAR_SIZES)
  const last = Math.min(SIZES - 1, mean + NEAR_SIZES)
  let pages = run(HeapWords.WORDS)
  for (let index = first; index <= last; index++) {
    const size = sizeAt(index)
    pages += zonePages(0, size / BYTES_PER_WORD, bucketFor(size), arena)
  }
  const share = bytes > LARGEST / 2 ? RUN_SHARE : BLOCK_SHARE
  const all = count * bytes * (1 + WAITING_SHARE) * share
  return pages + Math.ceil(all / (PAGE_WORDS * BYTES_PER_WORD))
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
  onlyOptions(CALL, shape, ['record', 'count', 'key', 'ordered', 'valueBytes'])
  const { count, key, ordered = false, record, valueBytes } = shape as Partial<RecordCount>
  if (typeof record !== 'object' || record === null || typeof record.signature !== 'string')
    throw new Misuse(`${CALL}: record is ${show(record)}; give what record() returned`)
  if (key !== undefined && typeof key !== 'string')
    throw new Misuse(`${CALL}: key is ${show(key)}; give the name of a field`)
  if (typeof ordered !== 'boolean')
    throw new Misuse(`${CALL}: ordered is ${show(ordered)}; give true or false`)
  if (ordered && key === undefined)
    throw new Misuse(`${CALL}: ordered is for tables; give the key as well`)
  integer(CALL, 'count', count, 0, MOST)
  if (valueBytes !== undefined) integer(CALL, 'valueBytes', valueBytes, 0, MOST_VALUE_BYTES)
  else if ((record.unbounded ?? []).length > 0) {
    throw new Misuse(
      `${CALL}: the record has text, data or json fields; give valueBytes, what these values of one record take on average`,
    )
  }
}

/**
 * The map of the shared memory: every shared struct, word by word.
 *
 *   | header | worker slots | directory | page table | pages ............................ |
 *
 * A domain, a zone, a slab, a heap, a table and a hash array are each a run of pages, and the page table
 * says what each run is. Named things are found through the directory. The kinds of fields (shared,
 * owned, locked, frozen, tally) are explained in struct.ts; no other file has offsets as numbers.
 * A change of this file raises LAYOUT_VERSION.
 */

import { frozen, line, locked, owned, roundUp, shared, struct, tally } from './struct.ts'
import { KEYS_AT_ONCE, LINE_WORDS } from './units.ts'

/** "uMaS" in ASCII: marks a buffer as an arena. */
export const MAGIC = 0x754d6153
export const LAYOUT_VERSION = 8

/** 4 KiB. The arena hands out memory in runs of 2^k pages. */
export const PAGE_WORDS = 1024
export const PAGE_SHIFT = 10
export const MAX_WORKERS = 256
const MASK_BITS = 32
/** Enough run lengths for any arena that 31-bit word addresses can reach. */
export const ORDERS = 22

// ---- memory: the arena itself ----------------------------------------------------------------

export const Header = struct(
  'header',
  line({
    nothing: frozen('always zero: null reads as an empty bucket that has no room', LINE_WORDS),
  }),
  line({
    magic: frozen('MAGIC'),
    version: frozen('LAYOUT_VERSION'),
    words: frozen('length of the arena'),
    maxWorkers: frozen('worker slots'),
    checks: frozen('1: a checked arena'),
    first: frozen('first sequence of a new domain, odd'),
    step: frozen('step of a domain clock, even'),
    names: frozen('entries in the directory'),
    workersAt: frozen('address of the worker slots'),
    directoryAt: frozen('address of the directory'),
    pageTableAt: frozen('address of the page table'),
    pagesAt: frozen('address of the first page'),
    pages: frozen('number of pages'),
  }),
  line({
    active: shared('one bit per attached worker slot', MAX_WORKERS / MASK_BITS),
    serial: shared('last serial number given to a named thing'),
    unswept: shared('1: a named thing is being made or ended, or was when its worker died'),
    epoch: shared('rises before version words of a table repeat, or become something else'),
  }),
  line({ directoryLock: shared('lock: the directory') }),
  line({ tableLock: shared('lock: making tables') }),
  line({
    pageLock: shared('lock: pages, their table and the words below'),
    brk: locked('pages ever used: everything from here on is untouched (pageLock)'),
    freePages: locked('pages in free runs below brk (pageLock)'),
    freeRuns: locked('first free run of each order, 0 none (pageLock)', ORDERS),
    redoTarget: locked('word that changes together with the page table, 0 none (pageLock)'),
    redoRun: locked('the run that the redo record is about (pageLock)'),
    redoEntry: locked('page table entry that the run is to have, 0 to be free (pageLock)'),
  }),
)

/** The part of a label that others can read, of a worker's or an async section's: 40 bytes. */
export const LABEL_WORDS = 10

/** One per possible worker: what a CPU is to a kernel. */
export const WorkerSlot = struct(
  'worker slot',
  line({
    generation: shared('even: free, or its worker is there; odd: it is gone and not reaped yet'),
    owner: shared('who claimed it last: a thread, and in which generation, see space/workers.ts'),
    heir: shared('token of the worker that has set out to reap it, 0 none'),
    reserving: shared('1: runs of pages may be marked as reserved by this slot'),
    // One element of a list that all slots share: about any two workers, not about the slot's own.
    warden: shared('token of a worker that supervises a thread, 0: this place is not taken'),
    ward: shared('that thread + 1, 0 while it is being written'),
  }),
  line({
    told: shared('generation + 1 of the worker that has written the words below [N]'),
    since: shared('when it attached, ms of the shared clock, wrapped'),
    labelBytes: shared('length of its label in UTF-8'),
    label: shared('UTF-8', LABEL_WORDS),
  }),
  line({ many: owned('hashes of many keys, nodes (by the worker)', 2 * KEYS_AT_ONCE) }),
)

export const Entry = struct(
  'directory entry',
  line({
    kind: shared('0 free, else Named: the commit point of creation and removal'),
    address: locked('first word of the thing (directoryLock)'),
    serial: locked('tells two things of one name apart: for stale handles (directoryLock)'),
    nameBytes: locked('length of the name in UTF-8 (directoryLock)'),
    word: shared('the word of a named lock or root'),
  }),
  line({ name: locked('UTF-8 (directoryLock)', LINE_WORDS) }),
)

/** What a directory entry names. */
export const Named = {
  free: 0,
  lock: 1,
  domain: 2,
  zone: 3,
  table: 4,
  root: 5,
  ordered: 6,
  heap: 7,
  counter: 8,
} as const

/** A free run keeps its list links in its own first words. */
export const FreeRun = struct(
  'free run',
  line({ next: locked('next free run of this order (pageLock)'), prev: locked('(pageLock)') }),
)

// ---- smr -------------------------------------------------------------------------------------

export const DomainWords = struct(
  'domain',
  line({ wr: shared('write hand: moved only by clock.ts [W]') }),
  line({
    tick: shared('lazy clock: the tick in which the write hand moved last'),
    owed: shared('1: goals ahead of the write hand were given at the guard; polls commit them'),
  }),
  line({ rd: shared('read hand: forwarded only by clock.ts [S3], never past wr') }),
  line({
    serial: frozen('serial of its directory entry'),
    users: shared('zones and heaps bound to this domain'),
    hurry: shared('rises when a worker waits for the callbacks of all workers'),
    first: frozen('where the hands started'),
    step: frozen('one step of the write hand'),
    clock: frozen('which clock: see CLOCKS in smr/options.ts'),
    limit: frozen('deferred clock: advances of a worker per step'),
    tickMs: frozen('lazy clock: ms per tick'),
    sections: frozen('which sections: see SECTIONS in smr/options.ts'),
    sleepable: frozen('1: async sections allowed'),
  }),
)

/**
 * One per worker and domain. Only its worker, or a reaper after its death, writes the first line.
 */
export const ReaderWords = struct(
  'reader',
  line({
    seq: shared('sequence observed by the open section, 0 outside [R1] [R2]'),
    asyncSeq: shared('sequence of the oldest open async section, 0 none [X1] [X2]'),
  }),
  line({
    advances: tally('times this worker moved the write hand'),
    advanceWaits: tally('times it found the hands too far apart to move it'),
    polls: tally('polls'),
    pollScans: tally('polls that had to look at the readers'),
    pollFails: tally('polls answered no'),
    calls: tally('callbacks queued'),
    callErrors: tally('callbacks that threw'),
    callsRun: tally('callbacks that have run; those that neither ran nor wait are lost'),
  }),
  line({
    heldSeq: shared('the sequence with which it was last found to hold a goal back'),
    heldSince: shared('when that sequence was first found, ms of the shared clock, wrapped'),
    asyncHeldSeq: shared('the same for its async sections'),
    asyncHeldSince: shared('the same for its async sections'),
    labelSeq: shared('the async section that the label is about, 0 while it is being written'),
    labelBytes: shared('length of the label in UTF-8, and above it the number of the label [L]'),
    label: shared('UTF-8', LABEL_WORDS),
  }),
  line({
    queued: shared('callbacks ever queued by this worker, wrapped'),
    completed: shared('of these, run or dropped, wrapped'),
  }),
)

// ---- zone ------------------------------------------------------------------------------------

export const ZoneWords = struct(
  'zone',
  line({
    serial: frozen('serial of its directory entry'),
    recordWords: frozen('words of a record that belong to the user'),
    recordBytes: frozen('the same in bytes, as the user gave it'),
    capacity: frozen('items that a bucket has room for'),
    domain: frozen('address of its smr domain, 0 none'),
    hooks: frozen('bit set of ctor, dtor, init, fini'),
    noFree: frozen('1: its slabs are never given back'),
    limit: frozen('items allowed outside the slabs when it was made, 0 no limit'),
    reserve: frozen('items whose slabs stay in the zone'),
    keepReserve: frozen('1: these items are for callers that ask for the reserve'),
    schemaBytes: frozen('length of the schema text behind the caches, 0 none'),
    align: frozen('words that the address of an item is a multiple of'),
    maker: frozen('token of the worker that made it for a table of its name, 0: not for a table'),
    heap: frozen('serial of the heap that it is a size class of, 0 none'),
  }),
  line({
    state: shared('0 open, 2 all caches are being emptied, see zone/adopt.ts; never 1'),
    flush: shared('raised to ask every worker to put its buckets into the depot'),
    trimmedAt: shared('when a timer trimmed it last, ms of the shared clock, wrapped'),
  }),
)

/** What can be changed while a zone is in use. A zone has two: as it was made, and as it is now. */
export const KnobWords = struct(
  'knobs',
  line({
    preset: shared('which preset, see zone/knobOptions.ts'),
    bucketMin: shared('fewest items of a full bucket'),
    bucketMax: shared('most items of a full bucket'),
    bucketNow: shared('items of a full bucket that is loaded now; changed under the depot lock'),
    advanceEvery: shared('full buckets retired per step of the clock'),
    sealAfterMs: shared('ms until a part-filled free bucket is retired, 0 never'),
    trimEveryMs: shared('ms from one trim by a timer to the next, 0 never'),
    depotItems: shared('reusable items that the depot keeps, see NO_LIMIT'),
    pendingItems: shared('pending items from which on the zone does not grow, see NO_LIMIT'),
  }),
)

/** A number of items that means: no limit. */
export const NO_LIMIT = 2 ** 31 - 1

/** Slabs of one item size. A zone has two: one for its records, one for its buckets. */
export const KegWords = struct(
  'keg',
  line({ lock: shared('lock: slabs of this keg and the words of the second group') }),
  line({
    stride: frozen('words from item to item'),
    perSlab: frozen('items in a slab'),
    slabOrder: frozen('a slab is a run of 2^order pages'),
    itemsAt: frozen('words from slab to first item'),
    busyAt: frozen('words from slab to its busy bits (checked arenas), 0 none'),
    guardAt: frozen('words from item to its guard (checked arenas), 0 none'),
  }),
  line({
    partial: locked('slabs with some items free (lock)'),
    free: locked('slabs with all items free (lock)'),
    full: locked('slabs with no item free (lock)'),
    slabs: locked('slabs in all (lock)'),
    created: locked('items in all slabs (lock)'),
    inSlabs: locked('of these, free in their slab (lock)'),
    step: locked('the batch in progress, see KegStep: part of its redo record (lock)'),
    bucket: locked('the bucket, or item, of that batch (lock)'),
    stepItems: locked('how many items (lock)'),
    tally: locked('address of the tally that the batch changes (lock)'),
    after: tally('value of that tally after the batch (lock)'),
    limit: shared('items allowed outside the slabs, 0 no limit; changed under the lock'),
    clear: locked('address of a word that is 0 after that batch, 0 none (lock)'),
  }),
)

/**
 * Values of `KegWords.step`. A batch between slabs and a bucket is redone from the redo record if
 * its worker dies in the middle; so is a single item that goes back, with the tally that counts it.
 */
export const KegStep = { none: 0, take: 1, give: 2, giveOne: 3 } as const

/** Followed by free bits (locked), in checked arenas busy bits (shared), then the items. */
export const SlabWords = struct(
  'slab',
  line({
    keg: frozen('address of its keg'),
    freeItems: locked('items whose free bit is set (keg lock)'),
    list: locked('word of the keg that heads the list it is in (keg lock)'),
    next: locked('(keg lock)'),
    prev: locked('(keg lock)'),
  }),
)

/** `owner` says who may touch a bucket: a worker's cache (owned) or the depot (depot lock). */
export const BucketWords = struct(
  'bucket',
  line({
    count: owned('items in it (by its owner)'),
    goal: owned('sequence at which they may be used again, 0 not stamped (by its owner)'),
    owner: owned('where it is, see Owner; depot lists are made again from it (by its owner)'),
    next: locked('next in its depot list (depot lock)'),
    raw: owned('1: `init` has not seen all of its items, or `fini` has seen some (by its owner)'),
    destroyed: owned('items for which the destructor was called (by its owner)'),
    capacity: owned('items at which it is full: no more than it has room for (by its owner)'),
    entries: owned('the items (by its owner)'),
  }),
)

/**
 * Values of `BucketWords.owner`. In a worker's cache it is slot + alloc or slot + free: the items
 * of an alloc bucket may be handed out, those of a free bucket still have to be stamped.
 */
export const Owner = { pending: -1, safe: -2, empty: -3, alloc: 1, free: 1 + MAX_WORKERS } as const

/** A zone's shared buckets. */
export const DepotWords = struct(
  'depot',
  line({ lock: shared('lock: the depot') }),
  line({ oldest: shared('goal at the head of pending, 0 none: polled before locking') }),
  line({
    pendingHead: locked('retired buckets, oldest goal first (lock)'),
    pendingTail: locked('(lock)'),
    pendingBuckets: locked('(lock)'),
    pendingItems: locked('(lock)'),
    peakPending: locked('most items ever pending at once (lock)'),
    unpaced: locked('full buckets retired since one of them moved the clock (lock)'),
    retired: tally('buckets stamped (lock)'),
    advances: tally('stamps that moved the clock (lock)'),
    safeHead: locked('buckets whose items may be used at once, last freed first (lock)'),
    safeBuckets: locked('(lock)'),
    safeItems: locked('(lock)'),
    idleItems: locked('fewest items held since the last trim, which were not needed (lock)'),
    emptyHead: locked('empty buckets (lock)'),
    emptyBuckets: locked('(lock)'),
    contended: tally('times that the lock was found taken (lock)'),
  }),
)

/** A worker's share of a zone. Plain words: the fast path has no atomics. */
export const CacheWords = struct(
  'cache',
  line({
    alloc: owned('bucket that zalloc pops from, 0 none (by the worker)'),
    free: owned('bucket that zfree pushes into, 0 none (by the worker)'),
    flushed: owned('last flush of the zone that it has done (by the worker)'),
    move: owned('a bucket is moved in or out, see CacheMove: the redo record (by the worker)'),
    moved: owned('which bucket (by the worker)'),
    before: tally('the tally before the move'),
    opened: owned('1: the worker of this slot has opened the zone (by the worker)'),
    hand: owned('item for a table, not yet in it, 0 none; +1: it owns blocks (by the worker)'),
    owed: owned('item out of a table and not yet freed, 0 none (by the worker)'),
    owes: owned('how many of its fields may have blocks that are not freed (by the worker)'),
  }),
  line({
    loaded: tally('items that came in alloc buckets, less those that left in them'),
    freed: tally('items that left in free buckets'),
    fails: tally('allocations refused'),
    refills: tally('alloc buckets refilled'),
    pollHits: tally('polls that gave a bucket back'),
    pollFails: tally('polls that found it too early'),
    imports: tally('batches taken from the keg'),
  }),
)

/** Values of `CacheWords.move`: redone from `moved` and `before` if the worker dies. */
export const CacheMove = {
  none: 0,
  loadAlloc: 1,
  unloadAlloc: 2,
  unloadFree: 3,
  reloadFree: 4,
} as const

/** Where the parts of a zone lie behind its own words. */
export function zoneParts(zone: number, maxWorkers: number): ZoneParts {
  const made = zone + ZoneWords.WORDS
  const knobs = made + KnobWords.WORDS
  const keg = knobs + KnobWords.WORDS
  const buckets = keg + KegWords.WORDS
  const depot = buckets + KegWords.WORDS
  const caches = depot + DepotWords.WORDS
  const schema = caches + maxWorkers * CacheWords.WORDS
  return { made, knobs, keg, buckets, depot, caches, schema }
}

export interface ZoneParts {
  readonly made: number
  readonly knobs: number
  readonly keg: number
  readonly buckets: number
  readonly depot: number
  readonly caches: number
  readonly schema: number
}

// ---- heaps -----------------------------------------------------------------------------------

/** Blocks up to a size are items of zones; see `ZoneWords.heap`. This is about the larger ones. */
export const HeapWords = struct(
  'heap',
  line({
    serial: frozen('serial of its directory entry'),
    domain: frozen('address of its smr domain, 0 none'),
    zone: frozen('serial of the zone of the table that it is made for, 0: not for a table'),
  }),
  line({ lock: shared('lock: its runs, their headers and the words of the last group') }),
  line({ oldest: shared('goal of the first retired run, 0 none: polled before locking') }),
  line({
    head: locked('retired runs, oldest goal first (lock)'),
    tail: locked('(lock)'),
    live: locked('runs in use (lock)'),
    livePages: locked('their pages (lock)'),
    retired: locked('runs in the list (lock)'),
    retiredPages: locked('their pages (lock)'),
  }),
)

/** In front of a block that is a run of pages of its own. */
export const RunWords = struct(
  'run of a heap',
  line({
    heap: frozen('address of its heap'),
    bytes: frozen('how many were asked for'),
    state: locked('see RunState (heap lock)'),
    goal: locked('sequence at which it may be used again (heap lock)'),
    next: locked('next retired run (heap lock)'),
    holder: locked('address of the word that it was taken into, 0 none (heap lock)'),
  }),
)

/** Values of `RunWords.state`. What is `made` when the lock has changed hands is nobody's. */
export const RunState = { made: 0, live: 1, retired: 2 } as const

// ---- tables ----------------------------------------------------------------------------------

/** While a table is resized: the array that stripes come from, and the one they move to. */
export const SHARED_ARRAYS = 2

/**
 * Followed by one `ChainsWord` for each stripe, on lines that only a resize writes, then the stripes, then
 * the version words: see table/version.ts.
 */
export const TableWords = struct(
  'table',
  line({
    serial: frozen('serial of its directory entry'),
    zone: frozen('address of its zone'),
    zoneSerial: frozen('serial of that zone'),
    recordWords: frozen('words of a record; its links and hash follow'),
    stripeBits: frozen('2^bits stripes'),
    seed: frozen('of the hash of its keys, see record/hash.ts'),
    grow: frozen('1: it grows by itself'),
    ownsDomain: frozen('1: its domain was made with it, and ends with it'),
    versionBits: frozen('2^bits version words'),
    holds: frozen('records that each worker may hold, 0: none can be held'),
  }),
  line({
    resizing: shared('lock: the arrays that stripes share'),
    shared: locked('arrays of chains that stripes share, 0 none (lock: resizing)', SHARED_ARRAYS),
    progress: shared('rises while nodes are linked into a new array'),
    holdLock: shared('lock: holders that are gone, and places that change hands'),
  }),
)

/**
 * One word describes the chains of a stripe, so that one atomic load gets all of it: where the array
 * would begin that all hashes index, which is the address of a page and leaves ten low bits free; in
 * these, the bits of the number of its chains, and which of a node's two link words the chains use.
 * Of an array of its own a stripe has only its part: then the address may be negative.
 */
export const ChainsWord = {
  linkMask: 1,
  bitsShift: 1,
  bitsMask: 31,
  pageMask: -PAGE_WORDS,
} as const

/** Writers of one part in 2^bits of all hashes take turns by this lock. */
export const StripeWords = struct(
  'stripe',
  line({
    lock: shared('lock: chains of this stripe'),
    records: shared('records in them; written under the lock, read by anyone'),
    retired: locked('the ChainsWord before, until its readers have left, 0 none (lock)'),
    goal: locked('the goal that is met when they have left (lock)'),
    building: locked('address of an array of its own that is being filled, 0 none (lock)'),
    grown: locked('how often it has grown by itself, wrapped (lock)'),
  }),
)

/** Where the parts of a table lie behind its own words. */
export function tableParts(table: number, stripeBits: number): TableLayout {
  const stripes = 2 ** stripeBits
  const chains = table + TableWords.WORDS
  const first = chains + roundUp(stripes, LINE_WORDS)
  return { chains, stripes: first, versions: first + stripes * StripeWords.WORDS }
}

export interface TableLayout {
  /** A ChainsWord for each stripe. */
  readonly chains: number
  readonly stripes: number
  /** 2^versionBits words, up to the end. */
  readonly versions: number
}

const LINKS_PER_NODE = 2

/** Follows each record of a table. */
export const NodeWords = struct(
  'table node',
  line({
    links: shared('next record in the chain, one word for each of two arrays', LINKS_PER_NODE),
    hash: frozen('of the key'),
    version: frozen('of the record: no other of its key has had it, 1 to 2^31 - 1'),
  }),
)
/** Words behind each record: not padded to a line. */
export const NODE_WORDS = NodeWords.version + 1

// ---- ordered tables --------------------------------------------------------------------------

export const OrderWords = struct(
  'ordered table',
  line({
    serial: frozen('serial of its directory entry'),
    zone: frozen('address of the zone of its records'),
    zoneSerial: frozen('serial of that zone'),
    nodesSerial: frozen('serial of the zone of its nodes'),
    recordWords: frozen('words of a record; its version follows'),
    ownsDomain: frozen('1: its domain was made with it, and ends with it'),
  }),
  line({ root: shared('where readers start: a record, a node, or 0; see TrieLink') }),
  line({ changes: shared('odd while keys come or go, see order/trie.ts [V]') }),
  line({
    lock: shared('lock: the tree, and the words below'),
    records: shared('records in it; written under the lock, read by anyone'),
    versions: locked('how many records were put into it, wrapped (lock)'),
  }),
)

/** Follows each record of an ordered table. */
export const OrderedWords = struct(
  'ordered record',
  line({ version: frozen('of the record: no other of its key has had it, 1 to 2^31 - 1') }),
)
/** Words behind each record: not padded to a line. */
export const ORDERED_WORDS = OrderedWords.version + 1

/** A node has a slot for the end of a key and one for each value of a digit. */
export const DIGITS = 17

/** The bits of a node's first word. */
export const TrieHead = { slotsMask: 2 ** DIGITS - 1, levelShift: DIGITS } as const

/** A link leads to a node, or with this bit to a record. Items lie at even addresses. */
export const TrieLink = { record: 1 } as const

export const TrieWords = struct(
  'trie node',
  line({
    head: shared('which digit of a key it tells apart, and a bit for each slot that may be in use'),
    slots: shared('links to what has this digit, 0 none', DIGITS),
  }),
)
/** Words of a node: not padded to a line. */
export const TRIE_WORDS = TrieWords.slots + DIGITS

// ---- counters --------------------------------------------------------------------------------

/** A worker's share of a counter. One per slot: who has the slot next goes on from there. */
export const CounterWords = struct(
  'counter',
  line({ sum: tally('what all workers that have had this slot have added') }),
)

/** What a run of pages is, in the low bits of its page table entries. */
export const RunKind = {
  slab: 1,
  domain: 2,
  zone: 3,
  table: 4,
  chains: 5,
  heap: 6,
  block: 7,
  counter: 8,
} as const

// ---- sizes -----------------------------------------------------------------------------------

export interface Geometry {
  readonly words: number
  readonly maxWorkers: number
  readonly names: number
  readonly workersAt: number
  readonly directoryAt: number
  readonly pageTableAt: number
  readonly pagesAt: number
  readonly pages: number
}

const MIN_NAMES = 32
const MAX_NAMES = 4096
const PAGES_PER_NAME = 16

/** How an arena of so many words is divided. With 0 pages the arena is too small. */
export function geometry(words: number, maxWorkers: number): Geometry {
  const names = Math.min(
    MAX_NAMES,
    Math.max(MIN_NAMES, Math.floor(words / PAGE_WORDS / PAGES_PER_NAME)),
  )
  const workersAt = Header.WORDS
  const directoryAt = workersAt + maxWorkers * WorkerSlot.WORDS
  const pageTableAt = directoryAt + names * Entry.WORDS
  const most = Math.max(0, Math.floor((words - pageTableAt) / PAGE_WORDS))
  const pagesAt = roundUp(pageTableAt + most, PAGE_WORDS)
  const pages = Math.max(0, Math.floor((words - pagesAt) / PAGE_WORDS))
  return { words, maxWorkers, names, workersAt, directoryAt, pageTableAt, pagesAt, pages }
}

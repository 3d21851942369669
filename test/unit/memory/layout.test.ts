/**
 * The map, pinned. The snapshot below is the layout that two workers of different builds agree on:
 * when it changes, LAYOUT_VERSION has to rise, and a look at it tells whether words that different
 * workers write still have cache lines of their own.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as holdWords from '#src/memory/holdWords.ts'
import * as layout from '#src/memory/layout.ts'
import {
  BucketWords,
  CacheWords,
  ChainsWord,
  DepotWords,
  DomainWords,
  Entry,
  geometry,
  Header,
  KegWords,
  KnobWords,
  LAYOUT_VERSION,
  MAGIC,
  MAX_WORKERS,
  Named,
  NODE_WORDS,
  NodeWords,
  ORDERS,
  Owner,
  PAGE_SHIFT,
  PAGE_WORDS,
  ReaderWords,
  RunKind,
  StripeWords,
  TableWords,
  tableParts,
  WorkerSlot,
  ZoneWords,
  zoneParts,
} from '#src/memory/layout.ts'
import { LINE_WORDS } from '#src/memory/memory.ts'
import type { Struct, StructField } from '#src/memory/struct.ts'
import { orderFor } from '#src/space/pageEntry.ts'

type AnyStruct = Pick<Struct<never>, 'NAME' | 'WORDS' | 'PLACES'>

const isStruct = (value: unknown): value is AnyStruct =>
  typeof value === 'object' && value !== null && 'PLACES' in value

const STRUCTS: readonly AnyStruct[] = Object.values<unknown>({
  ...layout,
  ...holdWords,
}).filter(isStruct)
const lineOf = (at: number): number => Math.floor(at / LINE_WORDS)

/** One line of text per cache line: offset, then the fields with kind and size. */
function drawing(each: AnyStruct): string {
  const lines = new Map<number, string[]>()
  for (const place of each.PLACES) {
    const words = place.words === 1 ? '' : `*${place.words}`
    const said = lines.get(lineOf(place.at)) ?? []
    said.push(`${place.at} ${place.name}${words} ${place.kind}`)
    lines.set(lineOf(place.at), said)
  }
  const body = [...lines.values()].map((said) => `  ${said.join(', ')}`)
  return [`${each.NAME}: ${each.WORDS}`, ...body].join('\n')
}

it('every offset stands where the layout version says', () => {
  const all = [`version ${LAYOUT_VERSION}`, ...STRUCTS.map(drawing)].join('\n')
  expect(all).toMatchInlineSnapshot(`
    "version 8
    header: 112
      0 nothing*16 frozen
      16 magic frozen, 17 version frozen, 18 words frozen, 19 maxWorkers frozen, 20 checks frozen, 21 first frozen, 22 step frozen, 23 names frozen, 24 workersAt frozen, 25 directoryAt frozen, 26 pageTableAt frozen, 27 pagesAt frozen, 28 pages frozen
      32 active*8 shared, 40 serial shared, 41 unswept shared, 42 epoch shared
      48 directoryLock shared
      64 tableLock shared
      80 pageLock shared, 81 brk locked, 82 freePages locked, 83 freeRuns*22 locked
      105 redoTarget locked, 106 redoRun locked, 107 redoEntry locked
    worker slot: 160
      0 generation shared, 1 owner shared, 2 heir shared, 3 reserving shared, 4 warden shared, 5 ward shared
      16 told shared, 17 since shared, 18 labelBytes shared, 19 label*10 shared
      32 many*128 owned
    directory entry: 32
      0 kind shared, 1 address locked, 2 serial locked, 3 nameBytes locked, 4 word shared
      16 name*16 locked
    free run: 16
      0 next locked, 1 prev locked
    domain: 64
      0 wr shared
      16 tick shared, 17 owed shared
      32 rd shared
      48 serial frozen, 49 users shared, 50 hurry shared, 51 first frozen, 52 step frozen, 53 clock frozen, 54 limit frozen, 55 tickMs frozen, 56 sections frozen, 57 sleepable frozen
    reader: 64
      0 seq shared, 1 asyncSeq shared
      16 advances*2 tally, 18 advanceWaits*2 tally, 20 polls*2 tally, 22 pollScans*2 tally, 24 pollFails*2 tally, 26 calls*2 tally, 28 callErrors*2 tally, 30 callsRun*2 tally
      32 heldSeq shared, 33 heldSince shared, 34 asyncHeldSeq shared, 35 asyncHeldSince shared, 36 labelSeq shared, 37 labelBytes shared, 38 label*10 shared
      48 queued shared, 49 completed shared
    zone: 32
      0 serial frozen, 1 recordWords frozen, 2 recordBytes frozen, 3 capacity frozen, 4 domain frozen, 5 hooks frozen, 6 noFree frozen, 7 limit frozen, 8 reserve frozen, 9 keepReserve frozen, 10 schemaBytes frozen, 11 align frozen, 12 maker frozen, 13 heap frozen
      16 state shared, 17 flush shared, 18 trimmedAt shared
    knobs: 16
      0 preset shared, 1 bucketMin shared, 2 bucketMax shared, 3 bucketNow shared, 4 advanceEvery shared, 5 sealAfterMs shared, 6 trimEveryMs shared, 7 depotItems shared, 8 pendingItems shared
    keg: 48
      0 lock shared
      16 stride frozen, 17 perSlab frozen, 18 slabOrder frozen, 19 itemsAt frozen, 20 busyAt frozen, 21 guardAt frozen
      32 partial locked, 33 free locked, 34 full locked, 35 slabs locked, 36 created locked, 37 inSlabs locked, 38 step locked, 39 bucket locked, 40 stepItems locked, 41 tally locked, 42 after*2 tally, 44 limit shared, 45 clear locked
    slab: 16
      0 keg frozen, 1 freeItems locked, 2 list locked, 3 next locked, 4 prev locked
    bucket: 16
      0 count owned, 1 goal owned, 2 owner owned, 3 next locked, 4 raw owned, 5 destroyed owned, 6 capacity owned, 7 entries owned
    depot: 64
      0 lock shared
      16 oldest shared
      32 pendingHead locked, 33 pendingTail locked, 34 pendingBuckets locked, 35 pendingItems locked, 36 peakPending locked, 37 unpaced locked, 38 retired*2 tally, 40 advances*2 tally, 42 safeHead locked, 43 safeBuckets locked, 44 safeItems locked, 45 idleItems locked, 46 emptyHead locked, 47 emptyBuckets locked
      48 contended*2 tally
    cache: 32
      0 alloc owned, 1 free owned, 2 flushed owned, 3 move owned, 4 moved owned, 6 before*2 tally, 8 opened owned, 9 hand owned, 10 owed owned, 11 owes owned
      16 loaded*2 tally, 18 freed*2 tally, 20 fails*2 tally, 22 refills*2 tally, 24 pollHits*2 tally, 26 pollFails*2 tally, 28 imports*2 tally
    heap: 64
      0 serial frozen, 1 domain frozen, 2 zone frozen
      16 lock shared
      32 oldest shared
      48 head locked, 49 tail locked, 50 live locked, 51 livePages locked, 52 retired locked, 53 retiredPages locked
    run of a heap: 16
      0 heap frozen, 1 bytes frozen, 2 state locked, 3 goal locked, 4 next locked, 5 holder locked
    table: 32
      0 serial frozen, 1 zone frozen, 2 zoneSerial frozen, 3 recordWords frozen, 4 stripeBits frozen, 5 seed frozen, 6 grow frozen, 7 ownsDomain frozen, 8 versionBits frozen, 9 holds frozen
      16 resizing shared, 17 shared*2 locked, 19 progress shared, 20 holdLock shared
    stripe: 16
      0 lock shared, 1 records shared, 2 retired locked, 3 goal locked, 4 building locked, 5 grown locked
    table node: 16
      0 links*2 shared, 2 hash frozen, 3 version frozen
    ordered table: 64
      0 serial frozen, 1 zone frozen, 2 zoneSerial frozen, 3 nodesSerial frozen, 4 recordWords frozen, 5 ownsDomain frozen
      16 root shared
      32 changes shared
      48 lock shared, 49 records shared, 50 versions locked
    ordered record: 16
      0 version frozen
    trie node: 32
      0 head shared, 1 slots*17 shared
    counter: 16
      0 sum*2 tally
    held record: 16
      0 held shared
    holder: 16
      0 owner shared, 1 items*2 shared"
  `)
})

it('the other numbers that lie in shared memory stand, too', () => {
  expect({
    MAGIC,
    PAGE_WORDS,
    MAX_WORKERS,
    ORDERS,
    NODE_WORDS,
    Named,
    RunKind,
    Owner,
    ChainsWord,
  }).toMatchInlineSnapshot(`
    {
      "ChainsWord": {
        "bitsMask": 31,
        "bitsShift": 1,
        "linkMask": 1,
        "pageMask": -1024,
      },
      "MAGIC": 1968005459,
      "MAX_WORKERS": 256,
      "NODE_WORDS": 4,
      "Named": {
        "counter": 8,
        "domain": 2,
        "free": 0,
        "heap": 7,
        "lock": 1,
        "ordered": 6,
        "root": 5,
        "table": 4,
        "zone": 3,
      },
      "ORDERS": 22,
      "Owner": {
        "alloc": 1,
        "empty": -3,
        "free": 257,
        "pending": -1,
        "safe": -2,
      },
      "PAGE_WORDS": 1024,
      "RunKind": {
        "block": 7,
        "chains": 5,
        "counter": 8,
        "domain": 2,
        "heap": 6,
        "slab": 1,
        "table": 4,
        "zone": 3,
      },
    }
  `)
})

describe('fields', () => {
  it.each(STRUCTS.map((each) => [each.NAME, each] as const))(
    '%s: none overlap, tallies are even, each has its phrase',
    (_, { PLACES, WORDS }) => {
      let end = 0
      for (const { at, words, kind, about, name } of PLACES) {
        expect(at, name).toBeGreaterThanOrEqual(end)
        if (kind === 'tally') expect(at % 2, name).toBe(0)
        expect(about, name).not.toBe('')
        end = at + words
      }
      expect(WORDS % LINE_WORDS).toBe(0)
      expect(end).toBeLessThanOrEqual(WORDS)
    },
  )

  it('what is locked or kept at a owner says which lock or whose owner', () => {
    const silent = STRUCTS.flatMap(({ NAME, PLACES }) =>
      PLACES.filter(({ kind }) => kind === 'locked' || kind === 'owned')
        .filter(({ about }) => !/\((by|.*lock|.*stripes?)/i.test(about))
        .map(({ name }) => `${NAME}.${name}`),
    )
    expect(silent).toEqual([])
  })
})

/** Other fields in the cache lines that `field` touches. */
function neighbours({ PLACES }: AnyStruct, field: string): string[] {
  const own = PLACES.find(({ name }) => name === field) as StructField
  const first = lineOf(own.at)
  const last = lineOf(own.at + own.words - 1)
  return PLACES.filter(
    ({ at, words, name }) =>
      name !== field && lineOf(at + words - 1) >= first && lineOf(at) <= last,
  ).map(({ name }) => name)
}

describe('words that different workers write have cache lines of their own', () => {
  it.each([
    ['the write hand', DomainWords, 'wr'],
    ['the read hand', DomainWords, 'rd'],
    ["a keg's lock", KegWords, 'lock'],
    ["a depot's lock", DepotWords, 'lock'],
    ["a depot's oldest goal", DepotWords, 'oldest'],
    ["the directory's lock", Header, 'directoryLock'],
  ] as const)('%s', (_, words, field) => {
    expect(neighbours(words, field)).toEqual([])
  })

  it("the chains of a table's stripes, which lookups read, are apart from all that writers write", () => {
    for (const bits of [1, 4, 8]) {
      const { chains, stripes, versions } = tableParts(PAGE_WORDS, bits)
      expect([chains % LINE_WORDS, stripes % LINE_WORDS]).toEqual([0, 0])
      expect(stripes - chains).toBeGreaterThanOrEqual(2 ** bits)
      expect(versions - stripes).toBe(2 ** bits * StripeWords.WORDS)
    }
  })

  it("a reader's two publications share a line: one worker writes both, and a scan reads both", () => {
    expect(neighbours(ReaderWords, 'seq')).toEqual(['asyncSeq'])
  })

  it("a stripe's lock shares its line only with what is written under it", () => {
    expect(neighbours(StripeWords, 'lock')).toEqual(
      StripeWords.PLACES.map(({ name }) => name).filter((name) => name !== 'lock'),
    )
  })

  it('the bits of attached workers are apart from the page lock and from the frozen geometry', () => {
    // These change only when named things come and go.
    expect(neighbours(Header, 'active')).toEqual(['serial', 'unswept', 'epoch'])
    expect(neighbours(Header, 'magic')).not.toContain('active')
    expect(neighbours(Header, 'pageLock')).not.toContain('directoryLock')
  })

  it('the next reader, cache, stripe, slot and entry begin in the next line', () => {
    for (const each of [ReaderWords, CacheWords, StripeWords, WorkerSlot, Entry]) {
      expect(each.WORDS % LINE_WORDS).toBe(0)
      expect(each.WORDS).toBeGreaterThan(0)
    }
  })

  it("no line of a zone's frozen words holds one that is written later", () => {
    for (const each of [ZoneWords, DomainWords, KegWords, TableWords]) {
      const byLine = new Map<number, Set<string>>()
      for (const { at, kind } of each.PLACES) {
        byLine.set(lineOf(at), (byLine.get(lineOf(at)) ?? new Set()).add(kind))
      }
      for (const kinds of byLine.values()) {
        // `users` of a domain moves only when zones come and go.
        if (each === DomainWords && kinds.has('frozen')) kinds.delete('shared')
        if (kinds.has('frozen')) expect([...kinds]).toEqual(['frozen'])
      }
    }
  })
})

it('the null address reads as an empty bucket that has no room', () => {
  const { count, capacity } = BucketWords
  expect(Math.max(count, capacity)).toBeLessThan(Header.magic)
  const nothing = Header.PLACES.find(({ name }) => name === 'nothing')
  expect(nothing).toMatchObject({ at: 0, words: LINE_WORDS, kind: 'frozen' })
})

describe('numbers', () => {
  it('the magic word spells uMaS', () => {
    const bytes = [24, 16, 8, 0].map((shift) => (MAGIC >> shift) & 255)
    expect(String.fromCharCode(...bytes)).toBe('uMaS')
    expect(MAGIC | 0).toBe(MAGIC)
  })

  it('a page is a power of two, and orders reach any arena of 31-bit word addresses', () => {
    expect(PAGE_WORDS).toBe(2 ** PAGE_SHIFT)
    expect(orderFor(2 ** 31 - 1)).toBeLessThan(ORDERS)
  })

  it('kinds are distinct and fit into the page table entry', () => {
    for (const kinds of [Object.values(RunKind), Object.values(Named)]) {
      expect(new Set(kinds).size).toBe(kinds.length)
    }
    expect(Math.min(...Object.values(RunKind))).toBe(1)
    // Four bits beside the five of the order, of the ten that the address of a page leaves.
    expect(Math.max(...Object.values(RunKind))).toBeLessThan(16)
    expect(Named.free).toBe(0)
  })

  it("a bucket's owner is one number for each place and worker", () => {
    const slots = Array.from({ length: MAX_WORKERS }, (_, slot) => slot)
    const owners = [
      ...slots.map((slot) => Owner.alloc + slot),
      ...slots.map((slot) => Owner.free + slot),
      Owner.pending,
      Owner.safe,
      Owner.empty,
    ]
    expect(new Set(owners).size).toBe(owners.length)
    expect(owners).not.toContain(0)
  })

  it('the parts of a chains word do not overlap and leave nothing out', () => {
    const { linkMask, bitsMask, bitsShift, pageMask } = ChainsWord
    const bits = bitsMask << bitsShift
    expect([linkMask & bits, linkMask & pageMask, bits & pageMask]).toEqual([0, 0, 0])
    expect(NodeWords.links + 1).toBeLessThan(NodeWords.hash)
  })

  it('one bit for each possible worker', () => {
    const active = Header.PLACES.find(({ name }) => name === 'active')
    expect(active?.words).toBe(MAX_WORKERS / 32)
  })
})

describe('zoneParts', () => {
  it('lie one behind the other, each at a cache line, with a cache per worker', () => {
    const zone = 7 * PAGE_WORDS
    for (const workers of [1, 4, MAX_WORKERS]) {
      const parts = zoneParts(zone, workers)
      expect(parts).toEqual({
        made: zone + ZoneWords.WORDS,
        knobs: parts.made + KnobWords.WORDS,
        keg: parts.knobs + KnobWords.WORDS,
        buckets: parts.keg + KegWords.WORDS,
        depot: parts.buckets + KegWords.WORDS,
        caches: parts.depot + DepotWords.WORDS,
        schema: parts.caches + workers * CacheWords.WORDS,
      })
      for (const at of Object.values(parts)) expect(at % LINE_WORDS).toBe(0)
    }
  })
})

describe('geometry', () => {
  const words = fc.oneof(
    fc.integer({ min: 1024, max: 2 ** 31 - 2 ** 14 }),
    fc.integer({ min: 1024, max: 2 ** 20 }),
  )
  const workers = fc.integer({ min: 1, max: MAX_WORKERS })

  it('regions follow each other, and every page has its entry and fits', () => {
    fc.assert(
      fc.property(words, workers, (length, max) => {
        const geo = geometry(length, max)
        expect(geo.workersAt).toBe(Header.WORDS)
        expect(geo.directoryAt).toBe(geo.workersAt + max * WorkerSlot.WORDS)
        expect(geo.pageTableAt).toBe(geo.directoryAt + geo.names * Entry.WORDS)
        expect(geo.pagesAt).toBeGreaterThanOrEqual(geo.pageTableAt + geo.pages)
        expect(geo.pagesAt % PAGE_WORDS).toBe(0)
        expect(geo.pages).toBeGreaterThanOrEqual(0)
        if (geo.pages > 0) expect(geo.pagesAt + geo.pages * PAGE_WORDS).toBeLessThanOrEqual(length)
      }),
    )
  })

  it('wastes less than three pages beside the tables', () => {
    fc.assert(
      fc.property(words, workers, (length, max) => {
        const geo = geometry(length, max)
        fc.pre(geo.pages > 0)
        const used = geo.pageTableAt + geo.pages + geo.pages * PAGE_WORDS
        expect(length - used).toBeLessThan(3 * PAGE_WORDS + length / PAGE_WORDS / PAGE_WORDS)
      }),
    )
  })

  it('says no pages when the tables alone take it all', () => {
    expect(geometry(1024, 1).pages).toBe(0)
    expect(geometry(16_384, MAX_WORKERS).pages).toBeGreaterThanOrEqual(0)
  })

  it('names grow with the arena, within bounds', () => {
    expect(geometry(2 ** 14, 1).names).toBe(32)
    expect(geometry(2 ** 26, 64).names).toBe(4096)
    expect(geometry(2 ** 30, 64).names).toBe(4096)
    expect(geometry(2 ** 22, 64).names).toBe(2 ** 22 / PAGE_WORDS / 16)
  })
})

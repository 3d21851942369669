/**
 * What does a block of any size cost, beside an item of a zone, and how much of it is lost?
 *
 * The pairs are those of `alloc-free`, with the zone's own pair as the baseline: what is above 1 is
 * the price of finding the zone, by size at the allocation and by address at the free. Waste is
 * counted, not timed: what blocks have beyond what was asked for, and what all pages have.
 */
import type { Arena, Item } from 'uma-smr'
import { time } from '../harness/measure.ts'
import type { Question, Settings } from '../harness/question.ts'

const PAIRS = 1_000_000
const BATCH = 100
const BYTES = 120
const LEAST = 100
const MOST = 4096
const BLOCKS = 50_000
const SIZES = 2 ** 12
const PAGE_BYTES = 4096

/** Any even distribution in [0, 1), the same every time. */
function chance(): () => number {
  let seed = 1
  return () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0
    return (seed >>> 0) / 2 ** 32
  }
}

/** Sizes from `LEAST` to `MOST`: each as likely, or a size k times the least 1/k as likely. */
const DISTRIBUTIONS: Readonly<Record<string, (next: number) => number>> = {
  uniform: (next) => LEAST + Math.floor(next * (MOST + 1 - LEAST)),
  Zipf: (next) => Math.floor(LEAST * (MOST / LEAST) ** next),
}

function sizesOf(name: string, count: number): Uint32Array {
  const next = chance()
  const of = DISTRIBUTIONS[name] as (next: number) => number
  return Uint32Array.from({ length: count }, () => of(next()))
}

async function arenaOf(bytes: number): Promise<Arena> {
  const { Arena } = await import('uma-smr')
  return Arena.create({ bytes, maxWorkers: 8 })
}

// ---- pairs -----------------------------------------------------------------------------------

/** One by one is a batch of one. The loops are written out twice: each has one kind of callee. */
async function zonePairs(settings: Settings, batch: number) {
  const arena = await arenaOf(2 ** 24)
  const zone = arena.zone('bench', { bytes: 128, smr: arena.smr('bench') })
  const { words } = arena
  const held = Array.from({ length: batch }, () => zone.zallocSmr())
  for (const item of held) zone.zfreeSmr(item)
  return time(settings, PAIRS, () => {
    for (let i = 0; i < PAIRS; i += batch) {
      for (let j = 0; j < batch; j++) {
        const item = zone.zallocSmr()
        words[item] = i
        held[j] = item
      }
      for (let j = 0; j < batch; j++) zone.zfreeSmr(held[j] as Item)
    }
    return zone.stats().frees
  })
}

async function heapPairs(settings: Settings, batch: number) {
  const arena = await arenaOf(2 ** 24)
  const heap = arena.heap('bench', { smr: arena.smr('bench') })
  const { words } = arena
  const held = Array.from({ length: batch }, () => heap.allocSmr(BYTES))
  for (const item of held) heap.freeSmr(item)
  return time(settings, PAIRS, () => {
    for (let i = 0; i < PAIRS; i += batch) {
      for (let j = 0; j < batch; j++) {
        const item = heap.allocSmr(BYTES)
        words[item] = i
        held[j] = item
      }
      for (let j = 0; j < batch; j++) heap.freeSmr(held[j] as Item)
    }
    return heap.stats().blocks + words.length
  })
}

async function mixedPairs(settings: Settings, batch: number) {
  const arena = await arenaOf(2 ** 26)
  const heap = arena.heap('bench', { smr: arena.smr('bench') })
  const { words } = arena
  const sizes = sizesOf('uniform', SIZES)
  const held = Array.from({ length: batch }, () => heap.allocSmr(BYTES))
  for (const item of held) heap.freeSmr(item)
  return time(settings, PAIRS, () => {
    for (let i = 0; i < PAIRS; i += batch) {
      for (let j = 0; j < batch; j++) {
        const item = heap.allocSmr(sizes[(i + j) % SIZES] as number)
        words[item] = i
        held[j] = item
      }
      for (let j = 0; j < batch; j++) heap.freeSmr(held[j] as Item)
    }
    return heap.stats().blocks + words.length
  })
}

async function buffers(settings: Settings, batch: number) {
  const { Buffer } = await import('node:buffer')
  const sizes = sizesOf('uniform', SIZES)
  const held: Uint8Array[] = new Array(batch).fill(new Uint8Array(8))
  return time(settings, PAIRS, () => {
    for (let i = 0; i < PAIRS; i += batch) {
      for (let j = 0; j < batch; j++) {
        const bytes = Buffer.allocUnsafeSlow(sizes[(i + j) % SIZES] as number)
        bytes[0] = i
        held[j] = bytes
      }
    }
    return held[0]?.length ?? 0
  })
}

const pairsOf = (name: string, batch: number) => ({
  name,
  operation: 'an allocation, a write into it, a free',
  baseline: 'zone of 128 bytes',
  variants: [
    { name: 'zone of 128 bytes', run: (s: Settings) => zonePairs(s, batch) },
    { name: `heap, ${BYTES} bytes`, run: (s: Settings) => heapPairs(s, batch) },
    { name: `heap, ${LEAST} to ${MOST} bytes`, run: (s: Settings) => mixedPairs(s, batch) },
    { name: 'Buffer.allocUnsafeSlow, the same', run: (s: Settings) => buffers(s, batch) },
  ],
})

// ---- waste -----------------------------------------------------------------------------------

async function waste(distribution: string) {
  const arena = await arenaOf(2 ** 28)
  const heap = arena.heap('bench', { smr: arena.smr('bench') })
  let asked = 0
  for (const bytes of sizesOf(distribution, BLOCKS)) {
    heap.allocSmr(bytes)
    asked += bytes
  }
  const { bytes, held, sizes } = heap.stats()
  const { free, total, untouched } = arena.stats().pages
  return {
    facts: {
      'asked for KiB': asked / 1024,
      'inside blocks %': (bytes / asked - 1) * 100,
      'slabs and buckets %': (held / asked - 1) * 100,
      'all pages %': (((total - free - untouched) * PAGE_BYTES) / asked - 1) * 100,
      sizes: sizes.length,
    },
  }
}

const question: Question = {
  name: 'heap',
  asks: 'what does a block of any size cost, beside an item of a zone, and how much of it is lost?',
  groups: [
    pairsOf('one by one', 1),
    pairsOf(`in batches of ${BATCH}`, BATCH),
    {
      name: 'beyond what was asked for',
      operation: `${BLOCKS.toLocaleString('en-US')} blocks of ${LEAST} to ${MOST} bytes (counted, not timed)`,
      baseline: '',
      variants: Object.keys(DISTRIBUTIONS).map((name) => ({ name, run: () => waste(name) })),
    },
  ],
}

export default question

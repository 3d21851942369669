/**
 * What does it cost to reap a worker? It is done in the event loop of whoever supervises, with the
 * directory locked: so it has to cost what the dead worker had, and not what the arena has.
 *
 * Two arenas: one with many zones and many slabs, all of them opened and used by the worker that dies;
 * and one with as many workers as can be, and a million slabs (4 GiB, all of which it touches). The dead is an attachment that does
 * nothing any more, and is told to be of another thread.
 */
import type { Arena } from 'uma-smr'
import type { Outcome, Question, Settings } from '../harness/question.ts'

const MIB = 2 ** 20
const NS_PER_MS = 1e6
/** A slab of these is two pages. */
const ITEM_BYTES = 64
/** One of these is a slab of one page: a million of them fill the largest arena that there can be. */
const PAGE_ITEM_BYTES = 4000
const CALL = 'bench'

interface Size {
  readonly bytes: number
  readonly workers: number
  readonly zones: number
  readonly slabs: number
  readonly itemBytes: number
  readonly names: string
}

const SIZES: readonly Size[] = [
  {
    names: '1 zone, 1,000 slabs',
    bytes: 64 * MIB,
    workers: 64,
    zones: 1,
    slabs: 1000,
    itemBytes: ITEM_BYTES,
  },
  {
    names: '300 zones, 60,000 slabs',
    bytes: 512 * MIB,
    workers: 64,
    zones: 300,
    slabs: 60_000,
    itemBytes: ITEM_BYTES,
  },
  {
    names: '256 workers, 1,000,000 slabs',
    bytes: 2 ** 32 - 2 ** 16,
    workers: 256,
    zones: 8,
    slabs: 1_000_000,
    itemBytes: PAGE_ITEM_BYTES,
  },
]

/** An arena with so many slabs in use. */
async function build({ bytes, itemBytes, slabs, workers, zones }: Size): Promise<Arena> {
  const { Arena } = await import('uma-smr')
  const arena = Arena.create({ bytes, maxWorkers: workers })
  const smr = arena.smr(CALL)
  for (let z = 0; z < zones; z++) {
    const zone = arena.zone(`zone ${z}`, { bytes: itemBytes, smr })
    zone.prealloc(1)
    zone.prealloc(Math.floor(slabs / zones) * zone.stats().created)
  }
  return arena
}

/** Attaches a worker that opens all zones, allocates and frees in each, and does no more. */
async function dying(arena: Arena, zones: number): Promise<Arena> {
  const { Arena } = await import('uma-smr')
  const worker = Arena.attach(arena.handle)
  for (let z = 0; z < zones; z++) {
    const zone = worker.zone(`zone ${z}`)
    const items = [zone.zallocSmr(), zone.zallocSmr()]
    for (const item of items) zone.zfreeSmr(item)
  }
  worker.smr(CALL).enter()
  return worker
}

async function reaps(settings: Settings, size: Size): Promise<Outcome> {
  // What the package does not export: reaping what the host still takes for this very thread.
  const { reapSlot } = await import(new URL('../../../dist/arena/reap.js', import.meta.url).href)
  const arena = await build(size)
  for (let i = 2; i < size.workers; i++) await dying(arena, 1)
  const times: number[] = []
  const until = performance.now() + settings.warmupMs + settings.timeMs
  while (times.length < 5 || performance.now() < until) {
    const { space } = await dying(arena, size.zones)
    const start = performance.now()
    const { reaped } = reapSlot(arena.space, space.slot)
    times.push((performance.now() - start) * NS_PER_MS)
    if (!reaped) throw new Error('nothing was reaped')
  }
  times.sort((x, y) => x - y)
  const best = times[0] as number
  const median = times[times.length >> 1] as number
  return {
    timing: { best, median, samples: times.length },
    facts: {
      'median ms': median / NS_PER_MS,
      slabs: arena.stats().zones.reduce((n, z) => n + z.slabs, 0),
    },
  }
}

const question: Question = {
  name: 'reap',
  asks: 'what does it cost to take over what a dead worker left?',
  processes: 1,
  groups: [
    {
      name: 'reaping one worker',
      operation: 'all of it: sections, buckets, pages, slot',
      baseline: '1 zone, 1,000 slabs',
      variants: SIZES.map((size) => ({
        name: size.names,
        run: (settings: Settings) => reaps(settings, size),
      })),
    },
  ],
}

export default question

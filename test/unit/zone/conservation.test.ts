/**
 * Conservation: whatever up to three workers do to a zone, in whatever order, every item is live,
 * cached, pending, safe or in its slab exactly once; nobody gets an item that somebody has, or that
 * a parked reader may still see; and what is refused is refused for a reason.
 *
 * Scripts of random operations run against an oracle that knows nothing of buckets: a set of live
 * items, the words that were written into each, and for every reader in a section what has been
 * freed since it entered. The laws are checked after every single step.
 */

import fc from 'fast-check'
import { SparseSet } from 'mnemonist'
import { describe, expect, it } from 'vitest'
import {
  Arena,
  Exhausted,
  type Item,
  Misuse,
  type Smr,
  type Zone,
  type ZoneOptions,
} from '#src/index.ts'
import { CONFIGS, type Config, tinyArena } from '../../helpers/tiny.ts'
import { free, impatient, Ledger, pagesInUse, refused, thrown, tryAlloc } from './stage.ts'

const WORKERS = 3
const RUNS = { numRuns: 30, includeErrorInReport: true }

const VERBS = [
  'alloc',
  'free',
  'seal',
  'trim',
  'drain',
  'all',
  'enter',
  'exit',
  'prealloc',
  'makeRoom',
  'leave',
  'audit',
] as const
type Verb = (typeof VERBS)[number]

interface Step {
  readonly who: number
  readonly verb: Verb
  readonly n: number
}

const WEIGHTS: Readonly<Record<Verb, number>> = {
  alloc: 12,
  free: 12,
  seal: 2,
  trim: 1,
  drain: 1,
  all: 1,
  enter: 2,
  exit: 3,
  prealloc: 1,
  makeRoom: 1,
  leave: 1,
  audit: 1,
}

function steps(workers: number): fc.Arbitrary<Step[]> {
  const verb = fc.oneof(
    ...VERBS.map((each) => ({ weight: WEIGHTS[each], arbitrary: fc.constant(each) })),
  )
  const step = fc.record({ who: fc.nat(workers - 1), verb, n: fc.nat(30) })
  return fc.array(step, { maxLength: 160, size: 'max' })
}

interface World {
  readonly smr: boolean
  readonly workers: number
  readonly arenaBytes: number
  readonly zone: ZoneOptions & { bytes: number; bucket: number }
  readonly checks: boolean
  readonly hooked: boolean
}

interface Worker {
  arena: Arena
  zone: Zone
  smr: Smr | undefined
  /** In a section: what was freed since it was entered, and what stood in its words. */
  seen: Map<Item, number> | undefined
}

class Theatre {
  private readonly world: World
  private readonly first: Arena
  private readonly workers: Worker[]
  private readonly live: SparseSet
  private readonly marks = new Map<Item, number>()
  private readonly ledger = new Ledger()
  private readonly empty: number
  private mark = 0
  ops = 0

  constructor(config: Config, world: World) {
    this.world = world
    this.first = tinyArena(config, { bytes: world.arenaBytes, checks: world.checks })
    impatient(this.first)
    this.empty = pagesInUse(this.first)
    this.live = new SparseSet(this.first.words.length)
    this.workers = [this.join(this.first)]
    while (this.workers.length < world.workers) {
      const arena = Arena.attach(this.first.handle)
      impatient(arena)
      this.workers.push(this.join(arena))
    }
  }

  private join(arena: Arena): Worker {
    const smr = this.world.smr ? arena.smr('clock') : undefined
    const { hooks } = this.ledger
    const guarded = {
      ...hooks,
      dtor: (item: Item) => {
        if (this.isSeen(item))
          this.ledger.wrong.push(`dtor of item ${item}, which a reader may see`)
        hooks.dtor(item)
      },
    }
    const zone = arena.zone('things', {
      ...this.world.zone,
      ...(smr && { smr }),
      ...(this.world.hooked && guarded),
    })
    return { arena, zone, smr, seen: undefined }
  }

  perform(script: readonly Step[]): void {
    for (const step of script) {
      const worker = this.workers[step.who] as Worker
      this[step.verb](worker, step.n)
      this.ops++
      this.checkLaws()
    }
    this.end()
  }

  // ---- the verbs ---------------------------------------------------------------------------

  alloc(worker: Worker, n: number): void {
    for (let i = 0; i <= n % 8; i++) {
      const item = tryAlloc(worker)
      if (item === 0) {
        this.expectReason()
        return
      }
      expect(this.live.has(item), `item ${item} was live already`).toBe(false)
      expect(this.isSeen(item), `item ${item} may still be seen`).toBe(false)
      this.live.add(item)
      this.mark++
      this.marks.set(item, this.mark)
      this.write(worker, item, this.mark)
    }
  }

  free(worker: Worker, n: number): void {
    const live = [...this.live] as Item[]
    for (let i = 0; i <= n % 8 && live.length > 0; i++) {
      const [item = 0 as Item] = live.splice((n * 7 + i * 13) % live.length, 1)
      const mark = this.marks.get(item) as number
      this.expectWords(worker, item, mark)
      if (worker.seen !== undefined) {
        refused(worker.arena, Misuse, () => free(worker, item), 'exit first')
        return
      }
      try {
        free(worker, item)
      } catch (error) {
        expect(error).toBeInstanceOf(Exhausted)
        expect(this.world.smr && this.isFull(), 'memory was to be had').toBe(true)
        return
      }
      this.live.delete(item)
      for (const { seen } of this.workers) seen?.set(item, mark)
    }
  }

  seal(worker: Worker): void {
    this.unlessInside(worker, 'zone.seal', () => worker.zone.seal())
  }

  trim(worker: Worker): void {
    this.unlessInside(worker, 'zone.reclaim', () => worker.zone.reclaim('trim'))
  }

  drain(worker: Worker): void {
    this.reclaim(worker, 'drain')
  }

  all(worker: Worker): void {
    this.reclaim(worker, 'all')
  }

  enter(worker: Worker): void {
    if (worker.smr === undefined || worker.seen !== undefined) return
    worker.smr.enter()
    worker.seen = new Map()
  }

  exit(worker: Worker): void {
    if (worker.seen === undefined) return
    for (const [item, mark] of worker.seen) this.expectWords(worker, item, mark)
    worker.seen = undefined
    worker.smr?.exit()
  }

  prealloc(worker: Worker, n: number): void {
    const limit = this.world.zone.limit ?? Number.POSITIVE_INFINITY
    const before = worker.zone.stats()
    const inUse = pagesInUse(worker.arena)
    try {
      worker.zone.prealloc(Math.min(n * 10, limit))
      expect(worker.zone.stats().created).toBeGreaterThanOrEqual(Math.min(n * 10, limit))
    } catch (error) {
      expect(error).toBeInstanceOf(Exhausted)
      expect(worker.zone.stats()).toEqual(before)
      expect(pagesInUse(worker.arena)).toBe(inUse)
    }
  }

  makeRoom(worker: Worker): void {
    if (worker.seen !== undefined) {
      refused(worker.arena, Misuse, () => worker.zone.makeRoom(), 'zone.makeRoom', 'exit first')
      return
    }
    try {
      worker.zone.makeRoom()
    } catch (error) {
      expect(error).toBeInstanceOf(Exhausted)
      expect(this.isFull()).toBe(true)
      return
    }
    // The promise: one free now, without asking anybody for anything.
    const [item] = [...this.live] as Item[]
    if (item === undefined) return
    const { retired } = worker.zone.stats()
    free(worker, item)
    expect(worker.zone.stats().retired).toBe(retired)
    this.live.delete(item)
    for (const { seen } of this.workers) seen?.set(item, this.marks.get(item) as number)
  }

  /** Detaches and comes back in whatever slot is free. */
  leave(worker: Worker): void {
    if (worker.seen !== undefined) {
      refused(worker.arena, Misuse, () => worker.arena.detach(), 'arena.detach', 'exit first')
      return
    }
    const { arena } = worker
    arena.detach()
    thrown(Misuse, () => tryAlloc(worker), 'zone "things"', 'closed')
    const again = Arena.attach(arena.handle)
    impatient(again)
    Object.assign(worker, this.join(again))
  }

  audit(worker: Worker, n: number): void {
    const live = [...this.live] as Item[]
    const lost = live.splice(n % (live.length + 1), 2)
    const { leaked } = worker.zone.audit(live)
    expect(leaked.sort(byNumber)).toEqual(lost.sort(byNumber))
  }

  private reclaim(worker: Worker, level: 'drain' | 'all'): void {
    this.unlessInside(worker, 'zone.reclaim', () => {
      const before = worker.zone.stats()
      const { released, remaining } = worker.zone.reclaim(level, { timeoutMs: 1 })
      const after = worker.zone.stats()
      expect(remaining).toBe(after.cached + after.pending + after.safe)
      expect(released).toBe(before.cached + before.pending + before.safe - remaining)
      if (this.workers.length > 1 || this.nobodyInside === false) return
      // Alone, and nobody inside: `drain` leaves this worker's alloc bucket, `all` leaves nothing.
      expect(remaining).toBe(level === 'all' ? 0 : after.cached)
    })
  }

  private unlessInside(worker: Worker, call: string, act: () => void): void {
    if (worker.seen === undefined) act()
    else refused(worker.arena, Misuse, act, call, 'exit first')
  }

  // ---- the laws ----------------------------------------------------------------------------

  private checkLaws(): void {
    const { zone } = this.workers[0] as Worker
    zone.check()
    const { live, cached, pending, safe, inSlabs, created, limit } = zone.stats()
    expect(live).toBe(this.live.size)
    expect(live + cached + pending + safe + inSlabs).toBe(created)
    if (limit > 0) expect(created - inSlabs).toBeLessThanOrEqual(limit)
    expect(this.ledger.wrong).toEqual([])
  }

  private end(): void {
    const [worker] = this.workers as [Worker]
    for (const each of this.workers) this.exit(each)
    for (const item of [...this.live] as Item[]) {
      this.expectWords(worker, item, this.marks.get(item) as number)
      free(worker, item)
    }
    worker.zone.check()
    worker.zone.destroy()
    worker.smr?.destroy()
    this.ledger.expectBalanced()
    expect(pagesInUse(worker.arena)).toBe(this.empty)
  }

  /** An allocation was refused: the limit is reached, or the arena has no run of pages left. */
  private expectReason(): void {
    const { zone } = this.workers[0] as Worker
    const { limit, created, inSlabs, cached, pending, safe } = zone.stats()
    const atLimit = limit > 0 && created - inSlabs === limit
    expect(atLimit || this.isFull(), 'refused for no reason').toBe(true)
    // Alone, and nobody inside: nothing is left that only had to be asked for.
    if (this.workers.length === 1 && this.nobodyInside) {
      expect({ cached, pending, safe }).toEqual({ cached: 0, pending: 0, safe: 0 })
    }
  }

  private get nobodyInside(): boolean {
    return this.workers.every(({ seen }) => seen === undefined)
  }

  private isSeen(item: Item): boolean {
    return this.workers.some(({ seen }) => seen?.has(item))
  }

  /** Whether the arena lacks the pages for one more slab of records or of buckets. */
  private isFull(): boolean {
    const { zone, arena } = this.workers[0] as Worker
    return [zone.parts.keg, zone.parts.buckets.keg].some(({ shape }) => {
      const run = arena.space.pages.reserve(1024 * 2 ** shape.slabOrder)
      if (run !== 0) arena.space.pages.release(run)
      return run === 0
    })
  }

  private write(worker: Worker, item: Item, mark: number): void {
    worker.arena.words.fill(mark, item, item + this.world.zone.bytes / 4)
  }

  private expectWords(worker: Worker, item: Item, mark: number): void {
    const words = worker.arena.words.subarray(item, item + this.world.zone.bytes / 4)
    expect(
      words.every((word) => word === mark),
      `the words of item ${item}`,
    ).toBe(true)
  }
}

const byNumber = (a: number, b: number): number => a - b

const zones = fc.record(
  {
    bytes: fc.constantFrom(8, 16, 20, 100),
    bucket: fc.integer({ min: 1, max: 7 }),
    noFree: fc.boolean(),
    reserve: fc.integer({ min: 1, max: 60 }),
  },
  { requiredKeys: ['bytes', 'bucket'] },
)

function worlds(smr: boolean): fc.Arbitrary<World> {
  return fc.record({
    smr: fc.constant(smr),
    workers: fc.integer({ min: 1, max: WORKERS }),
    arenaBytes: fc.constant(2 ** 18),
    zone: zones,
    checks: fc.boolean(),
    hooked: fc.boolean(),
  })
}

/** The same zone with a limit, and not more in reserve than that. */
function limited(world: World, limit: number): World {
  const { reserve } = world.zone
  const within = reserve === undefined ? {} : { reserve: Math.min(reserve, limit) }
  return { ...world, zone: { ...world.zone, ...within, limit } }
}

/** The same zone with large items in an arena that soon is full. */
function tight(world: World): World {
  const { bucket } = world.zone
  return { ...world, arenaBytes: 2 ** 16, zone: { bytes: 600, bucket } }
}

describe.each(CONFIGS)('random work of up to three workers, sequences $name', (config) => {
  const play = (world: World, script: readonly Step[]): void => {
    new Theatre(config, world).perform(
      script.map((step) => ({ ...step, who: step.who % world.workers })),
    )
  }
  const script = steps(WORKERS)

  describe.each([
    { kind: 'plain', smr: false },
    { kind: 'smr', smr: true },
  ])('$kind zone', ({ smr }) => {
    it('conserves every item in an arena with room for all', () => {
      fc.assert(fc.property(worlds(smr), script, play), RUNS)
    })

    it('conserves every item at a limit', () => {
      const limits = fc.integer({ min: 1, max: 40 })
      fc.assert(
        fc.property(worlds(smr), limits, script, (world, limit, script) =>
          play(limited(world, limit), script),
        ),
        RUNS,
      )
    })

    it('conserves every item in an exhausted arena', () => {
      fc.assert(fc.property(worlds(smr).map(tight), script, play), RUNS)
    })
  })
})

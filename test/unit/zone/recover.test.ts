/**
 * Calls that end anywhere, and a worker that goes on: wherever a verb is interrupted, by an exception
 * or cut off without `finally`, its next slow path puts everything in its place. No lock is held, no
 * bucket and no item is lost, and the user holds exactly what was handed out.
 */

import { describe, expect, it } from 'vitest'
import type { ArenaOptions, Item, ZoneOptions } from '#src/index.ts'
import { DepotWords, Header, KegWords, zoneParts } from '#src/memory/layout.ts'
import { checkPages } from '#src/space/pages.ts'
import type { Supply } from '#src/zone/supply.ts'
import { interrupt, MANNERS } from '../../helpers/interrupt.ts'
import { CONFIGS, type Config } from '../../helpers/tiny.ts'
import { type Actor, free, plainStage, smrStage, tryAlloc } from './stage.ts'

const CONFIG = CONFIGS[0] as Config
const hook = (): void => {}

interface Kind {
  readonly name: string
  readonly plain?: boolean
  readonly zone?: ZoneOptions
  readonly arena?: ArenaOptions
}

const KINDS: readonly Kind[] = [
  { name: 'smr' },
  { name: 'smr, a limit', zone: { limit: 14 } },
  { name: 'smr, ctor and dtor', zone: { ctor: hook, dtor: hook } },
  {
    name: 'smr, all hooks, checked',
    zone: { ctor: hook, dtor: hook, init: hook, fini: hook },
    arena: { checks: true },
  },
  { name: 'smr, nothing kept in the depot', zone: { depot: 0 } },
  { name: 'plain', plain: true },
  {
    name: 'plain, all hooks',
    plain: true,
    zone: { ctor: hook, dtor: hook, init: hook, fini: hook, limit: 14 },
  },
]

/** What the two workers hold, as the user knows it. */
class World {
  readonly a: Actor
  readonly b: Actor
  readonly held: Item[] = []

  constructor({ plain = false, zone, arena }: Kind) {
    const stage = plain ? plainStage : smrStage
    const { a, b } = stage(CONFIG, { bucket: 4, bytes: 64, ...zone }, { bytes: 2 ** 17, ...arena })
    this.a = a
    this.b = b
  }

  /** Some items in every place. */
  arrange(): void {
    const { a, b, held } = this
    while (held.length > 3) free(a, held.pop() as Item)
    for (const [who, times] of [
      [a, 5],
      [b, 3],
    ] as const) {
      for (let i = 0; i < times; i++) {
        const item = tryAlloc(who)
        if (item !== 0) held.push(item)
      }
    }
    free(b, held.pop() as Item)
  }

  /** The next verbs find what they need in the cache, and do not see what was left. */
  goOn(): void {
    const { a, held } = this
    const item = tryAlloc(a)
    if (item !== 0) held.push(item)
    free(a, held.pop() as Item)
  }

  /** All laws, once this worker has had a slow path, or a turn of its own and another worker one. */
  recover(byTurn: boolean): void {
    const { a, b, held } = this
    const { locks, memory, pages, directory } = a.arena.space
    if (byTurn) {
      locks.check()
      ;(a.zone as unknown as { readonly supply: Supply }).supply.check()
      b.zone.seal()
    } else a.zone.seal()
    // Runs of pages are only given back in a turn of its own.
    pages.check()
    const zone = directory.list().find(({ name }) => name === 'things')
    const words = zoneParts(zone?.address as number, a.arena.space.maxWorkers)
    for (const lock of [
      Header.directoryLock,
      Header.pageLock,
      words.keg + KegWords.lock,
      words.buckets + KegWords.lock,
      words.depot + DepotWords.lock,
    ]) {
      expect(b.arena.space.locks.tryLock(lock), 'a lock is held').not.toBe(false)
      b.arena.space.locks.abandon(lock)
    }
    b.zone.check()
    checkPages(memory, pages)
    const { slot } = a.arena.space
    expect(pages.runs().filter(({ state, who }) => state === 'reserved' && who === slot)).toEqual(
      [],
    )
    expect(new Set(b.zone.audit([]).leaked)).toEqual(new Set(held))
    const { buckets, cache } = a.zone.parts
    const ours = buckets.all().filter(({ owner }) => owner === 1 + slot || owner === 257 + slot)
    const loaded = [cache.alloc, cache.free].filter((bucket) => bucket !== 0)
    expect(new Set(ours.map(({ bucket }) => bucket))).toEqual(new Set(loaded))
  }
}

/** A verb, and what has changed for the user when it returned, or threw. */
interface Verb {
  readonly name: string
  readonly smr?: boolean
  readonly act: (world: World) => unknown
  readonly after?: (world: World, value: unknown, returned: boolean) => void
}

const last = (world: World): Item => world.held.at(-1) as Item
const took = ({ held }: World, value: unknown, returned: boolean): void => {
  if (returned && value !== 0) held.push(...([value].flat() as Item[]))
}
const gave =
  (many: number) =>
  ({ held }: World, _value: unknown, returned: boolean): void => {
    if (returned) held.splice(-many)
  }
const times =
  (n: number, act: (world: World) => unknown) =>
  (world: World): void => {
    for (let i = 0; i < n; i++) act(world)
  }

const VERBS: readonly Verb[] = [
  { name: 'alloc', act: ({ a }) => tryAlloc(a), after: took },
  {
    name: 'alloc from an empty bucket',
    act(world) {
      world.a.zone.reclaim('trim')
      return tryAlloc(world.a)
    },
    after: took,
  },
  { name: 'free', act: (world) => free(world.a, last(world)), after: gave(1) },
  { name: 'batch alloc', smr: true, act: ({ a }) => a.zone.zallocSmrBatch(7), after: took },
  { name: 'batch that fails', smr: true, act: ({ a }) => a.zone.zallocSmrBatch(100_000) },
  { name: 'seal', act: ({ a }) => a.zone.seal() },
  { name: 'makeRoom', act: ({ a }) => a.zone.makeRoom() },
  { name: 'trim', act: times(2, ({ a }) => a.zone.reclaim('trim')) },
  { name: 'drain', act: ({ a }) => a.zone.reclaim('drain', { timeoutMs: 0 }) },
  { name: 'all', act: ({ a }) => a.zone.reclaim('all', { timeoutMs: 0 }) },
  { name: 'prealloc', act: ({ a }) => a.zone.prealloc(14) },
  { name: 'tune', act: ({ a }) => a.zone.tune({ depot: 3 }) },
]

describe.each(KINDS)('$name', (kind) => {
  const verbs = VERBS.filter(({ smr = false }) => !smr || kind.plain !== true)
  describe.each(verbs)('$name', ({ name, act, after }) => {
    it.each(MANNERS)('%s at any step', (manner) => {
      const world = new World(kind)
      let step = 0
      for (let on = true; on; step += 1 + (step >> 5)) {
        world.arrange()
        const { interrupted, value, error } = interrupt(world.a.arena, step, manner, () =>
          act(world),
        )
        on = interrupted
        after?.(world, value, error === undefined)
        try {
          if (step % 4 >= 2) world.goOn()
          world.recover(step % 2 === 1)
        } catch (failed) {
          throw new Error(`${name}, ${manner} at step ${step}: ${(failed as Error).message}`, {
            cause: failed,
          })
        }
      }
      expect(step).toBeGreaterThan(1)
    })
  })
})

describe.each(MANNERS)('destructors, %s at any step', (manner) => {
  it('are called once for each item, and before it can be had again', () => {
    for (let step = 0, on = true; on; step++) {
      const seen: Item[] = []
      const { a } = smrStage(CONFIG, { bucket: 4, bytes: 64, dtor: (item) => void seen.push(item) })
      const items = Array.from({ length: 10 }, () => tryAlloc(a))
      for (const item of items) free(a, item)
      const reclaim = (): unknown => a.zone.reclaim('drain')
      on = interrupt(a.arena, step, manner, reclaim).interrupted
      reclaim()
      expect(seen.toSorted(), `step ${step}`).toEqual(items.toSorted())
      a.zone.check()
    }
  })
})

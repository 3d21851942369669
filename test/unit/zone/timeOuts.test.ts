/**
 * Locks that are not to be had, at random: scripts of verbs in which now and then another worker has
 * the lock, and nobody waits for it. Each verb either has happened, and throws nothing, or has not; and
 * when the locks are free again, one slow path of each worker puts everything in its place.
 *
 * `TIMEOUT_SCRIPTS=1500` runs as many scripts of each kind; `TIMEOUT_SEED` another lot of them.
 */

import { describe, expect, it, vi } from 'vitest'
import type { Exhausted, Item, ZoneOptions } from '#src/index.ts'
import { checkPages } from '#src/space/pages.ts'
import { Random } from '../../helpers/random.ts'
import { attempt, Rival } from '../../helpers/rival.ts'
import { CONFIGS, type Config } from '../../helpers/tiny.ts'
import { type Actor, free, pagesInUse, plainStage, smrStage, tryAlloc } from './stage.ts'

const { env } = process
const SCRIPTS = Number(env['TIMEOUT_SCRIPTS'] ?? 12)
const SEED = Number(env['TIMEOUT_SEED'] ?? 1)
const STEPS = 60
// Who cannot leave in order says so.
vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
const hook = (): void => {}
const hooks = { ctor: hook, dtor: hook, init: hook, fini: hook }

interface Kind {
  readonly name: string
  readonly plain?: boolean
  readonly zone: ZoneOptions
  readonly checks?: boolean
}

const KINDS: readonly Kind[] = [
  { name: 'smr', zone: {} },
  { name: 'smr, a limit, all hooks, checked', zone: { limit: 30, ...hooks }, checks: true },
  { name: 'smr, nothing kept in the depot', zone: { depot: 0 } },
  { name: 'smr, a full arena', zone: { bytes: 2000, bucket: 2 } },
  { name: 'plain, all hooks', plain: true, zone: { limit: 30, ...hooks } },
]

function script(kind: Kind, seed: number): { hits: number; refused: number } {
  const random = new Random(seed)
  const stage = kind.plain ? plainStage : smrStage
  const { a, b } = stage(
    CONFIGS[seed % CONFIGS.length] as Config,
    { bucket: 4, bytes: 64, ...kind.zone },
    { bytes: 2 ** 17, checks: kind.checks ?? false },
  )
  const workers: Actor[] = [a, b]
  const rival = new Rival(a.arena, random)
  for (const { arena } of workers) rival.against(arena)
  const held: Item[] = []
  let refused = 0
  rival.every = 2 + random.below(12)
  for (let step = 0; step < STEPS; step++) {
    const who = workers[random.below(2)] as Actor
    const { zone } = who
    const many = 1 + random.below(9)
    const action = random.below(kind.plain ? 10 : 14)
    let error: Exhausted | undefined
    const quietly = (act: () => unknown): void => {
      error = attempt(act).error
    }
    if (action < 3) {
      for (let i = 0; i < many && error === undefined; i++) {
        const got = attempt(() => tryAlloc(who))
        error = got.error
        if (got.value) held.push(got.value)
      }
    } else if (action < 6) {
      for (let i = 0; i < many && held.length > 0 && error === undefined; i++) {
        quietly(() => free(who, held.at(-1) as Item))
        if (error === undefined) held.pop()
      }
    } else if (action === 6) quietly(() => zone.seal())
    else if (action === 7) {
      const level = (['trim', 'drain', 'all'] as const)[random.below(3)] ?? 'all'
      quietly(() => zone.reclaim(level, { timeoutMs: 0 }))
    } else if (action === 8) quietly(() => zone.prealloc(random.below(30)))
    else if (action === 9) quietly(() => zone.tune({ depot: random.below(20) }))
    else if (action < 12) {
      const got = attempt(() => zone.zallocSmrBatch(many))
      error = got.error
      held.push(...(got.value ?? []))
    } else {
      const items = held.splice(-many)
      quietly(() => zone.zfreeSmrBatch(items))
      if (error !== undefined) held.push(...items.slice(Number(error.facts['freed'] ?? 0)))
    }
    if (error !== undefined) refused++
  }
  const leaver = random.oneIn(2) ? b : undefined
  // It may have an item in hand that no slab and no bucket could be given: lost with it, as with the dead.
  const { frames } = b.zone.parts
  const inHand = leaver === undefined ? [] : (frames.items.slice(0, frames.held) as Item[])
  leaver?.arena.detach()
  rival.leave()
  const left = a.arena.space.workers.unreaped().length > 0
  if (left) a.arena.reap(b.arena.workerId)
  const stays = workers.filter((each) => each !== leaver)
  for (const { zone } of stays) zone.seal()
  a.zone.check()
  checkPages(a.arena.memory, a.arena.space.pages)
  const { leaked } = a.zone.audit([])
  const lost = leaked.filter((item) => !held.includes(item))
  expect(lost.length).toBe(leaked.length - held.length)
  expect(left ? inHand : []).toEqual(expect.arrayContaining(lost))
  held.push(...lost)
  const { buckets } = a.zone.parts
  const caches = stays.flatMap(({ zone }) => [zone.parts.cache.alloc, zone.parts.cache.free])
  const astray = buckets.all().filter(({ bucket, owner }) => owner > 0 && !caches.includes(bucket))
  expect(astray, 'buckets that nobody has').toEqual([])
  // Everything can be had again, and goes back.
  for (const item of held) free(a, item)
  for (const { zone } of stays) zone.reclaim('all')
  a.zone.reclaim('all')
  a.zone.destroy()
  const domains = a.arena.stats().domains.length
  expect(pagesInUse(a.arena)).toBeLessThanOrEqual(4 * domains)
  return { hits: rival.hits, refused }
}

describe.each(KINDS)('$name', (kind) => {
  it(`${SCRIPTS} scripts in which locks are not to be had`, () => {
    const sum = { hits: 0, refused: 0 }
    for (let n = 0; n < SCRIPTS; n++) {
      const seed = SEED * 1_000_003 + n
      try {
        const { hits, refused } = script(kind, seed)
        sum.hits += hits
        sum.refused += refused
      } catch (error) {
        throw new Error(`script ${seed}: ${(error as Error).message}`, { cause: error })
      }
    }
    expect(sum.hits).toBeGreaterThan(SCRIPTS)
    expect(sum.refused).toBeGreaterThan(SCRIPTS)
  })
})

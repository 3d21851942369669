/**
 * Pressure: what one zone does not need goes to another before anybody is told Exhausted.
 */

import { afterEach, describe, expect, it, vi } from 'vitest'
import { reapSlot } from '#src/arena/reap.ts'
import {
  Arena,
  Exhausted,
  HashTable,
  type Item,
  Misuse,
  record,
  u32,
  type Zone,
  type ZoneOptions,
} from '#src/index.ts'
import { relieve, shrinkUnopened } from '#src/zone/pressure.ts'
import { isUsed } from '#src/zone/stats.ts'
import { interrupt, MANNERS } from '../../helpers/interrupt.ts'
import { type Actor, allocAll, allocMany, freeMany, thrown } from './stage.ts'

/** Small enough that one zone fills it at once; big enough for slabs of several pages. */
const BYTES = 2 ** 20
const ITEM = 64

function tiny(checks = false): Arena {
  return Arena.create({ bytes: BYTES, maxWorkers: 4, checks })
}

/** A zone that has filled the arena, or taken `count` items, and let go of all again. */
function fillAndFree(
  arena: Arena,
  options: ZoneOptions = {},
  count?: number,
): Actor & { readonly most: number } {
  const knobs = { bytes: ITEM, bucket: 8, trimEveryMs: 0, sealAfterMs: 0 }
  const actor = { arena, zone: arena.zone('idle', { ...knobs, ...options }) }
  const items = count === undefined ? allocAll(actor) : allocMany(actor, count)
  freeMany(actor, items)
  return { ...actor, most: items.length }
}

/** Where the items of a zone are. */
const places = (zone: Zone) => {
  const { live, cached, pending, safe, inSlabs, created } = zone.stats()
  return { live, free: cached + pending + safe + inSlabs, created }
}

const open: Arena[] = []
afterEach(() => {
  for (const arena of open.splice(0)) arena.detach()
})

describe.each([
  ['plain', false, false],
  ['plain, checked', false, true],
  ['smr', true, false],
  ['smr, checked', true, true],
])('idle memory of a %s zone', (_, hasSmr, checks) => {
  const start = (options: ZoneOptions = {}) => {
    const arena = tiny(checks)
    open.push(arena)
    // Made before the arena is full.
    const zone = arena.zone('other', { bytes: 200, bucket: 8, limit: 5000 })
    const limited = arena.zone('limited', { bytes: 16, limit: 3, reserve: 3 })
    const smr = hasSmr ? { smr: arena.smr('clock') } : {}
    const idle = fillAndFree(arena, { ...options, ...smr })
    return { arena, idle, other: { arena, zone }, limited: { arena, zone: limited } }
  }

  it('goes to another zone', () => {
    const { idle, other } = start()
    const got = allocAll(other)
    // All but what the idle zone must keep in its worker's two buckets, and slabs that those pin.
    expect(got.length * 200).toBeGreaterThan(idle.most * ITEM * 0.8)
    expect(places(idle.zone)).toMatchObject({ live: 0 })
    idle.zone.check()
    other.zone.check()
    freeMany(other, got)
    // And back again.
    expect(allocMany(idle, Math.floor(idle.most / 2))).toHaveLength(Math.floor(idle.most / 2))
    idle.zone.check()
    other.zone.check()
  })

  it('makes room for a new zone and a new domain', () => {
    const { arena } = start()
    arena.smr('another')
    arena.zone('another', { bytes: 8 })
  })

  it('makes room for a table', () => {
    const { arena } = start()
    const table = HashTable.create(arena, 'table', {
      record: record({ id: u32 }),
      key: 'id',
      capacity: 30_000,
    })
    expect(table.stats().chains).toBe(32_768)
  })

  it('makes room for a resize', () => {
    const arena = tiny(checks)
    open.push(arena)
    const options = { record: record({ id: u32 }), key: 'id', capacity: 100 } as const
    const table = HashTable.create(arena, 'table', options)
    const smr = hasSmr ? { smr: arena.smr('clock') } : {}
    fillAndFree(arena, smr)
    table.resize(60_000)
    expect(table.stats().chains).toBe(65_536)
  })

  it('makes room for a reserve', () => {
    const { arena, idle } = start()
    const zone = arena.zone('reserve', { bytes: ITEM, reserve: Math.floor(idle.most / 2) })
    expect(zone.stats().created).toBeGreaterThanOrEqual(Math.floor(idle.most / 2))
    zone.prealloc(Math.floor(idle.most * 0.7))
  })

  it('goes by way of its destructor, which runs once for each item', () => {
    let seen = 0
    const { idle, other } = start({ dtor: () => seen++ })
    allocAll(other)
    expect(idle.zone.stats()).toMatchObject({ live: 0, pending: 0, safe: 0, cached: 0 })
    expect(seen).toBe(idle.most)
    idle.zone.check()
  })

  it('stays where a destructor has to see it first, in a section and under a lock', () => {
    let seen = 0
    const { arena, idle, other } = start({ dtor: () => seen++ })
    const before = { seen, places: places(idle.zone) }
    const clock = arena.smr('clock')
    clock.read(() => allocAll(other))
    arena.lock('mine').withLock(() => allocAll(other))
    if (hasSmr) expect({ seen, places: places(idle.zone) }).toEqual(before)
    else expect(seen).toBe(before.seen)
    idle.zone.check()
  })

  it('stays where it is reserved, and where slabs are never freed', () => {
    const { idle, other } = start({ noFree: true })
    expect(allocAll(other)).toHaveLength(0)
    expect(idle.zone.stats().created).toBe(idle.most)
  })

  it('is not asked for by a zone that is at its limit', () => {
    const { idle, limited } = start()
    const { created } = idle.zone.stats()
    expect(allocAll(limited)).toHaveLength(3)
    expect(idle.zone.stats().created).toBe(created)
  })
})

it('what readers may still see stays', () => {
  const arena = tiny()
  open.push(arena)
  const smr = arena.smr('clock')
  const reader = Arena.attach(arena.handle)
  open.push(reader)
  reader.smr('clock').enter()
  const idle = fillAndFree(arena, { smr }, 10_000)
  idle.zone.seal()
  const other = { arena, zone: arena.zone('other', { bytes: 200, bucket: 8 }) }
  expect(allocAll(other).length * 200).toBeLessThan(BYTES - idle.most * ITEM)
  expect(idle.zone.stats().pending).toBe(idle.most)
  reader.smr('clock').exit()
  expect(allocAll(other).length * 200).toBeGreaterThan(idle.most * ITEM * 0.7)
  idle.zone.check()
})

it('a section of the allocating worker is no obstacle', () => {
  const arena = tiny()
  open.push(arena)
  fillAndFree(arena)
  const smr = arena.smr('clock')
  const zone = arena.zone('other', { bytes: 200, bucket: 8, smr })
  smr.read(() => expect(zone.tryZallocSmr()).not.toBe(0))
})

describe('arena.reclaim', () => {
  it('gives back what all zones have, opened by this worker or not', () => {
    const arena = tiny(true)
    const other = Arena.attach(arena.handle)
    open.push(arena, other)
    const mine = fillAndFree(arena)
    mine.zone.reclaim('all')
    const theirs = {
      arena: other,
      zone: other.zone('theirs', { bytes: 32, smr: other.smr('clock') }),
    }
    freeMany(theirs, allocMany(theirs, 1000))
    theirs.zone.reclaim('all')
    freeMany(theirs, allocMany(theirs, 1000))
    freeMany(mine, allocMany(mine, 1000))
    const { released, pages, remaining, skipped } = arena.reclaim('all')
    // Of the other worker all but what is in its own two buckets.
    expect(released).toBeGreaterThan(1500)
    expect(pages).toBeGreaterThan(10)
    expect(remaining).toBe(theirs.zone.stats().cached + theirs.zone.stats().pending)
    expect(skipped).toEqual([])
    for (const zone of [mine.zone, theirs.zone]) zone.check()
  })

  it('names zones whose hooks this worker has not brought, and takes their empty slabs', () => {
    const arena = tiny()
    const other = Arena.attach(arena.handle)
    open.push(arena, other)
    const options = { bytes: 32, smr: other.smr('clock'), dtor: () => {}, bucket: 4 }
    const theirs = { arena: other, zone: other.zone('hooked', options) }
    theirs.zone.prealloc(2000)
    const { pages, skipped } = arena.reclaim('drain')
    expect(skipped).toEqual(['hooked'])
    expect(pages).toBeGreaterThan(10)
    theirs.zone.check()
  })

  it.each([
    ['level', 'everything', undefined, "give 'trim', 'drain' or 'all'"],
    ['timeoutMs', 'all', { timeoutMs: -1 }, 'timeoutMs is -1'],
    ['options', 'all', { timeout: 1 }, 'timeout'],
  ])('refuses a wrong %s', (_, level, options, words) => {
    const arena = tiny()
    open.push(arena)
    thrown(Misuse, () => arena.reclaim(level as 'all', options as object), 'arena.reclaim', words)
  })

  it('is refused inside a section, and nothing has changed', () => {
    const arena = tiny()
    open.push(arena)
    const idle = fillAndFree(arena)
    const before = idle.zone.stats()
    const smr = arena.smr('clock')
    smr.read(() =>
      thrown(Misuse, () => arena.reclaim('all'), 'arena.reclaim', 'clock', 'exit first'),
    )
    expect(idle.zone.stats()).toEqual(before)
  })

  it('waits for readers no longer than it was told, for all zones together', () => {
    const arena = tiny()
    const reader = Arena.attach(arena.handle)
    open.push(arena, reader)
    for (const name of ['a', 'b', 'c']) {
      const smr = arena.smr(name)
      reader.smr(name).enter()
      const zone = arena.zone(name, { bytes: 16, smr })
      zone.zfreeSmr(zone.zallocSmr())
    }
    const began = performance.now()
    expect(arena.reclaim('drain', { timeoutMs: 30 }).remaining).toBeGreaterThanOrEqual(3)
    expect(performance.now() - began).toBeGreaterThanOrEqual(29)
    for (const name of ['a', 'b', 'c']) reader.smr(name).exit()
  })
})

it('Exhausted comes when nobody has anything left', () => {
  const arena = tiny()
  open.push(arena)
  const zone = arena.zone('all', { bytes: ITEM })
  const items = allocAll({ arena, zone })
  const other = arena.zone('other', { bytes: 200 })
  thrown(Exhausted, () => other.zalloc(), 'zone.zalloc', 'other')
  freeMany({ arena, zone }, items)
  expect(other.zalloc()).not.toBe(0)
})

describe.each([
  ['plain, of another worker', false, false, false],
  ['smr, of another worker', true, false, false],
  ['smr, checked, of another worker', true, false, true],
  ['smr, opened by this worker too', true, true, false],
])('an exception while a zone gives up what it has: %s', (_, hasSmr, isOpened, checks) => {
  /** A zone with buckets of each kind, and a worker that has another one. */
  const start = () => {
    const owner = Arena.create({ bytes: 2 ** 17, maxWorkers: 2, checks })
    const smr = hasSmr ? { smr: owner.smr('clock') } : {}
    const knobs = { bytes: 16, bucket: 2, sealAfterMs: 0, trimEveryMs: 0 }
    const zone = owner.zone('idle', { ...knobs, ...smr })
    const idle = { arena: owner, zone }
    for (const many of [9, 3]) {
      freeMany(idle, allocMany(idle, many))
      zone.seal()
    }
    zone.reclaim('trim')
    const arena = Arena.attach(owner.handle)
    if (isOpened) arena.zone('idle', { ...knobs, ...(hasSmr && { smr: arena.smr('clock') }) })
    const other = { arena, zone: arena.zone('other', { bytes: 200, bucket: 2 }) }
    freeMany(other, allocMany(other, 1))
    open.push(arena, owner)
    return { idle, other }
  }
  const expectWhole = ({ idle, other }: ReturnType<typeof start>, what: string): void => {
    if (other.arena.space.isOpen) other.arena.space.watch.check() // For locks and pages.
    idle.zone.check()
    if (other.arena.space.isOpen) other.zone.check()
    expect(idle.zone.audit([]).leaked, what).toEqual([])
    const { slot } = other.arena.space
    const owners = idle.zone.parts.buckets.all().map(({ owner }) => owner)
    // This worker has never taken a bucket there for itself.
    expect(owners, what).not.toContain(1 + slot)
    expect(other.arena.space.visits, what).toEqual([])
  }

  it.each(MANNERS)('%s at each step; what it had in hand is put back', (manner) => {
    let step = 0
    let lost = 0
    for (let interrupted = true; interrupted; step++) {
      const world = start()
      const { arena, zone } = world.other
      const { space } = arena
      const act = () => relieve(space, [Number.POSITIVE_INFINITY], zone.parts)
      interrupted = interrupt(arena, step, manner, act).interrupted
      if (space.visits.length > 0) lost++
      const ways = [() => void space.watch.check(), () => zone.seal(), () => arena.detach()]
      ways[step % 3]?.()
      expectWhole(world, `${manner} at step ${step}`)
      for (const each of open.splice(0)) if (each.space.isOpen) each.detach()
    }
    expect(step).toBeGreaterThan(100)
    expect(lost).toBeGreaterThan(50)
  })

  it.skipIf(checks || isOpened)(
    'a death at every third step: the reaper finds what it had in hand, whether it is marked or not',
    () => {
      let step = 0
      let adopted = 0
      for (let interrupted = true; interrupted; step += 3) {
        const { idle, other } = start()
        const act = () => relieve(other.arena.space, [Number.POSITIVE_INFINITY], other.zone.parts)
        interrupted = interrupt(other.arena, step, 'cut off', act).interrupted
        const { zones } = reapSlot(idle.arena.space, other.arena.workerId)
        const own = zones.filter(({ name }) => name === 'idle')
        adopted += own.reduce((sum, { pending, safe }) => sum + pending + safe, 0)
        idle.zone.check()
        expect(idle.zone.audit([]).leaked, `step ${step}`).toEqual([])
        const { slot } = other.arena.space
        const owners = idle.zone.parts.buckets.all().map(({ owner }) => owner)
        expect(owners, `step ${step}`).not.toContain(1 + slot)
        open.splice(0)
        thrown(Misuse, () => other.arena.detach(), 'was reaped')
        idle.arena.detach()
      }
      expect(step).toBeGreaterThan(100)
      expect(adopted).toBeGreaterThan(0)
    },
  )
})

describe('who only visits a zone has not opened it', () => {
  const act = {
    relieve: ({ arena, zone }: Actor) =>
      void relieve(arena.space, [Number.POSITIVE_INFINITY], zone.parts),
    shrinkUnopened: ({ arena }: Actor) => {
      for (const each of arena.space.directory.list())
        if (each.name === 'idle') shrinkUnopened(arena.space, each)
    },
    'arena.reclaim': ({ arena }: Actor) => void arena.reclaim('drain'),
  }
  it.each(Object.entries(act))('%s', (_, visit) => {
    const owner = tiny()
    open.push(owner)
    const { zone } = fillAndFree(owner, {}, 40)
    const arena = Arena.attach(owner.handle)
    open.push(arena)
    const other = { arena, zone: arena.zone('other', { bytes: 200, bucket: 2 }) }
    const { at } = zone.parts
    visit(other)
    expect(isUsed(owner.space, at)).toBe(false)
    // Nor has it lost what it has really opened.
    arena.zone('idle')
    visit(other)
    expect(isUsed(owner.space, at)).toBe(true)
  })
})

/** One zone's idle memory must never starve another, whatever hooks, size and worker it has. */
describe.each(
  [false, true].flatMap((hasSmr) =>
    ['none', 'ctor', 'dtor', 'fini'].flatMap((hook) =>
      [64, 3000, 40_000].map((bytes) => ({ hasSmr, hook, bytes })),
    ),
  ),
)('a zone that has freed everything: smr $hasSmr, hook $hook, $bytes bytes', (kind) => {
  it.each(['this', 'another'])('leaves nine tenths of the arena; opened by %s worker', (by) => {
    const arena = Arena.create({ bytes: 2 * BYTES, maxWorkers: 4 })
    const asking = { arena, zone: arena.zone('asking', { bytes: 100 }) }
    const owner = by === 'this' ? arena : Arena.attach(arena.handle)
    for (const { space } of [arena, owner]) space.watch.every = () => {}
    open.push(...new Set([arena, owner]))
    const hooks = kind.hook === 'none' ? {} : { [kind.hook]: () => {} }
    const smr = kind.hasSmr ? { smr: owner.smr('clock') } : {}
    const idle = { arena: owner, zone: owner.zone('idle', { bytes: kind.bytes, ...hooks, ...smr }) }
    freeMany(idle, allocAll(idle))
    const got = allocAll(asking)
    // Idle itself, but its event loop turns: it is the only one with the hooks.
    owner.space.watch.check()
    got.push(...allocAll(asking))
    expect(got.length * 100).toBeGreaterThan(2 * BYTES * 0.9)
    for (const { zone } of [asking, idle]) zone.check()
  })
})

describe('hooks that run because another zone is short of pages', () => {
  const world = (dtor: () => void) => {
    const arena = tiny()
    arena.space.watch.every = () => {}
    open.push(arena)
    const idle = fillAndFree(arena, { dtor, smr: arena.smr('clock') })
    return { arena, idle }
  }

  it('may throw: a warning, and the allocation succeeds', () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    let armed = false
    const { arena, idle } = world(() => {
      if (armed) throw new Error('mine')
    })
    armed = true
    const other = { arena, zone: arena.zone('other', { bytes: 200, bucket: 8 }) }
    expect(allocAll(other).length).toBeGreaterThan(1000)
    expect(warned).toHaveBeenCalled()
    expect(idle.zone.stats()).toMatchObject({ live: 0, pending: 0 })
    idle.zone.check()
    other.zone.check()
    armed = false
  })

  it('may free into the zone that asks, and allocate from it', () => {
    let other: Actor | undefined
    const mine: Item[] = []
    const { arena, idle } = world(() => {
      if (other === undefined) return
      const item = mine.pop()
      if (item !== undefined) other.zone.zfree(item)
      const next = other.zone.tryZalloc()
      if (next !== 0) mine.push(next)
    })
    const zone = arena.zone('other', { bytes: 200, bucket: 8 })
    mine.push(...allocMany({ arena, zone }, 20))
    other = { arena, zone }
    const got = allocAll(other)
    expect(got.length).toBeGreaterThan(1000)
    idle.zone.check()
    zone.check()
    expect(zone.stats().live).toBe(got.length + mine.length)
    freeMany(other, [...got, ...mine])
    zone.check()
  })

  it('may use up all memory themselves', () => {
    let zones: Zone[] = []
    const { arena, idle } = world(() => {
      for (const zone of zones) zone.tryZalloc()
    })
    zones = [1, 2].map((n) => arena.zone(`other ${n}`, { bytes: 3000 * n, bucket: 2 }))
    for (const zone of zones) allocAll({ arena, zone })
    for (const zone of [...zones, idle.zone]) zone.check()
  })
})

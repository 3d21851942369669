/**
 * What a zone does when nobody asks it to: a bucket that grows old is retired in time and not
 * before, a quiet zone gives back what it does not need, and then nothing stirs any more.
 */

import { describe, expect, it } from 'vitest'
import type { Item, ZoneOptions } from '#src/index.ts'
import { DepotWords, zoneParts } from '#src/memory/layout.ts'
import { Time } from '../../helpers/time.ts'
import { CONFIGS, type Config } from '../../helpers/tiny.ts'
import { allocMany, freeMany, plainStage, smrStage } from './stage.ts'

function setUp(config: Config, options: ZoneOptions) {
  const { a, b } = smrStage(config, { bucket: 8, trimEveryMs: 0, sealAfterMs: 0, ...options })
  return { a, b, time: new Time(a.arena, b.arena) }
}

describe.each(CONFIGS)('sealAfterMs, sequences $name', (config) => {
  it('retires a part-filled bucket so long after its first item, once', () => {
    const { a, time } = setUp(config, { sealAfterMs: 10 })
    const items = allocMany(a, 6)
    freeMany(a, items.slice(0, 2))
    time.pass(9)
    freeMany(a, items.slice(2, 3))
    expect(a.zone.stats().retired).toBe(0)
    time.pass(1)
    expect(a.zone.stats()).toMatchObject({ retired: 1, advances: 1, pending: 3 })
    time.pass(1000)
    expect(a.zone.stats().retired).toBe(1)
    // The next item starts an age of its own.
    freeMany(a, items.slice(3, 4))
    time.pass(9)
    expect(a.zone.stats().retired).toBe(1)
    time.pass(1)
    expect(a.zone.stats()).toMatchObject({ retired: 2, pending: 4 })
    a.zone.check()
  })

  it('counts from the bucket that is there, not from the one before', () => {
    const { a, time } = setUp(config, { sealAfterMs: 10 })
    const items = allocMany(a, 40)
    const retired: number[] = []
    freeMany(a, items.splice(0, 1))
    for (let i = 0; i < 8; i++) {
      time.pass(3)
      freeMany(a, items.splice(0, 4))
      retired.push(a.zone.stats().retired)
    }
    // A bucket of 8 is full in 6 ms: none grows 10 ms old.
    expect(retired).toEqual([0, 1, 1, 2, 2, 3, 3, 4])
  })

  it('is never later than that for any item, and makes no more buckets than it must', () => {
    const { a, time } = setUp(config, { sealAfterMs: 10 })
    const items = allocMany(a, 200)
    const born: number[] = []
    let retiredItems = 0
    for (let tick = 0; tick < 300; tick++) {
      time.pass(1)
      if (tick % 7 < 2 && items.length > 0) {
        a.zone.zfreeSmr(items.pop() as Item)
        born.push(time.now)
      }
      const { frees } = a.zone.stats()
      retiredItems = frees - inHand(a)
      for (const at of born.slice(retiredItems)) expect(time.now - at).toBeLessThanOrEqual(10)
    }
    const { retired } = a.zone.stats()
    expect(retired).toBeLessThanOrEqual(300 / 10 + 1)
    expect(retiredItems).toBeGreaterThan(70)
  })

  it('sets one timer for a busy worker, and none for one that frees nothing', () => {
    const { a, time } = setUp(config, { sealAfterMs: 10 })
    const items = allocMany(a, 100)
    expect(time.waiting).toBe(0)
    freeMany(a, items)
    expect(time.waiting).toBe(1)
    time.pass(100)
    expect(time.waiting).toBe(0)
    expect(a.zone.stats().pending).toBe(100)
  })

  it('is heard at a refill by a worker whose event loop does not turn', () => {
    const { a, time } = setUp(config, { sealAfterMs: 10 })
    freeMany(a, allocMany(a, 3))
    time.compute(9)
    allocMany(a, 8)
    expect(a.zone.stats().retired).toBe(0)
    time.compute(1)
    allocMany(a, 8)
    expect(a.zone.stats().retired).toBe(1)
  })

  it('reads no clock and sets no timer between two buckets', () => {
    const { a, time } = setUp(config, { sealAfterMs: 10 })
    const items = allocMany(a, 8)
    a.zone.zfreeSmr(items[0] as Item)
    let asked = 0
    a.arena.memory.now = () => {
      asked++
      return time.now
    }
    freeMany(a, items.slice(1))
    expect({ asked, timers: time.waiting }).toEqual({ asked: 0, timers: 1 })
  })

  it('is off at 0, and can be turned on and off', () => {
    const { a, time } = setUp(config, {})
    const items = allocMany(a, 30)
    freeMany(a, items.splice(0, 3))
    time.pass(10_000)
    expect(time.waiting).toBe(0)
    expect(a.zone.stats().retired).toBe(0)
    a.zone.tune({ sealAfterMs: 5 })
    freeMany(a, items.splice(0, 7))
    time.pass(5)
    expect(a.zone.stats()).toMatchObject({ retired: 2, pending: 10 })
    freeMany(a, items.splice(0, 3))
    a.zone.tune({ sealAfterMs: 0 })
    time.pass(10_000)
    expect(a.zone.stats()).toMatchObject({ retired: 2, frees: 13 })
  })

  it('turned down, is heard at the next slow path, also by a worker that only frees', () => {
    const { a, time } = setUp(config, { sealAfterMs: 60_000 })
    const items = allocMany(a, 30)
    freeMany(a, items.splice(0, 3))
    a.zone.tune({ sealAfterMs: 5 })
    freeMany(a, items.splice(0, 5))
    expect(a.zone.stats()).toMatchObject({ retired: 0 })
    freeMany(a, items.splice(0, 1))
    expect(a.zone.stats()).toMatchObject({ retired: 1, pending: 9 })
    time.pass(4)
    expect(a.zone.stats().retired).toBe(1)
    time.pass(1)
    expect(a.zone.stats()).toMatchObject({ retired: 2, pending: 9 })
    time.pass(100_000)
    expect(a.zone.stats().retired).toBe(2)
    expect(time.waiting).toBe(0)
  })

  it('turned on, does not count from a bucket of long ago', () => {
    const { a, time } = setUp(config, { sealAfterMs: 20 })
    const items = allocMany(a, 40)
    freeMany(a, items.splice(0, 1))
    a.zone.tune({ sealAfterMs: 0 })
    time.pass(1000)
    freeMany(a, items.splice(0, 8))
    expect(a.zone.stats().retired).toBe(1)
    a.zone.tune({ sealAfterMs: 20 })
    allocMany(a, 20)
    expect(a.zone.stats().retired).toBe(1)
    time.pass(19)
    expect(a.zone.stats().retired).toBe(1)
    time.pass(1)
    expect(a.zone.stats().retired).toBe(2)
  })

  it('leaves a section alone that was left open over a turn, and comes again', () => {
    const { a, time } = setUp(config, { sealAfterMs: 10 })
    freeMany(a, allocMany(a, 3))
    a.smr.enter()
    time.pass(15)
    expect(a.zone.stats().retired).toBe(0)
    a.smr.exit()
    time.pass(10)
    expect(a.zone.stats().retired).toBe(1)
  })

  it('dies with the handle, and with the zone', () => {
    const { a, b, time } = setUp(config, { sealAfterMs: 10 })
    freeMany(b, allocMany(b, 3))
    b.arena.detach()
    freeMany(a, allocMany(a, 3))
    a.zone.destroy()
    expect(time.waiting).toBe(2)
    time.pass(100)
    expect(time.waiting).toBe(0)
    const again = a.arena.zone('things', { bytes: 16 })
    expect(again.stats().created).toBe(0)
  })

  it('does not wait for a lock whose owner may be dead, and comes again', () => {
    const { a, b, time } = setUp(config, { sealAfterMs: 10, trimEveryMs: 100 })
    freeMany(a, allocMany(a, 3))
    const lock = zoneParts(a.zone.parts.at, a.arena.space.maxWorkers).depot + DepotWords.lock
    b.arena.space.locks.lock(lock, 'depot')
    let waited = 0
    a.arena.memory.wait = (_at, _value, ms) => {
      waited += ms
      time.compute(ms)
    }
    time.pass(150)
    expect(waited).toBeLessThan(1000)
    expect(a.zone.stats().retired).toBe(0)
    b.arena.space.locks.unlock(lock)
    time.pass(20)
    expect(a.zone.stats()).toMatchObject({ retired: 1, pending: 3 })
    a.zone.check()
  })

  it('lets what was freed be used by whoever needs it, at a limit', () => {
    const { a, b, time } = setUp(config, { sealAfterMs: 10, limit: 8, bucket: 8 })
    freeMany(a, allocMany(a, 8))
    expect(b.zone.tryZallocSmr()).toBe(0)
    time.pass(10)
    expect(b.zone.tryZallocSmr()).not.toBe(0)
  })

  it('reports what a destructor throws, and goes on', async () => {
    const told: unknown[] = []
    const listener = (warning: unknown): number => told.push(warning)
    process.on('warning', listener)
    const bad = new Error('a destructor that throws')
    const hooks: ZoneOptions = {
      dtor: () => {
        throw bad
      },
    }
    const { a } = smrStage(config, { bucket: 2, sealAfterMs: 0, trimEveryMs: 10, ...hooks }, {})
    const time = new Time(a.arena)
    freeMany(a, allocMany(a, 8))
    time.pass(50)
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', listener)
    expect(told).toContain(bad)
    a.zone.check()
  })
})

describe.each(CONFIGS)('trimEveryMs, sequences $name', (config) => {
  it('gives back what the depot held all the time, and then is silent', () => {
    const { a, time } = setUp(config, { trimEveryMs: 100, sealAfterMs: 10 })
    const live = allocMany(a, 5)
    freeMany(a, allocMany(a, 1000))
    const before = a.zone.stats()
    time.pass(100)
    expect(a.zone.stats().created).toBe(before.created)
    time.pass(400)
    const { cached, pending, safe, slabs } = a.zone.stats()
    expect({ cached, pending, safe }).toEqual({ cached: 0, pending: 0, safe: 0 })
    expect(slabs).toBeLessThan(before.slabs)
    expect(time.waiting).toBe(0)
    freeMany(a, live)
    a.zone.check()
  })

  it('comes once more for a bucket that grew old when all else was done', () => {
    const { a, time } = setUp(config, { trimEveryMs: 20, sealAfterMs: 400 })
    freeMany(a, allocMany(a, 1001))
    time.pass(399)
    // What is left is in the free bucket.
    expect(a.zone.stats()).toMatchObject({ safe: 0, pending: inHand(a) })
    expect(a.zone.stats().slabs).toBeGreaterThan(0)
    time.pass(100)
    expect(a.zone.stats()).toMatchObject({ safe: 0, pending: 0, cached: 0, slabs: 0 })
    expect(time.waiting).toBe(0)
  })

  it('turned down, is heard at the next slow path', () => {
    const { a, time } = setUp(config, { trimEveryMs: 60_000 })
    freeMany(a, allocMany(a, 400))
    const before = a.zone.stats().slabs
    a.zone.tune({ trimEveryMs: 10 })
    freeMany(a, allocMany(a, 8))
    time.pass(40)
    expect(a.zone.stats()).toMatchObject({ safe: 0, pending: inHand(a) })
    expect(a.zone.stats().slabs).toBeLessThan(before)
    time.pass(60_000)
    expect(time.waiting).toBe(0)
  })

  it('leaves alone what is in use', () => {
    const { a, time } = setUp(config, { trimEveryMs: 100, sealAfterMs: 10 })
    const items = allocMany(a, 400)
    freeMany(a, items)
    for (let i = 0; i < 20; i++) {
      time.pass(50)
      const imports = a.zone.stats().imports
      freeMany(a, allocMany(a, 400))
      if (i > 4) expect(a.zone.stats().imports - imports).toBeLessThanOrEqual(3)
    }
  })

  it('is done by one of all workers', () => {
    const { a, b, time } = setUp(config, { trimEveryMs: 100, bucket: 4 })
    freeMany(a, allocMany(a, 101))
    freeMany(b, allocMany(b, 101))
    a.zone.seal()
    b.zone.seal()
    let trims = 0
    for (const { zone } of [a, b]) {
      const { depot } = zone.parts
      const real = depot.takeIdleCount.bind(depot)
      depot.takeIdleCount = () => {
        trims++
        return real()
      }
    }
    time.pass(1000)
    expect(trims).toBeGreaterThanOrEqual(2)
    expect(trims).toBeLessThanOrEqual(11)
    expect(a.zone.stats()).toMatchObject({ pending: 0, safe: 0, cached: 0 })
    expect(time.waiting).toBe(0)
  })

  it('keeps the reserve', () => {
    const { a, time } = setUp(config, { trimEveryMs: 100, sealAfterMs: 10, reserve: 200 })
    freeMany(a, allocMany(a, 1000))
    time.pass(1000)
    const { created, inSlabs } = a.zone.stats()
    expect(inSlabs).toBe(created)
    expect(created).toBeGreaterThanOrEqual(200)
  })

  it('also trims zones without smr', () => {
    const { a } = plainStage(config, { bucket: 4, trimEveryMs: 100 })
    const time = new Time(a.arena)
    freeMany(a, allocMany(a, 300))
    time.pass(1000)
    expect(a.zone.stats().safe).toBe(0)
    expect(a.zone.stats().slabs).toBeLessThanOrEqual(1)
  })

  it('is off at 0', () => {
    const { a, time } = setUp(config, {})
    freeMany(a, allocMany(a, 300))
    expect(time.waiting).toBe(0)
    expect(a.zone.stats().pending).toBe(300)
  })
})

it('a real timer comes', async () => {
  const { a } = smrStage(CONFIGS[0] as Config, { bucket: 8, sealAfterMs: 5, trimEveryMs: 0 })
  freeMany(a, allocMany(a, 3))
  for (let i = 0; i < 400 && a.zone.stats().retired === 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  expect(a.zone.stats().retired).toBe(1)
})

/** Items in the free bucket of this worker, which nobody else can say. */
function inHand({ zone }: { zone: ReturnType<typeof smrStage>['a']['zone'] }): number {
  const { cache } = zone.parts
  return cache.counts().inFree
}

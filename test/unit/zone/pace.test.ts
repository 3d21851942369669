/**
 * `advanceEvery`: one step of the clock in so many full buckets, exactly; nothing is reused before
 * its goal is met; and whoever needs memory gets the step that is missing.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { delta, type Seq } from '#src/base/seq.ts'
import type { Item } from '#src/index.ts'
import { BucketWords, DepotWords, zoneParts } from '#src/memory/layout.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import { allocAll, allocMany, bury, freeMany, join, smrStage } from './stage.ts'

describe.each(CONFIGS)('advanceEvery, sequences $name', (config) => {
  const sizes = fc.record({
    bucket: fc.integer({ min: 1, max: 24 }),
    advanceEvery: fc.integer({ min: 1, max: 9 }),
    steps: fc.integer({ min: 1, max: 12 }),
  })

  it('frees B x advanceEvery items per step of the clock', () => {
    fc.assert(
      fc.property(sizes, ({ bucket, advanceEvery, steps }) => {
        const { a } = smrStage(config, { bucket, advanceEvery })
        const items = allocMany(a, bucket * advanceEvery * steps + 1)
        freeMany(a, items)
        expect(a.zone.stats()).toMatchObject({ retired: advanceEvery * steps, advances: steps })
        expect(a.smr.stats()).toMatchObject({ advances: steps, advanceWaits: 0 })
        a.zone.check()
      }),
      { numRuns: 40 },
    )
  })

  it('moves the clock at the n-th bucket, whoever retires it', () => {
    const { a, b } = smrStage(config, { bucket: 2, advanceEvery: 3 })
    const mine = allocMany(a, 13)
    const theirs = allocMany(b, 13)
    const steps: number[] = []
    for (let i = 0; i < 13; i++) {
      a.zone.zfreeSmr(mine[i] as Item)
      b.zone.zfreeSmr(theirs[i] as Item)
      steps.push(a.zone.stats().advances)
    }
    // At every second free from the third on each of the two retires a bucket.
    expect(steps).toEqual([0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 4])
    expect(a.smr.stats().advances).toBe(4)
  })

  it('advances as often in a steady loop, and the loop stays bounded', () => {
    fc.assert(
      fc.property(sizes, ({ bucket, advanceEvery }) => {
        const { a } = smrStage(config, { bucket, advanceEvery })
        const frees = 40 * bucket * advanceEvery + 1
        for (let i = 0; i < frees; i++) a.zone.zfreeSmr(a.zone.zallocSmr())
        expect(a.zone.stats()).toMatchObject({ retired: 40 * advanceEvery, advances: 40 })
        expect(a.smr.stats().advances).toBe(40)
        const { created, inSlabs } = a.zone.stats()
        expect(created - inSlabs).toBeLessThanOrEqual((advanceEvery + 3) * bucket)
      }),
      { numRuns: 20 },
    )
  })

  it('keeps the goals of the queue in order', () => {
    const { a, b } = smrStage(config, { bucket: 1, advanceEvery: 3 })
    const { memory } = a.arena
    b.smr.enter()
    const c = join(a.arena)
    for (let i = 0; i < 30; i++) {
      freeMany(i % 2 === 0 ? a : c, allocMany(a, 2))
      if (i % 7 === 0) a.zone.seal()
      if (i % 5 === 0) a.smr.advance()
    }
    freeMany(a, allocMany(a, 60))
    const at = zoneParts(a.zone.parts.at, a.arena.space.maxWorkers).depot
    let last: Seq | undefined
    let bucket = memory.peek(at + DepotWords.pendingHead)
    for (; bucket !== 0; bucket = memory.peek(bucket + BucketWords.next)) {
      const goal = memory.peek(bucket + BucketWords.goal) as Seq
      if (last !== undefined) expect(delta(goal, last)).toBeGreaterThanOrEqual(0)
      last = goal
    }
    expect(last).toBeDefined()
    b.smr.exit()
    a.zone.check()
  })

  it('reuses nothing that a parked reader may see', () => {
    const { a, b } = smrStage(config, { bucket: 2, advanceEvery: 4 })
    const items = allocMany(a, 40)
    freeMany(a, items.slice(0, 3))
    b.smr.enter()
    const late = items.slice(3)
    freeMany(a, late)
    a.zone.seal()
    const handed = new Set(allocMany(a, 300))
    expect(late.filter((item) => handed.has(item))).toEqual([])
    b.smr.exit()
    const again = new Set(allocMany(a, 300))
    expect(late.filter((item) => again.has(item))).toEqual(late)
  })

  it('does not hold items back at a limit', () => {
    const { a, b } = smrStage(config, { bucket: 2, advanceEvery: 4096, limit: 20 })
    for (let round = 0; round < 20; round++) {
      const all = allocAll(a)
      // What the other worker has cached is out of reach until it comes by.
      expect(all.length).toBeGreaterThanOrEqual(18)
      freeMany(round % 2 === 0 ? a : b, all)
    }
    a.zone.check()
  })

  it.each(['drain', 'all'] as const)('%s needs no step of anybody else', (level) => {
    const { a } = smrStage(config, { bucket: 2, advanceEvery: 4096 })
    freeMany(a, allocMany(a, 50))
    const { remaining } = a.zone.reclaim(level)
    expect(a.zone.stats().pending).toBe(0)
    if (level === 'all') expect(remaining).toBe(0)
  })

  it('a trim gets what is idle, whole', () => {
    const { a } = smrStage(config, { bucket: 2, advanceEvery: 4096 })
    freeMany(a, allocMany(a, 51))
    a.zone.reclaim('trim')
    expect(a.zone.reclaim('trim').released).toBe(50)
  })

  it('a seal moves the clock for all that were waiting', () => {
    const { a } = smrStage(config, { bucket: 2, advanceEvery: 100 })
    freeMany(a, allocMany(a, 51))
    expect(a.zone.stats().advances).toBe(0)
    a.zone.seal()
    expect(a.zone.stats()).toMatchObject({ retired: 26, advances: 1 })
    const { created } = a.zone.stats()
    allocMany(a, 51)
    expect(a.zone.stats().created).toBe(created)
  })

  it('a zone can be destroyed, and a reap leaves nothing that waits for the dead', () => {
    const { a, b } = smrStage(config, { bucket: 2, advanceEvery: 100 })
    freeMany(b, allocMany(b, 9))
    bury(a.arena, b.arena)
    const { created } = a.zone.stats()
    freeMany(a, allocMany(a, 9))
    expect(a.zone.stats().created).toBe(created)
    a.zone.destroy()
  })

  it('can be turned while goals lie ahead', () => {
    const { a } = smrStage(config, { bucket: 2, advanceEvery: 100 })
    freeMany(a, allocMany(a, 51))
    a.zone.tune({ advanceEvery: 1 })
    const { created } = a.zone.stats()
    allocMany(a, 50)
    expect(a.zone.stats().created).toBe(created)
  })
})

describe.each(['deferred', 'lazy'] as const)('advanceEvery under a %s clock', (clock) => {
  it('still gives everything back', () => {
    const { a } = smrStage(CONFIGS[0] ?? { name: '', sequence: { first: 1, step: 2 } })
    const smr = a.arena.smr('other', { clock })
    const zone = a.arena.zone('paced', { bytes: 16, smr, bucket: 2, advanceEvery: 3 })
    const actor = { arena: a.arena, zone }
    for (let i = 0; i < 20; i++) freeMany(actor, allocMany(actor, 13))
    expect(zone.reclaim('all')).toMatchObject({ remaining: 0 })
    zone.check()
  })
})

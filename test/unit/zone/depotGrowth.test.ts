/**
 * Buckets with a range, and a depot with a limit: what grows under contention, what goes when it is
 * over, and that no bucket ever holds more than it has room for.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BucketWords, DepotWords, zoneParts } from '#src/memory/layout.ts'
import { giveHeldBack, holdRaw } from '#src/zone/hooks.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import {
  type Actor,
  allocMany,
  free,
  freeMany,
  KINDS,
  Ledger,
  plainStage,
  smrStage,
  tryAlloc,
} from './stage.ts'

/** From here on this worker finds the depot's lock taken each time that `taken` says so. */
function contend({ arena, zone }: Actor, taken: () => boolean): void {
  const { memory, space } = arena
  const lock = zoneParts(zone.parts.at, space.maxWorkers).depot + DepotWords.lock
  const real = memory.peekRacy.bind(memory)
  memory.peekRacy = (at: number): number => (at === lock && taken() ? 1 : real(at))
}

/** Sizes of the buckets that are in the depot, or in somebody's hands. */
function sizes({ arena, zone }: Actor): number[] {
  const { buckets } = zone.parts
  return buckets.all().map(({ bucket }) => arena.memory.peek(bucket + BucketWords.count))
}

describe.each(CONFIGS)('a range of bucket sizes, sequences $name', (config) => {
  it('starts at min, and stays there where nobody meets', () => {
    const { a } = smrStage(config, { bucket: { min: 4, max: 64 } })
    freeMany(a, allocMany(a, 41))
    expect(a.zone.stats()).toMatchObject({ bucket: 4, retired: 10, advances: 10, contended: 0 })
  })

  it('grows to max under contention, and no further', () => {
    const { a, b } = smrStage(config, { bucket: { min: 2, max: 20 } })
    contend(a, () => true)
    const seen: number[] = []
    for (let i = 0; i < 60; i++) {
      freeMany(a, allocMany(a, 20))
      seen.push(a.zone.stats().bucket)
    }
    expect(seen).toEqual([...seen].sort((x, y) => x - y))
    expect(seen.at(-1)).toBe(20)
    expect(Math.max(...sizes(a))).toBe(20)
    // What one has grown, all have.
    freeMany(b, allocMany(b, 41))
    const { retired } = a.zone.stats()
    freeMany(b, allocMany(b, 40))
    expect(a.zone.stats().retired - retired).toBe(2)
    expect(a.zone.stats().contended).toBeGreaterThan(9)
    a.zone.check()
  })

  it('shrinks to min when it is trimmed and nobody meets any more', () => {
    const { a } = smrStage(config, { bucket: { min: 2, max: 64 } })
    let busy = true
    contend(a, () => busy)
    for (let i = 0; i < 200; i++) freeMany(a, allocMany(a, 8))
    expect(a.zone.stats().bucket).toBe(64)
    busy = false
    for (let i = 0; i < 8; i++) a.zone.reclaim('trim')
    expect(a.zone.stats().bucket).toBe(2)
    const { retired } = a.zone.stats()
    freeMany(a, allocMany(a, 200))
    expect(a.zone.stats().retired - retired).toBeGreaterThan(95)
    a.zone.check()
  })

  it('one number stays exact, whoever meets whom', () => {
    const { a } = smrStage(config, { bucket: 4 })
    contend(a, () => true)
    freeMany(a, allocMany(a, 401))
    expect(a.zone.stats()).toMatchObject({ bucket: 4, retired: 100, advances: 100 })
  })

  describe.each(KINDS)('$kind zone', ({ stage }) => {
    it('loses no item and fills no bucket beyond its room, however it grows and shrinks', () => {
      const actions = fc.array(
        fc.record({
          who: fc.boolean(),
          action: fc.constantFrom('alloc', 'free', 'seal', 'trim', 'drain', 'all', 'tune', 'back'),
          many: fc.integer({ min: 1, max: 12 }),
        }),
        { minLength: 20, maxLength: 120 },
      )
      fc.assert(
        fc.property(actions, fc.integer({ min: 1, max: 5 }), (list, min) => {
          const max = min + 6
          const ledger = new Ledger()
          const options = { bucket: { min, max }, depot: 9, ...ledger.hooks }
          const { a, b } = stage(config, options)
          let taken = false
          for (const each of [a, b]) contend(each, () => taken)
          const held = []
          for (const { who, action, many } of list) {
            const actor = who ? a : b
            taken = many % 2 === 0
            if (action === 'alloc') held.push(...allocMany(actor, many))
            else if (action === 'free') freeMany(actor, held.splice(0, many))
            else if (action === 'seal') actor.zone.seal()
            else if (action === 'back') {
              const { parts } = actor.zone
              for (const item of held.splice(-many)) {
                parts.hooks.dtor?.(item)
                giveHeldBack(parts, holdRaw(parts, item))
              }
            } else if (action === 'tune') {
              actor.zone.tune({ bucket: { min, max: Math.max(min, max - many) }, depot: many })
            } else actor.zone.reclaim(action as 'trim' | 'drain' | 'all')
            expect(Math.max(0, ...sizes(a))).toBeLessThanOrEqual(max)
            expect(new Set(held).size).toBe(held.length)
          }
          taken = false
          freeMany(a, held)
          for (const { zone } of [a, b, a]) zone.reclaim('all')
          allocMany(b, 1).forEach((item) => {
            free(b, item)
          })
          b.zone.reclaim('all')
          a.zone.check()
          expect(a.zone.stats()).toMatchObject({ live: 0 })
          expect(ledger.wrong).toEqual([])
          a.zone.destroy()
          ledger.expectBalanced()
        }),
        { numRuns: 30 },
      )
    })
  })
})

describe.each(CONFIGS)('a limit of the depot, sequences $name', (config) => {
  it('sends what has expired beyond it owner, and no more', () => {
    const { a } = smrStage(config, { bucket: 4, depot: 12 })
    freeMany(a, allocMany(a, 400))
    // What is in hand, one bucket that is too young, the limit, and what one free has not got to.
    const { pending, safe, inSlabs, created } = a.zone.stats()
    expect(pending + safe).toBeLessThanOrEqual(12 + 3 * 4)
    expect(pending + safe).toBeGreaterThanOrEqual(12)
    expect(inSlabs).toBeGreaterThan(created - 30)
    a.zone.check()
  })

  it('takes bytes', () => {
    const { a } = smrStage(config, { bytes: 100, bucket: 4, depot: { bytes: 104 * 20 } })
    expect(a.zone.stats().knobs.depot).toBe(20)
    freeMany(a, allocMany(a, 400))
    expect(a.zone.stats().pending).toBeLessThanOrEqual(20 + 3 * 4)
  })

  it('0 keeps nothing that can go', () => {
    const { a } = smrStage(config, { bucket: 4, depot: 0 })
    freeMany(a, allocMany(a, 400))
    expect(a.zone.stats().pending).toBeLessThanOrEqual(3 * 4)
  })

  it('waits for no reader, and lets nothing go that one may see', () => {
    const { a, b } = smrStage(config, { bucket: 4, depot: 4 })
    const items = allocMany(a, 100)
    b.smr.enter()
    freeMany(a, items)
    expect(a.zone.stats()).toMatchObject({ pending: 100 })
    const handed = new Set(allocMany(a, 300))
    expect(items.filter((item) => handed.has(item))).toEqual([])
    b.smr.exit()
    // Two buckets go for each that comes, so it gets there.
    freeMany(a, allocMany(a, 4 * 40))
    const { pending, safe } = a.zone.stats()
    expect(pending + safe).toBeLessThanOrEqual(4 + 3 * 4)
    a.zone.check()
  })

  it('holds in zones without smr', () => {
    const { a } = plainStage(config, { bucket: 4, depot: 12 })
    freeMany(a, allocMany(a, 400))
    expect(a.zone.stats().safe).toBeLessThanOrEqual(12)
    a.zone.check()
  })

  it('runs destructors before anything goes owner', () => {
    const ledger = new Ledger()
    const { a } = smrStage(config, { bucket: 4, depot: 0, ...ledger.hooks })
    for (let i = 0; i < 20; i++) freeMany(a, allocMany(a, 30))
    expect(ledger.wrong).toEqual([])
    while (tryAlloc(a) !== 0);
  })
})

/**
 * Constructors, destructors, init and fini: when each runs, that it runs once per item, and that a
 * hook which throws spoils nothing but its own call.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Arena, Exhausted, type Item, Misuse, type ZoneOptions } from '#src/index.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import {
  type Actor,
  alloc,
  allocAll,
  allocMany,
  free,
  freeMany,
  impatient,
  KINDS,
  Ledger,
  pagesInUse,
  plainStage,
  smrStage,
  thrown,
  tryAlloc,
} from './stage.ts'

class Boom extends Error {}

/** Allocates into `live`, so that what was had before an error is not lost. */
function fillUp(actor: Actor, live: Item[], count: number): void {
  for (let i = 0; i < count; i++) live.push(alloc(actor))
}

/** What `act` throws; it must be the hook's own error. */
function boom(act: () => unknown): void {
  expect(act).toThrow(Boom)
}

describe.each(CONFIGS)('when hooks run, sequences $name', (config) => {
  it('runs init for a whole import, ctor per allocation', () => {
    const { hooks, counts } = new Ledger()
    const { a } = plainStage(config, { bucket: 4, ...hooks })
    expect(counts).toEqual({ init: 0, ctor: 0, dtor: 0, fini: 0 })
    a.zone.prealloc(100)
    expect(counts.init).toBe(0)
    alloc(a)
    expect(counts).toEqual({ init: 4, ctor: 1, dtor: 0, fini: 0 })
    allocMany(a, 3)
    expect(counts).toEqual({ init: 4, ctor: 4, dtor: 0, fini: 0 })
    alloc(a)
    expect(counts).toEqual({ init: 8, ctor: 5, dtor: 0, fini: 0 })
  })

  it('runs dtor at once in a plain zone, and fini when memory leaves', () => {
    const ledger = new Ledger()
    const { a } = plainStage(config, { bucket: 4, ...ledger.hooks })
    const items = allocMany(a, 6)
    for (const [i, item] of items.entries()) {
      free(a, item)
      expect(ledger.counts.dtor).toBe(i + 1)
    }
    expect(ledger.counts.fini).toBe(0)
    a.zone.reclaim('all')
    expect(ledger.counts).toEqual({ init: 8, ctor: 6, dtor: 6, fini: 8 })
    expect(ledger.wrong).toEqual([])
  })

  it('runs dtor in an smr zone neither at the free nor at the retire, but after the poll', () => {
    const ledger = new Ledger()
    const { a } = smrStage(config, { bucket: 4, ...ledger.hooks })
    const items = allocMany(a, 8)
    freeMany(a, items)
    a.zone.seal()
    expect(a.zone.stats().retired).toBe(2)
    expect(ledger.counts.dtor).toBe(0)
    // The next allocation runs dry, polls, and destroys the one bucket that it reuses.
    alloc(a)
    expect(ledger.counts).toMatchObject({ ctor: 9, dtor: 4 })
    a.zone.reclaim('drain')
    expect(ledger.counts.dtor).toBe(8)
    expect(ledger.wrong).toEqual([])
  })

  it('never runs dtor or fini for what a parked reader may see', () => {
    const ledger = new Ledger()
    const { a, b } = smrStage(config, { bucket: 3, ...ledger.hooks }, { bytes: 2 ** 20 })
    const early = allocMany(a, 6)
    const late = new Set(allocMany(a, 60))
    freeMany(a, early)
    a.zone.seal()
    b.smr.enter()
    freeMany(a, late)
    a.zone.seal()
    for (let round = 0; round < 3; round++) {
      const more = allocMany(a, 40)
      a.zone.reclaim('trim')
      a.zone.reclaim('drain', { timeoutMs: 0 })
      a.zone.reclaim('all', { timeoutMs: 0 })
      freeMany(a, more)
    }
    const live = new Set(ledger.live)
    expect([...late].filter((item) => !live.has(item))).toEqual([])
    expect(ledger.wrong).toEqual([])
    b.smr.exit()
    a.zone.reclaim('all')
    expect(ledger.live).toEqual([])
    a.zone.destroy()
    ledger.expectBalanced()
  })

  it('gives each worker its own hooks, and runs those of whoever does the work', () => {
    const seen: string[] = []
    const hooks = (who: string): ZoneOptions => ({
      ctor: () => seen.push(`${who} ctor`),
      dtor: () => seen.push(`${who} dtor`),
    })
    const { a } = smrStage(config, { bucket: 1, ...hooks('a') })
    const arena = Arena.attach(a.arena.handle)
    const b = { arena, zone: arena.zone('things', hooks('b')) }
    const item = alloc(a)
    free(b, item)
    a.zone.seal()
    b.zone.seal()
    a.zone.reclaim('drain')
    expect(seen).toEqual(['a ctor', 'a dtor'])
  })

  it('hands the ctor an item that is allocated nowhere else, with its words as dtor left them', () => {
    const seen: number[] = []
    const { a } = smrStage(config, {
      bucket: 1,
      ctor: (item) => {
        seen.push(a.arena.words[item] as number)
        a.arena.words[item] = 7
      },
      dtor: (item) => {
        a.arena.words[item] = 13
      },
    })
    const item = alloc(a)
    free(a, item)
    a.zone.reclaim('drain')
    const again = allocMany(a, 3)
    expect(again).toContain(item)
    expect(seen.slice(1)).toContain(13)
  })
})

describe.each(CONFIGS)('hooks balance, sequences $name', (config) => {
  describe.each(KINDS)('$kind zone', ({ stage }) => {
    it('at destroy, with reuse and with reclaim of every level in between', () => {
      const step = fc.oneof(
        { weight: 4, arbitrary: fc.record({ do: fc.constant('alloc'), n: fc.nat(12) }) },
        { weight: 4, arbitrary: fc.record({ do: fc.constant('free'), n: fc.nat(12) }) },
        {
          weight: 2,
          arbitrary: fc.record({
            do: fc.constantFrom('trim', 'drain', 'all', 'seal', 'prealloc'),
            n: fc.nat(40),
          }),
        },
      )
      const script = fc.array(fc.record({ who: fc.nat(1), step }), { maxLength: 60 })
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 6 }), script, (bucket, steps) => {
          const ledger = new Ledger()
          const { a, b } = stage(config, { bucket, ...ledger.hooks })
          const inUse = pagesInUse(a.arena)
          const live: Item[] = []
          for (const { who, step } of steps) {
            const actor = who === 0 ? a : b
            if (step.do === 'alloc') live.push(...allocMany(actor, step.n))
            else if (step.do === 'free') freeMany(actor, live.splice(0, step.n))
            else if (step.do === 'seal') actor.zone.seal()
            else if (step.do === 'prealloc') actor.zone.prealloc(step.n)
            else actor.zone.reclaim(step.do as 'trim', { timeoutMs: 0 })
            expect(ledger.wrong).toEqual([])
          }
          expect(ledger.counts.ctor).toBe(a.zone.stats().allocs)
          freeMany(b, live)
          a.zone.check()
          a.zone.destroy()
          ledger.expectBalanced()
          expect(pagesInUse(a.arena)).toBeLessThan(inUse)
        }),
        { numRuns: 30 },
      )
    })
  })
})

describe.each(CONFIGS)('hooks that throw, sequences $name', (config) => {
  /** Throws from the n-th call on which `armed` says so. */
  class Fuse {
    armed = false
    after = 0
    blow = (): void => {
      if (this.armed && this.after-- === 0) throw new Boom()
    }
  }

  /** Hooks with a ledger, one of which throws by the fuse: what makes before it has, what ends after. */
  function fused(name: keyof Ledger['hooks']) {
    const fuse = new Fuse()
    const ledger = new Ledger()
    const hook = (item: Item): void => {
      if (name === 'ctor' || name === 'init') fuse.blow()
      ledger.hooks[name](item)
      if (name === 'dtor' || name === 'fini') fuse.blow()
    }
    return { fuse, ledger, hooks: { ...ledger.hooks, [name]: hook } }
  }

  describe.each(KINDS)('$kind zone', ({ stage }) => {
    it('leaves the item unallocated when ctor throws', () => {
      const { fuse, ledger, hooks } = fused('ctor')
      const { a } = stage(config, { bucket: 4, ...hooks })
      const live = allocMany(a, 3)
      const before = a.zone.stats()
      fuse.armed = true
      for (let i = 0; i < 10; i++) {
        fuse.after = 0
        boom(() => alloc(a))
        a.zone.check()
      }
      expect(a.zone.stats()).toEqual(before)
      fuse.armed = false
      live.push(...allocMany(a, 9))
      expect(new Set(live).size).toBe(12)
      freeMany(a, live)
      a.zone.destroy()
      ledger.expectBalanced()
    })

    it('leaves the item unallocated when ctor throws at the first item of a refill', () => {
      const { a } = stage(config, {
        bucket: 2,
        limit: 4,
        ctor: () => {
          throw new Boom()
        },
      })
      for (let i = 0; i < 20; i++) boom(() => tryAlloc(a))
      expect(a.zone.stats()).toMatchObject({ live: 0, allocs: 0 })
      a.zone.check()
      a.zone.destroy()
    })

    it('leaves the item unallocated when ctor throws in an exhausted, checked arena', () => {
      const fuse = new Fuse()
      const { a } = stage(
        config,
        { bytes: 512, bucket: 2, ctor: fuse.blow },
        { bytes: 2 ** 16, checks: true },
      )
      const live = allocAll(a)
      while (a.arena.space.pages.reserve(1) !== 0);
      freeMany(a, live.splice(0, 1))
      fuse.armed = true
      boom(() => alloc(a))
      a.zone.check()
      fuse.armed = false
      live.push(alloc(a))
      expect(new Set(live).size).toBe(live.length)
      freeMany(a, live)
      a.zone.check()
      a.zone.destroy()
    })

    it('keeps what init has accepted when it throws midway, and gives the rest back', () => {
      const { fuse, ledger, hooks } = fused('init')
      const { a } = stage(config, { bucket: 6, ...hooks })
      for (const accepted of [0, 1, 3, 5]) {
        Object.assign(fuse, { armed: true, after: accepted })
        const before = ledger.counts.init
        boom(() => alloc(a))
        fuse.armed = false
        expect(ledger.counts.init - before).toBe(accepted)
        expect(a.zone.stats()).toMatchObject({ live: 0, cached: accepted })
        a.zone.check()
        const items = allocMany(a, accepted)
        expect(ledger.counts.init - before).toBe(accepted)
        freeMany(a, items)
        a.zone.reclaim('all')
        a.zone.check()
      }
      a.zone.destroy()
      ledger.expectBalanced()
    })

    it('gives each item to fini once, also when fini throws, and the error surfaces', () => {
      const { fuse, ledger, hooks } = fused('fini')
      const { a } = stage(config, { bucket: 4, ...hooks })
      freeMany(a, allocMany(a, 20))
      Object.assign(fuse, { armed: true, after: 1 })
      boom(() => a.zone.reclaim('all'))
      expect(ledger.wrong).toEqual([])
      a.zone.check()
      a.zone.reclaim('all')
      expect(a.zone.stats()).toMatchObject({ live: 0, cached: 0, pending: 0, safe: 0 })
      freeMany(a, allocMany(a, 20))
      Object.assign(fuse, { armed: true, after: 5 })
      boom(() => a.zone.destroy())
      fuse.armed = false
      a.zone.check()
      a.zone.destroy()
      ledger.expectBalanced()
    })
  })

  it('frees the item of a plain zone although dtor throws', () => {
    const { fuse, ledger, hooks } = fused('dtor')
    for (const checks of [false, true]) {
      const { a } = plainStage(config, { bucket: 2, ...hooks }, { checks })
      const items = allocMany(a, 7)
      fuse.armed = true
      for (const item of items) {
        fuse.after = 0
        boom(() => free(a, item))
        a.zone.check()
      }
      fuse.armed = false
      expect(a.zone.stats()).toMatchObject({ live: 0, frees: 7 })
      a.zone.destroy()
      ledger.expectBalanced()
    }
  })

  /** Each way in which a bucket can come to its destructors. */
  const ways: readonly [string, (a: Actor, live: Item[]) => unknown][] = [
    ['an allocation', (a, live) => fillUp(a, live, 5)],
    ['trim', (a) => a.zone.reclaim('trim')],
    ['drain', (a) => a.zone.reclaim('drain')],
    ['all', (a) => a.zone.reclaim('all')],
    ['destroy', (a) => a.zone.destroy()],
  ]

  it.each(ways)('destroys every other item once when dtor throws in %s', (_, way) => {
    const { fuse, ledger, hooks } = fused('dtor')
    const { a } = smrStage(config, { bucket: 4, ...hooks })
    const inUse = pagesInUse(a.arena)
    freeMany(a, allocMany(a, 16))
    a.zone.seal()
    // Trim takes what nobody needed since the last one.
    a.zone.reclaim('trim')
    const live: Item[] = []
    for (const after of [0, 2, 3]) {
      Object.assign(fuse, { armed: true, after })
      boom(() => way(a, live))
      expect(ledger.wrong).toEqual([])
      a.zone.check()
    }
    fuse.armed = false
    expect(a.zone.stats().live).toBe(live.length)
    freeMany(a, live)
    a.zone.destroy()
    ledger.expectBalanced()
    // Neither an item nor a bucket was lost on the way: nothing but the domain is left.
    expect(pagesInUse(a.arena)).toBeLessThan(inUse)
    a.smr.destroy()
    expect(pagesInUse(a.arena)).toBe(0)
  })

  it('frees the item although a dtor throws that had to make room for it', () => {
    const { fuse, ledger, hooks } = fused('dtor')
    const { a } = smrStage(config, { bytes: 512, bucket: 2, ...hooks }, { checks: true })
    const items = allocAll(a)
    while (a.arena.space.pages.reserve(1) !== 0);
    fuse.armed = true
    fuse.after = 0
    let surfaced = 0
    for (const item of items) {
      try {
        free(a, item)
      } catch (error) {
        expect(error).toBeInstanceOf(Boom)
        surfaced++
        fuse.armed = false
      }
      a.zone.check()
    }
    expect(surfaced).toBe(1)
    expect(a.zone.stats()).toMatchObject({ live: 0, frees: items.length })
    a.zone.destroy()
    ledger.expectBalanced()
  })

  it('leaves the item to its owner when there is no room for it and readers stay', () => {
    const ledger = new Ledger()
    const { a, b } = smrStage(config, { bytes: 512, bucket: 2, ...ledger.hooks }, { checks: true })
    impatient(a.arena)
    const items = allocAll(a)
    while (a.arena.space.pages.reserve(1) !== 0);
    b.smr.enter()
    const kept: Item[] = []
    for (const item of items) {
      try {
        free(a, item)
      } catch (error) {
        expect(error).toBeInstanceOf(Exhausted)
        expect((error as Error).message).toContain(`item ${item} in; it is still yours`)
        expect((error as Error).message).toContain('pending items come back')
        kept.push(item)
      }
      a.zone.check()
    }
    expect(kept.length).toBeGreaterThan(0)
    expect(a.zone.stats().live).toBe(kept.length)
    thrown(Exhausted, () => a.zone.makeRoom(), 'zone.makeRoom', 'no memory')
    b.smr.exit()
    a.zone.makeRoom()
    freeMany(a, kept)
    thrown(Misuse, () => free(a, kept[0] as Item), 'free already')
    a.zone.check()
    a.zone.destroy()
    ledger.expectBalanced()
  })
})

describe.each(['init', 'ctor', 'dtor', 'fini'] as const)('%s', (name) => {
  describe.each([
    ['smr', smrStage],
    ['plain', plainStage],
  ] as const)('in a %s zone', (_, stage) => {
    it.each([
      [1, false],
      [3, false],
      [3, true],
    ])(
      'may allocate from its own zone and free into it; %s at once, checks: %s',
      (many, checks) => {
        let depth = 0
        let calls = 0
        const hook = (): void => {
          // What it allocates calls it too.
          if (depth > 0 || calls++ > 40) return
          depth++
          const own = allocMany(a, many)
          expect(new Set(own).size).toBe(many)
          freeMany(a, own)
          depth--
        }
        const { a, b } = stage(
          CONFIGS[0] as (typeof CONFIGS)[number],
          { bucket: 2, [name]: hook },
          { checks },
        )
        const ledger = new Set<Item>()
        for (let round = 0; round < 6; round++) {
          for (const item of allocMany(a, 7)) {
            expect(ledger.has(item)).toBe(false)
            ledger.add(item)
          }
          a.zone.check()
          expect(a.zone.stats().live).toBe(7)
          freeMany(a, [...ledger])
          ledger.clear()
          a.zone.check()
          a.zone.reclaim(round % 2 === 0 ? 'all' : 'drain')
          a.zone.check()
        }
        expect(calls).toBeGreaterThan(3)
        expect(a.zone.audit([]).leaked).toEqual([])
        b.zone.seal()
        a.zone.destroy()
      },
    )
  })
})

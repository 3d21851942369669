/**
 * Bad input: each is a typed error that names the call and the zone, and changes nothing. Every
 * number of the arena is compared before and after.
 */

import { describe, expect, it } from 'vitest'
import {
  Arena,
  Exhausted,
  f64,
  type Item,
  Misuse,
  record,
  type Smr,
  u32,
  type ZoneOptions,
} from '#src/index.ts'
import { CONFIGS, tinyArena } from '../../helpers/tiny.ts'
import {
  alloc,
  allocMany,
  free,
  freeMany,
  KINDS,
  plainStage,
  refused,
  rejected,
  smrStage,
  thrown,
} from './stage.ts'

const Point = record({ x: f64, y: f64 })
const Pair = record({ first: u32, second: u32, third: f64 })

/** What a caller in plain JavaScript might pass. */
const loose = (options: object): ZoneOptions => options as ZoneOptions

describe.each(CONFIGS)('creating a zone, sequences $name', (config) => {
  const bad: readonly [string, ZoneOptions, string][] = [
    ['size 0', { bytes: 0 }, 'bytes is 0'],
    ['a negative size', { bytes: -8 }, 'bytes is -8'],
    ['size NaN', { bytes: Number.NaN }, 'bytes is NaN'],
    ['an infinite size', { bytes: Number.POSITIVE_INFINITY }, 'bytes is Infinity'],
    ['a fractional size', { bytes: 1.5 }, 'bytes is 1.5'],
    ['a size that is no number', loose({ bytes: '16' }), 'bytes is "16"'],
    ['a size that is null', loose({ bytes: null }), 'bytes is null'],
    ['a size larger than the arena', { bytes: 2 ** 19 }, 'bytes is 524288'],
    ['a size as large as the arena', { bytes: 2 ** 18 }, 'does not fit into the arena'],
    ['no size', {}, 'give bytes or record'],
    ['a size and a record', { bytes: 16, record: Point }, 'give bytes or record, not both'],
    ['a record that is none', loose({ record: { x: f64 } }), 'record is Object'],
    ['a record that is null', loose({ record: null }), 'record is null'],
    ['an unknown option', loose({ bytes: 16, buckets: 4 }), 'unknown option "buckets"'],
    ['a bucket of 0', { bytes: 16, bucket: 0 }, 'bucket is 0'],
    ['a bucket of 4097', { bytes: 16, bucket: 4097 }, 'bucket is 4097'],
    ['a bucket of 2.5', { bytes: 16, bucket: 2.5 }, 'bucket is 2.5'],
    ['limit 0', { bytes: 16, limit: 0 }, 'limit is 0'],
    ['a negative limit', { bytes: 16, limit: -1 }, 'limit is -1'],
    ['a negative reserve', { bytes: 16, reserve: -1 }, 'reserve is -1'],
    ['align 0', { bytes: 16, align: 0 }, 'align is 0'],
    ['align 4', { bytes: 16, align: 4 }, 'align is 4'],
    ['align 24', { bytes: 16, align: 24 }, 'align is 24; give a power of two'],
    ['align 8192', { bytes: 16, align: 8192 }, 'align is 8192'],
    ['noFree that is no boolean', loose({ bytes: 16, noFree: 1 }), 'noFree is 1'],
    ['a ctor that is no function', loose({ bytes: 16, ctor: true }), 'ctor is true'],
    ['a dtor that is null', loose({ bytes: 16, dtor: null }), 'dtor is null'],
    ['an smr that is none', loose({ bytes: 16, smr: 'clock' }), 'smr is "clock"'],
    ['an smr that only looks like one', loose({ bytes: 16, smr: {} }), 'smr is Object'],
  ]

  it.each(bad)('refuses %s', (_, options, words) => {
    const arena = tinyArena(config)
    refused(arena, Misuse, () => arena.zone('new', options), 'arena.zone', 'zone "new"', words)
  })

  it('refuses a domain of another arena', () => {
    const arena = tinyArena(config)
    const smr = tinyArena(config).smr('clock')
    refused(arena, Misuse, () => arena.zone('new', { bytes: 16, smr }), 'zone "new"', 'smr "clock"')
  })

  it('refuses a domain handle of another attachment of the same arena', () => {
    const arena = tinyArena(config)
    const smr = Arena.attach(arena.handle).smr('clock')
    refused(arena, Misuse, () => arena.zone('new', { bytes: 16, smr }), 'zone "new"', 'smr "clock"')
  })

  it('refuses a domain that was destroyed, through whatever handle', () => {
    const arena = tinyArena(config)
    const other = Arena.attach(arena.handle)
    const smr = arena.smr('clock')
    const stale = other.smr('clock')
    smr.destroy()
    const words = ['zone "new"', 'smr "clock"', 'destroyed']
    refused(arena, Misuse, () => arena.zone('new', { bytes: 16, smr }), ...words)
    refused(other, Misuse, () => other.zone('new', { bytes: 16, smr: stale }), ...words)
    // A namesake in its place does not make the old handles good.
    arena.smr('clock')
    refused(other, Misuse, () => other.zone('new', { bytes: 16, smr: stale }), ...words)
  })

  it('says what is missing when the arena is exhausted, and leaves no name behind', () => {
    const arena = tinyArena(config, { bytes: 2 ** 16 })
    while (arena.space.pages.reserve(1) !== 0);
    const error = refused(
      arena,
      Exhausted,
      () => arena.zone('new', { bytes: 16 }),
      'arena.zone',
      'zone "new"',
      'no memory',
    )
    expect(error.facts).toMatchObject({ zone: 'new' })
  })

  it('says so inside a section too, and leaves no zone without its reserve behind', () => {
    const arena = tinyArena(config, { bytes: 2 ** 18 })
    const smr = arena.smr('d')
    const make = (): unknown => arena.zone('big', { smr, bytes: 4096, reserve: 1000 })
    smr.enter()
    for (const again of [false, true]) {
      thrown(Exhausted, make, 'zone "big"', 'no memory')
      expect(arena.stats().zones, String(again)).toEqual([])
    }
    smr.exit()
    thrown(Exhausted, make, 'zone "big"', 'no memory')
    arena.zone('big', { smr, bytes: 64 })
  })
})

describe.each(CONFIGS)('opening a zone as another, sequences $name', (config) => {
  const made: ZoneOptions = {
    bytes: 64,
    bucket: 4,
    limit: 20,
    reserve: 8,
    align: 16,
    noFree: false,
  }
  const others: readonly [string, ZoneOptions, string][] = [
    ['size', { bytes: 60 }, 'another bytes: 64, opened with 60'],
    ['bucket', { bucket: 5 }, 'another bucket: 4, opened with 5'],
    ['limit', { limit: 21 }, 'another limit: 20, opened with 21'],
    ['reserve', { reserve: 9 }, 'another reserve: 8, opened with 9'],
    ['noFree', { noFree: true }, 'another noFree: false, opened with true'],
    ['schema', { record: Point }, 'another schema'],
    ['alignment', { align: 32 }, 'another align: 16, opened with 32'],
    ['alignment with the same stride', { bytes: 64, align: 64 }, 'another align'],
    ['smaller alignment', { bytes: 64, align: 8 }, 'another align'],
  ]

  it.each(others)('refuses another %s', (_, options, words) => {
    const arena = tinyArena(config)
    const zone = arena.zone('things', made)
    const other = Arena.attach(arena.handle)
    for (const each of [arena, other]) {
      refused(each, Misuse, () => each.zone('things', options), 'arena.zone', '"things"', words)
    }
    // The same options, or none, are no contradiction.
    expect(arena.zone('things', made)).toBe(zone)
    other.zone('things', made).check()
    Arena.attach(arena.handle).zone('things').check()
  })

  it('refuses another schema of the same size', () => {
    const arena = tinyArena(config)
    arena.zone('points', { record: Point })
    expect(Point.bytes).toBe(Pair.bytes)
    const words = ['zone "points"', 'another schema']
    refused(arena, Misuse, () => arena.zone('points', { record: Pair }), ...words)
    expect(Arena.attach(arena.handle).zone('points', { record: Point }).stats().itemBytes).toBe(16)
  })

  it('refuses another domain, a domain where there is none, and a limit where there is none', () => {
    const arena = tinyArena(config)
    const [smr, another] = [arena.smr('clock'), arena.smr('another')]
    arena.zone('safe', { bytes: 16, smr })
    arena.zone('plain', { bytes: 16 })
    const open = (name: string, options: ZoneOptions) => () => arena.zone(name, options)
    refused(arena, Misuse, open('safe', { smr: another }), '"safe"', 'another smr domain')
    refused(arena, Misuse, open('plain', { smr }), '"plain"', 'no smr domain')
    refused(arena, Misuse, open('plain', { limit: 5 }), '"plain"', 'another limit: 0')
    expect(arena.zone('safe').parts.domain).toBe(smr)
  })

  const nothing = () => {}
  const hooks = ['ctor', 'dtor', 'init', 'fini'] as const

  it.each(hooks)('refuses a worker that brings no %s where the zone has one', (hook) => {
    const arena = tinyArena(config)
    arena.zone('hooked', { bytes: 16, [hook]: nothing })
    const other = Arena.attach(arena.handle)
    const words = ['zone "hooked"', `exists with ${hook}`, 'opened with no hooks']
    refused(other, Misuse, () => other.zone('hooked', { bytes: 16 }), ...words)
    other.zone('hooked', { [hook]: nothing }).check()
    // The worker that brought it need not bring it to every look-up.
    arena.zone('hooked').check()
  })

  it.each(hooks)('refuses a worker that brings a %s where the zone has none', (hook) => {
    const arena = tinyArena(config)
    arena.zone('bare', { bytes: 16 })
    const words = ['zone "bare"', 'exists with no hooks', `opened with ${hook}`]
    refused(arena, Misuse, () => arena.zone('bare', { [hook]: nothing }), ...words)
    const other = Arena.attach(arena.handle)
    refused(other, Misuse, () => other.zone('bare', { [hook]: nothing }), ...words)
  })

  it('refuses one hook in place of another', () => {
    const arena = tinyArena(config)
    arena.zone('hooked', { bytes: 16, ctor: nothing, fini: nothing })
    const other = Arena.attach(arena.handle)
    const words = ['exists with ctor, fini', 'opened with ctor, dtor']
    const open = () => other.zone('hooked', { ctor: nothing, dtor: nothing })
    refused(other, Misuse, open, ...words)
  })
})

describe.each(CONFIGS)('freeing what cannot be freed, sequences $name', (config) => {
  const numbers: readonly [string, unknown][] = [
    ['0', 0],
    ['-1', -1],
    ['1.5', 1.5],
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['2^31', 2 ** 31],
    ['2^40', 2 ** 40],
    ['the last int32', 2 ** 31 - 1],
    ['the first int32', -(2 ** 31)],
    ['an address in the header', 40],
    ['a string', '4096'],
    ['undefined', undefined],
    ['null', null],
    ['an object', {}],
  ]

  describe.each(KINDS)('$kind zone', ({ kind, stage }) => {
    const verb = kind === 'smr' ? 'zone.zfreeSmr' : 'zone.zfree'

    it.each(numbers)('refuses %s', (_, value) => {
      const { a } = stage(config)
      allocMany(a, 3)
      const words = [verb, 'zone "things"', 'is not from this zone']
      const error = refused(a.arena, Misuse, () => free(a, value as Item), ...words)
      const { zone, item } = error.facts
      expect({ zone, item }).toEqual({ zone: 'things', item: value })
      expect(a.zone.owns(value as Item)).toBe(false)
      a.zone.check()
    })

    it('refuses every address that is not an item of its own', () => {
      const { a } = stage(config, { bytes: 24, bucket: 3 })
      const mine = new Set<number>(allocMany(a, 400))
      const twin = a.arena.zone('twin', { bytes: 24, bucket: 3 })
      const theirs = new Set<number>(allocMany({ arena: a.arena, zone: twin }, 10))
      const owned: number[] = []
      for (let at = 0; at < a.arena.words.length; at++) if (a.zone.owns(at as Item)) owned.push(at)
      expect(owned.length).toBe(a.zone.stats().created)
      expect(owned.filter((at) => mine.has(at)).length).toBe(mine.size)
      expect(owned.filter((at) => theirs.has(at))).toEqual([])
      const gaps = new Set(owned.slice(1).map((at, i) => at - (owned[i] ?? 0)))
      expect([...gaps].sort((x, y) => x - y)[0]).toBe(6)
    })

    it('refuses an item of another zone, one word beside an item, and the head of a slab', () => {
      const { a } = stage(config)
      const twin = a.arena.zone('twin', { bytes: 16 })
      const foreign = twin.zalloc()
      const [item = 0] = allocMany(a, 2)
      const slab = a.zone.parts.keg.addresses.slabOf(item)
      for (const bad of [foreign, item + 1, item + 2, item - 1, slab, slab + 3]) {
        const words = [verb, '"things"', `item ${bad} is not from this zone`]
        refused(a.arena, Misuse, () => free(a, bad as Item), ...words)
      }
      a.zone.check()
      twin.check()
    })

    it('refuses the verbs of the other kind of zone', async () => {
      const { a } = stage(config)
      const item = alloc(a)
      const { zone } = a
      const wrong =
        kind === 'smr'
          ? { zalloc: () => zone.zalloc(), zfree: () => zone.zfree(item) }
          : { zallocSmr: () => zone.zallocSmr(), zfreeSmr: () => zone.zfreeSmr(item) }
      const remedy = kind === 'smr' ? 'use zallocSmr and zfreeSmr' : 'use zalloc and zfree'
      for (const [name, call] of Object.entries(wrong)) {
        refused(a.arena, Misuse, call, `zone.${name}`, 'zone "things"', remedy)
      }
      const attempt = () => (kind === 'smr' ? zone.tryZalloc() : zone.tryZallocSmr())
      refused(a.arena, Misuse, attempt, 'zone "things"', remedy)
      const promise = kind === 'smr' ? zone.zallocAsync() : zone.zallocSmrAsync()
      await rejected(Misuse, promise, 'zone "things"', remedy)
      free(a, item)
      zone.check()
    })

    it('detects a double free at the guilty call, in the same bucket', () => {
      const { a, b } = stage(config, { bucket: 4 }, { checks: true })
      const [item, other] = [alloc(a), alloc(a)]
      free(a, item)
      const words = [verb, 'zone "things"', `item ${item} is free already`]
      refused(a.arena, Misuse, () => free(a, item), ...words)
      refused(a.arena, Misuse, () => free(b, item), ...words)
      free(a, other)
      a.zone.check()
    })

    it('detects a double free after the bucket has left, and after the items have gone owner', () => {
      const { a, b } = stage(config, { bucket: 2 }, { checks: true })
      const items = allocMany(a, 7)
      freeMany(a, items)
      a.zone.seal()
      for (const item of items) {
        const words = [verb, `item ${item} is free already`]
        refused(a.arena, Misuse, () => free(a, item), ...words)
        refused(b.arena, Misuse, () => free(b, item), ...words)
      }
      // Keeps the slab, so that the address is still an item's.
      alloc(b)
      a.zone.reclaim('all')
      const [item = 0 as Item] = items.filter((each) => a.zone.owns(each))
      refused(a.arena, Misuse, () => free(a, item), verb, `item ${item}`)
      a.zone.check()
    })

    it('takes a freed item that was allocated again', () => {
      const { a } = stage(config, { bucket: 1 }, { checks: true })
      for (let i = 0; i < 50; i++) free(a, alloc(a))
      expect(a.zone.stats()).toMatchObject({ live: 0, frees: 50 })
      a.zone.check()
    })
  })
})

describe.each(CONFIGS)('inside a section, sequences $name', (config) => {
  const calls: readonly [string, (zone: ReturnType<typeof smrStage>['a']['zone']) => void][] = [
    ['seal', (zone) => zone.seal()],
    ['reclaim', (zone) => zone.reclaim('trim')],
    ['reclaim', (zone) => zone.reclaim('drain')],
    ['reclaim', (zone) => zone.reclaim('all', { timeoutMs: 0 })],
    ['destroy', (zone) => zone.destroy()],
    ['makeRoom', (zone) => zone.makeRoom()],
  ]

  it.each(calls)('refuses %s', (verb, call) => {
    const { a } = smrStage(config, { bucket: 2 })
    freeMany(a, allocMany(a, 5))
    a.smr.enter()
    const words = [`zone.${verb}`, 'zone "things"', 'domain "clock"', 'exit first']
    refused(a.arena, Misuse, () => call(a.zone), ...words)
    a.smr.exit()
    call(a.zone)
  })

  it('refuses zfreeSmr, and a worker outside may still free', () => {
    const { a, b } = smrStage(config)
    const [item, other] = [alloc(a), alloc(a)]
    a.smr.enter()
    const words = ['zone.zfreeSmr', 'zone "things"', 'domain "clock"', 'exit first']
    refused(a.arena, Misuse, () => a.zone.zfreeSmr(item), ...words)
    b.zone.zfreeSmr(other)
    a.smr.exit()
    a.zone.zfreeSmr(item)
    a.zone.check()
  })

  it('allows them in a section of a domain that is not the zone’s', () => {
    const { a } = smrStage(config)
    const item = alloc(a)
    const another = a.arena.smr('another')
    another.read(() => {
      a.zone.zfreeSmr(item)
      a.zone.seal()
      a.zone.reclaim('drain', { timeoutMs: 0 })
    })
    expect(a.zone.stats()).toMatchObject({ live: 0, pending: 0 })
  })

  it('leaves an item to its owner when the free was refused', () => {
    const { a } = smrStage(config, {}, { checks: true })
    const item = alloc(a)
    a.smr.read(() => thrown(Misuse, () => a.zone.zfreeSmr(item)))
    a.zone.zfreeSmr(item)
    expect(a.zone.stats()).toMatchObject({ live: 0, frees: 1 })
  })
})

describe.each(CONFIGS)('arguments of the other verbs, sequences $name', (config) => {
  it('refuses unknown levels of reclaim', () => {
    const { a } = plainStage(config)
    for (const level of ['', 'ALL', 'dry', undefined, 1]) {
      const call = () => a.zone.reclaim(level as 'trim')
      refused(a.arena, Misuse, call, 'zone.reclaim', 'zone "things"', "'trim', 'drain' or 'all'")
    }
  })

  it('refuses impossible preallocations', () => {
    const { a } = plainStage(config, { limit: 10 })
    for (const items of [-1, 1.5, Number.NaN, 11, 2 ** 40]) {
      refused(
        a.arena,
        Misuse,
        () => a.zone.prealloc(items),
        'zone.prealloc',
        '"things"',
        `${items}`,
      )
    }
  })
})

describe.each(CONFIGS)('after the end, sequences $name', (config) => {
  describe.each(KINDS)('$kind zone', ({ kind, stage }) => {
    const verbs: readonly [string, (zone: ReturnType<typeof stage>['a']['zone']) => unknown][] = [
      kind === 'smr' ? ['zallocSmr', (z) => z.zallocSmr()] : ['zalloc', (z) => z.zalloc()],
      kind === 'smr' ? ['zallocSmr', (z) => z.tryZallocSmr()] : ['zalloc', (z) => z.tryZalloc()],
      kind === 'smr'
        ? ['zfreeSmr', (z) => z.zfreeSmr(64 as Item)]
        : ['zfree', (z) => z.zfree(64 as Item)],
      ['seal', (z) => z.seal()],
      ['makeRoom', (z) => z.makeRoom()],
      ['reclaim', (z) => z.reclaim('all')],
      ['prealloc', (z) => z.prealloc(1)],
      ['owns', (z) => z.owns(64 as Item)],
      ['audit', (z) => z.audit([])],
      ['check', (z) => z.check()],
      ['stats', (z) => z.stats()],
      ['destroy', (z) => z.destroy()],
    ]

    it.each(verbs)('refuses %s after detach', (verb, call) => {
      const { a, b } = stage(config)
      free(b, alloc(b))
      b.arena.detach()
      const words = [`zone.${verb}`, 'zone "things"', 'closed by detach or destroy']
      refused(a.arena, Misuse, () => call(b.zone), ...words)
    })

    it.each(verbs)('refuses %s after destroy', (verb, call) => {
      const { a } = stage(config)
      free(a, alloc(a))
      a.zone.destroy()
      const words = [`zone.${verb}`, 'zone "things"', 'closed by detach or destroy']
      refused(a.arena, Misuse, () => call(a.zone), ...words)
    })

    it.each(verbs)('refuses %s after another worker’s destroy', (verb, call) => {
      const { a, b } = stage(config)
      free(b, alloc(b))
      a.zone.destroy()
      const words = verb.startsWith('zfree') ? ['not from this zone'] : ['was destroyed']
      refused(a.arena, Misuse, () => call(b.zone), 'zone "things"', ...words)
    })

    it('refuses asynchronous allocation after the end', async () => {
      const { a, b } = stage(config)
      const asyncAlloc = (zone: typeof a.zone) =>
        kind === 'smr' ? zone.zallocSmrAsync() : zone.zallocAsync()
      b.arena.detach()
      await rejected(Misuse, asyncAlloc(b.zone), 'zone "things"', 'closed')
      a.zone.destroy()
      await rejected(Misuse, asyncAlloc(a.zone), 'zone "things"', 'closed')
    })

    it('refuses to open zones through an arena that was detached', () => {
      const { a, b } = stage(config)
      b.arena.detach()
      refused(a.arena, Misuse, () => b.arena.zone('things'), 'arena.zone', 'detached')
    })

    it('keeps a stale handle from touching the namesake of its zone', () => {
      const { a, b } = stage(config, { bucket: 2 })
      const stale = b.zone
      free(b, alloc(b))
      a.zone.destroy()
      const smr = kind === 'smr' ? { smr: a.arena.smr('clock') } : {}
      const zone = a.arena.zone('things', { bytes: 16, bucket: 2, ...smr })
      const mine = allocMany({ arena: a.arena, zone }, 5)
      const staleB = { arena: b.arena, zone: stale }
      refused(a.arena, Misuse, () => alloc(staleB), 'zone "things"', 'was destroyed')
      // Opening the new one closes the old handle for good.
      const opened = b.arena.zone('things')
      expect(opened === stale).toBe(false)
      const theirs = allocMany({ arena: b.arena, zone: opened }, 3)
      refused(a.arena, Misuse, () => alloc(staleB), 'zone "things"')
      refused(a.arena, Misuse, () => free(staleB, theirs[0] as Item), 'zone "things"')
      expect(new Set([...mine, ...theirs]).size).toBe(8)
      zone.check()
    })
  })

  it('refuses a domain that was closed by detach', () => {
    const { b } = smrStage(config)
    const smr: Smr = b.smr
    b.arena.detach()
    thrown(Misuse, () => smr.enter(), 'domain "clock"', 'closed')
  })
})

// Beside sections of the own worker: what must not be waited for, and what must not be run.

describe.each(CONFIGS)('$name', (config) => {
  it('an allocation inside a section runs no destructor: it could free, which a section may not', () => {
    const arena = tinyArena(config)
    const smr = arena.smr('d')
    const children = arena.zone('children', { bytes: 8, smr, bucket: 2 })
    const child = new Map<Item, Item>()
    const parents = arena.zone('parents', {
      bytes: 8,
      smr,
      bucket: 2,
      dtor: (parent) => children.zfreeSmr(child.get(parent) as Item),
    })
    const make = (): Item => {
      const parent = parents.zallocSmr()
      child.set(parent, children.zallocSmr())
      return parent
    }
    for (const parent of [make(), make()]) parents.zfreeSmr(parent)
    parents.seal()
    const fresh = smr.read(() => [parents.zallocSmr(), parents.zallocSmr(), parents.zallocSmr()])
    expect(new Set(fresh).size).toBe(3)
    expect(children.stats().frees).toBe(0)
    for (let i = 0; i < 8 && children.stats().frees === 0; i++) parents.zallocSmr()
    expect(children.stats()).toMatchObject({ live: 0, frees: 2 })
  })

  it('nobody waits for an async section of his own worker: reclaim and destroy say what is left', () => {
    const arena = tinyArena(config)
    const smr = arena.smr('d', { sleepable: true })
    const zone = arena.zone('z', { bytes: 8, smr, bucket: 2 })
    const items = [1, 2, 3, 4].map(() => zone.zallocSmr())
    const section = smr.enterSleepable()
    for (const item of items) zone.zfreeSmr(item)
    const begun = performance.now()
    expect(zone.reclaim('drain')).toMatchObject({ released: 0 })
    expect(zone.stats().pending).toBe(4)
    expect(() => zone.destroy()).toThrow(Exhausted)
    // Each would have blocked for 30 s: no figure, only that nobody did.
    expect(performance.now() - begun).toBeLessThan(20_000)
    smr.exitSleepable(section)
    expect(zone.reclaim('drain')).toMatchObject({ released: 4 })
    zone.destroy()
  })
})

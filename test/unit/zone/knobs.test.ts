/**
 * What may be said about the knobs: absurd values are refused by name, openers may leave them out or
 * say the same, presets are what their table says, and turning one changes nothing else.
 */

import { describe, expect, it } from 'vitest'
import {
  Arena,
  HashTable,
  Misuse,
  type PresetName,
  record,
  type TuneOptions,
  u32,
  type ZoneOptions,
} from '#src/index.ts'
import { NO_LIMIT } from '#src/memory/layout.ts'
import { PRESETS, presetValues } from '#src/zone/knobOptions.ts'
import { capacityFor } from '#src/zone/options.ts'
import { CONFIGS, type Config, tinyArena } from '../../helpers/tiny.ts'
import { allocMany, freeMany, plainStage, refused, smrStage } from './stage.ts'

const [config = { name: '', sequence: { first: 1, step: 2 } }] = CONFIGS

const ABSURD: readonly [string, object, string][] = [
  ['a bucket of text', { bucket: 'big' }, 'bucket is "big"'],
  ['a bucket of null', { bucket: null }, 'bucket is null'],
  ['a range without max', { bucket: { min: 4 } }, 'bucket.max is undefined'],
  ['a range without min', { bucket: { max: 4 } }, 'bucket.min is undefined'],
  ['a range upside down', { bucket: { min: 8, max: 4 } }, 'bucket.max is 4'],
  ['a range from 0', { bucket: { min: 0, max: 4 } }, 'bucket.min is 0'],
  ['a range too far', { bucket: { min: 1, max: 4097 } }, 'bucket.max is 4097'],
  ['a range of more', { bucket: { min: 1, max: 2, step: 1 } }, 'unknown option "step"'],
  ['advanceEvery 0', { advanceEvery: 0 }, 'advanceEvery is 0'],
  ['advanceEvery 1.5', { advanceEvery: 1.5 }, 'advanceEvery is 1.5'],
  ['advanceEvery 4097', { advanceEvery: 4097 }, 'advanceEvery is 4097'],
  ['sealAfterMs -1', { sealAfterMs: -1 }, 'sealAfterMs is -1'],
  ['sealAfterMs for ever', { sealAfterMs: Number.POSITIVE_INFINITY }, 'sealAfterMs is Infinity'],
  ['sealAfterMs 2^31', { sealAfterMs: 2 ** 31 }, 'sealAfterMs is 2147483648'],
  ['trimEveryMs NaN', { trimEveryMs: Number.NaN }, 'trimEveryMs is NaN'],
  ['a depot of -1', { depot: -1 }, 'depot is -1'],
  ['a depot of text', { depot: '1 MiB' }, 'depot is "1 MiB"'],
  ['a depot of -1 bytes', { depot: { bytes: -1 } }, 'depot.bytes is -1'],
  ['a depot of more bytes than there are', { depot: { bytes: 2 ** 40 } }, 'depot.bytes is'],
  ['a depot of items by name', { depot: { items: 4 } }, 'unknown option "items"'],
  ['pendingBytes 0', { pendingBytes: 0 }, 'pendingBytes is 0'],
  ['a preset of its own', { preset: 'fast' }, 'preset is "fast"; known are latency'],
]

describe('absurd knobs', () => {
  it.each(ABSURD)('%s is refused at creation, at opening and at tuning', (_, options, words) => {
    const { a } = smrStage(config, {})
    const make = () => a.arena.zone('new', { bytes: 16, smr: a.smr, ...options })
    refused(a.arena, Misuse, make, 'arena.zone: zone "new"', words)
    const open = () => a.arena.zone('things', options)
    refused(a.arena, Misuse, open, 'arena.zone: zone "things"', words)
    const tune = () => a.zone.tune(options)
    refused(a.arena, Misuse, tune, 'zone.tune: zone "things"', words)
  })

  it('a clock knob is refused where there is no clock', () => {
    const { a } = plainStage(config, {})
    const words = ['advanceEvery is for zones with smr']
    const make = () => a.arena.zone('new', { bytes: 16, advanceEvery: 2 })
    refused(a.arena, Misuse, make, 'arena.zone: zone "new"', ...words)
    refused(a.arena, Misuse, () => a.zone.tune({ advanceEvery: 2 }), 'zone.tune', ...words)
  })

  it('what no zone has cannot be tuned', () => {
    const { a } = smrStage(config, {})
    const tune = () => a.zone.tune({ reserve: 4 } as TuneOptions)
    refused(a.arena, Misuse, tune, 'zone.tune', 'unknown option "reserve"')
    a.zone.destroy()
    expect(() => a.zone.tune({})).toThrow(Misuse)
  })
})

describe('openers', () => {
  const made: ZoneOptions = {
    preset: 'memory',
    bucket: { min: 2, max: 8 },
    advanceEvery: 3,
    sealAfterMs: 7,
    trimEveryMs: 0,
    depot: { bytes: 1600 },
    pendingBytes: 3200,
  }
  const others: readonly [string, ZoneOptions, string][] = [
    ['preset', { preset: 'latency' }, 'another preset: "memory", opened with "latency"'],
    ['bucket', { bucket: 8 }, 'another bucket: 2 to 8, opened with 8'],
    ['range', { bucket: { min: 2, max: 9 } }, 'another bucket: 2 to 8, opened with 2 to 9'],
    ['pace', { advanceEvery: 1 }, 'another advanceEvery: 3, opened with 1'],
    ['age', { sealAfterMs: 0 }, 'another sealAfterMs: 7, opened with 0'],
    ['trim', { trimEveryMs: 1 }, 'another trimEveryMs: 0, opened with 1'],
    ['depot', { depot: 99 }, 'another depot (in items): 100, opened with 99'],
    ['no depot limit', { depot: Number.POSITIVE_INFINITY }, '100, opened with no limit'],
    ['pending limit', { pendingBytes: 16 }, 'pendingBytes (in items): 200, opened with 1'],
  ]

  it.each(others)('are refused another %s', (_, options, words) => {
    const { a, b } = smrStage(config, made)
    for (const { arena } of [a, b]) {
      refused(arena, Misuse, () => arena.zone('things', options), '"things"', words)
    }
  })

  it('may leave any out, say the same, and need not know what was turned', () => {
    const { a } = smrStage(config, made)
    const open = (options: ZoneOptions): void => {
      const other = Arena.attach(a.arena.handle)
      other.zone('things', options).check()
      other.detach()
    }
    const openAll = (): void => {
      open(made)
      open({ depot: 100 })
      for (const [key, value] of Object.entries(made)) open({ [key]: value })
    }
    openAll()
    a.zone.tune({ bucket: 4, advanceEvery: 1, sealAfterMs: 99, depot: 5, pendingBytes: 160 })
    openAll()
    const last = Arena.attach(a.arena.handle).zone('things')
    expect(last.stats().knobs).toEqual({
      bucketMin: 4,
      bucketMax: 4,
      advanceEvery: 1,
      sealAfterMs: 99,
      trimEveryMs: 0,
      depot: 5,
      pendingLimit: 10,
    })
  })
})

describe('presets', () => {
  const make = (preset: PresetName, options: ZoneOptions = {}) => {
    const arena = tinyArena(config as Config, { bytes: 2 ** 22 })
    const smr = arena.smr('clock')
    return arena.zone('things', { bytes: 64, preset, smr, ...options })
  }

  it.each(PRESETS)('%s means what it says', (preset) => {
    const usual = capacityFor(16)
    const { bucket, depotItems, pendingItems, ...rest } = presetValues(preset, usual)
    const { knobs } = make(preset).stats()
    expect(knobs).toEqual({
      bucketMin: bucket.min,
      bucketMax: bucket.max,
      ...rest,
      depot: depotItems === NO_LIMIT ? -1 : depotItems,
      pendingLimit: pendingItems === NO_LIMIT ? 0 : pendingItems,
    })
  })

  it('balanced is the default', () => {
    const { a } = smrStage(config, {})
    const { a: same } = smrStage(config, { preset: 'balanced' })
    expect(a.zone.stats()).toEqual(same.zone.stats())
    refused(a.arena, Misuse, () => a.arena.zone('things', { preset: 'memory' }), '"balanced"')
  })

  it('what is said goes before what a preset says', () => {
    const { knobs } = make('memory', { bucket: 10, sealAfterMs: 0, depot: 7 }).stats()
    expect(knobs).toMatchObject({ bucketMin: 10, bucketMax: 10, sealAfterMs: 0, depot: 7 })
    expect(knobs.trimEveryMs).toBe(presetValues('memory', 1).trimEveryMs)
  })

  it('spend more memory or less: every knob of `memory` is at most that of `latency`', () => {
    for (const usual of [2, 3, 25, 249]) {
      const [latency, balanced, memory] = PRESETS.map((name) => presetValues(name, usual))
      for (const [less, more] of [
        [memory, balanced],
        [balanced, latency],
      ] as const) {
        expect(less?.bucket.min).toBeLessThanOrEqual(more?.bucket.min ?? 0)
        expect(less?.bucket.max).toBeLessThanOrEqual(more?.bucket.max ?? 0)
        expect(less?.advanceEvery).toBeLessThanOrEqual(more?.advanceEvery ?? 0)
        expect(less?.sealAfterMs).toBeLessThanOrEqual(more?.sealAfterMs ?? 0)
        expect(less?.depotItems).toBeLessThanOrEqual(more?.depotItems ?? 0)
      }
    }
  })

  it('can be turned to, all but the room of buckets', () => {
    const zone = make('balanced')
    zone.tune({ preset: 'memory', trimEveryMs: 0 })
    const { bucket, depotItems } = presetValues('memory', capacityFor(16))
    expect(zone.stats().knobs).toMatchObject({
      bucketMin: capacityFor(16),
      sealAfterMs: 5,
      trimEveryMs: 0,
      depot: depotItems,
    })
    expect(bucket.max).toBeLessThan(capacityFor(16))
  })

  it('a zone without smr has no age to keep unless it is told', () => {
    const { a } = plainStage(config, { preset: 'memory' })
    expect(a.zone.stats().knobs).toMatchObject({ sealAfterMs: 0, advanceEvery: 1 })
    const { a: told } = plainStage(config, { sealAfterMs: 4 })
    expect(told.zone.stats().knobs.sealAfterMs).toBe(4)
  })
})

describe('tables', () => {
  it('pass the knobs of their zone through, and openers need not know them', () => {
    const arena = tinyArena(config as Config, { bytes: 2 ** 20 })
    const shape = record({ id: u32, value: u32 })
    // No bucket is sealed for its age: how many are would depend on how fast this machine is.
    const knobs = { bucket: { min: 2, max: 5 }, advanceEvery: 2, sealAfterMs: 0 } as const
    const options = { record: shape, key: 'id', capacity: 64, preset: 'memory', ...knobs } as const
    HashTable.create(arena, 'table', options)
    const [zone] = arena.stats().zones
    const { trimEveryMs } = presetValues('memory', 1)
    const said = { bucketMin: 2, bucketMax: 5, advanceEvery: 2, sealAfterMs: 0, trimEveryMs }
    expect(zone?.knobs).toMatchObject(said)
    const table = HashTable.open(Arena.attach(arena.handle), 'table', { record: shape, key: 'id' })
    for (let id = 0; id < 200; id++) table.set({ id: id % 50, value: id })
    expect(table.get(49)).toEqual({ id: 49, value: 199 })
    const { frees, advances } = arena.stats().zones[0] ?? { frees: 0, advances: 0 }
    expect(frees).toBe(150)
    expect(advances).toBe(37)
  })
})

describe('tune', () => {
  it('turns the bucket within the range that there is room for', () => {
    const { a, b } = smrStage(config, { bucket: { min: 4, max: 16 } })
    for (const bucket of [3, 17, { min: 4, max: 17 }, { min: 3, max: 4 }]) {
      const words = ['zone.tune', 'the zone was made for 4 to 16']
      refused(a.arena, Misuse, () => a.zone.tune({ bucket }), ...words)
    }
    a.zone.tune({ bucket: 16 })
    freeMany(b, allocMany(b, 49))
    expect(a.zone.stats()).toMatchObject({ bucket: 16, retired: 3 })
    a.zone.tune({ bucket: { min: 4, max: 8 } })
    expect(b.zone.stats().bucket).toBe(8)
    freeMany(b, allocMany(b, 49))
    b.zone.check()
  })

  it('leaves what is not said, and items where they are', () => {
    const { a } = smrStage(config, { bucket: 4, depot: 100, sealAfterMs: 3 })
    freeMany(a, allocMany(a, 30))
    const { knobs, ...before } = a.zone.stats()
    a.zone.tune({ sealAfterMs: 4 })
    const { knobs: turned, ...after } = a.zone.stats()
    expect(after).toEqual(before)
    expect(turned).toEqual({ ...knobs, sealAfterMs: 4 })
    a.zone.tune({})
    expect(a.zone.stats().knobs).toEqual(turned)
  })

  it('can lift a limit on what is pending', () => {
    const { a, b } = smrStage(config, { bucket: 2, pendingBytes: 64 })
    const items = allocMany(a, 12)
    b.smr.enter()
    freeMany(a, items)
    while (a.zone.tryZallocSmr() !== 0);
    a.zone.tune({ pendingBytes: Number.POSITIVE_INFINITY })
    expect(a.zone.tryZallocSmr()).not.toBe(0)
    b.smr.exit()
  })
})

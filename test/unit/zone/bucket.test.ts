/**
 * Buckets: how large they are when nobody says, and what a new one starts from.
 */

import { describe, expect, it } from 'vitest'
import { BucketWords, Owner } from '#src/memory/layout.ts'
import { LINE_WORDS } from '#src/memory/memory.ts'
import {
  allocOwner,
  bucketsFor,
  bucketWords,
  defaultCapacity,
  freeOwner,
} from '#src/zone/bucket.ts'
import { CONFIGS, tinyArena } from '../../helpers/tiny.ts'
import { plainStage } from './stage.ts'

const SIZES = [1, 2, 4, 8, 16, 17, 32, 33, 64, 65, 256, 257, 1000, 4096, 20_000, 2 ** 16, 2 ** 20]

describe('the default capacity', () => {
  const capacities = SIZES.map((words) => defaultCapacity(words, LINE_WORDS))

  it('falls with the size of the items, from over 200 to 2', () => {
    expect(capacities).toEqual([...capacities].sort((a, b) => b - a))
    expect(capacities[0]).toBeGreaterThan(200)
    expect(capacities.at(-1)).toBe(2)
  })

  it('fills whole cache lines, and less than 256 KiB of items', () => {
    for (const [i, words] of SIZES.entries()) {
      const capacity = capacities[i] as number
      if (words <= 2 ** 10)
        expect(bucketWords(capacity, LINE_WORDS)).toBe(BucketWords.entries + capacity)
      if (capacity > 2) expect(capacity * words).toBeLessThanOrEqual(2 ** 16)
    }
  })

  it('is what a zone gets that names none, and what it says in its stats', () => {
    const arena = tinyArena(CONFIGS[0] as (typeof CONFIGS)[number])
    for (const bytes of [1, 8, 64, 65, 300, 5000]) {
      const zone = arena.zone(`of ${bytes}`, { bytes })
      expect(zone.stats().bucket).toBe(defaultCapacity(Math.ceil(bytes / 4), LINE_WORDS))
    }
    expect(arena.zone('other', { bytes: 8, bucket: 5 }).stats().bucket).toBe(5)
  })
})

describe('buckets for a reserve', () => {
  it('are enough for all of it, and two for each worker; none without a reserve', () => {
    expect(bucketsFor(0, 10, 64)).toBe(0)
    expect(bucketsFor(1, 10, 4)).toBe(9)
    expect(bucketsFor(100, 10, 4)).toBe(18)
    expect(bucketsFor(101, 10, 4)).toBe(19)
  })
})

describe('a bucket', () => {
  const { a } = plainStage(CONFIGS[0] as (typeof CONFIGS)[number], { bucket: 5 })
  const { buckets } = a.zone.parts
  const { memory } = a.arena

  it('is made empty, unstamped and with its owner, whatever lay in its words', () => {
    const first = buckets.make(allocOwner(2))
    memory.fill(first, bucketWords(5, LINE_WORDS), -1)
    buckets.discard(first)
    const bucket = buckets.make(freeOwner(1))
    expect(bucket).toBe(first)
    const word = (at: number) => memory.peek(bucket + at)
    expect(word(BucketWords.count)).toBe(0)
    expect(word(BucketWords.goal)).toBe(0)
    expect(word(BucketWords.destroyed)).toBe(0)
    expect(word(BucketWords.next)).toBe(0)
    expect(word(BucketWords.raw)).toBe(0)
    expect(word(BucketWords.capacity)).toBe(5)
    expect(word(BucketWords.owner)).toBe(freeOwner(1))
    buckets.discard(bucket)
    expect(buckets.all()).toEqual([])
  })

  it('lists its items from the bottom', () => {
    const bucket = buckets.make(allocOwner(0))
    memory.poke(bucket + BucketWords.entries, 10)
    memory.poke(bucket + BucketWords.entries + 1, 20)
    memory.poke(bucket + BucketWords.entries + 2, 30)
    memory.poke(bucket + BucketWords.count, 2)
    expect(buckets.count(bucket)).toBe(2)
    expect([...buckets.items(bucket)]).toEqual([10, 20])
    memory.poke(bucket + BucketWords.count, 0)
    buckets.discard(bucket)
  })

  it('starts on a cache line', () => {
    const made = Array.from({ length: 50 }, () => buckets.make(allocOwner(0)))
    expect(made.every((bucket) => bucket % LINE_WORDS === 0)).toBe(true)
    expect(buckets.all().map(({ bucket }) => bucket)).toEqual([...made].sort((x, y) => x - y))
    for (const bucket of made) buckets.discard(bucket)
  })
})

describe('owners', () => {
  it('are all different, and none is 0', () => {
    const owners: number[] = [0, Owner.pending, Owner.safe, Owner.empty]
    for (let slot = 0; slot < 256; slot++) owners.push(allocOwner(slot), freeOwner(slot))
    expect(new Set(owners).size).toBe(owners.length)
  })
})

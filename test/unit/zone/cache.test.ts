/**
 * A worker's cache by itself: two buckets of plain words, null buckets that need no test of their
 * own, and tallies that follow from what comes and goes.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BucketWords, CacheWords } from '#src/memory/layout.ts'
import { Memory } from '#src/memory/memory.ts'
import { Cache, sumCounts } from '#src/zone/cache.ts'
import { dieAfter } from '../../helpers/death.ts'

const AT = 256
const BUCKETS = [512, 640, 768]

function setUp(capacity = 3): { memory: Memory; cache: Cache; bucket: (i: number) => number } {
  const memory = new Memory(new SharedArrayBuffer(4096))
  for (const at of BUCKETS) {
    memory.poke(at + BucketWords.capacity, capacity)
    memory.fill(at + BucketWords.entries, capacity, 7)
  }
  const bucket = (i: number): number => BUCKETS[i] as number
  return { memory, cache: new Cache(memory, AT), bucket }
}

describe('a cache', () => {
  it('without buckets has nothing to give and no room to take, and touches nothing', () => {
    const { memory, cache } = setUp()
    const before = [...memory.words]
    expect(cache.pop()).toBe(0)
    expect(cache.push(77)).toBe(false)
    expect(cache.unloadAlloc()).toBe(0)
    expect(cache.unloadFree()).toBe(0)
    cache.loadAlloc(0)
    expect([...memory.words]).toEqual(before)
  })

  it('takes until the bucket is full and gives back last in, first out', () => {
    const { cache, bucket } = setUp(3)
    cache.loadFree(bucket(0))
    expect([11, 12, 13, 14].map((item) => cache.push(item))).toEqual([true, true, true, false])
    const full = cache.unloadFree()
    expect(full).toBe(bucket(0))
    expect(cache.push(15)).toBe(false)
    cache.loadAlloc(full)
    expect([1, 2, 3, 4].map(() => cache.pop())).toEqual([13, 12, 11, 0])
  })

  it('puts a popped item back where it was, if there is a bucket to put it in', () => {
    const { cache, bucket, memory } = setUp(3)
    cache.loadFree(bucket(0))
    cache.push(11)
    cache.push(12)
    cache.loadAlloc(cache.unloadFree())
    const item = cache.pop()
    cache.unpop(item)
    expect(cache.counts()).toMatchObject({ inAlloc: 2, allocs: 0 })
    expect(cache.pop()).toBe(item)
    cache.unloadAlloc()
    cache.unpop(item)
    // Address 0 stays the bucket that is empty and has no room.
    expect(memory.peek(BucketWords.count)).toBe(0)
    expect(memory.peek(BucketWords.capacity)).toBe(0)
  })

  it('counts as a bystander would who saw every pop and push', () => {
    const step = fc.constantFrom('pop', 'push', 'reload', 'swap', 'flush')
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step), (capacity, steps) => {
        const { cache, bucket, memory } = setUp(capacity)
        cache.loadAlloc(bucket(0))
        cache.loadFree(bucket(1))
        let [allocs, frees, item] = [0, 0, 100]
        for (const each of steps) {
          if (each === 'pop') allocs += cache.pop() === 0 ? 0 : 1
          else if (each === 'push') frees += cache.push(item++) ? 1 : 0
          else if (each === 'swap') {
            const [alloc, free] = [cache.unloadAlloc(), cache.unloadFree()]
            cache.loadAlloc(free)
            // A free bucket is loaded empty.
            memory.poke(alloc + BucketWords.count, 0)
            cache.loadFree(alloc)
          } else if (each === 'reload') {
            const alloc = cache.unloadAlloc()
            memory.poke(alloc + BucketWords.count, capacity)
            cache.loadAlloc(alloc)
          } else {
            const free = cache.unloadFree()
            memory.poke(free + BucketWords.count, 0)
            cache.loadFree(free)
          }
          expect(cache.counts()).toMatchObject({ allocs, frees })
        }
      }),
    )
  })

  it('finishes a move that was begun, once or twice, with the same result', () => {
    const { cache, bucket, memory } = setUp(3)
    cache.loadFree(bucket(0))
    cache.push(11)
    cache.push(12)
    const moves: ((each: Cache) => void)[] = [
      (each) => each.unloadFree(),
      (each) => each.loadAlloc(bucket(0)),
      (each) => each.unloadAlloc(),
    ]
    for (const move of moves) {
      const before = memory.words.slice()
      const untouched = counted(memory)
      move(new Cache(memory, AT))
      const whole = counted(memory)
      expect(whole).not.toEqual(untouched)
      let died = true
      for (let stores = 0; died; stores++) {
        memory.words.set(before)
        const mortal = new Memory(memory.words.buffer)
        died = dieAfter({ memory: mortal }, stores, () => move(new Cache(mortal, AT)))
        new Cache(memory, AT).finishMove()
        const once = counted(memory)
        expect([untouched, whole]).toContainEqual(once)
        new Cache(memory, AT).finishMove()
        expect(counted(memory)).toEqual(once)
      }
      expect(counted(memory)).toEqual(whole)
    }
  })

  /** A move, what the fast path does when it has been cut off, and where the cache stands before. */
  const torn = [
    { name: 'unloadAlloc', act: (cache: Cache) => cache.unloadAlloc() },
    { name: 'loadAlloc', act: (cache: Cache) => cache.loadAlloc(cache.unloadAlloc()) },
    { name: 'unloadFree', act: (cache: Cache) => cache.unloadFree() },
    {
      name: 'reloadFree',
      act: (cache: Cache) => cache.reloadFree(cache.unloadFree()),
    },
  ]
  it.each(torn)('counts what the fast path does before $name is finished', ({ act }) => {
    let died = true
    for (let stores = 0; died; stores++) {
      const { cache, bucket, memory } = setUp(4)
      for (const item of [11, 12, 13]) {
        memory.poke(bucket(0) + BucketWords.entries + item - 11, item)
        memory.poke(bucket(0) + BucketWords.count, item - 10)
      }
      cache.loadAlloc(bucket(0))
      cache.loadFree(bucket(1))
      cache.push(10)
      const mortal = new Memory(memory.words.buffer)
      died = dieAfter({ memory: mortal }, stores, () => act(new Cache(mortal, AT)))
      const allocs = cache.pop() === 0 ? 0 : 1
      const frees = cache.push(14) ? 2 : 1
      cache.finishMove()
      expect(cache.counts()).toMatchObject({ allocs, frees })
    }
  })

  it('adds up many workers', () => {
    const { memory, cache, bucket } = setUp(3)
    const other = new Cache(memory, AT + CacheWords.WORDS)
    cache.loadFree(bucket(0))
    cache.push(11)
    other.loadFree(bucket(1))
    other.push(12)
    other.push(13)
    other.count(CacheWords.fails, 2)
    other.count(CacheWords.refills, 3)
    const sum = sumCounts([cache.counts(), other.counts()])
    expect(sum).toMatchObject({ frees: 3, inFree: 3, fails: 2, refills: 3, allocs: 0 })
    expect(sumCounts([]).frees).toBe(0)
  })
})

/** What a cache says of itself, but for the redo record. */
function counted(memory: Memory): object {
  const cache = new Cache(memory, AT)
  return { ...cache.counts(), alloc: cache.alloc, free: cache.free }
}

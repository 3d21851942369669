/**
 * A heap: blocks of any size come from it and go back to it, in any worker; what does not fit is
 * refused, and nothing has changed.
 */

import { describe, expect, it } from 'vitest'
import { Arena, Exhausted, type Heap, type Item, Misuse, type Smr } from '#src/index.ts'
import { Header } from '#src/memory/layout.ts'
import { Random } from '../../helpers/random.ts'
import { differences } from '../../helpers/refusals.ts'

const BYTES = 2 ** 24
const KINDS = ['plain', 'smr'] as const
type Kind = (typeof KINDS)[number]

interface Stage {
  readonly arena: Arena
  readonly smr: Smr
  readonly heap: Heap
}

function stage(kind: Kind, options: { checks?: boolean; bytes?: number } = {}): Stage {
  const arena = Arena.create({ bytes: BYTES, maxWorkers: 4, ...options })
  const smr = arena.smr('domain')
  return { arena, smr, heap: arena.heap('things', kind === 'smr' ? { smr } : {}) }
}

/** Another worker of the same heap. */
function join({ arena }: Stage): Stage {
  const other = Arena.attach(arena.handle)
  return { arena: other, smr: other.smr('domain'), heap: other.heap('things') }
}

const alloc = (heap: Heap, bytes: number): Item =>
  heap.domain === undefined ? heap.alloc(bytes) : heap.allocSmr(bytes)
const tryAlloc = (heap: Heap, bytes: number): Item =>
  heap.domain === undefined ? heap.tryAlloc(bytes) : heap.tryAllocSmr(bytes)
const free = (heap: Heap, item: Item): void =>
  heap.domain === undefined ? heap.free(item) : heap.freeSmr(item)

/** Every kind of block: the smallest, around the steps of sizes, the largest of a zone, runs. */
const SIZES = [1, 16, 17, 64, 65, 80, 81, 1000, 4096, 4097, 32768, 32769, 100_000, 1_000_000]

describe.each(KINDS)('a %s heap', (kind) => {
  it.each([false, true])(
    'hands out blocks of every size that do not overlap; checked: %s',
    (checks) => {
      const { arena, heap } = stage(kind, { checks })
      const blocks = SIZES.map((bytes) => ({ bytes, item: alloc(heap, bytes) }))
      const view = new Uint8Array(arena.buffer)
      for (const [i, { bytes, item }] of blocks.entries()) {
        expect(item % 2).toBe(0)
        expect(heap.sizeOf(item)).toBeGreaterThanOrEqual(bytes)
        view.fill(i + 1, item * 4, item * 4 + heap.sizeOf(item))
      }
      for (const [i, { item }] of blocks.entries()) {
        const all = view.subarray(item * 4, item * 4 + heap.sizeOf(item))
        expect(all.every((byte) => byte === i + 1)).toBe(true)
      }
      heap.check()
      expect(heap.stats().blocks).toBe(SIZES.length)
      expect(heap.audit(blocks.slice(1).map(({ item }) => item)).leaked).toEqual([blocks[0]?.item])
      for (const { item } of blocks) free(heap, item)
      expect(heap.stats()).toMatchObject({ blocks: 0, bytes: 0 })
      expect(heap.audit([]).leaked).toEqual([])
      heap.check()
    },
  )

  it('takes blocks back from another worker, which has used no size yet', () => {
    const one = stage(kind)
    const items = SIZES.map((bytes) => alloc(one.heap, bytes))
    const other = join(one)
    for (const [i, item] of items.entries()) {
      expect(other.heap.owns(item)).toBe(true)
      expect(other.heap.sizeOf(item)).toBe(one.heap.sizeOf(item))
      free(other.heap, item)
      expect(other.heap.stats().blocks).toBe(SIZES.length - i - 1)
    }
    one.heap.check()
  })

  it('makes a zone only for the sizes that are used', () => {
    const { arena, heap } = stage(kind)
    for (let i = 0; i < 10; i++) free(heap, alloc(heap, 100))
    free(heap, alloc(heap, 97))
    expect(heap.stats().sizes.map(({ bytes }) => bytes)).toEqual([112])
    expect(arena.stats().zones.map(({ name }) => name)).toEqual(['heap:things/112'])
    expect(arena.stats().heaps).toEqual([heap.stats()])
  })

  it('gives pages of large blocks back', () => {
    const { arena, heap, smr } = stage(kind)
    const room = (): number => arena.stats().pages.untouched + arena.stats().pages.free
    free(heap, alloc(heap, 100_000))
    const before = room()
    // More than the arena has room for at once.
    for (let i = 0; i < 100; i++) free(heap, alloc(heap, 1_000_000))
    heap.reclaim('all')
    expect(room()).toBeGreaterThanOrEqual(before)
    expect(smr.stats().lag).toBeLessThan(1000)
    expect(heap.stats().large).toEqual({ live: 0, bytes: 0, pending: 0 })
  })

  it('says what was wanted when there is no memory, and goes on when there is', () => {
    const { heap } = stage(kind, { bytes: 2 ** 20 })
    for (const bytes of [60_000, 5000]) {
      const items: Item[] = []
      for (let item = tryAlloc(heap, bytes); item !== 0; item = tryAlloc(heap, bytes))
        items.push(item)
      expect(items.length).toBeGreaterThan(2)
      const error = thrown(Exhausted, () => alloc(heap, bytes))
      expect(error.message).toContain(`no memory for a block of ${bytes} bytes`)
      expect(error).toMatchObject({ heap: 'things', bytes, blocks: items.length })
      for (const item of items) free(heap, item)
      free(heap, alloc(heap, bytes))
      heap.reclaim('all')
    }
    heap.check()
  })

  it('gives what large blocks have freed to zones and tables, too', () => {
    const { arena, heap } = stage(kind, { bytes: 2 ** 20 })
    const items: Item[] = []
    for (let item = tryAlloc(heap, 60_000); item !== 0; item = tryAlloc(heap, 60_000))
      items.push(item)
    for (const item of items) free(heap, item)
    const zone = arena.zone('others', { bytes: 20_000 })
    expect(zone.zalloc()).not.toBe(0)
  })

  it('ends, and its name can be used again', () => {
    const one = stage(kind)
    const { arena, heap } = one
    const pages = arena.stats().pages
    const inUse = ({ total, free, untouched }: typeof pages): number => total - free - untouched
    const item = alloc(heap, 100)
    const large = alloc(heap, 50_000)
    expect(thrown(Misuse, () => heap.destroy()).message).toContain('2 blocks are live')
    free(heap, item)
    free(heap, large)
    heap.destroy()
    expect(inUse(arena.stats().pages)).toBeLessThan(inUse(pages))
    expect(arena.stats().zones).toEqual([])
    expect(thrown(Misuse, () => alloc(heap, 100)).message).toContain('closed')
    const again = arena.heap('things')
    free(again, again.alloc(100))
    again.destroy()
    one.smr.destroy()
  })

  it('is known to have ended by another worker', () => {
    const one = stage(kind)
    const other = join(one)
    one.heap.destroy()
    expect(thrown(Misuse, () => alloc(other.heap, 100)).message).toContain('destroyed by another')
    expect(thrown(Misuse, () => other.heap.stats()).message).toContain('destroyed by another')
    expect(other.arena.heap('things').stats().blocks).toBe(0)
  })

  it('is the same for all who open it, and refuses another domain', () => {
    const { arena, heap, smr } = stage(kind)
    expect(arena.heap('things')).toBe(heap)
    expect(arena.heap('things', kind === 'smr' ? { smr } : {})).toBe(heap)
    const wrong = kind === 'smr' ? arena.smr('another') : smr
    expect(thrown(Misuse, () => arena.heap('things', { smr: wrong })).message).toContain(
      `exists with ${kind === 'smr' ? 'another' : 'no'} smr domain`,
    )
  })

  it('detaches with its worker', () => {
    const one = stage(kind)
    const other = join(one)
    const item = alloc(other.heap, 100)
    free(other.heap, alloc(other.heap, 100))
    other.arena.detach()
    expect(thrown(Misuse, () => alloc(other.heap, 100)).message).toContain('detached')
    free(one.heap, item)
    one.heap.reclaim('all')
    expect(one.heap.stats()).toMatchObject({ blocks: 0, pending: 0 })
    one.heap.check()
  })

  it('keeps every block whole through random allocations and frees of two workers', () => {
    const one = stage(kind, { checks: true })
    const workers = [one, join(one)]
    const random = new Random(kind === 'smr' ? 11 : 12)
    const words = one.arena.words
    const held: { item: Item; mark: number; last: number }[] = []
    for (let i = 0; i < 4000; i++) {
      const { heap } = workers[random.below(2)] as Stage
      const index = random.below(held.length + 1)
      const old = held[index]
      if (old === undefined || (held.length < 60 && random.below(2) === 0)) {
        const bytes = 8 + random.below(random.below(10) === 0 ? 90_000 : 3000)
        const item = alloc(heap, bytes)
        const last = item + Math.floor(bytes / 4) - 1
        words[item] = i
        words[last] = i
        held.push({ item, mark: i, last })
        continue
      }
      expect([words[old.item], words[old.last]]).toEqual([old.mark, old.mark])
      held.splice(index, 1)
      free(heap, old.item)
    }
    expect(one.heap.stats().blocks).toBe(held.length)
    expect(one.heap.audit(held.map(({ item }) => item)).leaked).toEqual([])
    one.heap.check()
  })
})

describe('a heap refuses, and changes nothing,', () => {
  const it2 = (
    what: string,
    kind: Kind,
    act: (it: Stage & { item: Item; large: Item; others: [Item, Item, Item] }) => unknown,
    says: string,
  ): void =>
    it(what, () => {
      const all = stage(kind, { checks: true })
      const item = alloc(all.heap, 100)
      const large = alloc(all.heap, 50_000)
      const other = all.arena.heap('others')
      const strange = all.arena.zone('strange', { bytes: 8 }).zalloc()
      const others: [Item, Item, Item] = [other.alloc(100), other.alloc(50_000), strange]
      const words = all.arena.words.slice()
      expect(thrown(Misuse, () => act({ ...all, item, large, others })).message).toContain(says)
      words[Header.serial] = all.arena.words[Header.serial] as number
      expect(differences(words, all.arena.words)).toEqual([])
    })
  for (const bytes of [
    0,
    -1,
    1.5,
    Number.NaN,
    2 ** 24 + 1,
    2 ** 32 + 5,
    '5',
    null,
    undefined,
    5n,
    {},
  ]) {
    it2(
      `a block of ${String(bytes)} bytes`,
      'smr',
      ({ heap }) => heap.allocSmr(bytes as number),
      'bytes',
    )
  }
  for (const item of [0, 5, -8, 2 ** 31, 1.5, '8', 8n, null, Symbol('item'), {}]) {
    it2(
      `to free ${String(item)}`,
      'smr',
      ({ heap }) => heap.freeSmr(item as Item),
      'no block of this heap',
    )
    it2(
      `to measure ${String(item)}`,
      'plain',
      ({ heap }) => heap.sizeOf(item as Item),
      'no block of this heap',
    )
  }
  it2('the verbs of a heap without smr', 'smr', ({ heap }) => heap.alloc(8), 'use allocSmr')
  it2('the verbs of a heap with smr', 'plain', ({ heap }) => heap.allocSmr(8), 'use alloc and free')
  it2(
    'an address inside a block',
    'plain',
    ({ heap, item }) => heap.free((item + 2) as Item),
    'not from this zone',
  )
  it2(
    'an address inside a large block',
    'plain',
    ({ heap, large }) => heap.free((large + 2) as Item),
    'no block',
  )
  it2('a block of another heap', 'plain', ({ heap, others }) => heap.free(others[0]), 'no block')
  it2(
    'a large block of another heap',
    'plain',
    ({ heap, others }) => heap.free(others[1]),
    'no block',
  )
  it2("a zone's item", 'plain', ({ heap, others }) => heap.free(others[2]), 'no block')
  it2(
    'to free in a section',
    'smr',
    ({ heap, large, smr }) => smr.read(() => heap.freeSmr(large)),
    'is open',
  )
  it2('to end in a section', 'smr', ({ heap, smr }) => smr.read(() => heap.destroy()), 'is open')
  it2(
    'to audit with no list',
    'plain',
    ({ heap }) => heap.audit(5 as unknown as Item[]),
    'reachable is 5',
  )
  it2(
    'an unknown option',
    'plain',
    ({ arena }) => arena.heap('x', { limit: 5 } as object),
    'unknown option',
  )
  it2(
    'an smr that is none',
    'plain',
    ({ arena }) => arena.heap('x', { smr: 5 } as object),
    'smr is 5',
  )
  it2('a name of 54 bytes', 'plain', ({ arena }) => arena.heap('x'.repeat(54)), 'at most 53 bytes')
  it2(
    'a zone with the name of a size',
    'plain',
    ({ arena }) => arena.zone('heap:things/112'),
    'a size of a heap',
  )
})

describe('a block that is freed twice', () => {
  it.each(KINDS)('is refused in a checked arena: %s', (kind) => {
    const { heap } = stage(kind, { checks: true })
    const item = alloc(heap, 100)
    free(heap, item)
    expect(thrown(Misuse, () => free(heap, item)).message).toContain('double free')
    heap.check()
  })

  it.each(KINDS)('is refused always if it is large: %s', (kind) => {
    const { arena, heap, smr } = stage(kind)
    const item = alloc(heap, 50_000)
    const reader = Arena.attach(arena.handle).smr('domain')
    reader.enter()
    free(heap, item)
    expect(thrown(Misuse, () => free(heap, item)).message).toMatch(/double free|no block/)
    reader.exit()
    smr.synchronize()
    heap.check()
    expect(heap.stats().blocks).toBe(0)
  })
})

it('a large block is not used again before its readers have left', () => {
  const { arena, heap } = stage('smr', { bytes: 2 ** 20 })
  const reader = Arena.attach(arena.handle).smr('domain')
  const take = (): Item => heap.tryAllocSmr(100_000)
  const items: Item[] = []
  for (let item = take(); item !== 0; item = take()) items.push(item)
  reader.enter()
  for (const item of items) heap.freeSmr(item)
  expect(heap.stats()).toMatchObject({ blocks: 0, pending: items.length })
  expect(take()).toBe(0)
  expect(() => heap.destroy({ timeoutMs: 1 })).toThrow(Exhausted)
  expect(arena.reclaim('trim').skipped).toEqual([])
  expect(heap.stats().pending).toBe(items.length)
  reader.exit()
  expect(items.map(take)).not.toContain(0)
})

function thrown<E extends Error>(kind: new (message: string) => E, act: () => unknown): E {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(kind)
    return error as E
  }
  return expect.unreachable('it was not refused')
}

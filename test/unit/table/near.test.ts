import { describe, expect, it } from 'vitest'
import {
  Arena,
  atomic,
  bytes,
  data,
  HashTable,
  i32,
  i64,
  json,
  record,
  text,
  u32,
  utf8,
} from '#src/index.ts'
import { Header } from '#src/memory/layout.ts'
import { MOST_VERSIONS } from '#src/table/version.ts'
import { misuse, unchanged, wild } from '../../helpers/refusals.ts'
import { CONFIGS, tinyArena } from '../../helpers/tiny.ts'

const [CONFIG] = CONFIGS as [(typeof CONFIGS)[number]]
const Flag = record({ name: utf8(24), rank: u32, text: text() })
const OPTIONS = { record: Flag, key: 'name', capacity: 16, seed: 0 } as const
const MAX = 8

function flag(name: string, rank = 0) {
  return { name, rank, text: `${name} has rank ${rank}` }
}

/** A writer, and a reader with near copies, as two workers. */
function pair(max = MAX) {
  const arena = tinyArena(CONFIG, { bytes: 2 ** 20, checks: true })
  const table = HashTable.create(arena, 'flags', OPTIONS)
  const other = Arena.attach(arena.handle)
  const near = HashTable.open(other, 'flags', { record: Flag, key: 'name', near: { max } })
  return { arena, table, other, near }
}

type Pair = ReturnType<typeof pair>

const statsOf = ({ near }: Pick<Pair, 'near'>) => near.stats().near

describe('what get returns', () => {
  it('is frozen, and the same object as long as the record is the same', () => {
    const { table, near } = pair()
    table.set(flag('a'))
    const first = near.get('a')
    expect(first).toEqual(flag('a'))
    expect(Object.isFrozen(first)).toBe(true)
    expect(near.get('a')).toBe(first)
    table.set(flag('a', 1))
    const second = near.get('a')
    expect(second).toEqual(flag('a', 1))
    expect(near.get('a')).toBe(second)
    expect(first).toEqual(flag('a'))
  })

  it('is another object for an equal record in its place', () => {
    const { table, near } = pair()
    table.set(flag('a'))
    const first = near.get('a')
    table.set(flag('a'))
    expect(near.get('a')).toEqual(first)
    expect(near.get('a')).not.toBe(first)
  })

  it('is what this worker has written itself', () => {
    const { near } = pair()
    for (let rank = 0; rank < 10; rank++) {
      near.set(flag('a', rank))
      expect(near.get('a')?.rank).toBe(rank)
    }
    near.update('a', (old) => old && { ...old, rank: old.rank + 1 })
    expect(near.get('a')?.rank).toBe(10)
    expect(near.delete('a')).toBe(true)
    expect(near.get('a')).toBeUndefined()
  })

  it('stays the same object when another key of its range is written', () => {
    const { arena, table, other } = pair()
    const Id = record({ id: u32, rank: u32 })
    const options = { record: Id, key: 'id', capacity: 16, seed: 0 } as const
    const ids = HashTable.create(arena, 'ids', options)
    const near = HashTable.open(other, 'ids', { record: Id, key: 'id', near: { max: 4 } })
    ids.set({ id: 6, rank: 0 })
    ids.set({ id: 30, rank: 0 })
    const first = near.get(6)
    const version = ids.version(6)
    ids.set({ id: 30, rank: 1 })
    // They share a version word, so the next version of the one follows that of the other.
    ids.set({ id: 30, rank: 2 })
    expect(ids.version(30)).toBe(version + 3)
    expect(near.get(6)).toBe(first)
    expect(near.stats().near).toMatchObject({ hits: 0, misses: 2, size: 1 })
    expect(near.get(6)).toBe(first)
    expect(near.stats().near).toMatchObject({ hits: 1, misses: 2 })
    expect(table.stats().near).toBeUndefined()
  })

  it('is undefined, and kept, where there is no record, until there is one', () => {
    const p = pair()
    const { table, near } = p
    expect([near.get('a'), near.get('a'), near.get('a')]).toEqual([undefined, undefined, undefined])
    expect(statsOf(p)).toMatchObject({ hits: 2, misses: 1 })
    table.insert(flag('a', 3))
    expect(near.get('a')).toEqual(flag('a', 3))
  })

  it('is what every verb of another worker has left', () => {
    const { table, near } = pair()
    const now = () => near.get('a')?.rank
    const steps: readonly [() => unknown, number | undefined][] = [
      [() => table.set(flag('a', 1)), 1],
      [() => table.replace(flag('a', 2)), 2],
      [() => table.update('a', () => flag('a', 3)), 3],
      [() => table.trySet(flag('a', 4), { ifVersion: table.version('a') }), 4],
      [() => table.setMany([flag('a', 5), flag('b', 5)]), 5],
      [() => table.update('a', () => undefined), undefined],
      [() => table.getOrInsert('a', () => flag('a', 6)), 6],
      [() => table.delete('a'), undefined],
      [() => table.insert(flag('a', 7)), 7],
      [() => table.deleteIf('a', () => true), undefined],
      [() => table.set(flag('a', 8)), 8],
      [() => table.resize(4096), 8],
      [() => table.set(flag('a', 9)), 9],
      [() => table.clear(), undefined],
    ]
    for (const [step, expected] of steps) {
      step()
      expect([now(), now()]).toEqual([expected, expected])
    }
  })

  it('is right for each type of key', () => {
    const arena = tinyArena(CONFIG, { bytes: 2 ** 20 })
    const of = <T>(name: string, type: T, keys: readonly unknown[]) => ({ name, type, keys })
    for (const { name, type, keys } of [
      of('u32', u32, [0, -0, 1, 2 ** 32 - 1]),
      of('i32', i32, [0, -0, -1, -(2 ** 31)]),
      of('i64', i64, [0n, 1n, -(2n ** 63n)]),
      of('utf8', utf8(8), ['', 'a', 'é', '\0', '\ufffd']),
    ]) {
      const Any = record({ key: type as typeof utf8 extends (n: number) => infer T ? T : never })
      const options = { record: Any, key: 'key', capacity: 8, near: { max: MAX } } as const
      const table = HashTable.create(arena, name, options)
      for (const key of keys as string[]) {
        expect(table.get(key), name).toBe(key === (-0 as never) ? table.get(0 as never) : undefined)
        table.set({ key })
        expect(table.get(key)?.key, name).toEqual((key as never) === 0 ? 0 : key)
        expect(table.get(key)).toBe(table.get(key))
      }
      expect(() => table.get(wild(Symbol('no key')))).toThrow('key')
    }
  })

  it('is refused for a key of another type, as ever', () => {
    const { near } = pair()
    near.get('1')
    expect(misuse(() => near.get(wild(1))).message).toContain('table.get')
    expect(misuse(() => near.get('\ud800')).message).toContain('table.get')
  })

  it('is undefined for text that is too long for the key, which is not kept', () => {
    const p = pair()
    const long = 'x'.repeat(1000)
    expect([p.near.get(long), p.near.get(long)]).toEqual([undefined, undefined])
    expect(statsOf(p)).toMatchObject({ size: 0, misses: 2 })
  })
})

describe('values that are objects', () => {
  const Doc = record({ id: u32, tree: json<unknown>(), few: bytes(8), more: data() })
  function docs() {
    const arena = tinyArena(CONFIG, { bytes: 2 ** 21 })
    const options = { record: Doc, key: 'id', capacity: 8, near: { max: MAX } } as const
    return HashTable.create(arena, 'docs', options)
  }
  const [few, more] = [new Uint8Array([1, 2]), new Uint8Array([3])]

  it('JSON is frozen to its leaves, however deep', () => {
    const table = docs()
    const tree = { list: [{ deep: { er: [1] } }], none: null, text: 'x' }
    table.set({ id: 1, tree, few, more })
    const found = table.get(1)?.tree as typeof tree
    expect(found).toEqual(tree)
    for (const each of [found, found.list, found.list[0], found.list[0]?.deep.er]) {
      expect(Object.isFrozen(each)).toBe(true)
    }
    let chain: unknown = 1
    for (let i = 0; i < 1000; i++) chain = [chain]
    table.set({ id: 2, tree: chain, few, more })
    expect(Object.isFrozen(table.get(2)?.tree)).toBe(true)
    for (const leaf of [1, null, 'text', true]) {
      table.set({ id: 3, tree: leaf, few, more })
      expect(table.get(3)?.tree).toBe(leaf)
    }
  })

  it('bytes are handed out as copies: what is written to one is in no other', () => {
    const table = docs()
    table.set({ id: 1, tree: 0, few, more })
    const first = table.get(1)
    first?.few.fill(9)
    first?.more.fill(9)
    expect(table.get(1)).toBe(first)
    expect(first?.few).toEqual(few)
    expect(first?.more).toEqual(more)
    expect(Object.keys(first ?? {})).toEqual(['id', 'tree', 'few', 'more'])
    expect({ ...first }).toEqual({ id: 1, tree: 0, few, more })
    expect(structuredClone(first)).toEqual({ id: 1, tree: 0, few, more })
    if (first !== undefined) table.set({ ...first, id: 2 })
    expect(table.get(2)?.few).toEqual(few)
  })
})

describe('how many are kept', () => {
  it('max at most, and those that are used stay', () => {
    const p = pair(6)
    const { table, near } = p
    const names = Array.from({ length: 40 }, (_, i) => `flag-${i}`)
    table.setMany(names.map((name) => flag(name)))
    const hot = near.get('flag-0')
    for (const name of names) {
      expect(near.get(name)).toEqual(flag(name))
      expect(near.get('flag-0')).toBe(hot)
      expect(statsOf(p)?.size).toBeLessThanOrEqual(6)
    }
    expect(statsOf(p)).toMatchObject({ max: 6, hits: 41, misses: 40 })
  })

  it('all of a set of half as many', () => {
    const p = pair(20)
    const names = Array.from({ length: 10 }, (_, i) => `flag-${i}`)
    p.table.setMany(names.map((name) => flag(name)))
    for (let round = 0; round < 5; round++) for (const name of names) p.near.get(name)
    expect(statsOf(p)).toEqual({ size: 10, max: 20, hits: 40, misses: 10 })
  })

  it('an odd max is rounded down', () => {
    expect(statsOf(pair(3))).toMatchObject({ max: 2 })
  })
})

describe('who has them', () => {
  it('each worker as it says, whatever the one did that made the table', () => {
    const arena = tinyArena(CONFIG, { bytes: 2 ** 20 })
    const near = { max: 4 }
    const one = HashTable.create(arena, 'flags', { ...OPTIONS, near })
    one.set(flag('a'))
    const attached = () => Arena.attach(arena.handle)
    const tables = [
      one,
      HashTable.open(attached(), 'flags', { record: Flag, key: 'name' }),
      HashTable.openOrCreate(attached(), 'flags', { ...OPTIONS, near }),
      HashTable.openOrCreate(attached(), 'flags', OPTIONS),
    ]
    expect(tables.map((table) => Object.isFrozen(table.get('a')))).toEqual([
      true,
      false,
      true,
      false,
    ])
    expect(tables[1]?.get('a')).not.toBe(tables[1]?.get('a'))
    const made = HashTable.openOrCreate(arena, 'more', { ...OPTIONS, near })
    made.set(flag('a'))
    expect(made.get('a')).toBe(made.get('a'))
  })

  it('getMany, replace and entries give out objects of the caller, as ever', () => {
    const { near } = pair()
    near.set(flag('a'))
    near.get('a')
    for (const own of [near.getMany(['a'])[0], near.replace(flag('a')), [...near][0]]) {
      expect(own).toEqual(flag('a'))
      expect(Object.isFrozen(own)).toBe(false)
    }
  })

  it.each([
    ['1', 1],
    ['null', null],
    ['an array', []],
    ['no max', {}],
    ['max 1', { max: 1 }],
    ['a fraction', { max: 2.5 }],
    ['too many', { max: 2 ** 22 + 1 }],
    ['another option', { max: 2, ttl: 5 }],
  ])('%s is no way to ask for them, and nothing has changed', (_name, near) => {
    const { arena, table } = pair()
    const more = { ...OPTIONS, near: wild(near) }
    for (const call of [
      () => HashTable.create(arena, 'new', more),
      () => HashTable.openOrCreate(arena, 'new', more),
      () => HashTable.openOrCreate(arena, 'flags', more),
      () => HashTable.open(arena, 'flags', { record: Flag, key: 'name', near: wild(near) }),
    ]) {
      expect(unchanged(arena, () => misuse(call)).message).toMatch(/near|option|max/)
    }
    expect(table.size).toBe(0)
  })

  it('a record with atomic fields has none: they change in place', () => {
    const arena = tinyArena(CONFIG, { bytes: 2 ** 20 })
    const Hits = record({ id: u32, hits: atomic(u32) })
    const options = { record: Hits, key: 'id', capacity: 8 } as const
    const near = { max: 4 }
    const refused = () => HashTable.create(arena, 'hits', { ...options, near })
    expect(unchanged(arena, () => misuse(refused)).message).toContain('"hits" is atomic')
    HashTable.create(arena, 'hits', options)
    const opened = () => HashTable.open(arena, 'hits', { record: Hits, key: 'id', near })
    expect(misuse(opened).facts).toMatchObject({ table: 'hits', field: 'hits' })
  })
})

describe('what has ended', () => {
  it('a hit is legal in a section, and in none', () => {
    const p = pair()
    p.table.set(flag('a'))
    const first = p.near.get('a')
    expect(p.near.smr.read(() => p.near.get('a'))).toBe(first)
    expect(statsOf(p)).toMatchObject({ hits: 1 })
  })

  it('a worker that has left has no hits', () => {
    const { near, other, table } = pair()
    table.set(flag('a'))
    near.get('a')
    other.detach()
    expect(misuse(() => near.get('a')).message).toContain('flags')
  })

  it('a worker that was reaped although it lives learns it, and has no hits from then on', () => {
    const { arena, near, other, table } = pair()
    table.set(flag('a'))
    near.get('a')
    arena.space.workers.bury(other.space)
    arena.reap(other.workerId)
    expect(() => near.set(flag('b'))).toThrow('reaped')
    expect(() => near.get('a')).toThrow()
  })

  it('a table that was destroyed is not answered for, nor is another in its place', () => {
    const { arena, near, table } = pair()
    table.set(flag('a'))
    expect(near.get('a')).toEqual(flag('a'))
    const epoch = arena.memory.load(Header.epoch)
    table.destroy()
    expect(arena.memory.load(Header.epoch)).toBe(epoch + 1)
    expect(near.get('a')).toBeUndefined()
    const again = HashTable.create(arena, 'flags', OPTIONS)
    again.set(flag('a', 5))
    // Its page lies where the first one's lay, and so does the version word, with the same number.
    let found: unknown
    try {
      found = near.get('a')
    } catch (error) {
      found = error
    }
    expect(found).not.toEqual(flag('a'))
  })

  it('a copy ends with its epoch, when a version word begins again', () => {
    const { arena, near, table } = pair()
    table.set(flag('a', 1))
    expect(table.version('a')).toBe(1)
    expect(near.get('a')).toEqual(flag('a', 1))
    const { versions } = table.parts
    const { key } = table as unknown as { key: { hash(of: string): number } }
    arena.memory.store(versions.at(key.hash('a')), MOST_VERSIONS)
    table.set(flag('a', 2))
    expect(table.version('a')).toBe(1)
    expect(near.get('a')).toEqual(flag('a', 2))
  })

  it("while a lock is a dead owner's nothing is kept, and all is found", () => {
    const p = pair()
    const { arena, near, table } = p
    table.set(flag('a', 1))
    const { stripes } = table.parts
    const { key } = table as unknown as { key: { hash(of: string): number } }
    const stripe = stripes.lockFor(key.hash('a'))
    stripes.release(stripe, false)
    for (let i = 0; i < 3; i++) expect(near.get('a')).toEqual(flag('a', 1))
    expect(statsOf(p)).toMatchObject({ size: 0, misses: 3 })
    expect(table.trySet(flag('a', 2), { ifVersion: table.version('a') })).toBe(true)
    expect(near.get('a')).toBe(near.get('a'))
    expect(near.get('a')).toEqual(flag('a', 2))
    expect(arena.diagnose()).toBeDefined()
  })
})

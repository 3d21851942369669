/**
 * What a table refuses: each call names itself, says what would do, and has changed nothing - not
 * the table, not a count, not the section.
 */

import { describe, expect, it } from 'vitest'
import {
  Arena,
  bool,
  bytes,
  Exhausted,
  f32,
  f64,
  HashTable,
  type Item,
  i32,
  i64,
  Misuse,
  type RecordOf,
  record,
  ref,
  u32,
  utf8,
} from '#src/index.ts'
import { DepotWords, StripeWords, TableWords, zoneParts } from '#src/memory/layout.ts'
import { keyOf } from '#src/record/record.ts'
import { checkTable } from '#src/table/stats.ts'
import { CONFIGS, type Config, tinyArena } from '../../helpers/tiny.ts'
import {
  type Account,
  type Accounts,
  account,
  expectIntact,
  fillTable,
  pair,
  room,
  skipWaits,
  state,
} from './fixture.ts'

/** Calls with a key, by the name that their complaint must begin with. */
const KEYED: Record<string, (table: Accounts, key: never) => unknown> = {
  'table.get': (table, key) => table.get(key),
  'table.getMany': (table, key) => table.getMany([1, key]),
  'table.hasMany': (table, key) => table.hasMany([1, key]),
  'table.readMany': (table, key) => table.readMany([1, key], () => 'never'),
  'table.has': (table, key) => table.has(key),
  'table.read': (table, key) => table.read(key, () => 'never'),
  'table.delete': (table, key) => table.delete(key),
  'table.set': (table, key) => table.set({ ...account(1), id: key }),
}

/** What a complaint calls the key: in `set` it is a field like any other. */
function keyIn(call: string): string {
  return call === 'table.set' ? 'id' : 'key "id"'
}

const NO_U32: unknown[] = [-1, 1.5, 2 ** 32, Number.NaN, '1', 1n, true, null, undefined, {}, [1]]

const good = account(3, 1)
const without = ({ owner: _, ...rest }: Account): object => rest
/** Records that do not fit, and what is to be said of each. */
const BAD_RECORDS: [unknown, RegExp][] = [
  [without(good), /owner is missing/],
  [{ ...good, owner: undefined }, /owner/],
  [{ ...good, colour: 'red' }, /unknown field "colour"/],
  [{ ...good, owner: 'x'.repeat(25) }, /owner.*25 bytes.*at most 24/],
  [{ ...good, owner: 'é'.repeat(13) }, /owner.*26 bytes/],
  [{ ...good, owner: '\ud800' }, /owner.*lone surrogate/],
  [{ ...good, owner: 5 }, /owner is 5/],
  [{ ...good, version: -1 }, /version is -1/],
  [{ ...good, version: 2 ** 32 }, /version is 4294967296/],
  [{ ...good, version: '1' }, /version is "1"/],
  [{ ...good, balance: 1n }, /balance is 1n/],
  [{ ...good, check: 2 ** 31 }, /check is 2147483648/],
  [{}, /id is missing/],
  [undefined, /the record is undefined/],
  [null, /the record is null/],
  [5, /the record is 5/],
]

describe.each(CONFIGS)('a table refuses, sequences $name', (config) => {
  it('keys of the wrong type or out of range, in each verb', () => {
    const { table } = pair(config)
    fillTable(table, 10)
    const before = state(table)
    for (const [name, call] of Object.entries(KEYED)) {
      for (const key of NO_U32) {
        expect(() => call(table, key as never)).toThrow(Misuse)
        expect(() => call(table, key as never)).toThrow(`${name}: ${keyIn(name)} is`)
      }
    }
    table.smr.enter()
    for (const key of NO_U32)
      expect(() => table.find(key as never)).toThrow(/table\.find: key "id"/)
    table.smr.exit()
    expect(state(table)).toEqual(before)
    expectIntact(table)
  })

  it('keys that are not in an array', () => {
    const { table } = pair(config)
    fillTable(table, 10)
    for (const keys of [undefined, null, 5, 'ab', new Set([1]), new Uint32Array(3)]) {
      for (const verb of ['getMany', 'hasMany', 'readMany'] as const) {
        const call = () => table[verb](keys as never, () => 'never')
        expect(call).toThrow(Misuse)
        expect(call).toThrow(new RegExp(`table\\.${verb}: keys are .*; give an array`))
      }
    }
    expect(table.smr.entered).toBe(false)
    expectIntact(table)
  })

  const words = () => {
    const arena = tinyArena(config)
    const Word = record({ word: utf8(5), n: u32 })
    const table = HashTable.create(arena, 'words', { record: Word, key: 'word', capacity: 10 })
    return { table: table.set({ word: 'abcde', n: 1 }) }
  }

  it('keys that are no text', () => {
    const { table } = words()
    for (const word of ['\ud800', 5, null, undefined]) {
      const key = word as string
      for (const verb of ['get', 'has', 'delete', 'version'] as const) {
        expect(() => table[verb](key)).toThrow(Misuse)
        expect(() => table[verb](key)).toThrow(`table.${verb}: key "word" is`)
      }
      expect(() => table.read(key, () => 0)).toThrow(/table\.read: key "word"/)
      expect(() => table.set({ word: key, n: 2 })).toThrow(/table\.set: word is/)
    }
    expect([...table.entries()]).toEqual([{ word: 'abcde', n: 1 }])
  })

  it.each(['abcdef', 'abcdé', 'x'.repeat(300), 'é'.repeat(300)])(
    'no record has a key that is too long: %s',
    (key) => {
      const { table } = words()
      expect(table.get(key)).toBeUndefined()
      expect(table.getMany([key, 'abcde'])).toEqual([undefined, { word: 'abcde', n: 1 }])
      expect(table.has(key)).toBe(false)
      expect(table.read(key, () => 1)).toBeUndefined()
      expect(table.version(key)).toBe(0)
      expect(table.delete(key)).toBe(false)
      expect(table.deleteIf(key, () => true)).toBe(false)
      expect(table.update(key, () => undefined)).toBeUndefined()
      expect(() => table.update(key, () => ({ word: key, n: 2 }))).toThrow(/table\.update: word is/)
      expect(() => table.getOrInsert(key, () => ({ word: key, n: 2 }))).toThrow(
        /table\.getOrInsert: word is/,
      )
      expect([...table.entries()]).toEqual([{ word: 'abcde', n: 1 }])
    },
  )

  it('records that do not fit the schema', () => {
    const { arena, table } = pair(config)
    fillTable(table, 10)
    const before = [state(table), room(arena)]
    for (const [bad, why] of BAD_RECORDS) {
      expect(() => table.set(bad as Account)).toThrow(why)
      expect(() => table.set(bad as Account)).toThrow(/^table\.set: /)
      for (const value of [bad, { ...(bad as object), id: 77 }]) {
        expect(() => table.set(value as Account)).toThrow(Misuse)
      }
    }
    expect([state(table), room(arena)]).toEqual(before)
    expect(table.zone.stats()).toMatchObject({ pending: 0, fails: 0 })
    expect(table.has(77)).toBe(false)
    expectIntact(table)
  })

  it('passes on what a getter of the record throws, and keeps nothing', () => {
    const { table } = pair(config)
    fillTable(table, 10)
    const before = state(table)
    const thrown = new Error('from the getter')
    const angry = {
      ...account(3, 1),
      get owner(): string {
        throw thrown
      },
    }
    expect(() => table.set(angry)).toThrow(thrown)
    expect(state(table)).toEqual(before)
    expectIntact(table)
  })

  it('set, delete and resize inside a section of its domain', () => {
    const { table, theirs } = pair(config)
    fillTable(table, 10)
    const before = state(table)
    table.smr.enter()
    const verbs = { set: () => table.set(account(3, 1)), delete: () => table.delete(3) }
    for (const [name, verb] of Object.entries({ ...verbs, resize: () => table.resize(99) })) {
      expect(verb).toThrow(Misuse)
      expect(verb).toThrow(
        `table.${name}: table "accounts": a section of domain "accounts" is open`,
      )
    }
    expect(() => table.read(3, () => table.delete(4))).toThrow(Misuse)
    table.smr.exit()
    expect(() => table.read(3, () => table.delete(4))).toThrow(Misuse)
    expect(table.smr.entered).toBe(false)
    expect(state(table)).toEqual(before)
    // Another worker's section is its own affair.
    theirs.smr.read(() => table.set(account(3, 1)))
    expect(table.get(3)).toEqual(account(3, 1))
  })

  it('a function for read that returns a promise, in its own section and in the caller’s', async () => {
    const { table } = pair(config)
    table.set(account(3))
    const slow = async (): Promise<number> => {
      await Promise.resolve()
      throw new Error('nobody hears this')
    }
    expect(() => table.read(3, slow)).toThrow(/promise.*await/)
    expect(table.smr.entered).toBe(false)
    table.smr.enter()
    expect(() => table.read(3, slow)).toThrow(Misuse)
    expect(table.smr.entered).toBe(true)
    table.smr.exit()
    expect(table.read(4, slow)).toBeUndefined()
    await Promise.resolve()
  })

  it('everything after detach, and the others go on', () => {
    const { arena, other, table, theirs } = pair(config)
    fillTable(table, 10)
    theirs.set(account(3, 1)).delete(4)
    other.detach()
    const before = [state(table), room(arena), table.parts.chains.current(5)]
    const verbs = {
      get: () => theirs.get(3),
      getMany: () => theirs.getMany([3]),
      'getMany of none': () => theirs.getMany([]),
      hasMany: () => theirs.hasMany([3]),
      'readMany of none': () => theirs.readMany([], () => 0),
      has: () => theirs.has(3),
      read: () => theirs.read(3, () => 0),
      find: () => theirs.find(3),
      set: () => theirs.set(account(3, 2)),
      delete: () => theirs.delete(3),
      resize: () => theirs.resize(999),
      entries: () => [...theirs.entries()],
      items: () => theirs.items(),
      stats: () => theirs.stats(),
      size: () => theirs.size,
    }
    for (const verb of Object.values(verbs)) expect(verb).toThrow(Misuse)
    expect([state(table), room(arena), table.parts.chains.current(5)]).toEqual(before)
    table.set(account(3, 3)).resize(999)
    expectIntact(table)
  })
})

// A `set` that throws has taken nothing: the child that the refused record refers to is still its
// caller's, and no destructor hears of memory that never became a record of the table. The destructor
// here frees a child, as rules 1.7 recommends. All memory of the table has held a record before, so it
// still names a child that was freed long ago and is somebody else's by now.

const Parent = record({
  word: u32,
  id: utf8(8),
  int: i32,
  single: f32,
  double: f64,
  yes: bool,
  long: i64,
  raw: bytes(4),
  child: ref,
})
type Parent = RecordOf<typeof Parent>
const childOf = Parent.get.child

function parent(id: string, child: Item): Parent {
  const numbers = { word: 1, int: -1, single: 0.5, double: 1.5, yes: true, long: 1n }
  return { ...numbers, id, raw: new Uint8Array(3), child }
}

interface Knobs {
  readonly bytes?: number
  readonly limit?: number
  readonly ctor?: () => void
}

/** A table whose memory has all been records before, and a worker beside the one that fills it. */
function stage(config: Config, { bytes: size = 2 ** 20, ...knobs }: Knobs = {}) {
  const arena = tinyArena(config, { bytes: size, checks: false, maxWorkers: 4 })
  const smr = arena.smr('all')
  const children = arena.zone('children', { smr, bytes: 8, bucket: 1 })
  const destroyed: Item[] = []
  const what = (on: Arena, own: typeof children) => {
    const dtor = (item: Item): void => {
      destroyed.push(item)
      own.zfreeSmr(childOf(on, item))
    }
    return { record: Parent, key: 'id', dtor, ...(knobs.ctor && { ctor: knobs.ctor }) } as const
  }
  const { limit } = knobs
  const sizes = { capacity: 16, bucket: 3, smr, ...(limit && { limit }) }
  const table = HashTable.create(arena, 'parents', { ...what(arena, children), ...sizes })
  const other = Arena.attach(arena.handle)
  const theirs = HashTable.open(other, 'parents', what(other, other.zone('children')))
  for (let i = 0; i < 12; i++) table.set(parent(`old ${i}`, children.zallocSmr()))
  for (let i = 0; i < 12; i++) table.delete(`old ${i}`)
  table.zone.reclaim('drain')
  children.reclaim('drain')
  expect(children.stats().live).toBe(0)
  destroyed.length = 0
  return { arena, children, destroyed, other, table, theirs }
}

type Stage = ReturnType<typeof stage>

/** Fills the table with new records; each has a child of its own. Returns what stopped it. */
function fill({ children, table }: Stage, most: number): unknown {
  for (let i = 0; i < most; i++) {
    const child = children.zallocSmr()
    try {
      table.set(parent(`new ${i}`, child))
    } catch (error) {
      children.zfreeSmr(child)
      return error
    }
  }
  return undefined
}

/** Each record of the table has a child, live and its own; the caller has one more. */
function expectUntouched(all: Stage, mine: Item): void {
  const { arena, children, destroyed, table } = all
  expect(destroyed).toEqual([])
  const held = [mine, ...table.items().map((item) => childOf(arena, item))]
  expect(new Set(held).size).toBe(held.length)
  expect(children.stats().live).toBe(held.length)
  // Nobody gets what is held.
  for (let i = 0; i < 20; i++) {
    const fresh = children.zallocSmr()
    expect(held).not.toContain(fresh)
    held.push(fresh)
  }
  expect(table.zone.stats().live).toBe(table.size)
  expect(table.zone.audit(table.items()).leaked).toEqual([])
  checkTable(table)
  table.zone.check()
}

/** What no field of its type can hold. */
const BAD: readonly (readonly [field: keyof Parent | 'colour', value: unknown])[] = [
  ['word', -1],
  ['id', 'x'.repeat(9)],
  ['id', undefined],
  ['int', 2 ** 31],
  ['single', 'x'],
  ['double', null],
  ['yes', 1],
  ['long', 2n ** 63n],
  ['raw', new Uint8Array(5)],
  ['child', -2],
  ['colour', 'red'],
]

const thrown = new Error('from a getter')

/** Objects that cannot be set, by what is wrong with them. */
function refusedObjects(good: Parent): [string, unknown][] {
  const all: [string, unknown][] = BAD.map(([field, value]) => [
    `${field} is ${String(value)}`,
    { ...good, [field]: value },
  ])
  for (const field of Object.keys(good)) {
    const angry = { ...good }
    Object.defineProperty(angry, field, {
      enumerable: true,
      get() {
        throw thrown
      },
    })
    all.push([`a getter of ${field} throws`, angry])
  }
  for (const no of [undefined, null, 5, {}]) all.push([`it is ${String(no)}`, no])
  return all
}

describe.each(CONFIGS)(
  'a set that throws leaves the child to its caller, sequences $name',
  (config) => {
    it('where the object is refused, whatever is wrong with it, before memory is taken', () => {
      let ctors = 0
      const all = stage(config, { ctor: () => void ctors++ })
      const { children, table, theirs } = all
      const mine = children.zallocSmr()
      ctors = 0
      for (const [what, object] of refusedObjects(parent('mine', mine))) {
        for (const each of [table, theirs]) {
          let error: unknown
          try {
            each.set(object as Parent)
          } catch (caught) {
            error = caught
          }
          expect(error === thrown || error instanceof Misuse, what).toBe(true)
        }
      }
      expect(ctors).toBe(0)
      expectUntouched(all, mine)
    })

    it('where a section is open, or the arena was left', () => {
      const all = stage(config)
      const mine = all.children.zallocSmr()
      all.table.smr.read(() => expect(() => all.table.set(parent('mine', mine))).toThrow(Misuse))
      all.other.detach()
      expect(() => all.theirs.set(parent('mine', mine))).toThrow(Misuse)
      expectUntouched(all, mine)
    })

    it('where the lock is not to be had', () => {
      const all = stage(config)
      const { arena, children, other, table, theirs } = all
      fill(all, 5)
      const mine = children.zallocSmr()
      skipWaits(other)
      const seed = arena.memory.peek(table.parts.at + TableWords.seed)
      const stripe = table.parts.chains.stripeOf(keyOf(Parent, 'id', seed).hash('mine'))
      const lock = table.parts.stripes.at(stripe) + StripeWords.lock
      arena.space.locks.lock(lock, 'test')
      for (let i = 0; i < 5; i++) {
        expect(() => theirs.set(parent('mine', mine))).toThrow(/has held the lock/)
      }
      arena.space.locks.unlock(lock)
      expectUntouched(all, mine)
    })

    it('where the zone is at its limit', () => {
      const all = stage(config, { limit: 12 })
      const error = fill(all, 100)
      expect(error).toBeInstanceOf(Exhausted)
      const mine = all.children.zallocSmr()
      expect(() => all.table.set(parent('mine', mine))).toThrow(/limit of 12/)
      expectUntouched(all, mine)
    })

    it('where there is no bucket for the record that it replaces', () => {
      const all = stage(config)
      fill(all, 5)
      const mine = all.children.zallocSmr()
      const why = new Exhausted('no memory for an empty bucket')
      Object.assign(all.theirs.zone, {
        makeRoom() {
          throw why
        },
      })
      for (let i = 0; i < 5; i++) {
        for (const id of ['mine', 'new 1'])
          expect(() => all.theirs.set(parent(id, mine))).toThrow(why)
      }
      expectUntouched(all, mine)
    })

    it('where the arena is full', () => {
      const all = stage(config, { bytes: 2 ** 18 })
      const mine = all.children.zallocSmr()
      const filler = all.arena.zone('filler', { bytes: 4000 })
      while (filler.tryZalloc() !== 0);
      for (const each of [all.arena, all.other]) skipWaits(each)
      const children = Array.from({ length: 100 }, () => all.children.tryZallocSmr())
      let set = 0
      expect(() => {
        for (const child of children) all.table.set(parent(`${set++}`, child))
      }).toThrow(Exhausted)
      for (const child of children.splice(set - 1)) if (child !== 0) all.children.zfreeSmr(child)
      expect(() => all.table.set(parent('mine', mine))).toThrow(Exhausted)
      expect(all.destroyed).toEqual([])
      const held = [mine, ...all.table.items().map((item) => childOf(all.arena, item))]
      expect(all.children.stats().live).toBe(held.length)
      expect(all.children.audit(held).leaked).toEqual([])
    })

    it('sees one value of each property, whatever the next would be', () => {
      const all = stage(config)
      const { children, table } = all
      let looks = 0
      const fickle = {
        ...parent('', children.zallocSmr()),
        get id() {
          return `look ${looks++}`
        },
      }
      table.set(fickle)
      expect(looks).toBe(1)
      expect(table.get('look 0')?.id).toBe('look 0')
      expectUntouched(all, children.zallocSmr())
    })

    it('a constructor that ran is not undone: the destructor hears of records alone', () => {
      let ctors = 0
      const all = stage(config, { ctor: () => void ctors++ })
      const { arena, children, other, table, theirs } = all
      const mine = children.zallocSmr()
      skipWaits(other)
      const seed = arena.memory.peek(table.parts.at + TableWords.seed)
      const stripe = table.parts.chains.stripeOf(keyOf(Parent, 'id', seed).hash('mine'))
      const lock = table.parts.stripes.at(stripe) + StripeWords.lock
      ctors = 0
      arena.space.locks.lock(lock, 'test')
      expect(() => theirs.set(parent('mine', mine))).toThrow(Exhausted)
      arena.space.locks.unlock(lock)
      expect(ctors).toBe(1)
      theirs.set(parent('mine', mine))
      theirs.delete('mine')
      theirs.zone.reclaim('all')
      expect(ctors).toBe(2)
      expect(all.destroyed).toHaveLength(1)
    })
  },
)

describe.each([
  ['set', 0],
  ['delete', -1],
] as const)('a %s that has happened', (verb, more) => {
  it.each([false, true])(
    'returns when a lock is not to be had for what it replaced, which the next write frees; checks: %s',
    (checks) => {
      const config = CONFIGS[0] as Config
      const { arena, other, table, theirs } = pair(config, { bucket: 2, checks, dtor: () => {} })
      fillTable(table, 8)
      fillTable(theirs, 8)
      const { parts } = theirs.zone
      const lock = zoneParts(parts.at, arena.space.maxWorkers).depot + DepotWords.lock
      other.space.locks.patienceMs = 0
      // Between the store and the free, the room for the record is taken, and a rival has the lock.
      const spare = Array.from({ length: 4 }, () => theirs.zone.zallocSmr())
      const { stripes } = theirs.parts
      const release = stripes.release.bind(stripes)
      let hits = 0
      stripes.release = (stripe, whole) => {
        release(stripe, whole)
        if (hits++ > 0) return
        while (parts.cache.hasRoom) theirs.zone.zfreeSmr(spare.pop() as Item)
        arena.space.locks.lock(lock, 'test')
      }
      if (verb === 'set') expect(theirs.set(account(3, 7))).toBe(theirs)
      else expect(theirs.delete(3)).toBe(true)
      const now = verb === 'set' ? account(3, 7) : undefined
      expect(table.get(3)).toEqual(now)
      expect(table.size).toBe(8 + more)
      const before = state(table)
      // Nothing has changed where the lock is still not to be had.
      expect(() => theirs.set(account(4, 9))).toThrow(Exhausted)
      expect(() => theirs.delete(4)).toThrow(Exhausted)
      expect(state(table)).toEqual(before)
      arena.space.locks.unlock(lock)
      theirs.set(account(5, 1))
      expect(table.get(3)).toEqual(now)
      for (const item of spare) theirs.zone.zfreeSmr(item)
      theirs.zone.seal()
      expectIntact(table)
    },
  )
})

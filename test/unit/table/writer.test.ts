/**
 * The verbs that read and write one key as one step, and those that go over many: what each returns,
 * what it changes, and that a refusal changes nothing.
 */

import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Arena, Exhausted, HashTable, Misuse, record, u32, utf8 } from '#src/index.ts'
import { checkTable } from '#src/table/stats.ts'

const User = record({ id: u32, age: u32, name: utf8(16) })
const ada = { id: 1, age: 36, name: 'Ada' }
const alan = { id: 2, age: 41, name: 'Alan' }
const options = { record: User, key: 'id', capacity: 10 } as const

let arena: Arena
type Users = ReturnType<typeof make>
let table: Users

function make() {
  return HashTable.create(arena, 'users', options)
}

/** Another worker's handle of the same table. */
function other(): Users {
  return HashTable.open(Arena.attach(arena.handle), 'users', { record: User, key: 'id' })
}

beforeEach(() => {
  arena = Arena.create({ bytes: 2 ** 20, checks: true })
  table = make()
  table.set(ada)
  return () => {
    checkTable(table)
    expect(table.zone.audit(table.items()).leaked).toEqual([])
  }
})

describe('verbs of one key', () => {
  const older = (old: typeof ada | undefined) => old && { ...old, age: old.age + 1 }
  const cases: readonly [string, (t: Users) => unknown, unknown, readonly (typeof ada)[]][] = [
    ['insert of a new key', (t) => t.insert(alan), true, [ada, alan]],
    ['insert of one that is there', (t) => t.insert({ ...ada, age: 1 }), false, [ada]],
    ['replace', (t) => t.replace({ ...ada, age: 1 }), ada, [{ ...ada, age: 1 }]],
    ['replace of nothing', (t) => t.replace(alan), undefined, [ada, alan]],
    ['update', (t) => t.update(1, older), { ...ada, age: 37 }, [{ ...ada, age: 37 }]],
    ['update of nothing that stays so', (t) => t.update(2, older), undefined, [ada]],
    ['update that inserts', (t) => t.update(2, () => alan), alan, [ada, alan]],
    ['update that deletes', (t) => t.update(1, () => undefined), undefined, []],
    ['getOrInsert of one that is there', (t) => t.getOrInsert(1, () => alan), ada, [ada]],
    ['getOrInsert', (t) => t.getOrInsert(2, () => alan), alan, [ada, alan]],
    ['deleteIf, and it is so', (t) => t.deleteIf(1, () => true), true, []],
    ['deleteIf, and it is not', (t) => t.deleteIf(1, () => false), false, [ada]],
    ['deleteIf of nothing', (t) => t.deleteIf(2, () => true), false, [ada]],
    [
      'trySet of this version',
      (t) => t.trySet({ ...ada, age: 1 }, { ifVersion: t.version(1) }),
      true,
      [{ ...ada, age: 1 }],
    ],
    [
      'trySet of another',
      (t) => t.trySet({ ...ada, age: 1 }, { ifVersion: t.version(1) + 1 }),
      false,
      [ada],
    ],
    ['trySet of none', (t) => t.trySet(alan, { ifVersion: 0 }), true, [ada, alan]],
    [
      'trySet of none, and there is one',
      (t) => t.trySet({ ...ada, age: 1 }, { ifVersion: 0 }),
      false,
      [ada],
    ],
    ['setMany', (t) => t.setMany([{ ...ada, age: 1 }, alan]), 'itself', [{ ...ada, age: 1 }, alan]],
    ['clear', (t) => t.clear(), undefined, []],
  ]

  it.each(cases)('%s', (_name, call, answer, left) => {
    expect(call(table)).toEqual(answer === 'itself' ? table : answer)
    expect([...table.values()].sort((a, b) => a.id - b.id)).toEqual(left)
    expect(table.size).toBe(left.length)
  })

  it('give every record a version of its own', () => {
    const seen = new Set<number>()
    for (let i = 0; i < 100; i++) {
      table.set({ ...ada, age: i })
      seen.add(table.version(1))
    }
    expect(seen.size).toBe(100)
    expect(seen.has(0)).toBe(false)
    table.delete(1)
    expect(table.version(1)).toBe(0)
    table.set(ada)
    expect(seen.has(table.version(1))).toBe(false)
  })
})

describe('when another worker writes the key meanwhile', () => {
  const meddle = (age: number): (() => void) => {
    const theirs = other()
    let once = true
    return () => {
      if (once) theirs.set({ ...ada, age })
      once = false
    }
  }

  it('update calls again, with what is there now', () => {
    const interfere = meddle(50)
    const ages: (number | undefined)[] = []
    table.update(1, (old) => {
      ages.push(old?.age)
      interfere()
      return { ...ada, age: (old?.age ?? 0) + 1 }
    })
    expect(ages).toEqual([36, 50])
    expect(table.get(1)?.age).toBe(51)
  })

  it('an update that deletes takes out only what it has seen', () => {
    const interfere = meddle(50)
    const decide = vi.fn((old: typeof ada | undefined) => {
      interfere()
      return old !== undefined && old.age < 50 ? undefined : old
    })
    expect(table.update(1, decide)?.age).toBe(50)
    expect(decide).toHaveBeenCalledTimes(2)
    expect(table.get(1)?.age).toBe(50)
  })

  it('getOrInsert returns theirs', () => {
    const theirs = other()
    const made = vi.fn(() => {
      theirs.set({ ...alan, age: 99 })
      return alan
    })
    expect(table.getOrInsert(2, made).age).toBe(99)
    expect(made).toHaveBeenCalledTimes(1)
  })

  it('deleteIf asks again', () => {
    const theirs = other()
    const asked: number[] = []
    const gone = table.deleteIf(1, (item) => {
      const age = User.get.age(arena, item)
      asked.push(age)
      // A section is open on our side only.
      if (age === 36) theirs.set({ ...ada, age: 50 })
      return age === 36
    })
    expect(asked).toEqual([36, 50])
    expect(gone).toBe(false)
  })

  it('gives up in the end, and nothing of ours has changed', () => {
    const theirs = other()
    vi.spyOn(arena.space.locks, 'patienceMs', 'get').mockReturnValue(20)
    let n = 0
    const chase = (): unknown =>
      table.update(1, (old) => {
        theirs.set({ ...ada, age: ++n })
        return { ...ada, age: (old?.age ?? 0) + 1000 }
      })
    expect(chase).toThrow(Exhausted)
    expect(chase).toThrow(/others have changed the record/)
    expect(table.get(1)?.age).toBe(n)
  })
})

describe('what is refused changes nothing', () => {
  const bad = { ...ada, age: -1 }
  const cases: readonly [string, (t: Users) => unknown, RegExp][] = [
    ['insert', (t) => t.insert(bad), /table.insert/],
    ['replace', (t) => t.replace(bad), /table.replace/],
    ['update: a record that does not fit', (t) => t.update(1, () => bad), /table.update/],
    ['update: another key', (t) => t.update(1, () => alan), /the record for key 1 has key 2/],
    ['update: no function', (t) => t.update(1, 5 as never), /table.update/],
    ['getOrInsert: another key', (t) => t.getOrInsert(3, () => alan), /has key 2/],
    ['getOrInsert: no function', (t) => t.getOrInsert(3, undefined as never), /table.getOrInsert/],
    ['trySet: no version', (t) => t.trySet(ada, {} as never), /ifVersion/],
    ['trySet: a version that cannot be', (t) => t.trySet(ada, { ifVersion: -1 }), /ifVersion/],
    [
      'trySet: an option that is unknown',
      (t) => t.trySet(ada, { ifVersion: 0, if: 1 } as never),
      /if/,
    ],
    ['setMany: one does not fit', (t) => t.setMany([alan, bad]), /table.setMany/],
    ['setMany: no array', (t) => t.setMany(ada as never), /give an array/],
    ['deleteIf: no function', (t) => t.deleteIf(1, true as never), /table.deleteIf/],
    ['deleteIf: a promise', (t) => t.deleteIf(1, (async () => true) as never), /promise/],
    ['forEach: no function', (t) => t.forEach(1 as never), /table.forEach/],
    ['version: a key that cannot be', (t) => t.version('1' as never), /table.version/],
  ]

  it.each(cases)('%s', (_name, call, message) => {
    expect(() => call(table)).toThrow(Misuse)
    expect(() => call(table)).toThrow(message)
    expect([...table]).toEqual([ada])
    expect(table.zone.stats().live).toBe(1)
  })

  const writes: readonly [string, (t: Users) => unknown][] = [
    ['insert', (t) => t.insert(alan)],
    ['replace', (t) => t.replace(alan)],
    ['update', (t) => t.update(1, () => ada)],
    ['getOrInsert', (t) => t.getOrInsert(2, () => alan)],
    ['trySet', (t) => t.trySet(alan, { ifVersion: 0 })],
    ['setMany', (t) => t.setMany([alan])],
    ['deleteIf', (t) => t.deleteIf(1, () => true)],
    ['clear', (t) => t.clear()],
  ]

  it.each(writes)('%s inside a section', (verb, call) => {
    table.smr.read(() => expect(() => call(table)).toThrow(`table.${verb}`))
    expect([...table]).toEqual([ada])
  })

  it('an error of the callback surfaces, and the destructor hears of nothing', () => {
    const dtor = vi.fn()
    const zoned = HashTable.create(arena, 'more', { ...options, dtor })
    zoned.set(ada)
    const fail = (): never => {
      throw new RangeError('mine')
    }
    for (const call of [
      () => zoned.update(1, fail),
      () => zoned.getOrInsert(2, fail),
      () => zoned.deleteIf(1, fail),
    ])
      expect(call).toThrow('mine')
    const theirs = HashTable.open(Arena.attach(arena.handle), 'more', {
      record: User,
      key: 'id',
      dtor,
    })
    zoned.getOrInsert(2, () => {
      theirs.set(alan)
      return { ...alan, age: 1 }
    })
    zoned.zone.reclaim('all')
    expect(dtor).not.toHaveBeenCalled()
    expect([...zoned.values()].length).toBe(2)
  })

  it('setMany says how many are set when memory ends', () => {
    const few = HashTable.create(arena, 'few', { ...options, limit: 3, bucket: 1 })
    const all = Array.from({ length: 5 }, (_, id) => ({ ...ada, id }))
    let error: unknown
    try {
      few.setMany(all)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(Exhausted)
    expect((error as Exhausted).facts).toMatchObject({ set: few.size })
    expect(few.size).toBeGreaterThan(0)
  })
})

describe('iteration', () => {
  it('has keys, values, the table itself, and forEach', () => {
    table.set(alan)
    const each: (typeof ada)[] = []
    table.forEach((user) => {
      each.push(user)
    })
    expect([...table.keys()].sort()).toEqual([1, 2])
    expect([...table]).toEqual([...table.entries()])
    expect([...table.values()]).toEqual([...table.entries()])
    expect(each).toEqual([...table.entries()])
  })
})

/**
 * `table.add` and `table.compareExchange`: exact, whatever else is written to the record, and refused
 * where they make no sense. Here two workers take turns; test/model has them at the same time.
 */

import { describe, expect, expectTypeOf, it } from 'vitest'
import { Arena, atomic, HashTable, i32, record, u32, utf8 } from '#src/index.ts'
import { heldAt, isSealed, SEAL, sealAt } from '#src/record/atomic.ts'
import { exhausted, misuse } from '../../helpers/refusals.ts'

const Page = record({ path: utf8(12), hits: atomic(u32), score: atomic(i32), title: utf8(8) })
const options = { record: Page, key: 'path' } as const
const HITS = Page.atomics[0]?.offset ?? Number.NaN
const SCORE = Page.atomics[1]?.offset ?? Number.NaN

const page = (path: string, hits = 0, score = 0) => ({ path, hits, score, title: 'a' })

function pair(first = [page('/')]) {
  const arena = Arena.create({ bytes: 2 ** 20, checks: true, maxWorkers: 4 })
  const table = HashTable.create(arena, 'pages', { ...options, capacity: 16, bucket: 2 })
  table.setMany(first)
  const other = Arena.attach(arena.handle)
  return { arena, table, other, theirs: HashTable.open(other, 'pages', options) }
}

type Pages = ReturnType<typeof pair>['table']

/** Seals the record as a writer would that then dies. */
function sealed(table: Pages, path: string): void {
  const { memory } = table.arena
  table.read(path, (item) => {
    for (const { offset } of Page.atomics) sealAt(memory, item + offset)
  })
}

function isOpen(table: Pages, path: string): boolean | undefined {
  const { memory } = table.arena
  return table.read(
    path,
    (item) => !isSealed(memory, item + HITS) && !isSealed(memory, item + SCORE),
  )
}

describe('add', () => {
  it('adds in place: the sum is seen at once, and the version stays', () => {
    const { table, theirs } = pair()
    const version = table.version('/')
    expect([table.add('/', 'hits', 2), theirs.add('/', 'hits', 3)]).toEqual([2, 5])
    expect(theirs.add('/', 'score', -7)).toBe(-7)
    expect(table.get('/')).toEqual(page('/', 5, -7))
    expect(table.version('/')).toBe(version)
    expect(table.add('/none', 'hits', 1)).toBeUndefined()
    expect(table.add('a path that is too long', 'hits', 1)).toBeUndefined()
    expectTypeOf(table.add).parameter(1).toEqualTypeOf<'hits' | 'score'>()
  })

  it('wraps as the type of the field does', () => {
    const { table } = pair([page('/', 2 ** 32 - 1, 2 ** 31 - 1)])
    expect([table.add('/', 'hits', 2), table.add('/', 'hits', -2)]).toEqual([1, 2 ** 32 - 1])
    expect([table.add('/', 'score', 1), table.add('/', 'score', -1)]).toEqual([
      -(2 ** 31),
      2 ** 31 - 1,
    ])
    expect(table.add('/', 'hits', 2 ** 32 - 1)).toBe(2 ** 32 - 2)
  })

  it('reaches, holds and leaves the number that stands for a seal', () => {
    const { table } = pair([page('/', (SEAL - 1) >>> 0, SEAL)])
    expect([table.add('/', 'hits', 1), table.add('/', 'hits', 0)]).toEqual([SEAL >>> 0, SEAL >>> 0])
    expect(table.get('/')).toEqual(page('/', SEAL >>> 0, SEAL))
    expect([table.add('/', 'hits', 1), table.add('/', 'score', -1)]).toEqual([
      (SEAL + 1) >>> 0,
      SEAL - 1,
    ])
    expect([table.add('/', 'hits', -1), table.add('/', 'hits', 2)]).toEqual([
      SEAL >>> 0,
      (SEAL + 2) >>> 0,
    ])
    expect(isOpen(table, '/')).toBe(true)
  })

  it('is right inside a section, also when it has to take the lock', () => {
    const { table, theirs } = pair()
    const sums = table.read('/', () => [table.add('/', 'hits', 1), theirs.add('/', 'hits', 1)])
    expect(sums).toEqual([1, 2])
    sealed(table, '/')
    expect(table.read('/', () => table.add('/', 'hits', 1))).toBe(3)
    expect(table.smr.read(() => table.add('/none', 'hits', 1))).toBeUndefined()
  })
})

describe('compareExchange', () => {
  it('stores only over what is expected, and returns what was there', () => {
    const { table, theirs } = pair([page('/', 4, -4)])
    expect([
      table.compareExchange('/', 'hits', 4, 9),
      theirs.compareExchange('/', 'hits', 4, 5),
    ]).toEqual([4, 9])
    expect(theirs.compareExchange('/', 'score', -4, -5)).toBe(-4)
    expect(table.get('/')).toEqual(page('/', 9, -5))
    expect(table.compareExchange('/none', 'hits', 0, 1)).toBeUndefined()
  })

  it('reaches, holds and leaves the number that stands for a seal', () => {
    const { table } = pair([page('/', 4, SEAL)])
    const steps: [expected: number, value: number, before: number][] = [
      [5, SEAL, 4],
      [4, SEAL, 4],
      [4, 7, SEAL],
      [SEAL, SEAL, SEAL],
      [SEAL, 4, SEAL],
      [SEAL, 5, 4],
    ]
    for (const [expected, value, before] of steps) {
      expect(table.compareExchange('/', 'hits', expected >>> 0, value >>> 0)).toBe(before >>> 0)
    }
    expect(table.get('/')).toEqual(page('/', 4, SEAL))
    expect(table.compareExchange('/', 'score', SEAL, 1)).toBe(SEAL)
    expect(table.get('/')?.score).toBe(1)
  })
})

describe('beside writes of the record', () => {
  it('a sealed record reads as before, and the first addition opens its field', () => {
    const { table, theirs } = pair([page('/', 7, -7)])
    sealed(table, '/')
    expect([theirs.get('/'), [...theirs]]).toEqual([page('/', 7, -7), [page('/', 7, -7)]])
    expect(theirs.read('/', (item) => Page.add.hits(table.arena, item, 1))).toBeUndefined()
    const version = table.version('/')
    expect(theirs.add('/', 'hits', 1)).toBe(8)
    expect(theirs.compareExchange('/', 'score', -7, -8)).toBe(-7)
    expect(isOpen(table, '/')).toBe(true)
    expect(table.version('/'), 'who sealed it must notice').not.toBe(version)
    expect(table.get('/')).toEqual(page('/', 8, -8))
  })

  it('every verb that replaces or removes a record sees the last sum, also of a sealed one', () => {
    for (const leave of [() => {}, sealed]) {
      const { table, theirs } = pair([page('/', 1)])
      theirs.add('/', 'hits', 1)
      leave(table, '/')
      expect(table.update('/', (old) => old && { ...old, title: 'b' })?.hits).toBe(2)
      theirs.add('/', 'hits', 1)
      leave(table, '/')
      expect(table.replace(page('/', 10))?.hits).toBe(3)
      theirs.add('/', 'hits', 1)
      leave(table, '/')
      expect(table.getOrInsert('/', () => page('/')).hits).toBe(11)
      expect(table.deleteIf('/', (item) => Page.get.hits(table.arena, item) > 11)).toBe(false)
      expect(table.trySet(page('/', 20), { ifVersion: table.version('/') })).toBe(true)
      leave(table, '/')
      expect(table.deleteIf('/', (item) => Page.get.hits(table.arena, item) === 20)).toBe(true)
      table.set(page('/', 30))
      leave(table, '/')
      expect([table.delete('/'), table.add('/', 'hits', 1)]).toEqual([true, undefined])
    }
  })

  it('update runs again for each addition in between, until it asks for a moment', () => {
    const { table, theirs } = pair()
    const seen: number[] = []
    table.update('/', (old) => {
      seen.push(old?.hits ?? Number.NaN)
      if (seen.length < 4) theirs.add('/', 'hits', 1)
      return old && { ...old, title: 'new' }
    })
    expect(seen).toEqual([0, 1, 2, 3])
    expect(table.get('/')).toEqual({ ...page('/', 3), title: 'new' })
  })

  it('update that deletes does not, if something was added that it has not seen', () => {
    const { table, theirs } = pair()
    let runs = 0
    table.update('/', (old) => {
      if (runs++ === 0) theirs.add('/', 'hits', 1)
      return old?.hits === 0 ? undefined : old
    })
    expect([runs, table.get('/')?.hits]).toEqual([2, 1])
    expect(isOpen(table, '/')).toBe(true)
  })

  it('deleteIf does not delete what was needed again, though the number is the same', () => {
    const { table, theirs } = pair([page('/', 1)])
    const seen: number[] = []
    const isUnused = (item: Parameters<typeof Page.get.hits>[1]) => {
      if (seen.length < 3) theirs.add('/', 'hits', -1)
      seen.push(Page.get.hits(table.arena, item))
      if (seen.length < 4) theirs.add('/', 'hits', 1)
      return seen.at(-1) === 0
    }
    expect(table.deleteIf('/', isUnused)).toBe(false)
    expect(seen).toEqual([0, 0, 0, 1])
    expect(table.get('/')?.hits).toBe(1)
  })

  it('what a function throws leaves a record that can be read and added to', () => {
    const { table } = pair()
    sealed(table, '/')
    expect(() =>
      table.update('/', () => {
        throw new Error('no')
      }),
    ).toThrow('no')
    expect(table.add('/', 'hits', 1)).toBe(1)
  })
})

describe('refusals', () => {
  it('name the field, and say what to do', () => {
    const { table } = pair()
    const rows: [call: () => unknown, message: RegExp][] = [
      [
        () => table.add('/', 'title' as 'hits', 1),
        /^table.add: table "pages": field "title" is not atomic: it is utf8\(8\); atomic are hits, score$/,
      ],
      [
        () => table.add('/', 'hit' as 'hits', 1),
        /field "hit" is not atomic: there is no such field; atomic are/,
      ],
      [
        () => table.add('/', 'hits', 0.5),
        /^table.add: delta is 0.5; give an integer from -2147483648 to 4294967295$/,
      ],
      [() => table.add('/', 'hits', 2 ** 32), /delta is/],
      [() => table.add(7 as unknown as string, 'hits', 1), /^table.add: key/],
      [
        () => table.compareExchange('/', 'hits', -1, 1),
        /^table.compareExchange: expected is -1; give an integer from 0/,
      ],
      [
        () => table.compareExchange('/', 'score', 1, 2 ** 31),
        /^table.compareExchange: value is 2147483648; give/,
      ],
      [
        () => table.compareExchange('/', 'path' as 'hits', 1, 2),
        /^table.compareExchange: table "pages": field "path"/,
      ],
    ]
    for (const [call, message] of rows) expect(misuse(call).message).toMatch(message)
    expect(table.get('/')).toEqual(page('/'))
  })

  it('a record without atomic fields has nothing to add to', () => {
    const { arena } = pair()
    const plain = HashTable.create(arena, 'plain', {
      record: record({ id: u32, n: u32 }),
      key: 'id',
      capacity: 1,
    })
    // @ts-expect-error there is no atomic field
    expect(misuse(() => plain.add(1, 'n', 1)).message).toMatch(
      /it is u32; the record has no atomic fields: declare/,
    )
  })

  it('an arena that was left adds nothing', () => {
    const { table, theirs, other } = pair()
    other.detach()
    misuse(() => theirs.add('/', 'hits', 1))
    expect(table.get('/')?.hits).toBe(0)
  })

  it('who can never seal a record says so, and nothing has changed', () => {
    const { table, theirs, other } = pair([page('/', 5)])
    const at = table.smr.read(() => table.find('/') + HITS)
    const { cas } = other.memory
    Object.assign(other.memory, {
      cas(this: typeof other.memory, word: number, expected: number, value: number) {
        return word === at ? 0 : cas.call(this, word, expected, value)
      },
    })
    for (const write of [
      () => theirs.set(page('/', 9)),
      () => theirs.delete('/'),
      () => theirs.add('/', 'hits', 1),
    ]) {
      expect(exhausted(write).message).toMatch(
        /have added to field "hits" of one record all the time; nothing/,
      )
    }
    expect(heldAt(table.arena.memory, at)).toBe(5)
    expect([table.add('/', 'hits', 1), table.size]).toEqual([6, 1])
  })
})

/**
 * Names: found by every worker, made once, told apart by kind, forgotten when removed; and a name's
 * later namesake is not taken for it.
 */

import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { Misuse } from '#src/base/errors.ts'
import type { Arena } from '#src/index.ts'
import { Entry, Header, Named } from '#src/memory/layout.ts'
import type { Directory, Listing } from '#src/space/directory.ts'
import { pair } from '../../helpers/company.ts'
import { corruption, exhausted, misuse, unchanged, wild } from '../../helpers/refusals.ts'

let arena: Arena
let one: Directory
let two: Directory

beforeEach(() => {
  const [a, b] = pair()
  arena = a
  one = a.space.directory
  two = b.space.directory
})

const never = (): number => expect.unreachable('must not be built again')

/** Makes or finds a zone of this name; `address` is where it claims to be. */
function open(directory: Directory, name: string, address = 1000): Listing {
  const found = directory.open('x', Named.zone, name, () => address)
  if (found === undefined) expect.unreachable(`${name} was not made`)
  return found
}

describe('a damaged entry', () => {
  it.each([
    ['of no kind', Entry.kind, 77],
    ['of a kind below all', Entry.kind, -1],
    ['without a name', Entry.nameBytes, 0],
    ['with a name longer than there is room for', Entry.nameBytes, 2 ** 30],
  ])('%s is told to whoever meets it', (_, word, value) => {
    const { entry } = open(one, 'name')
    arena.memory.store(entry + word, value)
    expect(corruption(() => two.list()).message).toContain(`the entry at ${entry} is damaged`)
    expect(arena.space.locks.holds(Header.directoryLock)).toBe(false)
  })
})

describe('open', () => {
  it('makes a thing once; the second worker gets the same', () => {
    const made = open(one, 'name', 4711)
    const found = two.open('x', Named.zone, 'name', never)
    expect(made).toMatchObject({ kind: Named.zone, name: 'name', address: 4711, created: true })
    expect(found).toEqual({ ...made, created: false })
    expect(one.open('x', Named.zone, 'name', never)).toEqual(found)
  })

  it('hands the serial number to the builder, and each thing another', () => {
    const serials: number[] = []
    for (const name of ['a', 'b']) {
      const found = one.open('x', Named.zone, name, (serial) => serials.push(serial) * 100)
      expect(found?.serial).toBe(serials.at(-1))
    }
    expect(new Set(serials).size).toBe(2)
    expect(serials).not.toContain(0)
  })

  it('keeps a domain, a zone, a table and a lock of one name apart', () => {
    const kinds = [Named.domain, Named.zone, Named.table, Named.lock]
    const all = kinds.map((kind, i) => one.open('x', kind, 'same', () => 100 + i))
    expect(all.map((each) => each?.address)).toEqual([100, 101, 102, 103])
    expect(new Set(all.map((each) => each?.entry)).size).toBe(4)
    kinds.forEach((kind, i) => {
      expect(two.find('x', kind, 'same')?.address).toBe(100 + i)
    })
  })

  it('leaves no name behind when the builder gives up or throws', () => {
    expect(one.open('x', Named.zone, 'a', () => 0)).toBeUndefined()
    const boom = new Error('boom')
    expect(() =>
      one.open('x', Named.zone, 'b', () => {
        throw boom
      }),
    ).toThrow(boom)
    expect(two.list()).toEqual([])
    expect(arena.memory.load(Header.directoryLock)).toBe(0)
  })

  it('is not seen by others before it is built: the builder still finds nothing', () => {
    let kinds = 0
    one.open('x', Named.zone, 'a', () => {
      const entry = arena.memory.peek(Header.directoryAt)
      kinds = arena.memory.load(entry)
      return 100
    })
    expect(kinds).toBe(Named.free)
  })

  it('a name that was removed leaves nothing of itself in its successor', () => {
    const { serial, entry } = open(one, 'a rather long name')
    one.remove(serial, () => {})
    const next = open(one, 'ab')
    expect([next.entry, next.name]).toEqual([entry, 'ab'])
    expect(two.find('x', Named.zone, 'a rather long name')).toBeUndefined()
  })
})

describe('find', () => {
  it('finds what is there, and makes nothing', () => {
    unchanged(arena, () => expect(one.find('x', Named.zone, 'name')).toBeUndefined())
    open(one, 'name')
    expect(two.find('x', Named.zone, 'name')).toMatchObject({ name: 'name', created: false })
    expect(two.find('x', Named.domain, 'name')).toBeUndefined()
  })

  it('compares whole names: neither a beginning nor another case will do', () => {
    open(one, 'name')
    for (const other of ['nam', 'names', 'Name', 'name ', 'n']) {
      expect(two.find('x', Named.zone, other), other).toBeUndefined()
    }
  })
})

describe('names', () => {
  it('of any whole characters, up to 64 bytes, come back as they were', () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 64 })
      .filter((text) => new TextEncoder().encode(text).length <= 64)
    fc.assert(
      fc.property(name, (text) => {
        const made = open(one, text, 77)
        expect(two.find('x', Named.zone, text)).toEqual({ ...made, created: false })
        expect(two.list().map((each) => each.name)).toEqual([text])
        expect(one.remove(made.serial, () => {})).toBe(true)
      }),
    )
  })

  it.each([
    'x'.repeat(64),
    'é'.repeat(32),
    '日'.repeat(21),
    '😀'.repeat(16),
    '\ufeffname',
    '\0',
    ' ',
  ])('%j is one', (name) => {
    open(one, name)
    expect(two.list().map((each) => each.name)).toEqual([name])
  })

  it('an accent in front and a composed letter are two names', () => {
    open(one, 'e\u0301')
    expect(two.find('x', Named.zone, '\u00e9')).toBeUndefined()
  })

  it.each<[string, unknown]>([
    ['empty', ''],
    ['65 bytes', 'x'.repeat(65)],
    ['66 bytes in 33 characters', 'é'.repeat(33)],
    ['half a character', '\ud800'],
    ['no string', 5],
    ['no string', undefined],
    ['no string', null],
    ['no string', { toString: () => 'x' }],
    ['no string', ['x']],
    ['no string', Symbol('x')],
  ])('are refused when %s (%s): the call is named and nothing changes', (_, name) => {
    unchanged(arena, () => {
      for (const act of [
        () => one.open('arena.zone', Named.zone, wild(name), never),
        () => one.find('arena.zone', Named.zone, wild(name)),
      ]) {
        expect(misuse(act).message).toMatch(
          /^arena\.zone: the name is .*; give a string of 1 to 64 bytes of UTF-8$/s,
        )
      }
    })
  })
})

describe('a full directory', () => {
  it('refuses one more name, says how many there are, and works on after a removal', () => {
    const names = arena.memory.peek(Header.names)
    const all = Array.from({ length: names }, (_, i) => open(one, `n${i}`, i + 1))
    const error = unchanged(arena, () =>
      exhausted(() => one.open('arena.lock', Named.lock, 'more', never)),
    )
    expect(error.message).toMatch(/^arena\.lock: all 32 names of the arena are taken/)
    expect(error.facts).toEqual({ names })
    expect(two.open('x', Named.zone, 'n31', never)?.address).toBe(32)
    two.remove(all[5]?.serial ?? 0, () => {})
    expect(open(one, 'more', 99).entry).toBe(all[5]?.entry)
    expect(two.list().length).toBe(names)
  })
})

describe('remove', () => {
  it('forgets the name, then dismantles; once', () => {
    const { serial } = open(one, 'name')
    let seen: number | undefined
    expect(
      two.remove(serial, () => {
        seen = arena.memory.load(arena.memory.peek(Header.directoryAt))
      }),
    ).toBe(true)
    expect(seen).toBe(Named.free)
    expect(one.find('x', Named.zone, 'name')).toBeUndefined()
    expect(one.remove(serial, () => expect.unreachable('gone already'))).toBe(false)
  })

  it('a namesake is another thing: its serial differs, and the old one does not remove it', () => {
    const first = open(one, 'name')
    one.remove(first.serial, () => {})
    const second = open(two, 'name')
    expect(second.serial).not.toBe(first.serial)
    expect(one.remove(first.serial, () => expect.unreachable('not this one'))).toBe(false)
    expect(one.find('x', Named.zone, 'name')?.serial).toBe(second.serial)
  })

  it('of one thing leaves the others alone', () => {
    const [, b] = ['a', 'b', 'c'].map((name) => open(one, name))
    one.remove(b?.serial ?? 0, () => {})
    expect(two.list().map((each) => each.name)).toEqual(['a', 'c'])
  })

  it('gives the lock back also when dismantling throws', () => {
    const { serial } = open(one, 'name')
    expect(() =>
      one.remove(serial, () => {
        throw new Error('boom')
      }),
    ).toThrow('boom')
    expect(arena.memory.load(Header.directoryLock)).toBe(0)
  })
})

describe('the note that something may have to be swept', () => {
  const noted = (): readonly boolean[] => [one.isUnswept, one.isTorn]
  const during: (readonly boolean[])[] = []
  const note = (): number => during.push(noted())

  beforeEach(() => {
    during.length = 0
  })

  it.each<[string, () => void]>([
    ['a thing is made', () => void one.open('x', Named.zone, 'a', note)],
    [
      'its builder gives up',
      () => {
        one.open('x', Named.zone, 'a', () => {
          note()
          return 0
        })
      },
    ],
    [
      'its builder refuses',
      () => {
        misuse(() =>
          one.open('x', Named.zone, 'a', () => {
            note()
            throw new Misuse('no')
          }),
        )
      },
    ],
    ['a thing is removed', () => void one.remove(open(two, 'a').serial, note)],
  ])('stands while %s, and not afterwards', (_, act) => {
    act()
    expect(during).toEqual([[true, true]])
    expect(noted()).toEqual([false, false])
  })

  it('stays when the builder fails, also while others make things, until somebody has swept', () => {
    expect(() =>
      one.open('x', Named.zone, 'a', () => {
        throw new Error('boom')
      }),
    ).toThrow('boom')
    open(two, 'b')
    two.remove(open(two, 'c').serial, () => {})
    expect(noted()).toEqual([true, true])
    one.swept()
    expect(noted()).toEqual([false, false])
  })

  it('comes with a name that is dropped', () => {
    const made = open(one, 'a')
    one.drop(made)
    expect([noted(), one.list()]).toEqual([[true, true], []])
    one.swept()
  })
})

describe('the directory’s own lock', () => {
  it('is taken over from a worker that died with it', () => {
    const [a, b] = pair()
    b.space.locks.lock(Header.directoryLock, 'x')
    a.space.workers.release(b.workerId)
    expect(open(a.space.directory, 'name').created).toBe(true)
    expect(a.memory.load(Header.directoryLock)).toBe(0)
  })

  it('is held while somebody looks at all names', () => {
    open(one, 'name')
    one.whileLocked((names) => {
      expect(names.map((each) => each.name)).toEqual(['name'])
      expect(arena.space.locks.holds(Header.directoryLock)).toBe(true)
    })
    expect(arena.memory.load(Header.directoryLock)).toBe(0)
  })
})

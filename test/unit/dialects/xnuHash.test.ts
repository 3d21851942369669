/** XNU's scalable hash tables over the core's: what their names find, what their cursors change, what they refuse. */

import { beforeEach, describe, expect, it } from 'vitest'
import * as xnu from '#src/dialects/xnu.ts'
import { Arena, atomic, bytes, type Item, i64, record, u32, utf8 } from '#src/index.ts'
import { misuse, unchanged, wild } from '../../helpers/refusals.ts'

const Task = record({ pid: u32, age: u32, refs: atomic(u32) })
const File = record({ path: utf8(15), node: i64 })

/** An element without references is on its way out; any other is counted. */
const tryGet = (obj: Item): boolean => {
  if (Task.get.refs(arena, obj) === 0) return false
  Task.add.refs(arena, obj, 1)
  return true
}

const traits = xnu.SMRH_TRAITS_DEFINE_SCALAR(Task, 'pid')
const counted = xnu.SMRH_TRAITS_DEFINE_SCALAR(Task, 'pid', { obj_try_get: tryGet })
const task = (pid: number, age = 0, refs = 1) => ({ pid, age, refs })

let arena: Arena
let there: Arena
let tasks: ReturnType<typeof init>
let theirs: ReturnType<typeof init>

function init(where: Arena, policy: xnu.smrsh_policy_t = xnu.SMRSH_BALANCED, name = 'tasks') {
  return xnu.smr_shash_init(where, name, traits, policy, 64)
}

beforeEach(() => {
  arena = Arena.create({ bytes: 2 ** 22, maxWorkers: 4, checks: true })
  there = Arena.attach(arena.handle)
  tasks = init(arena)
  theirs = init(there)
  xnu.smr_shash_get_or_insert(tasks, 1, task(1), traits)
})

/** The cursor for the element of a key, made in a section that has ended. */
function cursorFor(smrh: typeof tasks, pid: number) {
  xnu.smrht_enter(smrh)
  const obj = xnu.smr_shash_entered_find(smrh, pid, traits)
  const cursor = xnu.smr_shash_entered_mut_begin(smrh, obj, traits)
  xnu.smrht_leave(smrh)
  if (cursor === null) throw new Error('the element is gone')
  return cursor
}

const ageOf = (pid: number): number | undefined => xnu.smr_shash_get(theirs, pid, traits)?.age

describe('traits', () => {
  it('know the type of the key, and take a domain', () => {
    const smr = xnu.smr_domain_create(arena, xnu.SMR_NONE, 'files')
    const text = xnu.SMRH_TRAITS_DEFINE_STR(File, 'path', { domain: smr })
    const files = xnu.smr_shash_init(arena, 'files', text, xnu.SMRSH_COMPACT, 1)
    expect(files.table.smr).toBe(smr)
    expect(tasks.table.smr.name).toBe('tasks')
    xnu.smr_shash_get_or_insert(files, '/', { path: '/', node: 2n }, text)
    expect(xnu.smr_shash_get(files, '/', text)).toEqual({ path: '/', node: 2n })
    const far = xnu.SMRH_TRAITS_DEFINE_SCALAR(File, 'node')
    expect(far.key).toBe('node')
  })

  it.each([
    ['text as a scalar', () => xnu.SMRH_TRAITS_DEFINE_SCALAR(File, 'path')],
    ['a scalar as text', () => xnu.SMRH_TRAITS_DEFINE_STR(Task, 'pid')],
    ['no key', () => xnu.SMRH_TRAITS_DEFINE_SCALAR(record({ at: bytes(4) }), wild('at'))],
    ['no field', () => xnu.SMRH_TRAITS_DEFINE_SCALAR(Task, wild('name'))],
    ['no record', () => xnu.SMRH_TRAITS_DEFINE_SCALAR(wild({}), wild('name'))],
    ['no function', () => xnu.SMRH_TRAITS_DEFINE_STR(File, 'path', { obj_try_get: wild(1) })],
  ])('refuse %s', (_, define) => {
    misuse(define)
  })
})

describe('reading', () => {
  it('finds an element in a section, where it lies', () => {
    misuse(() => xnu.smr_shash_entered_find(tasks, 1, traits))
    xnu.smrht_enter(tasks)
    const obj = xnu.smr_shash_entered_find(tasks, 1, traits)
    expect(Task.get.pid(arena, obj)).toBe(1)
    expect(xnu.smr_shash_entered_get(tasks, 1, counted)).toBe(obj)
    expect(Task.get.refs(arena, obj)).toBe(2)
    expect(xnu.smr_shash_entered_find(tasks, 2, traits)).toBe(0)
    expect(xnu.smr_shash_entered_get(tasks, 2, counted)).toBe(0)
    expect(xnu.smr_shash_get(tasks, 1, traits)?.refs).toBe(2)
    xnu.smrht_leave(tasks)
  })

  it('takes copies out of it, also in another worker', () => {
    expect(xnu.smr_shash_get(theirs, 1, traits)).toEqual(task(1))
    expect(xnu.smr_shash_get(theirs, 2, traits)).toBeNull()
  })

  it('obj_try_get refuses an element, and may count', () => {
    expect(xnu.smr_shash_get(tasks, 1, counted)?.refs).toBe(2)
    tasks.table.set(task(1, 0, 0))
    expect(xnu.smr_shash_get(tasks, 1, counted)).toBeNull()
    expect(xnu.smr_shash_get(tasks, 1, traits)).toEqual(task(1, 0, 0))
    xnu.smrht_enter(tasks)
    expect(xnu.smr_shash_entered_get(tasks, 1, counted)).toBe(0)
    xnu.smrht_leave(tasks)
  })
})

describe('writing', () => {
  it('get or insert: null if it was inserted, else the element that is there', () => {
    expect(xnu.smr_shash_get_or_insert(theirs, 2, task(2, 5), traits)).toBeNull()
    expect(xnu.smr_shash_get_or_insert(tasks, 2, task(2, 9), traits)).toEqual(task(2, 5))
    expect(ageOf(2)).toBe(5)
  })

  it('get or insert replaces what obj_try_get refuses', () => {
    tasks.table.set(task(1, 0, 0))
    expect(xnu.smr_shash_get_or_insert(tasks, 1, task(1, 7), counted)).toBeNull()
    expect(xnu.smr_shash_get_or_insert(tasks, 1, task(1, 8), counted)).toEqual(task(1, 7, 2))
  })

  it('get or insert looks again if another worker was first', () => {
    let isFirst = true
    const late = xnu.SMRH_TRAITS_DEFINE_SCALAR(Task, 'pid', {
      obj_try_get: (obj) => Task.get.refs(arena, obj) > 0,
    })
    tasks.table.set(task(1, 0, 0))
    const hasty = xnu.SMRH_TRAITS_DEFINE_SCALAR(Task, 'pid', {
      obj_try_get: (obj) => {
        const isAlive = late.obj_try_get(obj)
        if (isFirst) theirs.table.set(task(1, 40))
        isFirst = false
        return isAlive
      },
    })
    expect(xnu.smr_shash_get_or_insert(tasks, 1, task(1, 9), hasty)).toEqual(task(1, 40))
  })

  it('removes and replaces by key, if the element is there', () => {
    expect(xnu.smr_shash_replace(tasks, 1, task(1, 3), traits)).toBe(true)
    expect(xnu.smr_shash_replace(tasks, 2, task(2, 3), traits)).toBe(false)
    expect([ageOf(1), ageOf(2)]).toEqual([3, undefined])
    expect(xnu.smr_shash_remove(theirs, 1, traits)).toBe(true)
    expect(xnu.smr_shash_remove(tasks, 1, traits)).toBe(false)
  })
})

describe('cursors', () => {
  it('erase the element that they were made for', () => {
    expect(xnu.smr_shash_entered_mut_erase(tasks, cursorFor(tasks, 1), traits)).toBe(true)
    expect(ageOf(1)).toBeUndefined()
  })

  it('replace it', () => {
    expect(xnu.smr_shash_entered_mut_replace(cursorFor(tasks, 1), task(1, 4), traits)).toBe(true)
    expect(ageOf(1)).toBe(4)
  })

  it('abort, and any number may be open', () => {
    const [one, two, three] = [cursorFor(tasks, 1), cursorFor(tasks, 1), cursorFor(tasks, 1)]
    xnu.smr_shash_entered_mut_abort(one)
    expect(xnu.smr_shash_entered_mut_replace(two, task(1, 4), traits)).toBe(true)
    expect(xnu.smr_shash_entered_mut_erase(tasks, three, traits)).toBe(false)
    expect(ageOf(1)).toBe(4)
  })

  it.each([
    ['replaced', () => theirs.table.set(task(1, 30)), 30],
    ['removed', () => theirs.table.delete(1), undefined],
  ])('change nothing when the element was %s meanwhile', (_, meanwhile, age) => {
    const [erase, replace] = [cursorFor(tasks, 1), cursorFor(tasks, 1)]
    meanwhile()
    expect(xnu.smr_shash_entered_mut_erase(tasks, erase, traits)).toBe(false)
    expect(xnu.smr_shash_entered_mut_replace(replace, task(1, 4), traits)).toBe(false)
    expect(ageOf(1)).toBe(age)
  })

  it('are not made for an element that is gone', () => {
    xnu.smrht_enter(tasks)
    const obj = xnu.smr_shash_entered_find(tasks, 1, traits)
    theirs.table.set(task(1, 30))
    expect(xnu.smr_shash_entered_mut_begin(tasks, obj, traits)).toBeNull()
    theirs.table.delete(1)
    expect(xnu.smr_shash_entered_mut_begin(tasks, obj, traits)).toBeNull()
    xnu.smrht_leave(tasks)
  })
})

describe('policies', () => {
  const fill = (smrh: typeof tasks, from: number, to: number): void => {
    for (let pid = from; pid < to; pid++) smrh.table.set(task(pid))
  }

  it('choose stripes and chains', () => {
    const stats = [xnu.SMRSH_COMPACT, xnu.SMRSH_BALANCED, xnu.SMRSH_FASTEST].map((policy) =>
      init(arena, policy as xnu.smrsh_policy_t, `policy ${policy}`).table.stats(),
    )
    expect(stats.map(({ stripes }) => stripes)).toEqual([4, 16, 64])
    expect(stats.map(({ chains }) => chains)).toEqual([64, 64, 256])
  })

  it.each([
    ['compact', xnu.SMRSH_COMPACT, [512, 64]],
    ['balanced', xnu.SMRSH_BALANCED, [2048, 64]],
    ['never', xnu.SMRSH_BALANCED_NOSHRINK, []],
    ['fastest', xnu.SMRSH_FASTEST, []],
  ] as const)('shrink as they say: %s', (name, policy, sizes) => {
    const smrh = init(arena, policy, name)
    const MANY = 4096
    fill(smrh, 0, MANY)
    smrh.table.resize(2 * MANY)
    const seen = new Set([smrh.table.stats().chains])
    for (let pid = 0; pid < MANY; pid++) {
      expect(xnu.smr_shash_remove(smrh, pid, traits)).toBe(true)
      seen.add(smrh.table.stats().chains)
    }
    const [first, ...smaller] = seen
    expect(first).toBe(2 * MANY)
    if (sizes.length === 0) expect(smaller).toEqual([])
    else for (const size of sizes) expect(smaller).toContain(size)
    expect(smaller).toEqual([...smaller].sort((a, b) => b - a))
  })

  it('a table is not shrunk while readers are in the arrays of the last move', () => {
    const smrh = init(arena, xnu.SMRSH_COMPACT, 'held')
    fill(smrh, 0, 512)
    const reader = init(there, xnu.SMRSH_COMPACT, 'held')
    xnu.smrht_enter(reader)
    smrh.table.resize(8192)
    for (let pid = 0; pid < 512; pid++) xnu.smr_shash_remove(smrh, pid, traits)
    expect(smrh.table.stats().chains).toBe(8192)
    xnu.smrht_leave(reader)
    for (let round = 0; round < 256; round++) {
      fill(smrh, 0, 1)
      xnu.smr_shash_remove(smrh, 0, traits)
    }
    expect(smrh.table.stats().chains).toBe(64)
  })
})

it('destroy tells of every element that is left', () => {
  xnu.smr_shash_get_or_insert(tasks, 2, task(2), traits)
  const freed: number[] = []
  xnu.smr_shash_destroy(tasks, traits, ({ pid }) => freed.push(pid))
  expect(freed.sort()).toEqual([1, 2])
  const again = init(arena)
  expect(again.table.size).toBe(0)
  xnu.smr_shash_destroy(again, traits)
})

describe('refusals', () => {
  it('writes in a section', () => {
    const cursor = cursorFor(tasks, 1)
    xnu.smrht_enter(tasks)
    unchanged(arena, () => {
      misuse(() => xnu.smr_shash_get_or_insert(tasks, 2, task(2), traits))
      misuse(() => xnu.smr_shash_remove(tasks, 1, traits))
      misuse(() => xnu.smr_shash_replace(tasks, 1, task(1), traits))
      misuse(() => xnu.smr_shash_entered_mut_erase(tasks, cursor, traits))
      misuse(() => xnu.smr_shash_entered_mut_replace(cursor, task(1), traits))
      misuse(() => xnu.smr_shash_destroy(tasks, traits))
    })
    xnu.smrht_leave(tasks)
    // None of it was the end of the cursor.
    expect(xnu.smr_shash_entered_mut_erase(tasks, cursor, traits)).toBe(true)
  })

  it('cursors that are over, of another table, or none', () => {
    const other = init(arena, xnu.SMRSH_BALANCED, 'other')
    const cursor = cursorFor(tasks, 1)
    misuse(() => xnu.smr_shash_entered_mut_begin(tasks, cursor.version as Item, traits))
    unchanged(arena, () => {
      misuse(() => xnu.smr_shash_entered_mut_erase(other, cursor, traits))
      misuse(() => xnu.smr_shash_entered_mut_replace(cursor, task(2), traits))
    })
    xnu.smr_shash_entered_mut_abort(cursor)
    unchanged(arena, () => {
      misuse(() => xnu.smr_shash_entered_mut_abort(cursor))
      misuse(() => xnu.smr_shash_entered_mut_erase(tasks, cursor, traits))
      misuse(() => xnu.smr_shash_entered_mut_replace(cursor, task(1), traits))
      misuse(() => xnu.smr_shash_entered_mut_abort(wild({})))
      misuse(() => xnu.smr_shash_entered_mut_replace(wild(undefined), task(1), traits))
    })
    xnu.smrht_enter(tasks)
    misuse(() => xnu.smr_shash_entered_mut_begin(tasks, 8 as Item, traits))
    xnu.smrht_leave(tasks)
  })

  it('keys, policies, sizes and handles that are none', () => {
    unchanged(arena, () => {
      misuse(() => xnu.smr_shash_get_or_insert(tasks, 2, task(3), traits))
      misuse(() => xnu.smr_shash_replace(tasks, 1, task(3), traits))
      misuse(() => xnu.smr_shash_init(arena, 'more', traits, wild(4), 64))
      misuse(() => xnu.smr_shash_init(arena, 'more', traits, xnu.SMRSH_COMPACT, 0))
      misuse(() => xnu.smr_shash_init(arena, 'more', wild({}), xnu.SMRSH_COMPACT, 1))
      misuse(() => xnu.smr_shash_init(wild({}), 'more', traits, xnu.SMRSH_COMPACT, 1))
      misuse(() => xnu.smr_shash_get(wild({}), 1, traits))
      misuse(() => xnu.smr_shash_get(tasks, 1, wild({})))
      misuse(() => init(arena, xnu.SMRSH_COMPACT)) // made with other stripes
    })
  })
})

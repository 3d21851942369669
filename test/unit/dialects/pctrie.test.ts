/** FreeBSD's pctrie over an ordered table: what its names find, and what they refuse. */

import { describe, expect, it } from 'vitest'
import {
  ENOMEM,
  pctrie_init,
  pctrie_insert,
  pctrie_is_empty,
  pctrie_lookup,
  pctrie_lookup_ge,
  pctrie_lookup_le,
  pctrie_lookup_range,
  pctrie_lookup_range_unlocked,
  pctrie_lookup_unlocked,
  pctrie_remove,
  pctrie_remove_lookup,
  pctrie_replace,
  smr_create,
  smr_enter,
  smr_exit,
} from '#src/dialects/freebsd.ts'
import { Arena, type Item, i32, i64, record, u32, utf8 } from '#src/index.ts'
import { misuse } from '../../helpers/refusals.ts'

const Page = record({ index: u32, frame: u32 })
const Far = record({ index: i64, frame: u32 })
const Signed = record({ index: i32, frame: u32 })
const Named = record({ index: utf8(8), frame: u32 })

function stage() {
  const arena = Arena.create({ bytes: 2 ** 20 })
  const pages = pctrie_init(arena, 'pages', Page, 'index')
  for (const index of [3, 4, 5, 9, 2 ** 32 - 1])
    pctrie_insert(pages, { index, frame: (index + 1) % 2 ** 32 })
  return { arena, pages }
}

const page = (index: number, frame = index + 1) => ({ index, frame })

describe('pctrie', () => {
  it('is made once, and opened by the same call', () => {
    const { arena, pages } = stage()
    const other = Arena.attach(arena.handle)
    const theirs = pctrie_init(other, 'pages', Page, 'index')
    expect(pctrie_lookup(theirs, 4)).toEqual(page(4))
    expect(pctrie_is_empty(pages)).toBe(false)
    misuse(() => pctrie_init(other, 'pages', Page, 'frame'))
    const smr = smr_create(arena, 'shared', 0, 0)
    const own = pctrie_init(arena, 'own', Page, 'index', smr)
    expect(own.smr).toBe(smr)
    expect(pctrie_is_empty(own)).toBe(true)
  })

  it('finds a key, and the nearest ones', () => {
    const { pages } = stage()
    expect(pctrie_lookup(pages, 6)).toBeNull()
    expect(pctrie_lookup_ge(pages, 6)).toEqual(page(9))
    expect(pctrie_lookup_le(pages, 6)).toEqual(page(5))
    expect(pctrie_lookup_le(pages, 2)).toBeNull()
    expect(pctrie_lookup_ge(pages, 10)?.index).toBe(2 ** 32 - 1)
  })

  it('finds where a record lies, in a section of the caller', () => {
    const { arena, pages } = stage()
    misuse(() => pctrie_lookup_unlocked(pages, 4))
    const value: Item[] = []
    misuse(() => pctrie_lookup_range_unlocked(pages, 3, value, 4))
    smr_enter(pages.smr)
    const item = pctrie_lookup_unlocked(pages, 4)
    expect(Page.get.frame(arena, item)).toBe(5)
    expect(pctrie_lookup_unlocked(pages, 6)).toBe(0)
    expect(pctrie_lookup_range_unlocked(pages, 3, value, 9)).toBe(3)
    expect(value.map((each) => Page.get.index(arena, each))).toEqual([3, 4, 5])
    expect(pctrie_lookup_range_unlocked(pages, 3, value, 2)).toBe(2)
    expect(pctrie_lookup_range_unlocked(pages, 6, value, 2)).toBe(0)
    smr_exit(pages.smr)
  })

  it('keys that follow one another end with the last of their type', () => {
    const { arena, pages } = stage()
    const value: { index: number; frame: number }[] = []
    expect(pctrie_lookup_range(pages, 2 ** 32 - 1, value, 5)).toBe(1)
    const far = pctrie_init(arena, 'far', Far, 'index')
    for (const index of [-1n, 0n, 1n]) pctrie_insert(far, { index, frame: 1 })
    expect(pctrie_lookup_range(far, -1n, [], 9)).toBe(3)
    pctrie_insert(far, { index: 2n ** 63n - 1n, frame: 1 })
    expect(pctrie_lookup_range(far, 2n ** 63n - 1n, [], 9)).toBe(1)
    const signed = pctrie_init(arena, 'signed', Signed, 'index')
    for (const index of [-1, 0, 2 ** 31 - 1]) pctrie_insert(signed, { index, frame: 1 })
    expect(pctrie_lookup_range(signed, -1, [], 9)).toBe(2)
    expect(pctrie_lookup_range(signed, 2 ** 31 - 1, [], 9)).toBe(1)
    const named = pctrie_init(arena, 'named', Named, 'index')
    misuse(() => pctrie_lookup_range(named, 'a' as never, [], 1))
    misuse(() => pctrie_lookup_range(pages, 1, value, -1))
  })

  it('inserts, replaces and removes; what the kernel panics at is Misuse', () => {
    const { pages } = stage()
    expect(pctrie_insert(pages, page(7))).toBe(0)
    misuse(() => pctrie_insert(pages, page(7)))
    expect(pctrie_replace(pages, page(7, 70))).toEqual(page(7))
    misuse(() => pctrie_replace(pages, page(8)))
    expect(pctrie_lookup(pages, 7)).toEqual(page(7, 70))
    pctrie_remove(pages, 7)
    misuse(() => pctrie_remove(pages, 7))
    expect(pctrie_remove_lookup(pages, 9)).toEqual(page(9))
    expect(pctrie_remove_lookup(pages, 9)).toBeNull()
    smr_enter(pages.smr)
    misuse(() => pctrie_insert(pages, page(8)))
    misuse(() => pctrie_remove(pages, 3))
    smr_exit(pages.smr)
    misuse(() => pctrie_is_empty({} as never))
  })

  it('says ENOMEM when there is no memory', () => {
    const arena = Arena.create({ bytes: 2 ** 17, maxWorkers: 2 })
    const pages = pctrie_init(arena, 'pages', Page, 'index')
    let index = 0
    while (index < 2 ** 16 && pctrie_insert(pages, page(index)) === 0) index++
    expect(pctrie_insert(pages, page(index))).toBe(ENOMEM)
    expect(pctrie_lookup(pages, index)).toBeNull()
    expect(pages.size).toBe(index)
  })
})

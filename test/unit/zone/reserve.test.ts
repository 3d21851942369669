/** A reserve that is kept: the last items are for callers that ask, and what comes back fills it first. */

import { describe, expect, it } from 'vitest'
import { Arena, Exhausted, HashTable, Misuse, record, u32 } from '#src/index.ts'
import { misuse } from '../../helpers/refusals.ts'
import { CONFIGS, type Config } from '../../helpers/tiny.ts'
import { alloc, allocAll, allocMany, free, freeMany, KINDS, thrown, tryAlloc } from './stage.ts'

const LIMIT = 20
const RESERVE = 5
const options = { bucket: 4, trimEveryMs: 0, limit: LIMIT, reserve: RESERVE } as const
const kept = { ...options, keepReserve: true } as const

describe.each(KINDS)('$kind zone', ({ stage }) => {
  const start = () => stage(CONFIGS[0] as Config, kept)

  it('leaves the last items to those who ask', () => {
    const { a, b } = start()
    const all = [...allocAll(a), ...allocAll(b)]
    expect(all).toHaveLength(LIMIT - RESERVE)
    thrown(Exhausted, () => alloc(a), `only its reserve of ${RESERVE} is left`)
    const more = Array.from({ length: RESERVE }, (_, i) => {
      const actor = i % 2 === 0 ? a : b
      return actor.zone.useReserve(() => alloc(actor))
    })
    expect(new Set([...all, ...more]).size).toBe(LIMIT)
    thrown(Exhausted, () => a.zone.useReserve(() => alloc(a)), `its limit of ${LIMIT} is reached`)
    expect([tryAlloc(a), tryAlloc(b)]).toEqual([0, 0])
    a.zone.check()
    freeMany(a, [...all, ...more])
  })

  it('what comes back fills it first', () => {
    const { a, b } = start()
    const all = [...allocAll(a), ...allocAll(b)]
    const more = a.zone.useReserve(() => allocMany(a, RESERVE))
    // All are out: of what comes back the first are the reserve's.
    for (const item of more) {
      free(a, item)
      a.zone.seal()
      b.zone.seal()
      expect([tryAlloc(a), tryAlloc(b)]).toEqual([0, 0])
    }
    free(a, all.pop() as never)
    a.zone.seal()
    const again = tryAlloc(b) || tryAlloc(a)
    expect(again).not.toBe(0)
    expect([tryAlloc(a), tryAlloc(b)]).toEqual([0, 0])
    expect(a.zone.useReserve(() => allocMany(a, RESERVE))).toHaveLength(RESERVE)
    a.zone.check()
  })

  it('without keepReserve it is open to all', () => {
    const { a } = stage(CONFIGS[0] as Config, options)
    expect(allocAll(a)).toHaveLength(LIMIT)
    expect(a.zone.useReserve(() => tryAlloc(a))).toBe(0)
  })

  it('without a limit it is what is left when memory has run out', () => {
    const { a } = stage(CONFIGS[0] as Config, {
      bucket: 4,
      reserve: RESERVE,
      keepReserve: true,
      bytes: 4000,
    })
    const most = allocAll(a)
    const more: number[] = []
    for (let item = 1; item !== 0; more.push(item)) item = a.zone.useReserve(() => tryAlloc(a))
    expect(most.length).toBeGreaterThan(0)
    expect(more.length - 1).toBe(RESERVE)
    a.zone.check()
  })

  it('stays in the slabs when memory is given back', () => {
    const { a } = start()
    freeMany(a, allocMany(a, 10))
    a.zone.reclaim('all')
    expect(a.zone.stats().inSlabs).toBeGreaterThanOrEqual(RESERVE)
  })

  it('is asked for in a function, and ends with it', () => {
    const { a } = start()
    allocAll(a)
    expect(() =>
      a.zone.useReserve(() => {
        throw new RangeError('mine')
      }),
    ).toThrow('mine')
    expect(tryAlloc(a)).toBe(0)
    expect(a.zone.useReserve(() => a.zone.useReserve(() => 7))).toBe(7)
    thrown(Misuse, () => a.zone.useReserve(1 as never))
  })

  it('is part of what a zone is made with', () => {
    const { b } = start()
    const open = (more: object) => b.arena.zone('things', more)
    misuse(() => open({ keepReserve: false }))
    expect(open({ keepReserve: true }).name).toBe('things')
    misuse(() => open({ keepReserve: 1 }))
    misuse(() => b.arena.zone('other', { bytes: 8, keepReserve: true }))
  })
})

it('is for the writes of a table, too', () => {
  const Row = record({ id: u32 })
  const arena = Arena.create({ bytes: 2 ** 19 })
  const table = HashTable.create(arena, 'rows', {
    record: Row,
    key: 'id',
    capacity: 16,
    ...kept,
  })
  let id = 0
  expect(() => {
    for (;;) table.set({ id: id++ })
  }).toThrow(Exhausted)
  expect(table.size).toBe(LIMIT - RESERVE)
  table.zone.useReserve(() => table.set({ id }))
  expect(table.has(id)).toBe(true)
})

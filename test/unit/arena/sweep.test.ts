/**
 * Sweeping: what nothing leads to goes back, and what anything leads to stays.
 */

import { beforeEach, expect, it } from 'vitest'
import { sweepOrphans } from '#src/arena/sweep.ts'
import { type Arena, HashTable, record, u32 } from '#src/index.ts'
import { DomainWords, Named, PAGE_WORDS, RunKind } from '#src/memory/layout.ts'
import { checkPages } from '#src/space/pages.ts'
import type { Space } from '#src/space/space.ts'
import { pair } from '../../helpers/company.ts'

function sweep(space: Space): number {
  return space.directory.whileLocked((names) => sweepOrphans(space, names))
}

const Row = record({ id: u32, value: u32 })

let a: Arena

beforeEach(() => {
  ;[a] = pair({ bytes: 2 ** 20 })
})

it('keeps everything of a living arena: domains, zones, slabs, tables, arrays, roots and locks', () => {
  const smr = a.smr('d')
  const zone = a.zone('z', { bytes: 500, smr })
  const plain = a.zone('p', { bytes: 8 })
  const table = HashTable.create(a, 't', { record: Row, key: 'id', capacity: 100 })
  const items = Array.from({ length: 50 }, () => zone.zallocSmr())
  a.lock('l')
  a.root('r')
  for (let id = 0; id < 500; id++) table.set({ id, value: id })
  table.resize(1000)
  for (const item of items) zone.zfreeSmr(item)
  const before = a.space.pages.runs()
  expect(sweep(a.space)).toBe(0)
  expect(a.space.pages.runs()).toEqual(before)
  expect(table.get(77)).toEqual({ id: 77, value: 77 })
  zone.check()
  plain.check()
})

it('gives back what has no name: half made, or half destroyed', () => {
  const zone = a.zone('z', { bytes: 8 })
  zone.zalloc()
  const kinds = Object.values(RunKind)
  const orphans = kinds.map((kind) => {
    const base = a.space.pages.reserve(PAGE_WORDS)
    a.memory.fill(base, PAGE_WORDS, 0)
    a.space.pages.publish(base, kind)
    return base
  })
  expect(sweep(a.space)).toBe(kinds.length)
  const left = a.space.pages.runs().filter(({ state }) => state === 'used')
  for (const { base } of left) expect(orphans).not.toContain(base)
  checkPages(a.memory, a.space.pages)
  expect(sweep(a.space)).toBe(0)
  zone.check()
})

it('leaves alone what a living worker has reserved and is still making', () => {
  const base = a.space.pages.reserve(1)
  expect(sweep(a.space)).toBe(0)
  expect(a.space.pages.runs()).toMatchObject([{ base, state: 'reserved' }])
})

it('counts the zones of each domain again', () => {
  const smr = a.smr('d')
  const other = a.smr('e')
  for (const name of ['x', 'y']) a.zone(name, { bytes: 8, smr })
  a.zone('p', { bytes: 8 })
  for (const { address } of [smr, other]) a.memory.store(address + DomainWords.users, 9)
  sweep(a.space)
  const users = [smr, other].map(({ address }) => a.memory.load(address + DomainWords.users))
  expect(users).toEqual([2, 0])
})

it('what a living worker has left half made is swept once, in a turn of its own', () => {
  const { directory, watch } = a.space
  const boom = new Error('boom')
  const half = (): never => {
    const base = a.space.pages.reserve(1)
    a.space.pages.publish(base, RunKind.zone)
    throw boom
  }
  expect(() => directory.open('x', Named.zone, 'half', half)).toThrow(boom)
  expect([directory.isUnswept, directory.isTorn]).toEqual([true, true])
  watch.check()
  expect(a.space.pages.runs().filter(({ state }) => state === 'used')).toEqual([])
  expect([directory.isUnswept, directory.isTorn]).toEqual([false, false])
})

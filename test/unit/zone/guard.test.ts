/** Guards in checked arenas: who wrote past the end of an item is found when it is freed, and who allocated it. */

import { describe, expect, it } from 'vitest'
import {
  Arena,
  Corruption,
  HashTable,
  type Item,
  Misuse,
  record,
  u32,
  type ZoneOptions,
} from '#src/index.ts'
import { GUARD } from '#src/zone/guard.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import { type Actor, alloc, allocMany, free, freeMany, KINDS, thrown } from './stage.ts'

const checked = { checks: true }

describe.each(KINDS)('$kind zone', ({ kind, stage }) => {
  const start = (bytes: number, options: ZoneOptions = {}): { a: Actor; b: Actor } =>
    stage(CONFIGS[0] as (typeof CONFIGS)[number], { bytes, bucket: 4, ...options }, checked)

  it.each([1, 4, 8, 12, 16, 100, 1000])('a word behind an item of %s bytes is found', (bytes) => {
    const { a } = start(bytes)
    const items = allocMany(a, 5)
    const words = Math.ceil(bytes / 4)
    for (const item of items) {
      for (let i = 0; i < words; i++) a.arena.words[item + i] = -1
      expect(a.arena.words[item + words]).toBe(GUARD)
    }
    const bad = items[2] as Item
    a.arena.words[bad + words] = 0x04030201
    const says = [`item ${bad} was written past its end of ${words * 4} bytes`, '01 02 03 04']
    const { facts } = thrown(Corruption, () => free(a, bad), 'zone.zfree', ...says, 'worker 0')
    expect(facts).toMatchObject({ item: bad, word: 0x04030201, allocatedBy: 0, zone: 'things' })
    expect(facts['site']).toContain('guard.test')
    // It was not freed; the others can be.
    a.arena.words[bad + words] = GUARD
    freeMany(a, items)
    a.zone.check()
    expect(a.zone.stats().live).toBe(0)
  })

  it('in a batch nothing is freed', () => {
    if (kind === 'plain') return
    const { a } = start(16)
    const items = a.zone.zallocSmrBatch(6)
    const at = (items[4] as Item) + 4
    a.arena.words[at] = 7
    thrown(Corruption, () => a.zone.zfreeSmrBatch(items), 'zone.zfreeSmrBatch', `item ${items[4]}`)
    expect(a.zone.stats().live).toBe(6)
    a.arena.words[at] = GUARD
    a.zone.zfreeSmrBatch(items)
    expect(a.zone.stats().live).toBe(0)
    a.zone.check()
  })

  it('says who allocated an item, and where, to that worker', () => {
    const { a, b } = start(16, { limit: 2, bucket: 1 })
    const mine = alloc(a)
    const theirs = alloc(b)
    expect(a.zone.allocatedBy(mine)).toEqual({
      workerId: a.arena.workerId,
      label: '',
      site: expect.stringContaining('at '),
    })
    expect(a.zone.allocatedBy(theirs)).toEqual({ workerId: b.arena.workerId, label: '', site: '' })
    // Another worker frees it, and has it next.
    free(b, mine)
    b.zone.seal()
    expect(alloc(b)).toBe(mine)
    expect(a.zone.allocatedBy(mine)).toEqual({ workerId: b.arena.workerId, label: '', site: '' })
    thrown(Misuse, () => a.zone.allocatedBy((mine + 1) as Item), 'zone.allocatedBy')
  })
})

it('names the label of the worker', () => {
  const arena = Arena.create({ bytes: 2 ** 18, checks: true, label: 'importer' })
  const zone = arena.zone('z', { bytes: 16 })
  const item = zone.zalloc()
  expect(zone.allocatedBy(item)?.label).toBe('importer')
  arena.words[item + 4] = 1
  thrown(Corruption, () => zone.zfree(item), 'worker 0 ("importer") at ')
})

it('zones whose free items keep state have guards too, and other arenas have none', () => {
  const arena = Arena.create({ bytes: 2 ** 18, checks: true })
  for (const options of [{ init: () => {} }, { noFree: true }]) {
    const zone = arena.zone(Object.keys(options).join(), { bytes: 16, ...options })
    const item = zone.zalloc()
    arena.words[item + 4] = 1
    thrown(Corruption, () => zone.zfree(item), 'past its end')
  }
  const bare = Arena.create({ bytes: 2 ** 18 })
  const zone = bare.zone('z', { bytes: 16 })
  const items = [zone.zalloc(), zone.zalloc()].sort((x, y) => x - y) as [Item, Item]
  expect(items[1] - items[0]).toBe(4)
  expect(zone.allocatedBy(items[0])).toBeUndefined()
})

it('a table in a checked arena goes on as ever', () => {
  const arena = Arena.create({ bytes: 2 ** 20, checks: true })
  const rows = HashTable.create(arena, 'rows', {
    record: record({ id: u32, n: u32 }),
    key: 'id',
    capacity: 100,
  })
  for (let round = 0; round < 3; round++)
    for (let id = 0; id < 200; id++) rows.set({ id, n: round })
  for (let id = 0; id < 200; id++) expect(rows.get(id)?.n).toBe(2)
  rows.clear()
  rows.zone.check()
})

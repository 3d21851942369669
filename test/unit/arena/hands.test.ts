/**
 * What a dead worker had in its hands for a table: its reaper, who need not have opened the table, gives
 * all of it back. A death after each write to shared memory; the orderings are the model tests' subject.
 */

import { describe, expect, it } from 'vitest'
import { Arena, HashTable, OrderedTable, record, text, u32 } from '#src/index.ts'
import { CacheWords, zoneParts } from '#src/memory/layout.ts'
import { checkPages } from '#src/space/pages.ts'
import { dieAfter } from '../../helpers/death.ts'

const Note = record({ id: u32, note: text(), age: u32, more: text() })
const BYTES = 2 ** 20
/** A block of its own run of pages. */
const LARGE = 40_000

type Notes = ReturnType<typeof hashed> | ReturnType<typeof ordered>

function hashed(arena: Arena, checks = {}) {
  const options = { record: Note, key: 'id', capacity: 8, bucket: 2, seed: 0, ...checks } as const
  return HashTable.openOrCreate(arena, 'notes', options)
}

function ordered(arena: Arena) {
  return OrderedTable.openOrCreate(arena, 'notes', { record: Note, key: 'id', bucket: 2 })
}

function noteOf(id: number, letter: string, length: number) {
  return { id, note: letter.repeat(length), age: id, more: letter.repeat(length > LARGE ? 0 : 9) }
}

const DEEDS: readonly [string, number, (table: Notes) => unknown][] = [
  ['set of a new one', 20, (table) => table.set(noteOf(100, 'b', 20))],
  ['set of one that is there', 20, (table) => table.set(noteOf(1, 'b', 30))],
  ['delete', 20, (table) => table.delete(1)],
  ['an insert that is refused', 20, (table) => table.insert(noteOf(1, 'b', 20))],
  ['set of a large one', LARGE + 1, (table) => table.set(noteOf(1, 'b', LARGE + 2))],
  ['delete of a large one', LARGE + 1, (table) => table.delete(1)],
]

/** No item of the zone is named by any worker any more. */
function expectNoHands({ space }: Arena, { zone }: Notes): void {
  const { caches } = zoneParts(zone.parts.at, space.maxWorkers)
  for (let slot = 0; slot < space.maxWorkers; slot++) {
    const cache = caches + slot * CacheWords.WORDS
    expect(space.memory.load(cache + CacheWords.hand)).toBe(0)
    expect(space.memory.load(cache + CacheWords.owed)).toBe(0)
  }
}

function expectWhole(arena: Arena, table: Notes): void {
  const heap = arena.heap('notes')
  table.zone.check()
  heap.check()
  checkPages(arena.space.memory, arena.space.pages)
  expect(table.zone.audit(table.items())).toEqual({ leaked: [] })
  expect(heap.audit(table.blocks())).toEqual({ leaked: [] })
  expect(table.zone.stats().live).toBe(table.size)
  for (const { note, more } of table.values()) {
    expect(new Set(note + more).size).toBe(1)
  }
  expectNoHands(arena, table)
}

describe.each([
  ['HashTable', hashed],
  ['OrderedTable', ordered],
] as const)('%s: a reaper that has not opened it gives back what was in hand', (_kind, open) => {
  describe.each([true, false])('checks %s', (checks) => {
    it.each(DEEDS)('in %s', (_name, length, act) => {
      let survived = false
      // A step of 1 would take a while: the model takes each.
      for (let k = 0; !survived; k += checks ? 5 : 3) {
        const arena = Arena.create({ bytes: BYTES, maxWorkers: 3, checks })
        const victim = Arena.attach(arena.handle)
        const reaper = Arena.attach(arena.handle)
        victim.space.watch.every = () => {}
        const theirs = open(victim)
        for (const id of [1, 17, 33])
          theirs.set(noteOf(id, 'a', length > LARGE && id > 1 ? 5 : length))
        survived = !dieAfter(victim, k, () => act(theirs))
        arena.space.workers.bury(victim.space)
        reaper.reap(victim.workerId)
        reaper.detach()
        const table = open(arena)
        expectWhole(arena, table)
        for (let id = 0; id < 8; id++) table.set(noteOf(id, 'c', 25))
        expectWhole(arena, table)
        table.destroy()
        expect(arena.space.directory.list()).toEqual([])
      }
    })
  })
})

/**
 * A worker that stops for ever between any two of its writes: the table stays whole, holds what it held
 * before the step or after it, and the next worker goes on.
 */

import { describe, expect, it } from 'vitest'
import { OrderWords } from '#src/memory/layout.ts'
import { dieAfter } from '../../helpers/death.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import { expectIntact, type Key, KINDS, type Kind, pair, type Rows, row } from './fixture.ts'

const CONFIG = CONFIGS[0] as (typeof CONFIGS)[0]

/** What is done to the third of the keys, in their order; the others stay. */
const ACTIONS: Record<string, (table: Rows, key: Key) => unknown> = {
  'an insertion': (table, key) => table.set(row(key, 2)),
  'an update': (table, key) => table.set(row(key, 2)),
  'a deletion': (table, key) => table.delete(key),
}

describe.each(KINDS)('a worker dies in the middle, keys of $name', (kind: Kind) => {
  const sorted = [...kind.some].sort(kind.compare)
  const key = sorted[2] as Key

  it.each(Object.entries(ACTIONS))('of %s', (action, act) => {
    let survived = false
    for (let k = 0; !survived; k++) {
      const { arena, other, table, theirs } = pair(CONFIG, kind, { bucket: 8 })
      for (const each of sorted) theirs.set(row(each, 1))
      if (action === 'an insertion') theirs.delete(key)
      const before = theirs.get(key)?.version
      survived = !dieAfter(other, k, () => act(theirs, key))
      arena.space.workers.release(other.workerId)
      arena.space.pages.releaseReservedBy(other.workerId)

      // Lookups never notice, and see all of it or nothing.
      const now = table.get(key)?.version
      expect([before, action === 'a deletion' ? undefined : 2]).toContain(now)
      expect(table.lower(sorted[3] as Key)?.key).toEqual(now === undefined ? sorted[1] : key)
      expect([...table.keys()]).toEqual(sorted.filter((each) => each !== key || now !== undefined))
      // Who asks for the number of records, or writes, repairs.
      expect(table.size).toBe([...table.keys()].length)
      table.set(row(sorted[0] as Key, 5))
      expect(arena.memory.load(table.parts.at + OrderWords.changes) % 2).toBe(0)
      expectIntact(table, survived ? 0 : 1)
    }
  })
})

it('who asks for the nearest key repairs, when a change was never ended', () => {
  const [words] = KINDS as unknown as [Kind]
  const { arena, other, table } = pair(CONFIG, words)
  for (const each of words.some) table.set(row(each, 1))
  const { at, guard } = table.parts
  other.space.locks.lock(at + OrderWords.lock, 'test')
  other.memory.add(at + OrderWords.changes, 1)
  other.memory.add(at + OrderWords.records, 3)
  arena.space.workers.release(other.workerId)
  expect(table.floor(5 as Key)?.key).toBe(2)
  expect(arena.memory.load(at + OrderWords.changes) % 2).toBe(0)
  expect(table.size).toBe(words.some.length)
  expect(guard.total()).toBe(words.some.length)
  expectIntact(table)
})

it('while a change lasts and its owner lives, the nearest key waits for the lock, and says so', () => {
  const [words] = KINDS as unknown as [Kind]
  const { arena, other, table } = pair(CONFIG, words)
  table.set(row(5 as Key, 1))
  const { at } = table.parts
  other.space.locks.lock(at + OrderWords.lock, 'test')
  other.memory.add(at + OrderWords.changes, 1)
  arena.space.locks.withPatience(0, () => {
    for (const ask of [() => table.floor(7 as Key), () => table.first()]) {
      expect(ask).toThrow(/table "rows": worker \d+ has held the lock/)
    }
    // What needs one moment of one place does not wait.
    expect(table.get(5 as Key)).toEqual(row(5 as Key, 1))
    expect([...table]).toEqual([row(5 as Key, 1)])
  })
  expect(table.smr.entered).toBe(false)
})

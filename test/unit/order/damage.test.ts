/**
 * Memory that was written to from outside: every verb ends, says Corruption and names the table, leaves
 * no section open and no lock held.
 */

import { describe, expect, it } from 'vitest'
import { Corruption } from '#src/index.ts'
import { OrderWords, TrieHead, TrieWords } from '#src/memory/layout.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import { type Key, KINDS, type Kind, pair, type Rows, row } from './fixture.ts'

const [WORDS, , , TEXT] = KINDS as unknown as [Kind, Kind, Kind, Kind]
const OUTSIDE = 2 ** 29
const STRAY = -2

/** A table of rows in three levels of nodes, and the nodes from the root to the first row. */
function stage(kind: Kind) {
  const all = pair(CONFIGS[0] as (typeof CONFIGS)[0], kind, { checks: false })
  const keys =
    kind === WORDS
      ? [0, 1, 2, 16, 17, 256, 257, 4096].map((each) => each as Key)
      : ['aa', 'ab', 'ac', 'b', 'ba', 'bb', 'caa', 'cab'].map((each) => each as unknown as Key)
  for (const each of keys) all.table.set(row(each, 1))
  const { memory } = all.arena
  const rootAt = all.table.parts.at + OrderWords.root
  const path: number[] = []
  for (let link = memory.load(rootAt); (link & 1) === 0; link = linkOf(link)) path.push(link)
  function linkOf(node: number): number {
    for (let slot = node + TrieWords.slots; ; slot++)
      if (memory.load(slot) !== 0) return memory.load(slot)
  }
  const slotAt = (node: number): number => {
    for (let slot = node + TrieWords.slots; ; slot++) if (memory.load(slot) !== 0) return slot
  }
  return { ...all, keys, rootAt, path, slotAt }
}

type Stage = ReturnType<typeof stage>

const bottom = ({ path }: Stage): number => path.at(-1) as number
const top = ({ path }: Stage): number => path[0] as number

/** What is written where: on the way to the first key. */
const DAMAGES: Record<string, (all: Stage) => void> = {
  'a node that links to itself': (all) =>
    all.arena.memory.store(all.slotAt(bottom(all)), bottom(all)),
  'a node that links to the root': (all) =>
    all.arena.memory.store(all.slotAt(bottom(all)), top(all)),
  'a node out of the arena': (all) => all.arena.memory.store(all.slotAt(bottom(all)), OUTSIDE),
  'a record out of the arena': (all) =>
    all.arena.memory.store(all.slotAt(bottom(all)), OUTSIDE | 1),
  'a negative link': (all) => all.arena.memory.store(all.slotAt(bottom(all)), STRAY),
  'a root out of the arena': (all) => all.arena.memory.store(all.rootAt, OUTSIDE),
  'a node of level 0 below others': (all) =>
    all.arena.memory.and(bottom(all) + TrieWords.head, TrieHead.slotsMask),
}

const VERBS: Record<string, (table: Rows, key: Key) => unknown> = {
  get: (table, key) => table.get(key),
  has: (table, key) => table.has(key),
  read: (table, key) => table.read(key, () => 0),
  getMany: (table, key) => table.getMany([key]),
  hasMany: (table, key) => table.hasMany([key]),
  readMany: (table, key) => table.readMany([key], () => 0),
  version: (table, key) => table.version(key),
  floor: (table, key) => table.floor(key),
  floorRead: (table, key) => table.floorRead(key, () => 0),
  ceiling: (table, key) => table.ceiling(key),
  higher: (table, key) => table.higher(key),
  first: (table) => table.first(),
  entries: (table) => [...table.entries()],
  range: (table, key) => [...table.range({ from: key })],
  rangeRead: (table, key) => table.rangeRead({ from: key }, () => {}),
  items: (table) => table.items(),
  set: (table, key) => table.set(row(key, 2)),
  delete: (table, key) => table.delete(key),
  update: (table, key) => table.update(key, () => row(key, 3)),
}

function expectCorruption(verb: () => unknown, what: string): void {
  let error: unknown
  try {
    verb()
  } catch (caught) {
    error = caught
  }
  expect(error, what).toBeInstanceOf(Corruption)
  expect((error as Error).message, what).toMatch(/^table "rows": its tree is damaged at -?\d+/)
}

describe.each([WORDS, TEXT])('a table by $name', (kind) => {
  it.each(Object.entries(DAMAGES))('%s', (name, damage) => {
    const all = stage(kind)
    expect(all.path.length).toBeGreaterThan(1)
    damage(all)
    const { arena, other, theirs } = all
    for (const [verb, act] of Object.entries(VERBS)) {
      const what = `${verb} after ${name}`
      expectCorruption(() => act(theirs, all.keys[0] as Key), what)
      expect(theirs.smr.entered, what).toBe(false)
      const reader = theirs.smr as unknown as { readonly seqAt: number }
      expect(arena.memory.load(reader.seqAt), what).toBe(0)
      const held = arena.memory.load(all.table.parts.at + OrderWords.lock)
      expect(held === 0 || other.space.workers.isGone(held), what).toBe(true)
    }
  })

  it('a tree that leads to the same records over and over ends all the same', () => {
    const all = stage(kind)
    const { memory } = all.arena
    // All slots of all nodes of the path lead to the next one, or to the same record.
    const link = memory.load(all.slotAt(bottom(all)))
    for (const [i, node] of all.path.entries()) {
      memory.or(node + TrieWords.head, TrieHead.slotsMask)
      for (let slot = 0; slot < 17; slot++) {
        memory.store(node + TrieWords.slots + slot, all.path[i + 1] ?? link)
      }
    }
    expectCorruption(() => [...all.theirs.entries()], 'entries')
    expectCorruption(() => all.theirs.rangeRead({}, () => {}), 'rangeRead')
  })
})

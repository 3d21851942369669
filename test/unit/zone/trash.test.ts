/**
 * Trash in checked arenas: filled when nobody may look any more and not a moment before, and found
 * damaged at the next allocation, by item and word.
 */

import { describe, expect, it } from 'vitest'
import { Corruption, type Item, type ZoneOptions } from '#src/index.ts'
import { Memory } from '#src/memory/memory.ts'
import { fillTrash, TRASH, verifyTrash } from '#src/zone/trash.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import {
  type Actor,
  alloc,
  allocMany,
  free,
  freeMany,
  KINDS,
  plainStage,
  smrStage,
  thrown,
} from './stage.ts'

const checked = { checks: true }

const wordsOf = ({ arena }: Actor, item: Item, count = 4): number[] => [
  ...arena.words.subarray(item, item + count),
]
const trash = (count = 4): number[] => Array.from({ length: count }, () => TRASH)

describe('the fill', () => {
  it('is UMA’s 0xdeadc0de, and covers exactly the words it is told', () => {
    const memory = new Memory(new SharedArrayBuffer(256))
    expect(TRASH >>> 0).toBe(0xdeadc0de)
    fillTrash(memory, 10, 5)
    expect([...memory.words.subarray(9, 16)]).toEqual([0, ...trash(5), 0])
    verifyTrash('call', 'zone', memory, 10, 5)
  })

  it('names the first word that is not what it was', () => {
    const memory = new Memory(new SharedArrayBuffer(256))
    fillTrash(memory, 10, 5)
    memory.poke(12, 0xab)
    memory.poke(13, 1)
    const words = ['call: zone "things": item 10', 'word 2 is 0x000000ab, not 0xdeadc0de']
    const verify = () => verifyTrash('call', 'things', memory, 10, 5)
    const error = thrown(Corruption, verify, ...words)
    expect(error.facts).toEqual({ zone: 'things', item: 10, offset: 2, word: 0xab })
  })
})

describe.each(CONFIGS)('trash, sequences $name', (config) => {
  describe.each(KINDS)('$kind zone', ({ kind, stage }) => {
    const verb = kind === 'smr' ? 'zone.zallocSmr' : 'zone.zalloc'

    it('fills fresh memory, so that a first allocation is verified too', () => {
      const { a } = stage(config, { bucket: 4 }, checked)
      const item = alloc(a)
      expect(wordsOf(a, item)).toEqual(trash())
      const next = (item + a.zone.parts.keg.shape.stride) as Item
      expect(a.zone.owns(next)).toBe(true)
      a.arena.words[next + 3] = 5
      const words = [verb, 'zone "things"', `item ${next} was written to`, 'word 3 is 0x00000005']
      thrown(Corruption, () => allocMany(a, 10), ...words)
    })

    it('finds a write to what was reclaimed, at the allocation', () => {
      const { a } = stage(config, { bucket: 3 }, checked)
      const items = allocMany(a, 3)
      const rest = allocMany(a, 6)
      for (const item of items) a.arena.words.fill(1, item, item + 4)
      freeMany(a, items)
      a.zone.reclaim('drain')
      for (const item of items) expect(wordsOf(a, item)).toEqual(trash())
      const victim = items[1] as Item
      a.arena.words[victim + 1] = 0x1234
      const words = [verb, `item ${victim} was written to`, 'word 1 is 0x00001234, not 0xdeadc0de']
      const error = thrown(Corruption, () => allocMany(a, 500), ...words)
      expect(error.facts).toMatchObject({ zone: 'things', item: victim, offset: 1 })
      // Nobody gets the damaged item, and nothing else is disturbed.
      a.zone.check()
      freeMany(a, rest)
      expect(allocMany(a, 200)).not.toContain(victim)
      a.zone.check()
    })

    it('does not take the user’s own writes for damage', () => {
      const { a } = stage(config, { bytes: 22, bucket: 2 }, checked)
      for (let i = 0; i < 300; i++) {
        const items = allocMany(a, 5)
        for (const item of items) a.arena.words.fill(i, item, item + 6)
        freeMany(a, items)
        if (i % 50 === 0) a.zone.reclaim('all')
      }
      a.zone.check()
    })

    it('fills again what a throwing ctor has begun to write', () => {
      let broken = true
      const { a } = stage(
        config,
        {
          bucket: 2,
          ctor: (item) => {
            a.arena.words[item] = 9
            if (broken) throw new Error('no')
          },
        },
        checked,
      )
      expect(() => alloc(a)).toThrow('no')
      broken = false
      expect(allocMany(a, 10).length).toBe(10)
    })

    const stateful: [string, ZoneOptions][] = [
      ['noFree', { noFree: true }],
      ['init', { init: () => {} }],
      ['fini', { fini: () => {} }],
    ]

    it.each(stateful)('leaves the words of free items alone in a zone with %s', (_, options) => {
      const { a } = stage(config, { bucket: 1, ...options }, checked)
      const item = alloc(a)
      a.arena.words.fill(42, item, item + 4)
      free(a, item)
      a.zone.seal()
      while (alloc(a) !== item);
      expect(wordsOf(a, item)).toEqual([42, 42, 42, 42])
    })

    it('does nothing in an arena without checks', () => {
      const { a } = stage(config, { bucket: 1 })
      const item = alloc(a)
      a.arena.words.fill(42, item, item + 4)
      free(a, item)
      a.zone.seal()
      expect(wordsOf(a, item)).toEqual([42, 42, 42, 42])
      while (alloc(a) !== item);
      expect(wordsOf(a, item)).toEqual([42, 42, 42, 42])
    })
  })

  it('fills at once in a plain zone, after the destructor', () => {
    const seen: number[] = []
    const dtor = (item: Item) => void seen.push(a.arena.words[item] as number)
    const { a } = plainStage(config, { dtor }, checked)
    const item = alloc(a)
    a.arena.words[item] = 42
    free(a, item)
    expect(seen).toEqual([42])
    expect(wordsOf(a, item)).toEqual(trash())
  })

  it('fills in an smr zone only after the poll, and after the destructor', () => {
    const seen: number[] = []
    const dtor = (item: Item) => void seen.push(b.arena.words[item] as number)
    const { a, b } = smrStage(config, { bucket: 2, dtor }, checked)
    const items = allocMany(a, 4)
    for (const item of items) a.arena.words.fill(item, item, item + 4)
    const intact = () => items.every((item) => wordsOf(b, item).every((word) => word === item))
    b.smr.enter()
    freeMany(a, items)
    expect(intact()).toBe(true)
    a.zone.seal()
    allocMany(a, 50)
    for (const level of ['trim', 'trim', 'drain', 'all'] as const) {
      a.zone.reclaim(level, { timeoutMs: 0 })
    }
    expect(intact()).toBe(true)
    expect(seen).toEqual([])
    b.smr.exit()
    expect(intact()).toBe(true)
    a.zone.reclaim('drain')
    expect(seen.sort()).toEqual([...items].sort())
    expect(items.map((item) => wordsOf(a, item))).toEqual(items.map(() => trash()))
  })
})

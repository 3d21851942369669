/**
 * The laws as walks: `check` finds every way in which an item can be in two places or in none, and
 * `audit` finds what is allocated and forgotten.
 */

import { describe, expect, it } from 'vitest'
import { Corruption, type Item } from '#src/index.ts'
import { BucketWords, CacheWords } from '#src/memory/layout.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import { type Actor, allocMany, freeMany, KINDS, smrStage, thrown } from './stage.ts'

describe.each(CONFIGS)('check, sequences $name', (config) => {
  describe.each(KINDS)('$kind zone', ({ stage }) => {
    /** Items live, cached on both sides, and in the depot. */
    function busy(): { a: Actor; b: Actor; live: Item[] } {
      const { a, b } = stage(config, { bucket: 4 })
      const items = allocMany(a, 22)
      freeMany(a, items.slice(0, 6))
      freeMany(b, items.slice(6, 9))
      a.zone.check()
      return { a, b, live: items.slice(9) }
    }

    const peek = ({ arena }: Actor, at: number): number => arena.memory.peek(at)
    const poke = ({ arena }: Actor, at: number, value: number): void => arena.memory.poke(at, value)

    const damage: [string, (stage: { a: Actor; b: Actor; live: Item[] }) => void][] = [
      [
        'an item in two buckets',
        ({ a, b }) => {
          const mine = a.zone.parts.cache.free
          const theirs = b.zone.parts.cache.free
          poke(b, theirs + BucketWords.entries, peek(a, mine + BucketWords.entries))
        },
      ],
      [
        'an item twice in one bucket',
        ({ b }) => {
          const { free } = b.zone.parts.cache
          poke(b, free + BucketWords.entries, peek(b, free + BucketWords.entries + 1))
        },
      ],
      [
        'an item in a bucket and in its slab',
        ({ a, b }) => {
          const { free } = b.zone.parts.cache
          a.zone.parts.keg.giveOne(peek(b, free + BucketWords.entries))
        },
      ],
      ['an allocation too many', ({ a }) => a.zone.parts.cache.count(CacheWords.loaded, 1)],
      ['a free that was not', ({ b }) => b.zone.parts.cache.count(CacheWords.freed, 1)],
      [
        'an item that went owner while live',
        ({ a, live }) => a.zone.parts.keg.giveOne(live[3] as number),
      ],
    ]

    it.each(damage)('finds %s', (_, hurt) => {
      const scene = busy()
      hurt(scene)
      thrown(Corruption, () => scene.a.zone.check(), 'zone "things"')
      thrown(Corruption, () => scene.b.zone.check(), 'zone "things"')
    })

    it('changes nothing', () => {
      const { a, b } = busy()
      const before = a.arena.stats()
      a.zone.check()
      b.zone.check()
      expect(a.arena.stats()).toEqual(before)
    })

    it('names what audit is told nobody can reach', () => {
      const { a, b, live } = busy()
      expect(a.zone.audit(live)).toEqual({ leaked: [] })
      const [lost = 0 as Item, ...reachable] = live
      expect(a.zone.audit(reachable)).toEqual({ leaked: [lost] })
      expect(b.zone.audit(new Set(reachable))).toEqual({ leaked: [lost] })
      expect(new Set(a.zone.audit([]).leaked)).toEqual(new Set(live))
      // What is reachable and not ours, or not even live, is no business of the audit.
      expect(a.zone.audit([...live, 7 as Item, -1 as Item])).toEqual({ leaked: [] })
    })

    it('lets whoever was told free what was leaked', () => {
      const { a, live } = busy()
      freeMany(a, a.zone.audit(live.slice(4)).leaked)
      freeMany(a, live.slice(4))
      a.zone.check()
      a.zone.destroy()
    })
  })

  it('does not count what readers may still see as leaked', () => {
    const { a, b } = smrStage(config, { bucket: 2 })
    const items = allocMany(a, 7)
    b.smr.enter()
    freeMany(a, items)
    expect(b.zone.audit([])).toEqual({ leaked: [] })
    b.smr.exit()
  })
})

describe.each(KINDS)('the live items of a $kind zone', ({ stage }) => {
  it.each([true, false])('are exactly those that are allocated, checks %s', (checks) => {
    const { a, b } = stage(CONFIGS[0] as (typeof CONFIGS)[number], { bucket: 4 }, { checks })
    const live = (): Item[] => [...a.zone.items()].sort((x, y) => x - y)
    const sorted = (items: Item[]): Item[] => items.toSorted((x, y) => x - y)
    expect(live()).toEqual([])
    const mine = allocMany(a, 30)
    const theirs = allocMany(b, 9)
    expect(live()).toEqual(sorted([...mine, ...theirs]))
    freeMany(a, mine.splice(0, 17))
    freeMany(b, mine.splice(0, 3))
    expect(live()).toEqual(sorted([...mine, ...theirs]))
    b.zone.seal()
    a.zone.reclaim('all')
    expect(live()).toEqual(sorted([...mine, ...theirs]))
    freeMany(b, [...mine, ...theirs])
    expect(live()).toEqual([])
  })
})

/** The limit while a zone is in use: what it allows at once, and what only when items have come back. */

import { afterEach, describe, expect, it } from 'vitest'
import { Exhausted, Misuse, type ZoneOptions } from '#src/index.ts'
import { CONFIGS, type Config } from '../../helpers/tiny.ts'
import {
  type Actor,
  alloc,
  allocAll,
  allocMany,
  free,
  freeMany,
  KINDS,
  outside,
  refused,
  thrown,
  tryAlloc,
} from './stage.ts'

const open: Actor[] = []
afterEach(() => {
  for (const { arena } of open.splice(0)) arena.detach()
})

describe.each(KINDS)('$kind zone', ({ stage }) => {
  const start = (options: ZoneOptions = {}): { a: Actor; b: Actor } => {
    const pair = stage(CONFIGS[0] as Config, { bucket: 4, trimEveryMs: 0, ...options })
    open.push(pair.b, pair.a)
    return pair
  }

  it('a limit that rises allows more at once, for all workers', () => {
    const { a, b } = start({ limit: 4 })
    allocMany(a, 4)
    expect(tryAlloc(b)).toBe(0)
    a.zone.tune({ limit: 6 })
    expect(b.zone.stats().limit).toBe(6)
    allocMany(b, 2)
    thrown(Exhausted, () => alloc(b), 'its limit of 6 is reached')
  })

  it('none is set where there was none, and taken away', () => {
    const { a, b } = start()
    allocMany(a, 5)
    b.zone.tune({ limit: 5 })
    expect(tryAlloc(b)).toBe(0)
    a.zone.tune({ limit: Number.POSITIVE_INFINITY })
    expect(b.zone.stats().limit).toBe(0)
    allocMany(b, 20)
  })

  it('a limit below what is out: none until enough have come back, then as many as it says', () => {
    const { a, b } = start({ limit: 40 })
    const items = [...allocMany(a, 20), ...allocMany(b, 10)]
    a.zone.tune({ limit: 8 })
    // What b has in its alloc bucket is out already.
    items.push(...allocAll(b), ...allocAll(a))
    while (items.length > 8) {
      free(items.length % 2 === 0 ? a : b, items.pop() as never)
      if (items.length >= 8) expect([tryAlloc(a), tryAlloc(b)]).toEqual([0, 0])
    }
    free(a, items.pop() as never)
    expect(tryAlloc(a)).not.toBe(0)
    for (const { zone } of [a, b]) zone.check()
    expect(outside(a)).toBeLessThanOrEqual(8)
    expect(a.zone.stats().live).toBe(8)
  })

  it('what nobody uses goes back to the slabs at once', () => {
    const { a } = start()
    const items = allocMany(a, 30)
    freeMany(a, items.slice(5))
    a.zone.tune({ limit: 7 })
    expect(outside(a)).toBeLessThanOrEqual(7)
    a.zone.check()
    expect(allocAll(a)).toHaveLength(2)
  })

  it('a waiter gets what a higher limit allows', async () => {
    const { a, b } = start({ limit: 1 })
    alloc(a)
    const waits = b.zone.parts.domain ? b.zone.zallocSmrAsync() : b.zone.zallocAsync()
    await Promise.resolve()
    a.zone.tune({ limit: 2 })
    expect(await waits).not.toBe(0)
  })

  it('openers compare with the limit that the zone was made with', () => {
    const { a, b } = start({ limit: 4 })
    a.zone.tune({ limit: 9 })
    b.arena.zone('things', { limit: 4 })
    thrown(Misuse, () => b.arena.zone('things', { limit: 9 }), 'another limit: 4')
  })

  it('is refused if it is no number of items, or below the reserve', () => {
    const { a } = start({ reserve: 5 })
    for (const limit of [0, -1, 1.5, Number.NaN, '8', null, 2 ** 31])
      refused(a.arena, Misuse, () => a.zone.tune({ limit: limit as number }), 'zone.tune', 'limit')
    refused(a.arena, Misuse, () => a.zone.tune({ limit: 4 }), 'at least its reserve of 5')
    a.zone.tune({ limit: 5 })
  })

  it('prealloc goes by the limit of now', () => {
    const { a } = start({ limit: 4 })
    a.zone.tune({ limit: 10 })
    a.zone.prealloc(10)
    thrown(Misuse, () => a.zone.prealloc(11), 'from 0 to 10')
  })
})

it('destructors see what a lower limit gives back, and their error is thrown', () => {
  let seen = 0
  const { a } = (KINDS[1] as (typeof KINDS)[number]).stage(CONFIGS[0] as Config, {
    bucket: 2,
    dtor: () => {
      if (++seen === 3) throw new Error('mine')
    },
  })
  open.push(a)
  const items = allocMany(a, 8)
  freeMany(a, items)
  expect(() => a.zone.tune({ limit: 1 })).toThrow('mine')
  expect(a.zone.stats().limit).toBe(1)
  a.zone.check()
  allocAll(a)
  expect(outside(a)).toBeLessThanOrEqual(1)
  a.zone.check()
})

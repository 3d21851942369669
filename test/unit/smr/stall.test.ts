/**
 * Who holds the read hand back, and since when: named from the first time that a section was in
 * anybody's way, forgotten when it ends, and not mistaken for the section after it.
 */

import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Arena, Smr } from '#src/index.ts'
import { trio } from '../../helpers/company.ts'
import { misuse, wild } from '../../helpers/refusals.ts'
import { CONFIGS } from '../../helpers/tiny.ts'

describe.each(CONFIGS)('$name', (config) => {
  let a: Arena
  let x: Smr
  let y: Smr
  let z: Smr
  let time: number

  beforeEach(() => {
    const all = trio({}, config)
    ;[x, y, z] = all.map((arena) => arena.smr('d')) as [Smr, Smr, Smr]
    a = all[0]
    time = 5_000_000_000_123
    for (const { memory } of all) vi.spyOn(memory, 'now').mockImplementation(() => time)
  })

  const stalls = (olderThanMs = 0): unknown[] =>
    x.stalled(olderThanMs).map(({ workerId, forMs }) => [workerId, forMs])

  it('nobody stalls outside, nor in a section that nothing waits for', () => {
    expect(stalls()).toEqual([])
    y.enter()
    expect(stalls()).toEqual([])
  })

  it('a section counts from the first poll that failed for it', () => {
    y.enter()
    const goal = x.advance()
    time += 1_000
    z.poll(goal)
    time += 70
    z.poll(goal)
    expect(stalls()).toEqual([[1, 70]])
    expect([stalls(70), stalls(71)]).toEqual([[[1, 70]], []])
    y.exit()
    expect(stalls()).toEqual([])
  })

  it('or from the first call that met it', () => {
    y.enter()
    x.advance()
    expect(stalls()).toEqual([[1, 0]])
    time += 12
    expect(stalls()).toEqual([[1, 12]])
  })

  it('the next section of the same worker counts anew', () => {
    y.enter()
    const seen = x.advance()
    x.poll(seen)
    time += 100
    y.exit()
    y.enter()
    expect(stalls()).toEqual([])
    x.poll(x.advance())
    time += 5
    expect(x.stalled(0)).toMatchObject([{ workerId: 1, seq: seen, forMs: 5 }])
  })

  it('the longest comes first', () => {
    z.enter()
    x.poll(x.advance())
    time += 30
    y.enter()
    x.advance()
    expect(stalls()).toEqual([
      [2, 30],
      [1, 0],
    ])
    time += 1
    z.exit()
    expect(stalls()).toEqual([[1, 1]])
  })

  it('tells what waits in the zones of the domain, and of no other', () => {
    const zone = a.zone('z', { bytes: 24, bucket: 2, smr: x })
    const other = a.zone('o', { bytes: 24, bucket: 2, smr: a.smr('other') })
    const free = (from: typeof zone): void => {
      const items = [from.zallocSmr(), from.zallocSmr(), from.zallocSmr(), from.zallocSmr()]
      for (const item of items) from.zfreeSmr(item)
      from.seal()
    }
    y.enter()
    free(zone)
    free(other)
    const { pending, itemBytes } = zone.stats()
    expect(x.stalled(0)).toMatchObject([{ items: pending, bytes: pending * itemBytes }])
    expect(pending).toBe(4)
  })

  it.each([-1, Number.NaN, undefined, 'long'])('refuses %s', (olderThanMs) => {
    expect(misuse(() => x.stalled(wild(olderThanMs))).message).toMatch(
      /^smr\.stalled: domain "d": olderThanMs is .*; give milliseconds from 0 on/,
    )
  })

  it('time may wrap', () => {
    time = 2 ** 32 * 1000 - 5
    y.enter()
    x.poll(x.advance())
    time += 25
    expect(stalls()).toEqual([[1, 25]])
  })
})

/**
 * Counters: each counts its own event, of all workers together, and the distance of the hands is
 * counted in steps, also across the wrap.
 */

import { describe, expect, it, vi } from 'vitest'
import { smrStats } from '#src/smr/stats.ts'
import { trio } from '../../helpers/company.ts'
import { Hands } from '../../helpers/hands.ts'
import { Loop } from '../../helpers/loop.ts'
import { CONFIGS } from '../../helpers/tiny.ts'

describe.each(CONFIGS)('$name', (config) => {
  it('advances, polls, scans and failures are told apart and added up over the workers', () => {
    const [a, b, c] = trio({}, config)
    const [x, y, z] = [a, b, c].map((arena) => arena.smr('d')) as [
      ReturnType<typeof a.smr>,
      ReturnType<typeof a.smr>,
      ReturnType<typeof a.smr>,
    ]
    const early = x.advance()
    z.enter()
    const late = y.advance()
    expect(x.stats()).toMatchObject({ advances: 2, polls: 0, pollScans: 0, pollFails: 0, lag: 2 })
    expect(x.poll(late)).toBe(false) // scans, and forwards the read hand to where z is
    expect(x.stats()).toMatchObject({ polls: 1, pollScans: 1, pollFails: 1, lag: 1 })
    expect(y.poll(early)).toBe(true) // the read hand is there already
    expect(x.stats()).toMatchObject({ polls: 2, pollScans: 1, pollFails: 1 })
    z.exit()
    expect(z.poll(late)).toBe(true)
    expect(x.stats()).toMatchObject({ polls: 3, pollScans: 2, pollFails: 1, lag: 0 })
    expect(x.stats()).toMatchObject({ wr: late, rd: late, advances: 2, advanceWaits: 0 })
  })

  it('are of the domain, whoever asks, without a handle of it', () => {
    const [a, b, c] = trio({}, config)
    const smr = a.smr('d')
    smr.synchronize()
    b.smr('d').synchronize()
    expect(b.smr('d').stats()).toEqual(smr.stats())
    expect(smrStats(c.space, smr.address, 'd')).toEqual(smr.stats())
    expect(a.smr('e').stats()).toMatchObject({ name: 'e', advances: 0, polls: 0 })
  })

  it('outlive the worker that counted', () => {
    const [a, b] = trio({}, config)
    b.smr('d').advance()
    b.detach()
    expect(a.smr('d').stats().advances).toBe(1)
  })

  it('the lag is in steps, across the wrap', () => {
    const [a] = trio({}, config)
    const smr = a.smr('d')
    const hands = new Hands(smr)
    for (let turn = 0; turn < 20; turn++) {
      for (let i = 0; i < 5; i++) smr.advance()
      expect(smr.stats().lag).toBe(5)
      hands.rd = hands.wr
    }
  })

  it('no callback is counted as waiting less than once, whenever one looks', () => {
    const [a, b] = trio({}, config)
    const smr = a.smr('d')
    const theirs = b.smr('d')
    const loop = new Loop(b)
    const { load } = a.memory
    let looks = 0
    vi.spyOn(a.memory, 'load').mockImplementation((at) => {
      const value = load.call(a.memory, at)
      looks++
      theirs.call(() => {})
      theirs.call(() => {})
      loop.run()
      return value
    })
    const { callsPending } = smr.stats()
    vi.restoreAllMocks()
    expect(callsPending).toBeGreaterThanOrEqual(0)
    expect(smr.stats()).toMatchObject({ calls: 2 * looks, callsPending: 0, callsLost: 0 })
  })
})

/**
 * A dead worker's sections end, in the domain it was in and nowhere else, and so do its callbacks.
 */

import { describe, expect, it } from 'vitest'
import { clearReader, dropCallsOf, readerPulse } from '#src/smr/reap.ts'
import { trio } from '../../helpers/company.ts'
import { Hands } from '../../helpers/hands.ts'
import { Loop } from '../../helpers/loop.ts'
import { CONFIGS } from '../../helpers/tiny.ts'

describe.each(CONFIGS)('$name', (config) => {
  it('clears the section of one worker in one domain, and says whether there was one', () => {
    const [a, b, c] = trio({}, config)
    const smr = a.smr('d')
    for (const worker of [b, c]) {
      worker.smr('d').enter()
      worker.smr('other').enter()
    }
    const goal = smr.advance()
    const other = a.smr('other').advance()
    expect(clearReader(a.space, smr.address, 1)).toBe(true)
    expect(clearReader(a.space, smr.address, 1)).toBe(false)
    expect(clearReader(a.space, smr.address, 0)).toBe(false)
    const hands = new Hands(smr)
    expect([hands.seq(1), hands.seq(2) !== 0]).toEqual([0, true])
    expect(smr.poll(goal)).toBe(false)
    c.smr('d').exit()
    expect(smr.poll(goal)).toBe(true)
    expect(a.smr('other').poll(other)).toBe(false)
  })

  it('the pulse changes with whatever the worker does, and with nothing that others do', () => {
    const [a, b] = trio({}, config)
    const mine = a.smr('d', { sleepable: true })
    const theirs = b.smr('d')
    const pulse = (): number => readerPulse(a.space, mine.address, 1)
    const goal = mine.advance()
    for (const act of [
      () => theirs.enter(),
      () => theirs.exit(),
      () => theirs.advance(),
      () => theirs.poll(goal),
      () => theirs.enterSleepable(),
    ]) {
      const before = pulse()
      act()
      expect(pulse()).not.toBe(before)
    }
    const before = pulse()
    mine.synchronize({ timeoutMs: 0 })
    mine.read(() => {})
    expect(pulse()).toBe(before)
  })

  it('async sections end as well, and are told like others', () => {
    const [a, b] = trio({}, config)
    const smr = a.smr('d', { sleepable: true })
    const theirs = b.smr('d')
    theirs.enterSleepable('one')
    const goal = smr.advance()
    theirs.enterSleepable('two')
    expect(smr.poll(goal)).toBe(false)
    expect(clearReader(a.space, smr.address, 1)).toBe(true)
    expect(clearReader(a.space, smr.address, 1)).toBe(false)
    expect(smr.poll(goal)).toBe(true)
    theirs.enterSleepable()
    theirs.enter()
    expect(clearReader(a.space, smr.address, 1)).toBe(true)
    expect(smr.poll(smr.advance())).toBe(true)
  })

  it('callbacks that died with their worker are completed, and counted once', () => {
    const [a, b] = trio({}, config)
    const smr = a.smr('d')
    const theirs = b.smr('d')
    new Loop(b)
    for (let i = 0; i < 3; i++) theirs.call(() => {})
    expect(dropCallsOf(a.space, smr.address, 0)).toBe(0)
    expect(dropCallsOf(a.space, smr.address, 1)).toBe(3)
    expect(dropCallsOf(a.space, smr.address, 1)).toBe(0)
    expect(smr.stats()).toMatchObject({ calls: 3, callsPending: 0, callsLost: 3 })
  })
})

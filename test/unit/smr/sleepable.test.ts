/**
 * What may wait is refused in a section of any domain, in checked arenas; and changes nothing. In
 * others it is allowed, as it always was. And a section that a later turn finds open is reported.
 */

import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Arena, HashTable, record, u32 } from '#src/index.ts'
import { pair } from '../../helpers/company.ts'
import { misuse, unchanged } from '../../helpers/refusals.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

const WAITS: readonly [string, (arena: Arena) => unknown][] = [
  ['lock.lock', (a) => a.lock('l').lock()],
  ['lock.withLock', (a) => a.lock('l').withLock(() => 0)],
  ['smr.wait', (a) => a.smr('other').wait(a.smr('other').deferredAdvance())],
  ['smr.synchronize', (a) => a.smr('other').synchronize()],
  ['smr.destroy', (a) => a.smr('other').destroy()],
  ['zone.reclaim', (a) => a.zone('z').reclaim('drain')],
  ['zone.destroy', (a) => a.zone('z').destroy()],
  [
    'table.resize',
    (a) => HashTable.open(a, 't', { record: record({ id: u32 }), key: 'id' }).resize(64),
  ],
]

function prepared(checks: boolean): Arena {
  const [a] = pair({ checks, bytes: 2 ** 20 })
  a.smr('d')
  const other = a.smr('other', { sections: 'turn' })
  a.zone('z', { bytes: 8 })
  a.lock('l')
  HashTable.create(a, 't', { record: record({ id: u32 }), key: 'id', capacity: 8 })
  other.read(() => 0)
  return a
}

describe.each(WAITS)('%s', (call, act) => {
  it('is refused in a section of another domain, in a checked arena', () => {
    const a = prepared(true)
    const smr = a.smr('d')
    act(prepared(true)) // Outside it is legal.
    HashTable.open(a, 't', { record: record({ id: u32 }), key: 'id' })
    smr.read(() => {
      const error =
        call === 'smr.wait' ? misuse(() => act(a)) : unchanged(a, () => misuse(() => act(a)))
      expect(error.message).toMatch(
        new RegExp(`^${call}.*section of domain "d" is open; exit first`),
      )
    })
    act(a)
  })

  it('is legal there in others', () => {
    const a = prepared(false)
    a.smr('d').read(() => act(a))
  })
})

describe('a section that a later turn finds open', () => {
  const told: Error[] = []
  const listen = (): void => {
    told.length = 0
    vi.spyOn(process, 'emitWarning').mockImplementation((error) => {
      told.push(error as Error)
    })
  }

  it.each([true, false])('is reported once, and stays open; checked: %s', (checks) => {
    listen()
    const [a, b] = pair({ checks })
    const smr = a.smr('d')
    smr.enter()
    for (let i = 0; i < 3; i++) a.space.watch.check()
    expect(told.map(({ message }) => message.split('\n')[0])).toEqual([
      'smr.enter: domain "d": a section is open since an earlier turn, and holds memory back: an await came into it, or an exit is missing; use read, or readAsync for what must await',
    ])
    expect(told[0]?.message.includes('sleepable.test.ts')).toBe(checks)
    const others = b.smr('d')
    expect([smr.entered, others.poll(others.advance())]).toEqual([true, false])
    smr.exit()
    a.space.watch.check()
    expect(told.length).toBe(1)
  })

  it('of a call that was cut off is closed, and reported once', () => {
    listen()
    const [a, b] = pair()
    const smr = a.smr('d')
    for (let i = 0; i < 2; i++) {
      smr.enterInCall()
      a.space.watch.check()
      expect(smr.entered).toBe(false)
    }
    const others = b.smr('d')
    expect(others.poll(others.advance())).toBe(true)
    expect(told.map(({ message }) => /cut off/.test(message))).toEqual([true])
  })

  it('is looked for by a timer that nobody waits for, until the worker leaves', () => {
    const [a, b] = pair()
    const checks: (() => boolean)[] = []
    for (const { space } of [a, b]) space.watch.every = (watch) => checks.push(() => watch.check())
    for (const each of [a, b]) {
      each.smr('d')
      each.smr('e')
    }
    expect(checks.length).toBe(2)
    expect(checks.map((check) => check())).toEqual([true, true])
    b.detach()
    expect(checks.map((check) => check())).toEqual([true, false])
  })
})

describe('a lazy clock whose ticks are long', () => {
  it('is waited for as long as it needs, and blamed when it does not get there', () => {
    const [a] = pair()
    let now = 10
    vi.spyOn(a.memory, 'now').mockImplementation(() => now)
    vi.spyOn(a.memory, 'sleep').mockImplementation((ms) => {
      now += ms * 1000
    })
    const smr = a.smr('d', { clock: 'lazy', tickMs: 60_000 })
    expect(smr.synchronize()).toBe(true)
    // Somebody else is always just moving the tick, and never gets to the hand.
    vi.spyOn(a.memory, 'cas').mockImplementation(() => Number.NaN)
    const text = /not met after 210 s; no section is in the way, .* tick is 60000 ms/
    expect(() => smr.synchronize()).toThrow(text)
  })
})

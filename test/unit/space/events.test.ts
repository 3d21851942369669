/** Events: told in a turn of their own, whatever listeners do; and to the host's channels. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Arena, Exhausted, Misuse } from '#src/index.ts'
import { EVENTS, Events } from '#src/space/events.ts'

let events: Events
let turns: (() => void)[]
/** Ends a turn of the event loop. */
const turn = (): void => {
  for (const due of turns.splice(0)) due()
}

beforeEach(() => {
  events = new Events()
  turns = []
  events.later = (deliver) => void turns.push(deliver)
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('a listener', () => {
  it('is called in a later turn, with the facts', () => {
    const told: unknown[] = []
    events.on('t', 'grow', (what) => told.push(what))
    events.publish('grow', { table: 'a' })
    expect(told).toEqual([])
    turn()
    expect(told).toEqual([{ table: 'a', times: 1 }])
    expect(Object.isFrozen(told[0])).toBe(true)
    turn()
    expect(told).toHaveLength(1)
  })

  it('is listed once, and hears only its own event until it is taken off', () => {
    const heard = vi.fn()
    events.on('t', 'reap', heard)
    events.on('t', 'reap', heard)
    for (const name of EVENTS) events.publish(name, {})
    turn()
    expect(heard).toHaveBeenCalledOnce()
    events.off('t', 'reap', heard)
    events.off('t', 'stall', heard)
    expect(events.has('reap')).toBe(false)
    events.publish('reap', {})
    expect(turns).toEqual([])
  })

  it('hears events of one key that wait together as one, with the facts of the last', () => {
    const told: unknown[] = []
    events.on('t', 'grow', (what) => told.push(what))
    for (let chains = 1; chains <= 3; chains++) events.publish('grow', { chains }, 'a')
    events.publish('grow', { chains: 9 }, 'b')
    events.publish('grow', { chains: 9 })
    turn()
    expect(told).toEqual([
      { chains: 3, times: 3 },
      { chains: 9, times: 1 },
      { chains: 9, times: 1 },
    ])
  })

  it('that throws or rejects is a warning, and the others are called', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const heard = vi.fn()
    events.on('t', 'stall', () => {
      throw new Error('one')
    })
    events.on('t', 'stall', async () => {
      throw new Error('two')
    })
    events.on('t', 'stall', heard)
    events.publish('stall', {})
    turn()
    expect(heard).toHaveBeenCalledOnce()
    await Promise.resolve()
    await Promise.resolve()
    expect(warned.mock.calls.map(([error]) => (error as unknown as Error).message).sort()).toEqual([
      'one',
      'two',
    ])
  })

  it('may publish, listen and stop listening: that counts from the next turn on', () => {
    const order: string[] = []
    const late = (): void => void order.push('late')
    events.on('t', 'grow', () => {
      order.push('first')
      if (order.length < 3) events.publish('grow', {})
      events.on('t', 'grow', late)
    })
    events.publish('grow', {})
    turn()
    expect(order).toEqual(['first'])
    turn()
    expect(order).toEqual(['first', 'first', 'late'])
  })

  it('is refused if it is no function, or for an unknown event', () => {
    for (const verb of ['on', 'off'] as const) {
      expect(() => events[verb]('arena.x', 'gone' as never, () => {})).toThrow(
        /^arena\.x: event is "gone"; known are exhausted, grow, stall, reap$/,
      )
      expect(() => events[verb]('arena.x', 'grow', 3 as never)).toThrow(Misuse)
    }
  })
})

it('the host has a channel of each name', () => {
  const heard: unknown[] = []
  const listen = (message: unknown, name: string | symbol): void => void heard.push([name, message])
  for (const name of EVENTS) subscribe(`uma-smr:${name}`, listen)
  for (const name of EVENTS) events.publish(name, { is: name })
  turn()
  for (const name of EVENTS) unsubscribe(`uma-smr:${name}`, listen)
  expect(heard).toEqual(EVENTS.map((name) => [`uma-smr:${name}`, { is: name, times: 1 }]))
  expect(events.has('grow')).toBe(false)
})

it('between turns of a real event loop no call of the library is on the stack', async () => {
  const arena = Arena.create({ bytes: 2 ** 18 })
  const zone = arena.zone('few', { bytes: 16, limit: 4, bucket: 1 })
  const told = new Promise((resolve) => {
    arena.on('exhausted', () => {
      // Takes the locks that the failing call has taken.
      zone.reclaim('all')
      resolve(zone.stats().fails)
    })
  })
  expect(() => {
    for (;;) zone.zalloc()
  }).toThrow(Exhausted)
  expect(await told).toBe(1)
  arena.detach()
  expect(() => arena.on('grow', () => {})).toThrow(Misuse)
})

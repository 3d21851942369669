/** What `arena.on` tells: each event from where it happens, once, and only to who listens. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { reapSlot } from '#src/arena/reap.ts'
import {
  Arena,
  type ArenaEvents,
  Exhausted,
  HashTable,
  type Item,
  record,
  u32,
  type Zone,
} from '#src/index.ts'

const BYTES = 2 ** 19
let arena: Arena
let turns: (() => void)[]
let time: number

const turn = (): void => {
  for (const due of turns.splice(0)) due()
}
const listen = <K extends keyof ArenaEvents>(name: K): ArenaEvents[K][] => {
  const told: ArenaEvents[K][] = []
  arena.on(name, (what) => told.push(what))
  return told
}
const thrown = (act: () => unknown): Exhausted => {
  try {
    act()
  } catch (error) {
    return error as Exhausted
  }
  return expect.unreachable('it did not throw')
}

beforeEach(() => {
  arena = Arena.create({ bytes: BYTES, maxWorkers: 4 })
  arena.space.watch.every = () => {}
  turns = []
  arena.space.events.later = (deliver) => void turns.push(deliver)
  time = 1_000_000
  vi.spyOn(arena.memory, 'now').mockImplementation(() => time)
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('exhausted', () => {
  const fill = (zone: Zone): Item[] => {
    const items: Item[] = []
    for (let item = zone.tryZalloc(); item !== 0; item = zone.tryZalloc()) items.push(item)
    return items
  }

  it('has the message and the facts of the error', () => {
    const told = listen('exhausted')
    const zone = arena.zone('all', { bytes: 64 })
    const error = thrown(() => {
      for (;;) zone.zalloc()
    })
    expect(told).toEqual([])
    turn()
    expect(told).toEqual([{ message: error.message, ...error.facts, times: 1 }])
    expect(told[0]).toMatchObject({ zone: 'all', free: expect.any(Number) })
  })

  it('tells of what a try verb did not get, and of many at once as one', () => {
    const told = listen('exhausted')
    const zone = arena.zone('few', { bytes: 16, limit: 3, bucket: 1 })
    fill(zone)
    for (let i = 0; i < 4; i++) expect(zone.tryZalloc()).toBe(0)
    turn()
    expect(told).toMatchObject([{ zone: 'few', limit: 3, times: 5 }])
    expect(told[0]?.message).toMatch(/^zone\.tryZalloc: zone "few": its limit of 3 is reached/)
  })

  it.each([
    ['prealloc', (zone: Zone) => zone.prealloc(10 ** 5)],
    ['a new zone with a reserve', () => arena.zone('huge', { bytes: 64, reserve: 10 ** 4 })],
    ['a new zone, no page', () => arena.zone('more', { bytes: 64 })],
    ['a new domain, no page', () => arena.smr('more')],
  ])('tells of %s', (_, act) => {
    const told = listen('exhausted')
    const zone = arena.zone('all', { bytes: 64 })
    const { pages } = arena.space
    for (let at = pages.reserve(1); at !== 0; at = pages.reserve(1)) expect(at).toBeGreaterThan(0)
    expect(thrown(() => act(zone))).toBeInstanceOf(Exhausted)
    turn()
    expect(told).toHaveLength(1)
  })

  it('costs nothing where nobody listens', () => {
    const zone = arena.zone('few', { bytes: 16, limit: 3, bucket: 1 })
    fill(zone)
    expect(turns).toEqual([])
  })
})

describe('reap', () => {
  it('has the report, for each dead worker', () => {
    const told = listen('reap')
    const dead = [Arena.attach(arena.handle), Arena.attach(arena.handle)]
    for (const { space, workerId } of dead) {
      expect(reapSlot(arena.space, space.slot).reaped).toBe(true)
      turn()
      expect(told.at(-1)).toMatchObject({ workerId, reaped: true, times: 1 })
    }
    expect(told).toHaveLength(2)
    // It was reaped before: nothing happens.
    arena.reap(dead[0]?.workerId as never)
    expect(turns).toEqual([])
  })
})

describe('stall', () => {
  const look = (): void => {
    arena.space.watch.check()
    turn()
  }

  it('tells of each section once, when it has held memory back for a second', () => {
    const told = listen('stall')
    const other = Arena.attach(arena.handle)
    const smr = arena.smr('d')
    const reader = other.smr('d')
    for (let round = 1; round <= 2; round++) {
      reader.enter()
      look()
      smr.advance()
      look()
      time += 999
      look()
      expect(told).toHaveLength(round - 1)
      time += 1
      look()
      look()
      expect(told).toHaveLength(round)
      expect(told.at(-1)).toMatchObject({ domain: 'd', workerId: other.workerId, forMs: 1000 })
      reader.exit()
      smr.advance()
      look()
    }
    expect(told).toHaveLength(2)
  })

  it('is not looked for where nobody listens', () => {
    const smr = arena.smr('d')
    const stalled = vi.spyOn(smr, 'stalled')
    look()
    expect(stalled).not.toHaveBeenCalled()
  })
})

it('off ends it, and on and off return the arena', () => {
  const heard = vi.fn()
  expect(arena.on('grow', heard).off('grow', heard)).toBe(arena)
  arena.space.events.publish('grow', { table: 't' })
  expect(turns).toEqual([])
})

it('a listener may use the arena, and its error does not reach the verb', () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const rows = { record: record({ id: u32 }), key: 'id', capacity: 10 } as const
  const table = HashTable.create(arena, 't', rows)
  const zone = arena.zone('few', { bytes: 16, limit: 1, bucket: 1 })
  const item = zone.zalloc()
  arena.on('exhausted', () => {
    zone.zfree(item)
    table.set({ id: 1 })
    throw new Error('mine')
  })
  expect(zone.tryZalloc()).toBe(0)
  turn()
  expect(table.has(1)).toBe(true)
  expect(zone.tryZalloc()).not.toBe(0)
  expect(warned).toHaveBeenCalledOnce()
})

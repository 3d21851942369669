/**
 * When the write hand moves: each clock by itself, with no domain around it but its words.
 *
 * Every goal is taken by a read-modify-write and lies ahead of what the hand showed. The default
 * clock moves the hand for each, the deferred one for every `limit`-th of a worker, the lazy one
 * when a tick has passed, whoever notices; at the wrap guard none does.
 */

import { describe, expect, it, vi } from 'vitest'
import { delta, MAX_DELTA, type Seq } from '#src/base/seq.ts'
import { DomainWords, ReaderWords } from '#src/memory/layout.ts'
import { Memory } from '#src/memory/memory.ts'
import { Clock } from '#src/smr/clock.ts'
import { CLOCKS, type ClockName } from '#src/smr/options.ts'
import { type Pace, paceOf, tickOf } from '#src/smr/pace.ts'
import { CONFIGS } from '../../helpers/tiny.ts'

const DOMAIN = 64
const WR = DOMAIN + DomainWords.wr
const RD = DOMAIN + DomainWords.rd
const OWED = DOMAIN + DomainWords.owed
const TICK = DOMAIN + DomainWords.tick
const READERS = 256
/** Where a caller counts the steps of its own goals. */
const OWN = 248
const LIMIT = 4
const TICK_MS = 10
const START_MS = 1_700_000_000_005

describe.each(CONFIGS)('$name', ({ sequence: { first, step } }) => {
  function make(clock: ClockName, workers = 1) {
    const memory = new Memory(new SharedArrayBuffer(8192))
    memory.poke(DOMAIN + DomainWords.step, step)
    memory.poke(DOMAIN + DomainWords.clock, CLOCKS.indexOf(clock))
    memory.poke(DOMAIN + DomainWords.limit, LIMIT)
    memory.poke(DOMAIN + DomainWords.tickMs, TICK_MS)
    memory.store(WR, first)
    memory.store(RD, first)
    const time = { ms: START_MS }
    vi.spyOn(memory, 'now').mockImplementation(() => time.ms)
    memory.store(TICK, tickOf(memory, TICK_MS))
    const readers = Array.from({ length: workers }, (_, i) => READERS + i * ReaderWords.WORDS)
    const paces = readers.map((reader) => paceOf(memory, DOMAIN, new Clock(memory, DOMAIN), reader))
    const moved = (): number => delta(memory.load(WR) as Seq, first as Seq) / step
    /** The steps that a worker has counted since the last question. */
    const counts = readers.map(() => 0)
    const counted = (worker = 0): number => {
      const all = memory.tallied((readers[worker] as number) + ReaderWords.advances)
      const since = all - (counts[worker] as number)
      counts[worker] = all
      return since
    }
    return { counted, memory, moved, pace: paces[0] as Pace, paces, time }
  }

  const ahead = (memory: Memory, goal: Seq): number => delta(goal, memory.load(WR) as Seq) / step

  /** Sets the read hand so that the write hand has no room left. */
  function atTheGuard(memory: Memory): void {
    memory.store(RD, (memory.load(WR) - MAX_DELTA) | 0)
  }

  describe('default', () => {
    it('moves the hand one step for each goal, which is where it then stands', () => {
      const { counted, memory, moved, pace } = make('default')
      for (let i = 1; i <= 5; i++) {
        expect(ahead(memory, pace.goal())).toBe(0)
        expect([moved(), counted()]).toEqual([i, 1])
      }
      expect([pace.defers, pace.reach]).toEqual([false, step])
    })

    it('has nothing to do with time', () => {
      const { counted, moved, pace, time } = make('default')
      time.ms += 1000 * TICK_MS
      pace.pass()
      expect([moved(), counted()]).toEqual([0, 0])
    })

    it('at the guard gives a goal ahead, says that a step is owed, and moves nothing', () => {
      const { counted, memory, moved, pace } = make('default')
      atTheGuard(memory)
      expect(memory.load(OWED)).toBe(0)
      expect(ahead(memory, pace.goal())).toBe(1)
      expect([moved(), counted(), memory.load(OWED)]).toEqual([0, 0, 1])
    })

    it('moves the hand to a goal for somebody who waits, unless others have', () => {
      const { counted, memory, moved, pace } = make('default')
      const goal = new Clock(memory, DOMAIN).ahead(1)
      pace.moveTo(first as Seq, goal)
      expect([moved(), counted()]).toEqual([1, 1])
      pace.moveTo(first as Seq, goal)
      expect([moved(), counted()]).toEqual([1, 0])
    })
  })

  it.each(['default', 'deferred', 'lazy'] as const)(
    '%s: counts steps for its caller as well',
    (name) => {
      const { counted, memory, moved, pace, time } = make(name)
      for (let call = 0; call < 2 * LIMIT; call++) {
        if (call % LIMIT === 0) time.ms += TICK_MS
        pace.goal(OWN)
      }
      const steps = moved()
      expect(steps).toBe(name === 'default' ? 2 * LIMIT : 2)
      expect([counted(), memory.tallied(OWN)]).toEqual([steps, steps])
      time.ms += TICK_MS
      pace.pass()
      pace.moveTo(memory.load(WR) as Seq, new Clock(memory, DOMAIN).ahead(1))
      expect([counted(), memory.tallied(OWN)]).toEqual([1, steps])
      atTheGuard(memory)
      const waits = (): number => memory.tallied(READERS + ReaderWords.advanceWaits)
      expect(waits()).toBe(0)
      pace.goal(OWN)
      expect([counted(), memory.tallied(OWN), waits()]).toEqual([0, steps, 1])
    },
  )

  describe('deferred', () => {
    it('moves the hand at every n-th goal of a worker; the others lie a step ahead', () => {
      const { counted, memory, moved, pace } = make('deferred')
      for (let call = 1; call <= 3 * LIMIT; call++) {
        const goal = pace.goal()
        expect(ahead(memory, goal)).toBe(call % LIMIT === 0 ? 0 : 1)
        expect(moved()).toBe(Math.floor(call / LIMIT))
        expect(counted()).toBe(call % LIMIT === 0 ? 1 : 0)
      }
      expect([pace.defers, pace.reach]).toEqual([true, step])
    })

    it('counts each worker by itself', () => {
      const { moved, paces } = make('deferred', 3)
      for (let call = 1; call < LIMIT; call++) for (const pace of paces) pace.goal()
      expect(moved()).toBe(0)
      for (const pace of paces) pace.goal()
      expect(moved()).toBe(3)
    })

    it('takes every goal by a read-modify-write', () => {
      const { memory, pace } = make('deferred')
      const add = vi.spyOn(memory, 'add')
      for (let call = 0; call < LIMIT; call++) pace.goal()
      expect(add.mock.calls).toEqual([...Array(LIMIT - 1).fill([WR, 0]), [WR, step]])
    })

    it('at the guard owes a step only when it would have made one', () => {
      const { memory, moved, pace } = make('deferred')
      atTheGuard(memory)
      for (let call = 1; call < LIMIT; call++) expect(ahead(memory, pace.goal())).toBe(1)
      expect(memory.load(OWED)).toBe(0)
      expect(ahead(memory, pace.goal())).toBe(1)
      expect([moved(), memory.load(OWED)]).toEqual([0, 1])
    })
  })

  describe('lazy', () => {
    it('gives goals two steps ahead, by a read-modify-write, and stands still within a tick', () => {
      const { counted, memory, moved, pace, time } = make('lazy')
      const add = vi.spyOn(memory, 'add')
      time.ms += TICK_MS - 6
      expect([ahead(memory, pace.goal()), ahead(memory, pace.goal())]).toEqual([2, 2])
      expect([moved(), counted()]).toEqual([0, 0])
      expect(add.mock.calls).toEqual([
        [WR, 0],
        [WR, 0],
      ])
      expect([pace.defers, pace.reach]).toEqual([true, 2 * step])
    })

    it('takes one step for one tick, by whoever notices first', () => {
      const { counted, moved, paces, time } = make('lazy', 3)
      for (let tick = 1; tick <= 5; tick++) {
        time.ms += TICK_MS
        for (const pace of paces) pace.pass()
        expect(moved()).toBe(tick)
        expect(paces.map((_, i) => counted(i))).toEqual([1, 0, 0])
      }
    })

    it('a goal too notices that time has passed, and lies ahead of where the hand then stands', () => {
      const { counted, memory, moved, pace, time } = make('lazy')
      time.ms += TICK_MS
      expect(ahead(memory, pace.goal())).toBe(2)
      expect([moved(), counted()]).toEqual([1, 1])
    })

    it.each([2, 3, 1000, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 5, 2 ** 32 - 3])(
      'after %d ticks of rest takes two steps, once',
      (ticks) => {
        const { counted, moved, pace, time } = make('lazy')
        time.ms += ticks * TICK_MS
        pace.pass()
        expect([moved(), counted()]).toEqual([2, 2])
        pace.pass()
        expect([moved(), counted()]).toEqual([2, 0])
        time.ms += TICK_MS
        pace.pass()
        expect(moved()).toBe(3)
      },
    )

    it.each([1, 2])('ignores a clock that is %d ticks behind: workers differ a little', (ticks) => {
      const { counted, memory, moved, pace, time } = make('lazy')
      const tick = memory.load(TICK)
      time.ms -= ticks * TICK_MS
      for (let i = 0; i < 3; i++) pace.pass()
      expect([moved(), counted(), memory.load(TICK)]).toEqual([0, 0, tick])
      time.ms += (ticks + 1) * TICK_MS
      pace.pass()
      expect(moved()).toBe(1)
    })

    it.each([3, 1000, 10 ** 9])('believes one that was set back by %d ticks', (ticks) => {
      const { counted, moved, pace, time } = make('lazy')
      time.ms -= ticks * TICK_MS
      pace.pass()
      expect([moved(), counted()]).toEqual([2, 2])
      time.ms += TICK_MS
      pace.pass()
      expect(moved()).toBe(3)
    })

    it('is moved by nobody who waits', () => {
      const { counted, memory, moved, pace } = make('lazy')
      pace.moveTo(first as Seq, new Clock(memory, DOMAIN).ahead(2))
      expect([moved(), counted()]).toEqual([0, 0])
    })

    it('at the guard stands, and lets no tick be lost: it moves when there is room', () => {
      const { memory, moved, pace, time } = make('lazy')
      atTheGuard(memory)
      const tick = memory.load(TICK)
      time.ms += TICK_MS
      expect(ahead(memory, pace.goal())).toBe(2)
      expect([moved(), memory.load(TICK), memory.load(OWED)]).toEqual([0, tick, 0])
      memory.store(RD, memory.load(WR))
      pace.pass()
      expect(moved()).toBe(1)
    })

    it('who sleeps after winning a tick, while others move the hand, loses it: nothing piles up', () => {
      const { counted, memory, moved, paces, time } = make('lazy', 2)
      const [one, two] = paces as [Pace, Pace]
      const { cas } = memory
      time.ms += TICK_MS
      const spy = vi.spyOn(memory, 'cas').mockImplementation((at, expected, value) => {
        if (at === WR) {
          spy.mockRestore()
          time.ms += 2 * TICK_MS
          two.pass()
        }
        return cas.call(memory, at, expected, value)
      })
      one.pass()
      expect([counted(0), counted(1), moved()]).toEqual([0, 2, 2])
    })

    it('who sleeps before the tick is his finds it taken', () => {
      const { counted, memory, moved, paces, time } = make('lazy', 2)
      const [one, two] = paces as [Pace, Pace]
      const { cas } = memory
      time.ms += TICK_MS
      const spy = vi.spyOn(memory, 'cas').mockImplementation((at, expected, value) => {
        spy.mockRestore()
        two.pass()
        return cas.call(memory, at, expected, value)
      })
      one.pass()
      expect([counted(0), counted(1), moved()]).toEqual([0, 1, 1])
    })

    it('counts ticks round a circle of 2^32', () => {
      const { memory, moved, pace, time } = make('lazy')
      time.ms = 2 ** 32 * TICK_MS * 3 - 1
      memory.store(TICK, tickOf(memory, TICK_MS))
      expect(memory.load(TICK)).toBe(-1)
      time.ms += 1
      pace.pass()
      expect([moved(), memory.load(TICK)]).toEqual([1, 0])
    })
  })
})

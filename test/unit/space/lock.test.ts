/**
 * The mutex on one word: what the word says, who may take it when, and what happens when its owner
 * is gone. Two attachments in one thread take turns here at the exact steps that matter; real
 * threads race for it at the end.
 */

import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Exhausted } from '#src/base/errors.ts'
import { Arena } from '#src/index.ts'
import type { Locks } from '#src/space/lock.ts'
import { trio } from '../../helpers/company.ts'
import { interrupt, MANNERS } from '../../helpers/interrupt.ts'
import { exhausted, misuse } from '../../helpers/refusals.ts'
import { spawn } from '../../helpers/spawn.ts'
import type { Task } from './counter.worker.ts'

const FREE = 0
const SLEEPERS = 1

let a: Arena
let b: Arena
let c: Arena
let at: number

const locks = (arena: Arena): Locks => arena.space.locks
const token = (arena: Arena): number => arena.space.workers.token(arena.workerId)
const word = (): number => a.memory.load(at)
/** What a reaper does for a dead worker first: from here on its tokens are nobody's. */
const bury = (arena: Arena): void => void arena.space.workers.release(arena.workerId)

beforeEach(() => {
  ;[a, b, c] = trio()
  at = a.space.pages.reserve(1)
  a.memory.store(at, FREE)
})

describe('a lock that nobody wants', () => {
  it('is taken with the owner’s token and given back as 0', () => {
    expect(locks(a).lock(at, 'it')).toBe('ok')
    expect(word()).toBe(token(a))
    locks(a).unlock(at)
    expect(word()).toBe(FREE)
    expect(locks(b).tryLock(at)).toBe('ok')
    expect(word()).toBe(token(b))
  })

  it('wakes nobody when it is given back', () => {
    const notify = vi.spyOn(a.memory, 'notify')
    locks(a).lock(at, 'it')
    locks(a).unlock(at)
    expect(notify).not.toHaveBeenCalled()
  })

  it('leaves the words beside it alone', () => {
    a.memory.poke(at + 1, 77)
    locks(a).lock(at, 'it')
    locks(a).unlock(at)
    expect([a.memory.peek(at + 1), a.memory.peek(at - 1)]).toEqual([77, 0])
  })
})

describe('a lock that is held', () => {
  beforeEach(() => {
    locks(a).lock(at, 'it')
  })

  it('knows its holder', () => {
    expect([locks(a).holds(at), locks(b).holds(at)]).toEqual([true, false])
    a.memory.or(at, SLEEPERS)
    expect([locks(a).holds(at), locks(b).holds(at)]).toEqual([true, false])
    locks(a).unlock(at)
    expect([locks(a).holds(at), locks(b).holds(at)]).toEqual([false, false])
  })

  it('is not to be had by tryLock, which changes nothing', () => {
    expect(locks(b).tryLock(at)).toBe(false)
    expect(locks(a).tryLock(at)).toBe(false)
    expect(word()).toBe(token(a))
  })

  it('is not taken twice by its holder, who would wait for himself', () => {
    const error = misuse(() => locks(a).lock(at, 'the thing', 10_000))
    expect(error.message).toBe('the thing: this worker holds the lock already; locks do not nest')
    expect(word()).toBe(token(a))
  })

  it('is refused after the time is over, naming lock, holder and time; the holder keeps it', () => {
    const begun = performance.now()
    const error = exhausted(() => locks(b).lock(at, 'the thing', 40))
    const took = performance.now() - begun
    expect(error.message).toMatch(/^the thing: worker 0 has held the lock for over 40 ms/)
    expect(error.facts).toEqual({ lock: 'the thing', worker: 0, timeoutMs: 40 })
    expect(took).toBeGreaterThan(35)
    expect(took).toBeLessThan(5_000)
    expect(locks(a).holds(at)).toBe(true)
    locks(a).unlock(at)
    expect(locks(b).lock(at, 'the thing', 0)).toBe('ok')
  })

  it('names the holder, whichever worker that is', () => {
    locks(a).unlock(at)
    locks(c).lock(at, 'it')
    expect(exhausted(() => locks(b).lock(at, 'it', 0)).facts).toMatchObject({ worker: 2 })
  })

  it('goes to a waiter that is still spinning, without the sleepers’ bit', () => {
    const { pause } = b.memory
    let pauses = 0
    b.memory.pause = () => {
      if (++pauses === 5) locks(a).unlock(at)
      pause.call(b.memory)
    }
    expect(locks(b).lock(at, 'it', 1000)).toBe('ok')
    expect([pauses, word()]).toEqual([5, token(b)])
  })

  it('goes to a sleeper, who is woken and keeps the bit for other sleepers', () => {
    const notify = vi.spyOn(a.memory, 'notify')
    const sleeps: number[][] = []
    b.memory.wait = (...args) => {
      sleeps.push(args)
      locks(a).unlock(at)
    }
    expect(locks(b).lock(at, 'it', 1000)).toBe('ok')
    expect(sleeps.map(([where, value]) => [where, value])).toEqual([[at, token(a) | SLEEPERS]])
    expect(notify.mock.calls).toEqual([[at, 1]])
    expect(word()).toBe(token(b) | SLEEPERS)
    const wakes = vi.spyOn(b.memory, 'notify')
    locks(b).unlock(at)
    expect(wakes.mock.calls).toEqual([[at, 1]])
    expect(word()).toBe(FREE)
  })

  it('a sleeper who loses the race goes back to sleep, with the bit set again', () => {
    let sleeps = 0
    b.memory.wait = (_, value) => {
      sleeps++
      if (sleeps === 1) {
        locks(a).unlock(at)
        locks(c).lock(at, 'it')
      } else {
        expect(value).toBe(token(c) | SLEEPERS)
        expect(word()).toBe(token(c) | SLEEPERS)
        locks(c).unlock(at)
      }
    }
    expect(locks(b).lock(at, 'it', 1000)).toBe('ok')
    expect(sleeps).toBe(2)
  })

  it('never sleeps past its deadline, nor long without asking whether the owner lives', () => {
    const sleeps: number[] = []
    b.memory.wait = (_at, _value, ms) => {
      sleeps.push(ms)
      if (sleeps.length === 3) bury(a)
    }
    expect(locks(b).lock(at, 'it', 10_000)).toBe('owner-died')
    expect(Math.max(...sleeps)).toBeLessThanOrEqual(20)
    locks(b).unlock(at)

    locks(c).lock(at, 'it')
    sleeps.length = 0
    let time = b.memory.now()
    vi.spyOn(b.memory, 'now').mockImplementation(() => time)
    b.memory.wait = (_at, _value, ms) => {
      sleeps.push(ms)
      time += ms
    }
    exhausted(() => locks(b).lock(at, 'it', 50))
    expect(sleeps.map(Math.round)).toEqual([20, 20, 10])
  })

  it('is refused when it has been waited for so long, though the clock stands still', () => {
    let slept = 0
    vi.spyOn(b.memory, 'now').mockImplementation(() => 7)
    b.memory.wait = (_at, _value, ms) => {
      slept += ms
      if (slept > 1000) throw new Error('it would wait for ever')
    }
    expect(exhausted(() => locks(b).lock(at, 'it', 50)).facts).toMatchObject({ timeoutMs: 50 })
    expect(slept).toBeGreaterThanOrEqual(50)
    expect(locks(a).holds(at)).toBe(true)
  })

  it('what was slept counts only while the clock stands: else the clock says how long it was', () => {
    let time = 7
    let sleeps = 0
    vi.spyOn(b.memory, 'now').mockImplementation(() => time)
    // Woken early each time, as by others who wait for the lock too.
    b.memory.wait = () => {
      time += 1
      sleeps++
    }
    exhausted(() => locks(b).lock(at, 'it', 50))
    expect(sleeps).toBe(50)
  })
})

describe('a lock of the library’s own', () => {
  const own = () => locks(a).acquire(at, 'it')

  it('is a lock like any other', () => {
    expect(own()).toBe('ok')
    expect(word()).toBe(token(a))
    exhausted(() => locks(b).lock(at, 'it', 0))
    locks(a).release(at, true)
    expect(word()).toBe(FREE)
  })

  it('that is not given back as whole is repaired by the next owner, whoever that is', () => {
    for (const next of [a, b]) {
      own()
      locks(a).release(at, false)
      expect(locks(next).acquire(at, 'it')).toBe('owner-died')
      locks(next).unlock(at)
      expect(word()).toBe(FREE)
    }
  })

  it('that still bears our signature was held by a call that was cut off: it is ours, to repair', () => {
    own()
    let repairs = 0
    locks(a).acquireAndRepair(at, 'it', () => repairs++)
    expect(repairs).toBe(1)
    expect(word() & ~SLEEPERS).toBe(token(a))
    locks(a).unlock(at)
    expect(own()).toBe('ok')
  })

  it('that still bears our signature is ours also where it is only tried for, and nobody else’s', () => {
    locks(a).acquire(at, 'it')
    expect(locks(b).tryAcquire(at)).toBe(false)
    expect(locks(a).tryAcquire(at)).toBe('owner-died')
    locks(a).unlock(at)
    expect(word()).toBe(FREE)
  })

  it('whose repair fails is left to the next owner to repair', () => {
    locks(a).acquire(at, 'it')
    bury(a)
    const boom = new Error('boom')
    const fail = (): never => {
      throw boom
    }
    expect(() => locks(b).acquireAndRepair(at, 'it', fail)).toThrow(boom)
    expect(locks(c).tryAcquire(at)).toBe('owner-died')
  })

  it('is abandoned in a turn of its own, when no call of ours can hold it', () => {
    const other = a.space.pages.reserve(1)
    for (const each of [at, other]) locks(a).acquire(each, 'it')
    locks(a).check()
    for (const each of [at, other]) {
      expect(locks(b).acquire(each, 'it')).toBe('owner-died')
      locks(b).unlock(each)
    }
    locks(a).check()
    expect(word()).toBe(FREE)
  })

  it('is not taken from whoever has it now', () => {
    own()
    a.memory.store(at, FREE)
    locks(b).lock(at, 'it')
    locks(a).check()
    expect(locks(b).holds(at)).toBe(true)
  })

  it('is not remembered where it was not to be had, nor is the user’s', () => {
    locks(b).lock(at, 'it')
    locks(a).withPatience(0, () => exhausted(own))
    locks(b).unlock(at)
    locks(a).lock(at, 'the user’s')
    locks(a).check()
    expect(locks(a).holds(at)).toBe(true)
  })

  it.each(MANNERS)('is free or anybody’s after its turn, wherever a call is %s', (manner) => {
    for (let step = 0, on = true; on; step++) {
      const act = () => locks(a).acquireAndRepair(at, 'it', () => {})
      const release = () => locks(a).release(at, true)
      on = interrupt(a, step, manner, () => {
        act()
        release()
      }).interrupted
      locks(a).check()
      locks(b).acquire(at, 'it')
      locks(b).unlock(at)
      expect(word()).toBe(FREE)
    }
  })
})

describe('a lock whose owner is gone', () => {
  beforeEach(() => {
    locks(a).lock(at, 'it')
  })

  it.each([
    ['lock', () => locks(b).lock(at, 'it', 0)],
    ['tryLock', () => locks(b).tryLock(at)],
  ])('is taken over by %s, which says so once', (_, take) => {
    bury(a)
    expect(take()).toBe('owner-died')
    expect(locks(b).holds(at)).toBe(true)
    locks(b).unlock(at)
    expect(word()).toBe(FREE)
    expect(take()).toBe('ok')
  })

  it('is taken over also with the sleepers’ bit, and the sleepers are woken later', () => {
    a.memory.or(at, SLEEPERS)
    bury(a)
    expect(locks(b).tryLock(at)).toBe('owner-died')
    const notify = vi.spyOn(b.memory, 'notify')
    locks(b).unlock(at)
    expect(notify).toHaveBeenCalledTimes(1)
  })

  it('is not mistaken for the lock of a worker that has its slot now', () => {
    const slot = a.workerId
    bury(a)
    expect(c.space.workers.claim('x', 0)).toBe(slot)
    expect(locks(b).tryLock(at)).toBe('owner-died')
  })

  // Somebody has been told that the owner is dead, and it lives.
  describe.each([
    ['given back', () => locks(a).unlock(at)],
    ['abandoned', () => locks(a).abandon(at)],
  ])('is not its former owner’s to be %s', (_, giveBack) => {
    it('when somebody has taken it over', () => {
      bury(a)
      expect(locks(b).tryLock(at)).toBe('owner-died')
      const taken = word()
      giveBack()
      expect(word()).toBe(taken)
      expect(locks(c).tryLock(at)).toBe(false)
    })

    it('when it is free again', () => {
      bury(a)
      expect(locks(b).tryLock(at)).toBe('owner-died')
      locks(b).unlock(at)
      giveBack()
      expect(locks(c).tryLock(at)).toBe('ok')
    })

    it('when it is taken over between the two looks at it', () => {
      a.memory.or(at, SLEEPERS)
      const { cas } = a.memory
      let looks = 0
      a.memory.cas = (...args) => {
        if (++looks === 2) {
          a.memory.cas = cas
          bury(a)
          expect(locks(b).tryLock(at)).toBe('owner-died')
        }
        return cas.apply(a.memory, args)
      }
      const notify = vi.spyOn(a.memory, 'notify')
      giveBack()
      expect([looks, locks(b).holds(at)]).toEqual([2, true])
      expect(notify).not.toHaveBeenCalled()
    })
  })

  it('is not taken from one that lives', () => {
    expect(locks(b).tryLock(at)).toBe(false)
    expect(() => locks(b).lock(at, 'it', 5)).toThrow(Exhausted)
    expect(locks(a).holds(at)).toBe(true)
  })

  it('[T] goes to exactly one of two that see it at the same time', () => {
    bury(a)
    const { cas } = b.memory
    let looks = 0
    b.memory.cas = (...args) => {
      looks++
      // c takes over between b's look at the dead owner's token and b's own take-over.
      if (looks === 2) expect(locks(c).tryLock(at)).toBe('owner-died')
      return cas.apply(b.memory, args)
    }
    expect(locks(b).tryLock(at)).toBe(false)
    expect([looks, locks(c).holds(at), locks(b).holds(at)]).toEqual([2, true, false])
  })
})

describe('real threads', () => {
  it.each([2, 4])('%i of them lose no increment of a plain word', async (threads) => {
    const ROUNDS = 4_000
    const arena = Arena.create({ bytes: 2 ** 18, maxWorkers: threads + 1 })
    const counter = arena.zone('counters', { bytes: 8 }).zalloc()
    arena.words[counter] = 0
    const task: Task = { handle: arena.handle, lock: 'counter', at: counter, rounds: ROUNDS }
    const service = await spawn<Task>({
      script: 'unit/space/counter.worker.ts',
      members: Array.from({ length: threads }, () => ({ role: 'adder', task })),
      seed: 1,
      seconds: 20,
      timeoutMs: 30_000,
    })
    expect(service.reports.map(({ counts }) => counts)).toEqual(
      new Array(threads).fill({ rounds: ROUNDS }),
    )
    expect(arena.words[counter]).toBe(threads * ROUNDS)
    expect(arena.lock('counter').tryLock()).toBe('ok')
  })
})

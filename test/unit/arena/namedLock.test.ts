/**
 * Named locks, as their user has them: the same lock for everybody who knows the name, refusals that
 * say which call and which lock, and a promise is no critical section.
 */

import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Arena } from '#src/index.ts'
import { Exhausted, Lock, Misuse } from '#src/index.ts'
import { trio } from '../../helpers/company.ts'
import { interrupt, MANNERS } from '../../helpers/interrupt.ts'
import { exhausted, misuse, rejected, unchanged } from '../../helpers/refusals.ts'

let a: Arena
let b: Arena
let mine: Lock
let theirs: Lock

beforeEach(() => {
  ;[a, b] = trio()
  mine = a.lock('writers')
  theirs = b.lock('writers')
})

describe('the name', () => {
  it('leads every worker to the same lock, and another name to another', () => {
    expect(mine).toBeInstanceOf(Lock)
    expect(mine.name).toBe('writers')
    mine.lock()
    expect(theirs.tryLock()).toBe(false)
    expect(b.lock('readers').tryLock()).toBe('ok')
    expect(a.lock('writers')).toBe(mine)
  })

  it('lasts: a lock is held across its holder’s look-ups', () => {
    mine.lock()
    expect(a.lock('writers').held).toBe(true)
  })
})

describe('lock, tryLock, unlock', () => {
  it('exclude each other', () => {
    expect(mine.lock()).toBe('ok')
    expect([mine.held, theirs.held]).toEqual([true, false])
    expect(theirs.tryLock()).toBe(false)
    mine.unlock()
    expect([mine.held, theirs.tryLock(), theirs.held]).toEqual([false, 'ok', true])
  })

  it('lock does not nest', () => {
    mine.lock()
    expect(misuse(() => mine.lock()).message).toBe(
      'lock.lock: lock "writers": this worker holds the lock already; locks do not nest',
    )
    expect(mine.tryLock()).toBe(false)
    expect(mine.held).toBe(true)
  })

  it('lock gives up after its time and names the holder', () => {
    mine.lock()
    const error = exhausted(() => theirs.lock({ timeoutMs: 10 }))
    expect(error.message).toMatch(
      /^lock\.lock: lock "writers": worker 0 has held the lock for over 10 ms/,
    )
    expect(error.facts).toMatchObject({ worker: 0, timeoutMs: 10 })
    expect(mine.held).toBe(true)
  })

  it('unlock is for the holder alone', () => {
    expect(misuse(() => mine.unlock()).message).toBe(
      'lock.unlock: lock "writers" is not held by this worker',
    )
    mine.lock()
    unchanged(a, () => misuse(() => theirs.unlock()))
    expect(mine.held).toBe(true)
    mine.unlock()
    misuse(() => mine.unlock())
  })

  it('tell that the last owner died, to the next one only', () => {
    theirs.lock()
    a.space.workers.release(b.workerId)
    expect(mine.lock()).toBe('owner-died')
    mine.unlock()
    expect(mine.lock()).toBe('ok')
  })
})

describe('withLock', () => {
  it('runs with the lock held, passes on what it returns, and how the lock was taken', () => {
    const seen = mine.withLock((taken) => {
      expect([mine.held, theirs.tryLock()]).toEqual([true, false])
      return [taken, 42]
    })
    expect(seen).toEqual(['ok', 42])
    expect(mine.held).toBe(false)
    theirs.lock()
    a.space.workers.release(b.workerId)
    expect(mine.withLock((taken) => taken)).toBe('owner-died')
  })

  it('gives the lock back when the function throws', () => {
    const boom = new Error('boom')
    expect(() =>
      mine.withLock(() => {
        throw boom
      }),
    ).toThrow(boom)
    expect(theirs.tryLock()).toBe('ok')
  })

  it.each<[string, () => unknown]>([
    ['an async function', async () => 1],
    ['an async function that fails', () => Promise.reject(new Error('later'))],
    // biome-ignore lint/suspicious/noThenProperty: a promise of somebody else's making
    ['any thenable', () => ({ then: () => {} })],
  ])('refuses %s, and the lock is free afterwards', async (_, fn) => {
    expect(misuse(() => mine.withLock(fn)).message).toBe(
      'lock.withLock: lock "writers": the function returned a promise; use lockAsync',
    )
    expect([mine.held, theirs.tryLock()]).toEqual([false, 'ok'])
    // A rejection of the refused promise must not go unhandled: that would fail this run.
    await new Promise((resolve) => setTimeout(resolve, 5))
  })

  it.each(MANNERS)('%s anywhere: the lock is free, or the next one hears of it', (manner) => {
    for (let step = 0; ; step++) {
      const { interrupted } = interrupt(a, step, manner, () => mine.withLock(() => 0))
      if (!interrupted) break
      if (mine.held) misuse(() => mine.withLock(() => 0))
      const isLeft = mine.held
      a.space.watch.check()
      expect([mine.held, theirs.withLock((taken) => taken)]).toEqual([
        false,
        isLeft ? 'owner-died' : 'ok',
      ])
    }
    expect(mine.withLock((taken) => taken)).toBe('ok')
  })

  it('that was refused, or tried in vain, leaves the lock with whom it had', () => {
    for (const take of [() => mine.lock(), () => mine.tryLock()]) {
      expect(take()).toBe('ok')
      misuse(() => mine.withLock(() => 0))
      misuse(() => mine.lock())
      expect(mine.tryLock()).toBe(false)
      a.space.watch.check()
      expect([mine.held, theirs.tryLock()]).toEqual([true, false])
      mine.unlock()
    }
    mine.withLock(() => {
      misuse(() => mine.withLock(() => 0))
      expect([mine.tryLock(), mine.held]).toEqual([false, true])
    })
    theirs.lock()
    exhausted(() => mine.withLock(() => 0, { timeoutMs: 1 }))
    theirs.unlock()
    mine.lock()
    a.space.watch.check()
    expect(mine.held).toBe(true)
  })

  it('waits no longer than it is told, in its own name, and does not run the function', () => {
    mine.lock()
    const fn = vi.fn()
    expect(exhausted(() => theirs.withLock(fn, { timeoutMs: 5 })).message).toMatch(
      /^lock\.withLock: lock "writers": worker 0/,
    )
    expect(fn).not.toHaveBeenCalled()
  })
})

describe('lockAsync', () => {
  it('waits between turns until the lock is free', async () => {
    mine.lock()
    setTimeout(() => mine.unlock(), 5)
    expect(await theirs.lockAsync()).toBe('ok')
    expect([mine.held, theirs.held]).toEqual([false, true])
  })

  it('tells that the last owner died', async () => {
    theirs.lock()
    a.space.workers.release(b.workerId)
    expect(await mine.lockAsync()).toBe('owner-died')
  })

  it('gives up after its time, or when it is told to', async () => {
    mine.lock()
    const late = await rejected(Exhausted, theirs.lockAsync({ timeoutMs: 10 }))
    expect(late.message).toBe('lock.lockAsync: lock "writers" was not to be had within 10 ms')
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    await expect(theirs.lockAsync({ signal })).rejects.toBe(reason)
    expect([mine.held, theirs.held]).toEqual([true, false])
  })

  it('rejects, and does not wait for itself', async () => {
    mine.lock()
    expect((await rejected(Misuse, mine.lockAsync())).message).toMatch(
      /^lock\.lockAsync: lock "writers" is held by this worker/,
    )
  })

  it('ends when its worker leaves while it waits', async () => {
    mine.lock()
    const wait = theirs.lockAsync({ timeoutMs: 10_000 })
    b.detach()
    mine.unlock()
    expect((await rejected(Misuse, wait)).message).toMatch(/^lock\.lockAsync: .*detached/)
    expect(mine.tryLock()).toBe('ok')
  })
})

it('after detach every verb refuses in its own name', async () => {
  b.detach()
  for (const verb of ['lock', 'tryLock', 'unlock'] as const) {
    expect(misuse(() => theirs[verb]()).message).toMatch(new RegExp(`^lock\\.${verb}: .*detached`))
  }
  expect(misuse(() => theirs.withLock(() => 1)).message).toMatch(/^lock\.withLock: .*detached/)
  expect((await rejected(Misuse, theirs.lockAsync())).message).toMatch(
    /^lock\.lockAsync: .*detached/,
  )
  expect([theirs.held, mine.tryLock()]).toEqual([false, 'ok'])
})

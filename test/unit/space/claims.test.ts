/** Attachments that fail in the middle: nobody else knows of the slot that they have claimed. */

import { describe, expect, it, vi } from 'vitest'
import { Supervision } from '#src/arena/supervise.ts'
import { Arena } from '#src/index.ts'
import { Header } from '#src/memory/layout.ts'
import { Claims } from '#src/space/claims.ts'
import { Space } from '#src/space/space.ts'

const BYTES = 2 ** 18

describe('an attachment that fails', () => {
  it('gives back its slot, whatever it fails of', () => {
    const arena = Arena.create({ bytes: BYTES, maxWorkers: 2 })
    for (let i = 0; i < 3; i++) {
      const join = vi.spyOn(Supervision.prototype, 'join').mockImplementationOnce(() => {
        throw new RangeError('too deep')
      })
      expect(() => Arena.attach(arena.handle)).toThrow('too deep')
      join.mockRestore()
      expect(arena.space.workers.attached()).toEqual([arena.space.slot])
    }
    Arena.attach(arena.handle).detach()
  })

  it('gives it back also before it has a worker, be it the first slot', () => {
    const { space } = Arena.create({ bytes: BYTES, maxWorkers: 2 })
    space.close()
    const claims = new Claims()
    const every = vi.fn()
    claims.every = every
    expect(() =>
      claims.make((claim) => {
        expect(space.workers.claim('test', 7, claim)).toBe(0)
        throw new RangeError('too deep')
      }),
    ).toThrow('too deep')
    expect([0, 1].map((slot) => space.workers.isClaimed(slot))).toEqual([false, false])
    // Looked after once, right after this turn.
    expect(every.mock.calls.map(([, ms]) => ms)).toEqual([0])
  })

  it('and is cut off gives it back in a turn of its own, with the locks that it held', () => {
    const arena = Arena.create({ bytes: BYTES, maxWorkers: 2 })
    const claims = new Claims()
    const turns: (() => boolean)[] = []
    claims.every = (check) => turns.push(check)
    const attached = claims.make((claim) => {
      const space = new Space('test', arena.memory, claim)
      space.locks.acquire(Header.pageLock, 'test')
      // As if the call had ended here: no `finally` runs, and its turn ends.
      for (const turn of turns.splice(0)) turn()
      return space
    })
    expect(attached.isOpen).toBe(false)
    expect(arena.space.workers.isClaimed(attached.slot)).toBe(false)
    const { locks } = arena.space
    expect(locks.tryAcquire(Header.pageLock)).toBe('owner-died')
    locks.unlock(Header.pageLock)
  })

  it('and cannot give it back now, a lock being held, does so later', () => {
    const arena = Arena.create({ bytes: BYTES, maxWorkers: 2 })
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const claims = new Claims()
    const turns: (() => boolean)[] = []
    claims.every = (check) => turns.push(check)
    expect(() =>
      claims.make((claim) => {
        const space = new Space('test', arena.memory, claim)
        vi.spyOn(space.pages, 'check').mockImplementationOnce(() => {
          throw new Error('locked')
        })
        throw new RangeError('too deep')
      }),
    ).toThrow('too deep')
    expect(warned).toHaveBeenCalledOnce()
    expect(arena.space.workers.attached()).toHaveLength(2)
    for (const turn of turns.splice(0)) turn()
    expect(arena.space.workers.attached()).toHaveLength(1)
    warned.mockRestore()
  })
})

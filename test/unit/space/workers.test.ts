/**
 * Slots: each attachment gets one of its own, gives it back, and is never taken for the worker that
 * had it before or after.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UNKNOWN_THREAD } from '#src/base/host.ts'
import { geometry, Header, WorkerSlot } from '#src/memory/layout.ts'
import { Memory } from '#src/memory/memory.ts'
import { slotOf, Workers } from '#src/space/workers.ts'
import { differences, misuse } from '../../helpers/refusals.ts'

const WORDS = 2 ** 16

/** Worker slots over fresh memory, seen from two sides. */
function make(max: number): { workers: Workers; other: Workers; memory: Memory } {
  const buffer = new SharedArrayBuffer(WORDS * 4)
  const memory = new Memory(buffer)
  const at = geometry(WORDS, max).workersAt
  return {
    workers: new Workers(memory, at, max),
    other: new Workers(new Memory(buffer), at, max),
    memory,
  }
}

describe('claim', () => {
  it('gives each claimant another slot, in order', () => {
    const { workers, other } = make(4)
    expect([workers.claim('x', 0), other.claim('x', 1), workers.claim('x', 2)]).toEqual([0, 1, 2])
    expect(other.attached()).toEqual([0, 1, 2])
  })

  it('is refused when all are taken: names the call and the number, and changes nothing', () => {
    const { workers, memory } = make(2)
    workers.claim('x', 0)
    workers.claim('x', 0)
    const before = memory.words.slice()
    const error = misuse(() => workers.claim('Arena.attach', 0))
    expect(error.message).toMatch(/^Arena\.attach: all 2 worker slots are taken/)
    expect(error.facts).toEqual({ maxWorkers: 2 })
    expect(differences(before, memory.words)).toEqual([])
  })

  it('reuses what was released, lowest first', () => {
    const { workers } = make(3)
    for (let i = 0; i < 3; i++) workers.claim('x', i)
    workers.release(1)
    expect(workers.attached()).toEqual([0, 2])
    expect(workers.claim('x', 9)).toBe(1)
    expect(workers.attached()).toEqual([0, 1, 2])
  })

  it('loses the race for one slot and takes the next', () => {
    const { workers, other, memory } = make(3)
    const { cas } = memory
    memory.cas = (...args) => {
      memory.cas = cas
      expect(other.claim('x', 1)).toBe(0)
      return cas.apply(memory, args)
    }
    expect(workers.claim('x', 0)).toBe(1)
  })

  it('works for the last slot of the largest arena, across all words of bits', () => {
    const { workers, other } = make(256)
    const slots = Array.from({ length: 256 }, () => workers.claim('x', 0))
    expect(slots).toEqual(Array.from({ length: 256 }, (_, i) => i))
    expect(other.attached()).toEqual(slots)
    for (const slot of [31, 32, 63, 255]) workers.release(slot)
    expect(slots.filter((slot) => !other.isAttached(slot))).toEqual([31, 32, 63, 255])
  })
})

describe('the active bits', () => {
  it('are set for attached slots only, so that pollers skip the others', () => {
    const { workers, memory } = make(64)
    for (let i = 0; i < 34; i++) workers.claim('x', 0)
    expect([memory.load(Header.active), memory.load(Header.active + 1)]).toEqual([-1, 0b11])
    workers.release(31)
    workers.release(32)
    expect([memory.load(Header.active), memory.load(Header.active + 1)]).toEqual([0x7fffffff, 0b10])
  })
})

describe('tokens', () => {
  it('are positive, even, name their slot, and differ between slots', () => {
    const { workers } = make(256)
    const tokens = Array.from({ length: 256 }, (_, slot) => workers.token(slot))
    expect(new Set(tokens).size).toBe(256)
    tokens.forEach((token, slot) => {
      expect(token).toBeGreaterThan(0)
      expect(token & 1).toBe(0)
      expect(slotOf(token)).toBe(slot)
      expect(slotOf(token | 1)).toBe(slot)
    })
  })

  it('of a worker that left are gone, also when the slot has a new owner', () => {
    const { workers, other } = make(4)
    const slot = workers.claim('x', 0)
    const token = workers.token(slot)
    expect([other.isGone(token), other.isGone(token | 1)]).toEqual([false, false])
    workers.release(slot)
    expect([other.isGone(token), other.isGone(token | 1)]).toEqual([true, true])
    expect(workers.claim('x', 0)).toBe(slot)
    expect(other.isGone(token)).toBe(true)
    expect(other.isGone(workers.token(slot))).toBe(false)
  })

  it('stay right when the generation runs through all its bits', () => {
    const generation = fc.oneof(
      fc.integer(),
      fc.constantFrom(0, 2 ** 21 - 2, 2 ** 21 - 1, 2 ** 21, 2 ** 31 - 1, -1),
    )
    fc.assert(
      fc.property(generation, fc.nat(255), (value, slot) => {
        const { workers, memory } = make(256)
        const at = geometry(WORDS, 256).workersAt + slot * WorkerSlot.WORDS
        memory.store(at + WorkerSlot.generation, value)
        const token = workers.token(slot)
        expect(token).toBeGreaterThan(0)
        expect(token | 0).toBe(token)
        expect(slotOf(token)).toBe(slot)
        expect(workers.isGone(token)).toBe(false)
        memory.add(at + WorkerSlot.generation, 1)
        expect(workers.isGone(token)).toBe(true)
        expect(workers.token(slot)).not.toBe(token)
      }),
    )
  })

  it('of slots that cannot exist are gone: a lock word that is damaged can be taken over', () => {
    const { workers } = make(4)
    expect(workers.isGone(0)).toBe(true)
    expect(workers.isGone(make(256).workers.token(200))).toBe(true)
    expect(workers.isGone(-2)).toBe(true)
  })
})

describe('threads', () => {
  it('are known by the slots that they claim', () => {
    const { workers, other } = make(8)
    for (const thread of [0, 7, 0, UNKNOWN_THREAD]) workers.claim('x', thread)
    const slots = (thread: number): number[] => other.claimedBy(thread).map(({ slot }) => slot)
    expect([slots(0), slots(7), slots(3), slots(UNKNOWN_THREAD)]).toEqual([[0, 2], [1], [], [3]])
    expect(other.isOfThread(1, 7)).toBe(true)
    expect(other.isOfThread(0, 7)).toBe(false)
    workers.release(0)
    expect(slots(0)).toEqual([2])
    expect([0, 1, 4].map((slot) => other.isClaimed(slot))).toEqual([false, true, false])
  })
})

describe('beginReap', () => {
  const REAPER = 1
  const NEXT = 2

  function dead(): { workers: Workers; other: Workers; token: (slot: number) => number } {
    const { workers, other } = make(4)
    for (const thread of [5, 6, 7]) workers.claim('x', thread)
    return { workers, other, token: (slot) => workers.token(slot) }
  }

  it('is for one: from then on the dead worker’s tokens are nobody’s, and the slot is not free', () => {
    const { workers, other, token } = dead()
    const left = token(0)
    const seen = workers.beginReap(0, token(REAPER))
    expect(seen).toEqual({ slot: 0, generation: 1 })
    expect(workers.isGone(left)).toBe(true)
    expect(other.beginReap(0, token(NEXT))).toBeUndefined()
    expect([workers.isClaimed(0), workers.claimedBy(5)]).toEqual([true, []])
    expect(other.claim('x', 0)).toBe(3)
    expect(workers.release(0, 1)).toBe(true)
    expect(other.claim('x', 0)).toBe(0)
  })

  it('goes by the worker that was seen, not by its slot: a successor is left alone', () => {
    for (const thread of [5, UNKNOWN_THREAD]) {
      const { workers, other } = make(4)
      workers.claim('x', thread)
      const seen = { slot: 0, generation: workers.generation(0) }
      // While somebody slept over what he saw, it was reaped, and its slot claimed by the same thread.
      const reaped = workers.beginReap(0, other.token(3), seen.generation)
      expect(reaped).toBeDefined()
      expect(workers.release(0, reaped?.generation)).toBe(true)
      expect(workers.claim('x', thread)).toBe(0)
      expect(other.beginReap(0, other.token(2), seen.generation)).toBeUndefined()
      expect(other.bury(seen)).toBe(false)
      expect(other.release(0, seen.generation)).toBe(false)
      expect(other.isAttached(0)).toBe(true)
      expect(other.isGone(other.token(0))).toBe(false)
    }
  })

  it('a slot that is free is nobody to be reaped, however often it was used', () => {
    const { workers, other, token } = dead()
    expect(workers.beginReap(3, token(REAPER))).toBeUndefined()
    for (let i = 0; i < 600; i++) {
      workers.release(0)
      expect(other.beginReap(0, token(NEXT))).toBeUndefined()
      expect(other.isClaimed(0)).toBe(false)
      expect(workers.claim('x', 5)).toBe(0)
      expect(other.claimedBy(5)).toEqual([{ slot: 0, generation: 2 * i + 2 }])
    }
  })

  it('may be done again by the same', () => {
    const { workers, token } = dead()
    const seen = workers.beginReap(0, token(REAPER))
    expect(workers.beginReap(0, token(REAPER))).toEqual(seen)
    expect(workers.beginReap(0, token(REAPER), seen?.generation)).toEqual(seen)
  })

  it('is taken over from a reaper that died itself, gave up, or was none', () => {
    const { workers, other, token } = dead()
    workers.beginReap(0, token(REAPER))
    expect(other.unreaped()).toEqual([])
    expect(other.beginReap(REAPER, token(NEXT))).toBeDefined()
    expect(other.unreaped().map(({ slot }) => slot)).toEqual([0])
    const seen = other.beginReap(0, token(NEXT))
    expect(seen).toEqual({ slot: 0, generation: 1 })
    expect(workers.beginReap(0, token(3))).toBeUndefined()
    if (seen !== undefined) other.cancelReap(seen, token(NEXT))
    expect(workers.beginReap(0, token(3))).toEqual(seen)
    workers.release(0)
    workers.release(REAPER)
    expect(other.attached()).toEqual([NEXT])
  })

  it('a worker that buries itself is anybody’s to reap', () => {
    const { workers, other } = dead()
    expect(workers.bury({ slot: 0, generation: 0 })).toBe(true)
    expect(workers.bury({ slot: 0, generation: 0 })).toBe(false)
    expect(other.unreaped()).toEqual([{ slot: 0, generation: 1 }])
  })

  it('the loser of a race does nothing', () => {
    const { workers, other, memory } = make(4)
    for (const thread of [5, 6, 7]) workers.claim('x', thread)
    const { cas } = memory
    memory.cas = (...args) => {
      memory.cas = cas
      expect(other.beginReap(0, other.token(NEXT))).toBeDefined()
      return cas.apply(memory, args)
    }
    const before = workers.generation(0)
    expect(workers.beginReap(0, workers.token(REAPER))).toBeUndefined()
    expect(workers.generation(0)).toBe(before + 1)
    expect(other.unreaped()).toEqual([])
  })
})

describe('names', () => {
  it('rise by one use of the slot; a dead worker has none that a successor could have', () => {
    const { workers } = make(2)
    const names: number[] = []
    for (let i = 0; i < 3; i++) {
      workers.claim('x', 0)
      names.push(workers.idOf(0))
      const seen = workers.named(names[i] as number)
      expect(seen).toEqual({ slot: 0, generation: 2 * i })
      workers.bury({ slot: 0, generation: 2 * i })
      expect(workers.idOf(0)).toBe((i + 1) * 256)
      const dead = workers.named(names[i] as number)
      expect(dead).toEqual({ slot: 0, generation: 2 * i + 1 })
      expect(dead && workers.nameOf(dead)).toBe(names[i])
      workers.release(0)
      expect(workers.named(names[i] as number)).toBeUndefined()
    }
    expect(names).toEqual([0, 256, 512])
  })
})

describe('supervision', () => {
  const WARDEN = 0
  const WARD = 1

  function make2(): { workers: Workers; token: number } {
    const { workers } = make(4)
    for (const thread of [5, 6, UNKNOWN_THREAD]) workers.claim('x', thread)
    return { workers, token: workers.token(WARDEN) }
  }

  it('is seen from everywhere, of the threads that are told, while the supervisor lives', () => {
    const { workers, token } = make2()
    expect(workers.wardenOf(WARD)).toBeUndefined()
    expect(workers.watch(token, 6)).toBe(true)
    expect([0, 1, 2, 3].map((slot) => workers.wardenOf(slot))).toEqual([
      undefined,
      WARDEN,
      undefined,
      undefined,
    ])
    expect(workers.wardsOf(token)).toEqual([6])
    workers.bury({ slot: WARDEN, generation: 0 })
    expect(workers.wardenOf(WARD)).toBeUndefined()
    expect(workers.wardsOf(token)).toEqual([6])
    workers.unwatchAll(token)
    expect(workers.wardsOf(token)).toEqual([])
  })

  it('ends, or is another’s', () => {
    const { workers, token } = make2()
    workers.watch(token, 6)
    workers.watch(token, 9)
    workers.handOver(token, workers.token(2))
    expect([workers.wardsOf(token), workers.wardsOf(workers.token(2))]).toEqual([[], [6, 9]])
    expect(workers.wardenOf(WARD)).toBe(2)
    workers.unwatch(workers.token(2), 6)
    expect(workers.wardenOf(WARD)).toBeUndefined()
    expect(workers.wardsOf(workers.token(2))).toEqual([9])
  })

  it('who loses the race for a place takes the next', () => {
    const { workers, other, memory } = make(4)
    const { cas } = memory
    memory.cas = (...args) => {
      memory.cas = cas
      expect(other.watch(2 ** 10, 8)).toBe(true)
      return cas.apply(memory, args)
    }
    expect(workers.watch(3 * 2 ** 10, 9)).toBe(true)
    expect([workers.wardsOf(2 ** 10), workers.wardsOf(3 * 2 ** 10)]).toEqual([[8], [9]])
  })

  it.each<[string, (workers: Workers, token: number) => void]>([
    ['one', (workers, token) => workers.unwatch(token, 5)],
    ['all', (workers, token) => workers.unwatchAll(token)],
  ])('a place that is given back (%s) is its next one’s from that moment on', (_, giveBack) => {
    const { workers, other, memory } = make(1)
    expect(workers.watch(2 ** 10, 5)).toBe(true)
    const { store } = memory
    let next = false
    memory.store = (...args) => {
      store.apply(memory, args)
      next ||= other.watch(3 * 2 ** 10, 9)
    }
    giveBack(workers, 2 ** 10)
    expect([next, workers.wardsOf(2 ** 10), workers.wardsOf(3 * 2 ** 10)]).toEqual([true, [], [9]])
  })

  it.each<[string, (workers: Workers, token: number) => void]>([
    ['one', (workers, token) => workers.unwatch(token, 5)],
    ['all', (workers, token) => workers.unwatchAll(token)],
  ])('who dies before it has said whom it supervises supervises nobody (%s)', (_, giveBack) => {
    const { workers, memory } = make(1)
    workers.watch(2 ** 10, 5)
    giveBack(workers, 2 ** 10)
    memory.store = () => {
      throw new Error('dead')
    }
    expect(() => workers.watch(3 * 2 ** 10, 9)).toThrow('dead')
    expect(workers.wardsOf(3 * 2 ** 10)).toEqual([])
  })

  it('has as many places as there are slots', () => {
    const { workers, token } = make2()
    expect([1, 2, 3, 4, 5].map((thread) => workers.watch(token, thread))).toEqual([
      true,
      true,
      true,
      true,
      false,
    ])
    workers.unwatch(token, 2)
    expect(workers.watch(token, 5)).toBe(true)
  })
})

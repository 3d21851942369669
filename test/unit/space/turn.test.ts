/**
 * The end of a turn, heard of once for all that a worker has published: let go of what can be, keep
 * what an open section needs.
 */

import { describe, expect, it, vi } from 'vitest'
import { endOfTurn } from '#src/base/host.ts'
import { type Published, Turn } from '#src/space/turn.ts'

/** A turn that ends when the test says so. */
function make(): { turn: Turn; end: () => void; asked: () => number } {
  const turn = new Turn()
  const due: (() => void)[] = []
  let asked = 0
  turn.schedule = (end) => {
    asked++
    due.push(end)
  }
  return { turn, end: () => due.shift()?.(), asked: () => asked }
}

/** Something published, which an open section may need. */
function thing(): Published & { needed: boolean; readonly gone: number } {
  const it = {
    needed: false,
    gone: 0,
    letGo(): boolean {
      if (!it.needed) it.gone++
      return !it.needed
    },
  }
  return it
}

describe('a turn', () => {
  it('ends in the host’s own way unless somebody takes that over', () => {
    expect(new Turn().schedule).toBe(endOfTurn)
  })

  it('is asked for once, however much is held and however often', () => {
    const { turn, end, asked } = make()
    const [one, two] = [thing(), thing()]
    for (const each of [one, two, one, two]) turn.hold(each)
    expect(asked()).toBe(1)
    end()
    expect([one.gone, two.gone, asked()]).toEqual([1, 1, 1])
  })

  it('that has ended is asked for again by the next to be held', () => {
    const { turn, end, asked } = make()
    const one = thing()
    for (let i = 1; i <= 3; i++) {
      turn.hold(one)
      expect(asked()).toBe(i)
      end()
      expect(one.gone).toBe(i)
    }
  })

  it('keeps what is needed, and asks again for it until it is not', () => {
    const { turn, end, asked } = make()
    const [open, closed] = [thing(), thing()]
    open.needed = true
    turn.hold(open)
    turn.hold(closed)
    end()
    expect([open.gone, closed.gone, asked()]).toEqual([0, 1, 2])
    end()
    expect([open.gone, closed.gone, asked()]).toEqual([0, 1, 3])
    open.needed = false
    end()
    expect([open.gone, closed.gone, asked()]).toEqual([1, 1, 3])
  })

  it('asks ever more seldom for what is needed for long, and as ever for what comes after it', () => {
    const { turn, end, asked } = make()
    const waits: number[] = []
    let ring: () => void = () => {}
    turn.after = (callback, ms) => {
      waits.push(ms)
      ring = callback
    }
    const open = thing()
    open.needed = true
    turn.hold(open)
    for (let i = 0; i < 33; i++) end()
    expect([asked(), waits]).toEqual([33, [2]])
    for (let i = 0; i < 10; i++) ring()
    expect([asked(), waits.slice(0, 4), Math.max(...waits)]).toEqual([33, [2, 4, 8, 16], 256])
    open.needed = false
    ring()
    expect(open.gone).toBe(1)
    turn.hold(open)
    expect(asked()).toBe(34)
  })

  it('is asked for by the next to be held when the host has refused', () => {
    const { turn, end } = make()
    const { schedule } = turn
    turn.schedule = () => {
      throw new RangeError('Maximum call stack size exceeded')
    }
    const one = thing()
    expect(() => turn.hold(one)).toThrow(RangeError)
    turn.schedule = schedule
    turn.hold(one)
    end()
    expect(one.gone).toBe(1)
  })
})

describe('letGo', () => {
  it('before the turn ends lets go of what it can, and forgets it', () => {
    const { turn, end } = make()
    const [open, closed] = [thing(), thing()]
    open.needed = true
    turn.hold(open)
    turn.hold(closed)
    turn.letGo()
    turn.letGo()
    expect([open.gone, closed.gone]).toEqual([0, 1])
    open.needed = false
    end()
    expect([open.gone, closed.gone]).toEqual([1, 1])
  })

  it('takes no second callback for what is held again in the same turn', () => {
    const { turn, end, asked } = make()
    const one = thing()
    turn.hold(one)
    turn.letGo()
    turn.hold(one)
    expect(asked()).toBe(1)
    end()
    expect(one.gone).toBe(2)
  })

  it('with nothing held does nothing', () => {
    const { turn, asked } = make()
    turn.letGo()
    expect(asked()).toBe(0)
  })
})

it('of the host: everything is let go of after the task and its microtasks', async () => {
  const turn = new Turn()
  const one = thing()
  const spy = vi.spyOn(one, 'letGo')
  turn.hold(one)
  await Promise.resolve()
  expect(spy).not.toHaveBeenCalled()
  await new Promise((resolve) => setImmediate(resolve))
  expect(spy).toHaveBeenCalledTimes(1)
})

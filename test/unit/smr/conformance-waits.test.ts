/**
 * Waiting, on every domain there can be: a wait moves a deferred clock and outlasts the ticks of a
 * lazy one; it ends with the section it waits for, with its time, or with a signal, and never hangs.
 * It lets go of what its own worker has published before it sleeps, in all domains.
 */

import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Exhausted, type Goal, Misuse, type Smr } from '#src/index.ts'
import {
  CASES,
  casesOf,
  GRACE,
  type Hand,
  LIMIT,
  SLEEPABLE,
  Stage,
  TICK_MS,
} from '../../helpers/combos.ts'
import type { Hands } from '../../helpers/hands.ts'
import { exhausted, misuse, rejected, wild } from '../../helpers/refusals.ts'

describe.each([...CASES, ...casesOf(SLEEPABLE)])('$name', (each) => {
  const { clock, sections } = each.combo
  let stage: Stage
  let hands: Hands
  let x: Smr
  let y: Smr
  let z: Smr
  let reader: Hand

  beforeEach(() => {
    stage = new Stage(each)
    hands = stage.hands
    reader = stage.workers[1]
    ;[x, y, z] = [stage.workers[0].smr, reader.smr, stage.workers[2].smr]
  })

  /** The reader leaves, and its turn ends, once so many naps have been taken. */
  function leaveAfter(naps: number): void {
    let taken = 0
    stage.onNap = () => {
      if (++taken !== naps) return
      y.exit()
      reader.endTurn()
    }
  }

  it('wait brings the hand to any goal itself, however it was given', () => {
    const goals = [x.advance(), x.deferredAdvance(), x.advance()]
    for (const goal of goals) expect(x.wait(goal)).toBe(true)
    for (const goal of goals) expect(z.poll(goal)).toBe(true)
    expect(x.stats().lag).toBe(0)
  })

  it('on a lazy clock it takes the ticks that are missing, on the others nothing', () => {
    const begun = stage.time
    expect(x.wait(x.advance())).toBe(true)
    const ticks = (stage.time - begun) / TICK_MS
    if (clock === 'lazy') {
      expect(ticks).toBeGreaterThan(GRACE - 1)
      expect(ticks).toBeLessThan(GRACE + 1)
    } else expect(ticks).toBe(0)
    const goal = x.deferredAdvance()
    expect(x.wait(goal, { timeoutMs: 0 })).toBe(clock !== 'lazy')
  })

  it('a deferred hand is moved once for all goals of a step, not once for each wait', () => {
    const goals = Array.from({ length: LIMIT - 1 }, () => x.deferredAdvance())
    const { wr } = hands
    for (const goal of goals) expect(x.wait(goal)).toBe(true)
    if (clock !== 'lazy') expect(hands.wr).toBe(hands.later(wr, 1))
  })

  it('wait and synchronize return when the reader has left, and not before', () => {
    for (const verb of ['wait', 'synchronize'] as const) {
      y.enter()
      const goal = x.advance()
      leaveAfter(9)
      expect(verb === 'wait' ? x.wait(goal) : x.synchronize()).toBe(true)
      expect(y.entered).toBe(false)
      expect(z.poll(goal)).toBe(true)
    }
  })

  it('with a time they answer false when it is over, and look once if there is none', () => {
    y.enter()
    const goal = x.advance()
    for (const act of [
      () => x.wait(goal, { timeoutMs: 45 }),
      () => x.synchronize({ timeoutMs: 45 }),
    ]) {
      const begun = stage.time
      expect(act()).toBe(false)
      expect(stage.time - begun).toBeCloseTo(45)
    }
    const begun = stage.time
    expect(x.wait(goal, { timeoutMs: 0 })).toBe(false)
    expect(x.synchronize({ timeoutMs: 0 })).toBe(false)
    expect(stage.time).toBe(begun)
    y.exit()
    reader.endTurn()
    expect(x.wait(goal)).toBe(true)
  })

  it('without a time they throw after 30 s and name the worker', () => {
    // A lazy clock gets the ticks that it takes by itself besides.
    const ms = 30_000 + (clock === 'lazy' ? 3 * TICK_MS : 0)
    y.enter()
    const goal = x.advance()
    for (const act of [() => x.wait(goal), () => x.synchronize()]) {
      const begun = stage.time
      expect(exhausted(act).message).toContain(
        `is not met after ${ms / 1000} s; sections of worker 1 are`,
      )
      expect(stage.time - begun).toBeCloseTo(ms)
    }
  })

  it('in a thread that supervises, without a time, they throw after 1 s and say why', () => {
    const ms = 1000 + (clock === 'lazy' ? 3 * TICK_MS : 0)
    stage.workers[0].arena.supervise({ threadId: 4711, once: () => {} })
    y.enter()
    const goal = x.advance()
    for (const act of [() => x.wait(goal), () => x.synchronize()]) {
      const begun = stage.time
      const { message } = exhausted(act)
      expect(message).toContain(`is not met after ${ms / 1000} s; sections of worker 1 are`)
      expect(message).toMatch(/this thread supervises others .*: give timeoutMs, or wait between/)
      expect(stage.time - begun).toBeCloseTo(ms)
    }
    // A time that is named counts; and others, who can hear of nothing anyway, have as long as ever.
    const begun = stage.time
    expect(x.wait(goal, { timeoutMs: 5000 })).toBe(false)
    expect(stage.time - begun).toBeCloseTo(5000)
    expect(exhausted(() => z.wait(goal)).message).not.toMatch(/supervises/)
    expect(stage.time - begun).toBeCloseTo(5000 + ms + 29_000)
  })

  it('the end of a domain waits no longer than that either', () => {
    stage.workers[0].arena.supervise({ threadId: 4711, once: () => {} })
    y.enter()
    const begun = stage.time
    exhausted(() => x.destroy())
    expect(stage.time - begun).toBeCloseTo(1000 + (clock === 'lazy' ? 3 * TICK_MS : 0))
    y.exit()
  })

  it('a wait does not wait for what its own worker has published and left', () => {
    x.read(() => {})
    expect(hands.seq(0) !== 0).toBe(sections === 'turn')
    const begun = stage.time
    expect(x.synchronize()).toBe(true)
    expect(hands.seq(0)).toBe(0)
    if (clock !== 'lazy') expect(stage.time).toBe(begun)
  })

  it('a wait lets go of other domains, before it sleeps, but for those with a section open', () => {
    const theirs = stage.workers[0].arena.smr('other', each.combo.options)
    const open = stage.workers[0].arena.smr('open', each.combo.options)
    theirs.read(() => {})
    open.enter()
    y.enter()
    const goal = reader.arena.smr('other').advance()
    const mine = reader.arena.smr('open').advance()
    let met = false
    let held = false
    stage.onNap = () => {
      stage.tick(GRACE)
      reader.arena.smr('other').commit(goal)
      met ||= reader.arena.smr('other').poll(goal)
      reader.arena.smr('open').commit(mine)
      held = reader.arena.smr('open').poll(mine)
    }
    expect(x.wait(x.advance(), { timeoutMs: 100 })).toBe(false)
    expect([met, held]).toEqual([true, false])
    open.exit()
    y.exit()
  })

  it('inside a section all of them are Misuse, at once and in their own names', async () => {
    const goal = x.advance()
    x.enter()
    for (const act of [() => x.advance(), () => x.deferredAdvance(), () => x.commit(goal)]) {
      expect(misuse(act).message).toMatch(/a section is open/)
    }
    expect(misuse(() => x.wait(goal)).message).toMatch(/^smr\.wait: domain "d": a section is open/)
    expect(misuse(() => x.synchronize()).message).toMatch(/^smr\.synchronize: /)
    expect((await rejected(Misuse, x.waitAsync(goal))).message).toMatch(/^smr\.waitAsync: /)
    expect((await rejected(Misuse, x.synchronizeAsync())).message).toMatch(/^smr\.synchronizeAsync/)
    x.exit()
  })

  describe('between turns', () => {
    /** Time passes and turns end as they do in a program that waits. */
    function live(): () => void {
      const timer = setInterval(() => {
        stage.tick()
        for (const hand of stage.workers) hand.endTurn()
      }, 1)
      return () => clearInterval(timer)
    }

    it('waitAsync and synchronizeAsync resolve when the reader has left', async () => {
      const stop = live()
      y.enter()
      const goal = x.deferredAdvance()
      const waits = Promise.all([x.waitAsync(goal), z.synchronizeAsync()])
      let left = false
      setTimeout(() => {
        left = true
        y.exit()
      }, 3)
      expect(await waits).toEqual([true, true])
      expect(left).toBe(true)
      stop()
    })

    it('with a time they resolve to false, and a signal ends them with its reason', async () => {
      y.enter()
      const goal = x.advance()
      const reason = new Error('enough')
      const aborted = AbortSignal.abort(reason)
      await expect(x.waitAsync(goal, { signal: aborted })).rejects.toBe(reason)
      const stop = live()
      expect(await x.waitAsync(goal, { timeoutMs: 5 })).toBe(false)
      expect(await x.synchronizeAsync({ timeoutMs: 5 })).toBe(false)
      expect(await x.waitAsync(goal, { timeoutMs: 0 })).toBe(false)
      const control = new AbortController()
      const wait = x.synchronizeAsync({ signal: control.signal })
      setTimeout(() => control.abort(reason), 2)
      await expect(wait).rejects.toBe(reason)
      y.exit()
      expect(await x.waitAsync(goal)).toBe(true)
      stop()
    })

    it('without a time they reject after 30 s, and name the worker', async () => {
      y.enter()
      const goal = x.advance()
      vi.spyOn(stage.workers[0].arena.memory, 'now').mockImplementation(() => {
        stage.time += 5_000
        return stage.time
      })
      for (const wait of [x.waitAsync(goal), x.synchronizeAsync()]) {
        expect((await rejected(Exhausted, wait)).message).toMatch(/sections of worker 1 are still/)
      }
    })

    it('in a thread that supervises they have their 30 s: they hear of deaths', async () => {
      stage.workers[0].arena.supervise({ threadId: 4711, once: () => {} })
      y.enter()
      const goal = x.advance()
      vi.spyOn(stage.workers[0].arena.memory, 'now').mockImplementation(() => {
        stage.time += 5_000
        return stage.time
      })
      const ms = 30_000 + (clock === 'lazy' ? 3 * TICK_MS : 0)
      for (const act of [() => x.waitAsync(goal), () => x.synchronizeAsync()]) {
        const begun = stage.time
        const { message } = await rejected(Exhausted, act())
        expect(message).toContain(`is not met after ${ms / 1000} s; sections of worker 1 are`)
        expect(message).not.toMatch(/supervises/)
        expect(stage.time - begun).toBeGreaterThan(29_000)
      }
    })
  })

  it('refuse an absurd time before the clock moves', async () => {
    const goal = x.advance()
    const before = [hands.wr, hands.rd]
    for (const timeoutMs of [-1, Number.NaN, '5', null]) {
      const options = { timeoutMs: wild(timeoutMs) }
      misuse(() => x.wait(goal, options))
      misuse(() => x.synchronize(options))
      await rejected(Misuse, x.waitAsync(goal as Goal, options))
      await rejected(Misuse, x.synchronizeAsync(options))
    }
    expect([hands.wr, hands.rd]).toEqual(before)
  })
})

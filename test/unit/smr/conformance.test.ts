/**
 * What every domain promises, whichever clock and sections it has, under each clock of CONFIGS, with
 * and without room for async sections: a goal is not met while a section is open that began before it
 * was taken, and is met once that section is over and the clock has had what it needs; the hands keep
 * their order, and move as often and as far as they should; a poll neither waits nor sets the pace.
 *
 * At the wrap guard no clock moves its hand; what it then gives is met all the same once the reader
 * has left. A wait moves a deferred clock and outlasts the ticks of a lazy one; it ends with the
 * section it waits for, with its time, or with a signal; and before it sleeps it lets go of what its
 * own worker has published. What distinguishes the clocks is in pace.test.ts, the sections in
 * sections.test.ts.
 */

import { beforeEach, describe, expect, it, vi } from 'vitest'
import { delta, MAX_DELTA, type Seq } from '#src/base/seq.ts'
import { Arena, Exhausted, type Goal, Misuse, type Smr } from '#src/index.ts'
import { CLOCKS, type ClockName } from '#src/smr/options.ts'
import { ALL_CASES, CASES, GRACE, type Hand, LIMIT, Stage, TICK_MS } from '../../helpers/combos.ts'
import type { Hands } from '../../helpers/hands.ts'
import { exhausted, misuse, rejected, unchanged, wild } from '../../helpers/refusals.ts'

describe.each(ALL_CASES)('$name', (each) => {
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

  describe('a goal', () => {
    it('is met when nobody is inside, and stays met for everybody', () => {
      const goal = x.advance()
      expect(stage.pollRipe(x, goal)).toBe(true)
      for (const smr of [y, z, x]) expect(smr.poll(goal)).toBe(true)
      expect(hands.rd).toBe(stage.seqOf(goal))
    })

    it('taken after a section began is not met before it ends, whatever the clock does', () => {
      y.enter()
      const goals = Array.from({ length: LIMIT + 1 }, () => x.advance())
      for (let round = 0; round < 3; round++) {
        for (const goal of goals) {
          stage.ripen(z, goal)
          for (const smr of [x, y, z]) expect(smr.poll(goal)).toBe(false)
        }
        // Nor do others' turns change that, or the reader's own poll.
        stage.endTurns()
      }
      y.exit()
      reader.endTurn()
      for (const goal of goals) expect(stage.pollRipe(z, goal)).toBe(true)
    })

    it('taken before a section began is met while it is open, if the hand had reached it', () => {
      const goal = x.advance()
      stage.ripen(x, goal)
      if (clock === 'lazy') x.poll(goal) // A lazy hand is moved by whoever looks.
      y.enter()
      const later = x.advance()
      expect([z.poll(goal), y.poll(goal), x.poll(goal)]).toEqual([true, true, true])
      expect([z.poll(later), y.poll(later), x.poll(later)]).toEqual([false, false, false])
      y.exit()
    })

    it('is not held back by a later section of a worker whose earlier one has ended', () => {
      y.enter()
      const goal = x.advance()
      stage.ripen(x, goal)
      expect(x.poll(goal)).toBe(false)
      y.exit()
      y.enter()
      expect(x.poll(goal)).toBe(true)
      y.exit()
    })

    it('of a section that opened before the hand had reached it waits for that section too', () => {
      const goal = x.deferredAdvance()
      y.enter()
      stage.ripen(x, goal)
      expect([x.poll(goal), z.poll(goal)]).toEqual([false, false])
      y.exit()
      reader.endTurn()
      expect(stage.pollRipe(z, goal)).toBe(true)
    })

    it('waits for the older of two sections, then for the younger', () => {
      y.enter()
      const one = x.advance()
      stage.ripen(x, one)
      x.poll(one)
      z.enter()
      const two = x.advance()
      stage.ripen(x, two)
      expect([x.poll(one), x.poll(two)]).toEqual([false, false])
      y.exit()
      reader.endTurn()
      expect([x.poll(one), x.poll(two)]).toEqual([true, false])
      z.exit()
      stage.endTurns()
      expect([x.poll(one), x.poll(two)]).toEqual([true, true])
    })

    it('is not held back by a section of another domain, nor by its turn', () => {
      const other = reader.arena.smr('other', each.combo.options)
      other.enter()
      expect(stage.pollRipe(x, x.advance())).toBe(true)
      other.exit()
      expect(stage.pollRipe(x, x.advance())).toBe(true)
    })

    it('is odd, and no worker gets an earlier one than before', () => {
      const last = new Map<Smr, number>()
      for (let i = 0; i < 40; i++) {
        if (i % 3 === 0) stage.tick(i % 4)
        for (const smr of [x, y]) {
          // Polled now and then, so that the hands stay near each other under giant steps.
          const goal = i % 5 === 4 ? smr.deferredAdvance() : smr.advance()
          const seq = stage.seqOf(goal)
          expect(seq & 1).toBe(1)
          const before = last.get(smr) ?? seq
          expect(delta(seq as Seq, before as Seq)).toBeGreaterThanOrEqual(0)
          last.set(smr, seq)
          z.poll(goal)
        }
      }
    })

    it('lies ahead of what the hand showed, by no more than this clock reaches', () => {
      for (let i = 0; i < 2 * LIMIT + 1; i++) {
        const before = hands.wr
        const goal = stage.seqOf(x.advance())
        const steps = delta(goal as Seq, before as Seq) / hands.step
        expect(steps).toBe(clock === 'lazy' ? GRACE : 1)
      }
    })
  })

  describe('the read hand', () => {
    it('never passes an open section, nor the write hand, and never goes back', () => {
      let rd = hands.rd as Seq
      const look = (open: number | undefined): void => {
        expect(delta(hands.rd as Seq, rd)).toBeGreaterThanOrEqual(0)
        rd = hands.rd as Seq
        expect(delta(rd, hands.wr as Seq)).toBeLessThanOrEqual(0)
        if (open !== undefined) expect(delta(rd, open as Seq)).toBeLessThanOrEqual(0)
      }
      for (let round = 0; round < 24; round++) {
        y.enter()
        const open = hands.seq(1)
        for (let i = 0; i < round % 7; i++) {
          const goal = x.advance()
          stage.ripen(x, goal)
          expect(z.poll(goal)).toBe(false)
          look(open)
        }
        y.exit()
        look(undefined)
        reader.endTurn()
        z.poll(x.advance())
        look(undefined)
      }
    })

    it('catches up with the write hand when all are gone and somebody polls', () => {
      const goals = Array.from({ length: 5 }, () => x.advance())
      const last = goals.at(-1) as Goal
      expect(stage.pollRipe(x, last)).toBe(true)
      expect(hands.rd).toBe(hands.wr)
      expect(x.stats().lag).toBe(0)
    })
  })

  describe('a poll', () => {
    it('never waits: it neither sleeps nor spins nor sleeps', () => {
      y.enter()
      const { memory } = stage.workers[0].arena
      const spies = (['sleep', 'pause', 'wait'] as const).map((verb) => vi.spyOn(memory, verb))
      for (let i = 0; i < 5; i++) {
        const goal = x.advance()
        expect(x.poll(goal)).toBe(false)
        stage.tick()
        expect(x.poll(goal)).toBe(false)
      }
      for (const spy of spies) expect(spy).not.toHaveBeenCalled()
      y.exit()
    })

    it('moves no hand towards a goal ahead of it; only time does, for a lazy clock', () => {
      const goal = x.deferredAdvance()
      const { wr } = hands
      for (let i = 0; i < 5; i++) expect(z.poll(goal)).toBe(false)
      expect(hands.wr).toBe(wr)
      stage.tick()
      expect(z.poll(goal)).toBe(false)
      expect(hands.wr).toBe(clock === 'lazy' ? hands.later(wr, 1) : wr)
      stage.tick()
      expect(z.poll(goal)).toBe(clock === 'lazy')
    })

    it('inside a section tells of the section itself and changes nothing of it', () => {
      y.enter()
      const { wr } = hands
      const seen = hands.seq(1)
      const goal = x.advance()
      stage.ripen(x, goal)
      expect(y.poll(goal)).toBe(false)
      expect([hands.seq(1), y.entered]).toEqual([seen, true])
      expect(seen).toBe(wr)
      y.exit()
      // Outside, its own turn does not hold its own poll back.
      expect(stage.pollRipe(y, goal)).toBe(true)
    })

    it('counts: all of them, those that looked at the readers, those that said no', () => {
      y.enter()
      const goal = x.advance()
      stage.ripen(x, goal)
      const before = x.stats()
      expect([x.poll(goal), x.poll(goal)]).toEqual([false, false])
      y.exit()
      reader.endTurn()
      expect([x.poll(goal), x.poll(goal), z.poll(goal)]).toEqual([true, true, true])
      const { polls, pollScans, pollFails } = x.stats()
      expect([polls - before.polls, pollFails - before.pollFails]).toEqual([5, 2])
      expect(pollScans - before.pollScans).toBe(3)
    })
  })

  it('deferredAdvance and commit: met only after somebody has moved the hand there', () => {
    const goal = x.deferredAdvance()
    const { wr } = hands
    x.commit(goal)
    if (clock === 'lazy') {
      expect(hands.wr).toBe(wr)
      expect(x.poll(goal)).toBe(false)
      stage.tick(GRACE)
    } else expect(hands.wr).toBe(hands.later(wr, 1))
    expect(z.poll(goal)).toBe(true)
    const { advances } = x.stats()
    for (const smr of [x, y, z]) smr.commit(goal)
    expect(x.stats().advances).toBe(advances)
  })

  it('a deferred goal is also met after anybody’s later advances', () => {
    const goal = x.deferredAdvance()
    for (let i = 0; i < LIMIT; i++) {
      stage.tick()
      z.advance()
    }
    expect(y.poll(goal)).toBe(true)
  })

  it(`a section ${sections === 'turn' ? 'stays published until its turn ends' : 'is cleared at exit'}`, () => {
    y.read(() => expect(hands.seq(1)).toBe(hands.wr))
    expect(hands.seq(1)).toBe(sections === 'turn' ? hands.wr : 0)
    reader.endTurn()
    expect(hands.seq(1)).toBe(0)
  })

  const stepsFrom = (wr: number): number => delta(hands.wr as Seq, wr as Seq) / hands.step
  const lag = (): number => delta(hands.wr as Seq, hands.rd as Seq)

  describe('counters', () => {
    it('advances is each step of the write hand, whoever makes it', () => {
      for (let i = 0; i < 30; i++) {
        const before = hands.wr
        const { advances } = x.stats()
        const who = [x, y, z][i % 3] as Smr
        stage.tick(i % 4)
        const goal = i % 7 === 3 ? who.deferredAdvance() : who.advance()
        if (i % 5 === 0) x.commit(goal)
        if (i % 5 === 1) x.wait(goal)
        z.poll(goal)
        expect(x.stats().advances - advances).toBe(stepsFrom(before))
      }
      expect(x.stats().advances).toBeGreaterThan(5)
    })

    it('so many advances make so many steps', () => {
      const { wr } = hands
      // Few enough for giant steps to stay away from the guard.
      for (const [smr, calls] of [
        [x, 2 * LIMIT + 1],
        [y, LIMIT],
        [z, LIMIT - 1],
      ] as const) {
        for (let i = 0; i < calls; i++) smr.advance()
      }
      const steps = { default: 4 * LIMIT, deferred: 3, lazy: 0 }[clock]
      expect(stepsFrom(wr)).toBe(steps)
      expect(x.stats().advances).toBe(steps)
    })

    if (clock === 'lazy') {
      it('a lazy hand takes one step a tick, however many look, and two at most at once', () => {
        for (const ticks of [1, 1, 2, 1, 3, 50, 1, 0, 1_000_000]) {
          stage.tick(ticks)
          const { wr } = hands
          for (const smr of [x, y, z, x]) smr.poll(smr.advance())
          expect(stepsFrom(wr)).toBe(Math.min(ticks, GRACE))
        }
      })

      it('within one tick it stands still', () => {
        stage.time += TICK_MS - (stage.time % TICK_MS)
        x.advance()
        const { wr } = hands
        for (let ms = 1; ms < TICK_MS; ms++) {
          stage.time++
          expect(x.poll(y.advance())).toBe(false)
          expect(hands.wr).toBe(wr)
        }
        stage.time++
        x.advance()
        expect(stepsFrom(wr)).toBe(1)
      })
    }
  })

  describe('the wrap guard', () => {
    /** The reader parks, and the others go on until the hands are as far apart as they may get. */
    function overrun(): Goal[] {
      y.enter()
      hands.nearLimit(2 * GRACE)
      const goals: Goal[] = []
      for (let i = 0; i < 8 * LIMIT; i++) {
        stage.tick(GRACE)
        goals.push(x.advance(), z.advance())
      }
      return goals
    }

    it('is where the hand stays while the reader is parked, and it is counted', () => {
      overrun()
      expect(lag()).toBeGreaterThanOrEqual(MAX_DELTA)
      expect(lag()).toBeLessThanOrEqual(MAX_DELTA + (GRACE - 1) * hands.step)
      const { wr } = hands
      const { advances, advanceWaits } = x.stats()
      stage.tick(GRACE)
      const goal = x.advance()
      for (const smr of [x, y, z]) expect(smr.poll(goal)).toBe(false)
      expect(x.synchronize({ timeoutMs: 0 })).toBe(false)
      x.commit(goal)
      expect(hands.wr).toBe(wr)
      expect(x.stats().advances).toBe(advances)
      expect(x.stats().advanceWaits).toBeGreaterThan(advanceWaits)
    })

    it('no goal is met while the reader is parked, all are when it has left', () => {
      const goals = overrun()
      for (const goal of goals) {
        stage.ripen(x, goal)
        for (const smr of [x, z]) expect(smr.poll(goal)).toBe(false)
      }
      y.exit()
      reader.endTurn()
      for (const goal of goals) expect(x.wait(goal, { timeoutMs: 50 })).toBe(true)
      expect(z.poll(goals.at(-1) as Goal)).toBe(true)
    })

    it('a goal given there is met by polls alone, and by time where the clock is lazy', () => {
      const goal = overrun().at(-1) as Goal
      y.exit()
      reader.endTurn()
      const answers = [z.poll(goal)]
      stage.tick(GRACE)
      answers.push(z.poll(goal), z.poll(goal))
      expect(answers.at(-1)).toBe(true)
    })

    it('a committed goal given there is met by polls alone, too', () => {
      overrun()
      const goal = x.deferredAdvance()
      x.commit(goal)
      y.exit()
      reader.endTurn()
      z.poll(goal)
      stage.tick(GRACE)
      expect([z.poll(goal), z.poll(goal)].at(-1)).toBe(true)
    })

    it('afterwards everything is as before', () => {
      overrun()
      y.exit()
      reader.endTurn()
      expect(x.synchronize({ timeoutMs: 50 })).toBe(true)
      for (let i = 0; i < 3 * LIMIT; i++) {
        const goal = z.advance()
        expect(stage.pollRipe(x, goal)).toBe(true)
      }
      expect(lag()).toBeLessThanOrEqual(GRACE * hands.step)
    })
  })

  describe('waiting', () => {
    /** The reader leaves, and its turn ends, once so many sleeps have been taken. */
    function leaveAfter(sleeps: number): void {
      let taken = 0
      stage.onSleep = () => {
        if (++taken !== sleeps) return
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
      stage.onSleep = () => {
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
      const { words } = stage.workers[0].arena
      const before = words.slice()
      for (const [verb, act] of [
        ['advance', () => x.advance()],
        ['wait', () => x.wait(goal)],
        ['synchronize', () => x.synchronize()],
        ['destroy', () => x.destroy()],
      ] as const) {
        expect(misuse(act).message).toBe(
          `smr.${verb}: domain "d": a section is open; it could wait for this very section: exit first`,
        )
      }
      for (const act of [() => x.deferredAdvance(), () => x.commit(goal)]) {
        expect(misuse(act).message).toMatch(/a section is open/)
      }
      for (const verb of ['waitAsync', 'synchronizeAsync'] as const) {
        const { message } = await rejected(Misuse, x[verb](wild(goal)))
        expect(message).toMatch(new RegExp(`^smr\\.${verb}: domain "d": a section is open`))
      }
      expect(words.every((word, at) => word === before[at])).toBe(true)
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
        for (const verb of ['waitAsync', 'synchronizeAsync'] as const) {
          const wait = verb === 'waitAsync' ? x.waitAsync(goal) : x.synchronizeAsync()
          const { message } = await rejected(Exhausted, wait)
          expect(message).toMatch(new RegExp(`^smr\\.${verb}: goal .* of worker 1 are still`))
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
  })
})

describe.each(CASES)('goals that $name refuses', (each) => {
  it('checked: one of another domain, by every verb, with a message that says so', async () => {
    const stage = new Stage(each, { checks: true })
    const [{ arena, smr: x }] = stage.workers
    const other = arena.smr('other', each.combo.options)
    const goals = [other.advance(), other.deferredAdvance()]
    x.advance()
    const before = arena.words.slice()
    for (const goal of goals) {
      for (const act of [() => x.poll(goal), () => x.wait(goal), () => x.commit(goal)]) {
        expect(unchanged(arena, () => misuse(act)).message).toMatch(
          /^smr\.(poll|wait|commit): domain "d": goal \d+ is another domain's; poll it where it was/,
        )
      }
      await expect(x.waitAsync(goal)).rejects.toThrow(/another domain's/)
    }
    expect(arena.words.every((word, at) => word === before[at])).toBe(true)
    stage.tick(GRACE)
    for (const goal of goals) {
      other.commit(goal)
      expect(other.poll(goal)).toBe(true)
    }
  })

  it('checked: its own is met, and carries its domain through a message', () => {
    const stage = new Stage(each, { checks: true })
    const [{ smr: x }, { smr: y }] = stage.workers
    const goal = structuredClone(x.advance())
    expect(stage.pollRipe(y, goal)).toBe(true)
    expect(Number.isSafeInteger(goal)).toBe(true)
  })

  it('checked: a goal of a domain of the same name that was destroyed', () => {
    const stage = new Stage(each, { checks: true })
    const [{ arena, smr: x }] = stage.workers
    const goal = x.advance()
    x.destroy()
    const again = arena.smr('d', each.combo.options)
    const error = unchanged(arena, () => misuse(() => again.poll(goal)))
    expect(error.message).toMatch(/is another domain's/)
  })

  it('unchecked: one further ahead than this clock reaches, or between two steps', () => {
    const stage = new Stage(each)
    const { hands } = stage
    const [{ arena, smr: x }] = stage.workers
    const reach = each.combo.clock === 'lazy' ? GRACE : 1
    const { wr } = hands
    const far = [reach + 1, reach + 2, Math.floor(MAX_DELTA / hands.step)]
    for (const n of far) {
      const { message } = misuse(() => x.poll(wild(hands.later(wr, n))))
      expect(message).toMatch(/^smr\.poll: domain "d": goal -?\d+ lies \d+ ahead of the write hand/)
    }
    for (const goal of [...far.map((n) => hands.later(wr, n)), (wr + hands.step + 1) | 0, 0, 2]) {
      const before = [hands.wr, hands.rd]
      expect(misuse(() => x.poll(wild(goal))).message).toMatch(/^smr\.poll: domain "d": /)
      expect(misuse(() => x.commit(wild(goal))).message).toMatch(/^smr\.commit: domain "d": /)
      expect([hands.wr, hands.rd]).toEqual(before)
    }
    if (hands.step > 2) {
      misuse(() => x.poll(wild((wr + 2) | 0)))
      misuse(() => x.commit(wild((wr + 2) | 0)))
      expect(hands.wr).toBe(wr)
    }
    expect(arena.smr('d').poll(wild(hands.rd))).toBe(true)
    for (let n = 1; n <= reach; n++) expect(x.poll(wild(hands.later(wr, n)))).toBe(false)
  })
})

describe('the largest steps that so many workers may have', () => {
  const create = (maxWorkers: number, step: number): Arena =>
    Arena.create({ bytes: 2 ** 18, maxWorkers, sequence: { first: 1, step } })

  /** An async section parks while its own worker goes on: it alone must not overrun itself either. */
  const parks = (maxWorkers: number, clock: ClockName): void => {
    // What the refusal of a larger one says is the largest.
    const { max } = misuse(() => create(maxWorkers, MAX_DELTA)).facts
    const step = Math.floor(Number(max) / 2) * 2
    const arena = create(maxWorkers, step)
    let time = 0
    vi.spyOn(arena.memory, 'now').mockImplementation(() => time)
    const smr = arena.smr('d', { clock, sleepable: true })
    const section = smr.enterSleepable()
    for (let i = 0; i < 12; i++) {
      time += i === 0 ? 1 : GRACE
      expect(smr.poll(smr.advance())).toBe(false)
    }
    smr.exitSleepable(section)
  }

  it.each(CLOCKS.flatMap((clock) => [1, 2, 3, 4, 8].map((n) => [clock, n] as const)))(
    'are safe on a %s clock for %d workers',
    (clock, workers) => parks(workers, clock),
  )
})

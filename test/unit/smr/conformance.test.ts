/**
 * What every domain promises, whichever clock and sections it has: a goal is not met while a section
 * is open that began before it was taken, and is met once that section is over and the clock has had
 * what it needs; the hands keep their order; a poll neither waits nor sets the pace.
 *
 * Each claim is made of all combinations, under each clock of CONFIGS, with and without room for
 * async sections. What distinguishes them is in pace.test.ts and turn-sections.test.ts.
 */

import { beforeEach, describe, expect, it, vi } from 'vitest'
import { delta, type Seq } from '#src/base/seq.ts'
import type { Goal, Smr } from '#src/index.ts'
import { ALL_CASES, GRACE, type Hand, LIMIT, Stage } from '../../helpers/combos.ts'
import type { Hands } from '../../helpers/hands.ts'

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
      x.poll(goal) // A lazy hand is moved by whoever looks.
      y.enter()
      expect([z.poll(goal), y.poll(goal)]).toEqual([true, true])
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
    it('never waits: it neither naps nor spins nor sleeps', () => {
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
})

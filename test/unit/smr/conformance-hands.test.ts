/**
 * The hands under every clock: how often they move, how far apart they may get, and which goals a
 * domain refuses.
 *
 * Counters say what happened: `advances` is every step of the write hand, whoever made it, and
 * nothing else. At the wrap guard no clock moves its hand; what it then gives must be met all the
 * same once the reader has left.
 */

import { beforeEach, describe, expect, it, vi } from 'vitest'
import { delta, MAX_DELTA, type Seq } from '#src/base/seq.ts'
import { Arena, type Goal, type Smr } from '#src/index.ts'
import { CLOCKS, type ClockName } from '#src/smr/options.ts'
import { ALL_CASES, CASES, GRACE, type Hand, LIMIT, Stage, TICK_MS } from '../../helpers/combos.ts'
import type { Hands } from '../../helpers/hands.ts'
import { misuse, unchanged, wild } from '../../helpers/refusals.ts'

describe.each(ALL_CASES)('$name', (each) => {
  const { clock } = each.combo
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

/**
 * Goals by themselves: how they are given and taken back, what a look does in which order, and who
 * may move the hand while looking. What all clocks promise together is in the conformance tests.
 */

import { describe, expect, it, vi } from 'vitest'
import { Misuse } from '#src/base/errors.ts'
import { MAX_DELTA, type Seq } from '#src/base/seq.ts'
import type { Goal, Smr } from '#src/index.ts'
import { DomainWords, Header } from '#src/memory/layout.ts'
import { Goals, type Own, PATIENT, URGENT } from '#src/smr/goals.ts'
import { CASES, COMBOS, LIMIT, Stage } from '../../helpers/combos.ts'
import { wild } from '../../helpers/refusals.ts'
import { CONFIGS } from '../../helpers/tiny.ts'

const EAGER = COMBOS.filter(({ sections, clock }) => sections === 'fenced' && clock !== 'lazy')
const CONFIG = CONFIGS[0] as (typeof CONFIGS)[number]

/** Goals of the stage's domain, as worker 0 has them, with an owner that is only watched. */
function goalsOf(stage: Stage) {
  const { smr } = stage.workers[0]
  const own = { letGo: vi.fn(() => true), assertOpen: vi.fn() } satisfies Own
  return { goals: new Goals(smr.space, smr.name, smr.address, smr.serial, own), own }
}

describe.each(CASES)('$name', (each) => {
  it('what is given can be taken, and nothing else', () => {
    for (const checks of [false, true]) {
      const { goals } = goalsOf(new Stage(each, { checks }))
      for (let i = 0; i < 5; i++) {
        const seq = goals.stamp()
        const goal = goals.toGoal(seq)
        expect(goals.fromGoal(goal)).toBe(seq)
        expect((goal as unknown as number) === seq).toBe(!checks)
        expect(goals.fromGoal((goal as unknown as number) + 1)).toBeUndefined()
        expect(goals.fromGoal(-goal)).toBe(checks ? undefined : -seq)
        expect(goals.fromGoal((goal as unknown as number) + 2 ** 32)).toBeUndefined()
      }
      const nonsense = [0, 2, -2, 1.5, Number.NaN, Infinity, '1', 1n, null, undefined, {}, true]
      for (const value of nonsense) {
        expect(goals.fromGoal(value)).toBeUndefined()
        expect(goals.whyRefused(value)).toMatch(/is no goal; pass what advance\(\) returned/)
      }
    }
  })

  it('in a checked arena, blames another domain for its goals', () => {
    const stage = new Stage(each, { checks: true })
    const { goals } = goalsOf(stage)
    const theirs = stage.workers[0].arena.smr('other').advance()
    expect(goals.fromGoal(theirs)).toBeUndefined()
    expect(goals.whyRefused(theirs)).toMatch(/is another domain's; poll it where it was taken/)
  })

  it('a look loads the read hand before the write hand, and that before any reader', () => {
    const stage = new Stage(each)
    const { goals } = goalsOf(stage)
    const { hands } = stage
    const goal = goals.stamp()
    goals.commit(goal)
    stage.tick(2)
    goals.look(goal, PATIENT, undefined) // A lazy hand moves now, and not while we watch.
    hands.rd = hands.later(hands.wr, -3)
    const { memory } = stage.workers[0].arena
    const looks: number[] = []
    const { load } = memory
    vi.spyOn(memory, 'load').mockImplementation((at) => {
      looks.push(at)
      return load.call(memory, at)
    })
    expect(goals.look(goal, PATIENT, undefined)).toBe(true)
    const order = [hands.rdAt, hands.wrAt, Header.active, 0, 1, 2].map((at) =>
      looks.lastIndexOf(at <= 2 ? hands.seqAt(at) : at),
    )
    expect(order).toEqual([...order].sort((a, b) => a - b))
    expect(order[0]).toBeGreaterThanOrEqual(0)
  })

  it('lets go of the worker’s own turn before it looks, and not where it need not look', () => {
    const stage = new Stage(each)
    const { goals, own } = goalsOf(stage)
    const goal = goals.stamp()
    stage.ripen(stage.workers[2].smr, goals.toGoal(goal))
    expect(goals.look(goal, PATIENT, undefined)).toBe(true)
    expect(own.letGo).toHaveBeenCalledTimes(1)
    expect(goals.look(goal, PATIENT, undefined)).toBe(true)
    expect(own.letGo).toHaveBeenCalledTimes(1)
  })

  it('a goal out of reach is foreign where somebody can be told, else met long ago', () => {
    const stage = new Stage(each)
    const { goals } = goalsOf(stage)
    const { hands } = stage
    const { wr, rd } = hands
    const far = hands.later(wr, 3)
    const foreign = (): Misuse => new Misuse('foreign')
    expect(() => goals.look(far, PATIENT, foreign)).toThrow('foreign')
    expect(() => goals.look(far, URGENT, foreign)).toThrow('foreign')
    expect(goals.look(far, PATIENT, undefined)).toBe(true)
    expect(goals.commit(far)).toBe(false)
    expect([hands.wr, hands.rd]).toEqual([wr, rd])
  })
})

describe.each(EAGER)('$name', (combo) => {
  it('a patient look leaves a goal ahead alone; an urgent one moves the hand there, once', () => {
    const stage = new Stage({ combo, config: CONFIG })
    const { goals } = goalsOf(stage)
    const { hands } = stage
    const { wr } = hands
    const goal = goals.defer()
    expect(goals.look(goal, PATIENT, undefined)).toBe(false)
    expect(hands.wr).toBe(wr)
    expect(goals.look(goal, URGENT, undefined)).toBe(true)
    expect(hands.wr).toBe(goal)
    expect(goals.look(goal, URGENT, undefined)).toBe(true)
    expect(hands.wr).toBe(goal)
  })

  it('a zone’s own goals wait for the pace of a deferred clock, and only of that', () => {
    const stage = new Stage({ combo, config: CONFIG })
    const { goals } = goalsOf(stage)
    const goal = goals.defer()
    expect(goals.expired(goal)).toBe(combo.clock === 'default')
  })

  it('once a step is owed, patient looks move the hand as well', () => {
    const stage = new Stage({ combo, config: CONFIG })
    const { goals } = goalsOf(stage)
    const { hands } = stage
    hands.nearLimit(0)
    const stamps = Array.from({ length: LIMIT }, () => goals.stamp())
    const goal = stamps.at(-1) as Seq
    expect(hands.later(hands.wr, 1)).toBe(goal)
    expect(stage.workers[0].arena.memory.load(owedAt(stage))).toBe(1)
    const answers = [1, 2].map(() => goals.look(goal, PATIENT, undefined))
    expect(answers.at(-1)).toBe(true)
  })

  it('a commit at the guard owes the step, elsewhere it makes it', () => {
    const stage = new Stage({ combo, config: CONFIG })
    const { goals } = goalsOf(stage)
    const { hands } = stage
    expect(goals.commit(goals.defer())).toBe(true)
    expect(stage.workers[0].arena.memory.load(owedAt(stage))).toBe(0)
    goals.look(hands.wr as Seq, PATIENT, undefined)
    stage.workers[1].smr.enter()
    hands.nearLimit(0)
    const { wr } = hands
    expect(goals.commit(goals.defer())).toBe(true)
    expect([hands.wr, stage.workers[0].arena.memory.load(owedAt(stage))]).toEqual([wr, 1])
  })

  it('a commit of what the hand has reached owes nothing, at the guard either', () => {
    const stage = new Stage({ combo, config: CONFIG })
    const { goals } = goalsOf(stage)
    const { hands } = stage
    stage.workers[1].smr.enter()
    hands.nearLimit(0)
    expect(goals.commit(hands.wr as Seq)).toBe(true)
    expect(stage.workers[0].arena.memory.load(owedAt(stage))).toBe(0)
  })

  it('a look decides from what it captured first, though the hands move on meanwhile', () => {
    const stage = new Stage({ combo, config: CONFIG })
    const { goals } = goalsOf(stage)
    const { hands } = stage
    const reader = stage.workers[1].smr
    reader.enter()
    const goal = goals.defer()
    goals.commit(goal)
    const { memory } = stage.workers[0].arena
    const { load } = memory
    // When the reader's word has been seen it leaves, and somebody else forwards the read hand.
    vi.spyOn(memory, 'load').mockImplementation((at) => {
      const seen = load.call(memory, at)
      if (at === hands.seqAt(1) && reader.entered) {
        reader.exit()
        expect(stage.workers[2].smr.poll(goals.toGoal(goal))).toBe(true)
      }
      return seen
    })
    expect(goals.look(goal, PATIENT, undefined)).toBe(false)
    expect(hands.rd).toBe(goal)
    expect(goals.look(goal, PATIENT, undefined)).toBe(true)
  })
})

it('makeRoom looks only where an advance could wrap', () => {
  const stage = new Stage({ combo: COMBOS[0] as (typeof COMBOS)[number], config: CONFIG })
  const { goals } = goalsOf(stage)
  const { hands } = stage
  goals.makeRoom()
  expect(stage.workers[0].smr.stats().polls).toBe(0)
  hands.wr = (hands.rd + MAX_DELTA) | 0
  goals.makeRoom()
  expect(hands.rd).toBe(hands.wr)
})

describe('at the guard, with nobody in the way, makes room before it gives a goal:', () => {
  const verbs: readonly (readonly [string, (smr: Smr) => unknown])[] = [
    ['advance', (smr) => smr.advance()],
    ['deferredAdvance', (smr) => smr.deferredAdvance()],
    ['synchronize', (smr) => smr.synchronize()],
    ['synchronizeAsync', (smr) => smr.synchronizeAsync()],
    ['barrier', (smr) => smr.barrier()],
    ['a full batch of calls', (smr) => smr.call(() => {}, { expedite: true })],
    ['makeRoom, as zones call it', (smr) => smr.makeRoom()],
  ]
  it.each(verbs)('%s', async (_, act) => {
    const stage = new Stage({ combo: COMBOS[0] as (typeof COMBOS)[number], config: CONFIG })
    const { hands } = stage
    const { smr } = stage.workers[0]
    hands.wr = (hands.rd + MAX_DELTA) | 0
    const before = hands.rd
    await act(smr)
    // Without it the goal lies ahead of a hand that stands, and its first poll fails.
    expect(hands.rd).not.toBe(before)
    expect(smr.stats()).toMatchObject({ pollFails: 0 })
  })

  it('commit', () => {
    const stage = new Stage({ combo: COMBOS[0] as (typeof COMBOS)[number], config: CONFIG })
    const { goals } = goalsOf(stage)
    const { hands } = stage
    hands.wr = (hands.rd + MAX_DELTA) | 0
    const goal = goals.defer()
    expect(goals.commit(goal)).toBe(true)
    expect(hands.wr).toBe(goal)
  })
})

it('a handle that was closed while it waited between turns is told', async () => {
  const stage = new Stage({ combo: COMBOS[0] as (typeof COMBOS)[number], config: CONFIG })
  const { goals, own } = goalsOf(stage)
  stage.workers[1].smr.enter()
  const goal = goals.stamp()
  own.assertOpen.mockImplementation(() => {
    throw new Misuse('closed')
  })
  await expect(goals.waitForAsync('waitAsync', goal, undefined, undefined)).rejects.toThrow(
    'closed',
  )
  expect(goals.fromGoal(wild(goal) as Goal)).toBe(goal)
})

function owedAt(stage: Stage): number {
  return stage.workers[0].smr.address + DomainWords.owed
}

/**
 * The two hands: they only move forward, across the seams of the circle too; every goal is taken by
 * a read-modify-write; and whoever lost a race changes nothing.
 */

import { describe, expect, it, vi } from 'vitest'
import { MAX_DELTA, type Seq } from '#src/base/seq.ts'
import { NEAR } from '#src/memory/compound.ts'
import { DomainWords } from '#src/memory/layout.ts'
import { Memory } from '#src/memory/memory.ts'
import { Clock, publish } from '#src/smr/clock.ts'
import { CONFIGS } from '../../helpers/tiny.ts'

const DOMAIN = 64
const WR = DOMAIN + DomainWords.wr
const RD = DOMAIN + DomainWords.rd
const seq = (n: number): Seq => (n | 0) as Seq

function make(first: number, step: number): { memory: Memory; clock: Clock } {
  const memory = new Memory(new SharedArrayBuffer(4096))
  memory.poke(DOMAIN + DomainWords.step, step)
  memory.store(WR, first)
  memory.store(RD, first)
  return { memory, clock: new Clock(memory, DOMAIN) }
}

describe.each(CONFIGS)('$name', ({ sequence: { first, step } }) => {
  it('advance moves the write hand a step and returns where it stands, all the way round', () => {
    const { memory, clock } = make(first, step)
    expect(clock.step).toBe(step)
    let expected = BigInt(first)
    for (let i = 0; i < 200; i++) {
      expected += BigInt(step)
      const goal = clock.advance()
      expect(goal).toBe(Number(BigInt.asIntN(32, expected)))
      expect([clock.wr(), goal & 1, memory.load(RD)]).toEqual([goal, 1, first])
    }
  })

  it('[W] advance and ahead read, modify and write in one step: a goal taken by a load is worth nothing', () => {
    const { memory, clock } = make(first, step)
    const add = vi.spyOn(memory, 'add')
    const store = vi.spyOn(memory, 'store')
    clock.advance()
    clock.ahead(1)
    expect(add.mock.calls).toEqual([
      [WR, step],
      [WR, 0],
    ])
    expect(store).not.toHaveBeenCalled()
  })

  it('ahead gives a goal so many steps ahead and moves nothing', () => {
    const { clock } = make(first, step)
    expect([clock.ahead(1), clock.ahead(1)]).toEqual([seq(first + step), seq(first + step)])
    expect(clock.wr()).toBe(first)
    expect(clock.advance()).toBe(seq(first + step))
  })

  it('commit moves the write hand to a deferred goal, once', () => {
    const { clock } = make(first, step)
    const goal = clock.ahead(1)
    clock.commit(seq(first), goal)
    expect(clock.wr()).toBe(goal)
    clock.commit(goal, goal)
    expect(clock.wr()).toBe(goal)
  })

  it('commit never moves it back, nor after somebody else has moved it', () => {
    const { clock } = make(first, step)
    const goal = clock.advance()
    const later = clock.advance()
    clock.commit(later, goal)
    expect(clock.wr()).toBe(later)
    clock.commit(goal, seq(goal + 5 * step))
    expect(clock.wr()).toBe(later)
  })

  it('[S3] the read hand is forwarded to a later candidate only', () => {
    const { clock } = make(first, step)
    const later = seq(first + 3 * step)
    clock.forwardRead(seq(first), seq(first - step))
    clock.forwardRead(seq(first), seq(first))
    expect(clock.rd()).toBe(first)
    clock.forwardRead(seq(first), later)
    expect([clock.rd(), clock.wr()]).toEqual([later, first])
  })

  it('[S3] a poller that slept does not forward it from where it once was', () => {
    const { clock } = make(first, step)
    const now = seq(first + 3 * step)
    clock.forwardRead(seq(first), now)
    clock.forwardRead(seq(first), seq(first + 5 * step))
    expect(clock.rd()).toBe(now)
    clock.forwardRead(seq(first), seq(first + step))
    expect(clock.rd()).toBe(now)
  })
})

// Publishing: load, store, load again, and once more when what was published is too old by then.

const HAND = 16
const AT = 32

/** Writes down what it is asked, and lets the hand move by so much in each store. */
class Watched extends Memory {
  readonly said: string[] = []
  private readonly delays: number[]

  constructor(first: number, delays: readonly number[]) {
    super(new SharedArrayBuffer(4096))
    this.delays = [...delays]
    this.words[HAND] = first
  }

  override load(at: number): number {
    this.said.push(at === HAND ? 'load wr' : `load ${at}`)
    return super.load(at)
  }

  override store(at: number, value: number): void {
    this.said.push(at === AT ? 'store' : `store ${at}`)
    super.add(HAND, this.delays.shift() ?? 0)
    super.store(at, value)
  }
}

const show = (memory: Watched, at: number): number => memory.words[at] ?? 0

describe.each(CONFIGS)('publish, sequences $name', ({ sequence: { first, step } }) => {
  it('[R1] loads the hand atomically, publishes, and loads it again', () => {
    const memory = new Watched(first, [])
    expect(publish(memory, HAND, AT)).toBe(first)
    expect(memory.said).toEqual(['load wr', 'store', 'load wr'])
    expect([show(memory, AT), show(memory, HAND)]).toEqual([first, first])
  })

  it('[I] keeps what it saw when the hand has moved a little meanwhile, and says what stands there', () => {
    for (const move of [step, NEAR - (NEAR % 2)]) {
      const memory = new Watched(first, [move])
      expect(publish(memory, HAND, AT)).toBe(first)
      expect(show(memory, AT)).toBe(first)
    }
  })

  it.each([
    ['just too far', NEAR + 2],
    ['a quarter of the circle', 2 ** 30],
    ['half of it', 2 ** 31],
    ['more than half: a step back, by its sign', 2 ** 31 + 2 ** 29],
    ['nearly all of it', 2 ** 32 - 2],
  ])('[I] publishes again after a sleep of %s', (_, move) => {
    const memory = new Watched(first, [move])
    const seq = publish(memory, HAND, AT)
    expect(seq).toBe(show(memory, HAND))
    expect(show(memory, AT)).toBe(seq)
    expect(memory.said).toEqual(['load wr', 'store', 'load wr', 'store', 'load wr'])
  })

  it('[I] and after a sleep in that as well, as often as it takes', () => {
    const memory = new Watched(first, [2 ** 30, 2 ** 31, 2 ** 30, step])
    const seq = publish(memory, HAND, AT)
    expect(show(memory, AT)).toBe(seq)
    expect(show(memory, HAND)).toBe((seq + step) | 0)
    expect(memory.said.filter((each) => each === 'store')).toHaveLength(4)
  })
})

it('what is near leaves room within the guard', () => {
  expect(NEAR).toBe(MAX_DELTA / 2)
})

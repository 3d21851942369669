/**
 * The two hands: they only move forward, across the seams of the circle too; every goal is taken by
 * a read-modify-write; and whoever lost a race changes nothing.
 */

import { describe, expect, it, vi } from 'vitest'
import type { Seq } from '#src/base/seq.ts'
import { DomainWords } from '#src/memory/layout.ts'
import { Memory } from '#src/memory/memory.ts'
import { Clock } from '#src/smr/clock.ts'
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

  it('[S3] a poller that napped does not forward it from where it once was', () => {
    const { clock } = make(first, step)
    const now = seq(first + 3 * step)
    clock.forwardRead(seq(first), now)
    clock.forwardRead(seq(first), seq(first + 5 * step))
    expect(clock.rd()).toBe(now)
    clock.forwardRead(seq(first), seq(first + step))
    expect(clock.rd()).toBe(now)
  })
})

/**
 * Publishing: load, store, load again, and once more when what was published is too old by then.
 */

import { describe, expect, it } from 'vitest'
import { MAX_DELTA } from '#src/base/seq.ts'
import { NEAR } from '#src/memory/compound.ts'
import { Memory } from '#src/memory/memory.ts'
import { publish } from '#src/smr/clock.ts'
import { CONFIGS } from '../../helpers/tiny.ts'

const WR = 16
const AT = 32

/** Writes down what it is asked, and lets the hand move by so much in each store. */
class Watched extends Memory {
  readonly said: string[] = []
  private readonly naps: number[]

  constructor(first: number, naps: readonly number[]) {
    super(new SharedArrayBuffer(4096))
    this.naps = [...naps]
    this.words[WR] = first
  }

  override load(at: number): number {
    this.said.push(at === WR ? 'load wr' : `load ${at}`)
    return super.load(at)
  }

  override store(at: number, value: number): void {
    this.said.push(at === AT ? 'store' : `store ${at}`)
    super.add(WR, this.naps.shift() ?? 0)
    super.store(at, value)
  }
}

const show = (memory: Watched, at: number): number => memory.words[at] ?? 0

describe.each(CONFIGS)('$name', ({ sequence: { first, step } }) => {
  it('[R1] loads the hand atomically, publishes, and loads it again', () => {
    const memory = new Watched(first, [])
    expect(publish(memory, WR, AT)).toBe(first)
    expect(memory.said).toEqual(['load wr', 'store', 'load wr'])
    expect([show(memory, AT), show(memory, WR)]).toEqual([first, first])
  })

  it('[I] keeps what it saw when the hand has moved a little meanwhile, and says what stands there', () => {
    for (const move of [step, NEAR - (NEAR % 2)]) {
      const memory = new Watched(first, [move])
      expect(publish(memory, WR, AT)).toBe(first)
      expect(show(memory, AT)).toBe(first)
    }
  })

  it.each([
    ['just too far', NEAR + 2],
    ['a quarter of the circle', 2 ** 30],
    ['half of it', 2 ** 31],
    ['more than half: a step back, by its sign', 2 ** 31 + 2 ** 29],
    ['nearly all of it', 2 ** 32 - 2],
  ])('[I] publishes again after a nap of %s', (_, move) => {
    const memory = new Watched(first, [move])
    const seq = publish(memory, WR, AT)
    expect(seq).toBe(show(memory, WR))
    expect(show(memory, AT)).toBe(seq)
    expect(memory.said).toEqual(['load wr', 'store', 'load wr', 'store', 'load wr'])
  })

  it('[I] and after a nap in that as well, as often as it takes', () => {
    const memory = new Watched(first, [2 ** 30, 2 ** 31, 2 ** 30, step])
    const seq = publish(memory, WR, AT)
    expect(show(memory, AT)).toBe(seq)
    expect(show(memory, WR)).toBe((seq + step) | 0)
    expect(memory.said.filter((each) => each === 'store')).toHaveLength(4)
  })
})

it('what is near leaves room within the guard', () => {
  expect(NEAR).toBe(MAX_DELTA / 2)
})

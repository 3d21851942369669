/**
 * Long random runs of three workers, judged by time that never wraps.
 *
 * The oracle keeps the hands and goals as BigInts and remembers when each section began and each
 * goal was taken. It knows nothing of the algorithm, only what it promises: a goal must not be met
 * while a section is open that began before it was taken; it must be met, by the second poll at the
 * latest, when no open section has observed less; the hands move forward only, the read hand never
 * past an open section; and an advance moves the write hand whenever there is room. Under the giant
 * steps of CONFIGS a run goes around the circle several times.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Misuse } from '#src/base/errors.ts'
import { delta, MAX_DELTA, type Seq } from '#src/base/seq.ts'
import type { Goal, Smr } from '#src/index.ts'
import { trio } from '../../helpers/company.ts'
import { Hands } from '../../helpers/hands.ts'
import { CONFIGS, type Config } from '../../helpers/tiny.ts'

const LIMIT = BigInt(MAX_DELTA)

interface Taken {
  readonly goal: Goal
  /** Where it lies on a line that never wraps. */
  readonly at: bigint
  readonly time: number
  met: boolean
}

interface Section {
  readonly observed: bigint
  readonly since: number
}

/** `expect` is too slow for what is said a million times. */
function insist(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

class Oracle {
  readonly smrs: readonly Smr[]
  readonly hands: Hands
  readonly step: bigint
  wr: bigint
  rd: bigint
  time = 0
  taken: Taken[] = []
  readonly sections: (Section | undefined)[] = [undefined, undefined, undefined]

  constructor(config: Config) {
    this.smrs = trio({}, config).map((arena) => arena.smr('d'))
    this.hands = new Hands(this.smrs[0] as Smr)
    this.step = BigInt(config.sequence.step)
    this.wr = BigInt(config.sequence.first)
    this.rd = this.wr
  }

  private get open(): Section[] {
    return this.sections.filter((each) => each !== undefined)
  }

  private get oldest(): bigint {
    let oldest = this.wr
    for (const { observed } of this.open) if (observed < oldest) oldest = observed
    return oldest
  }

  enter(worker: number): void {
    const smr = this.smrs[worker] as Smr
    if (this.sections[worker] !== undefined) {
      this.refused(() => smr.enter())
      return
    }
    smr.enter()
    this.sections[worker] = { observed: this.wr, since: this.time }
    this.look()
  }

  exit(worker: number): void {
    const smr = this.smrs[worker] as Smr
    if (this.sections[worker] === undefined) {
      this.refused(() => smr.exit())
      return
    }
    smr.exit()
    this.sections[worker] = undefined
    this.look()
  }

  advance(worker: number): void {
    const smr = this.smrs[worker] as Smr
    if (this.sections[worker] !== undefined) {
      this.refused(() => smr.advance())
      return
    }
    const hasRoom = this.wr - this.rd < LIMIT || this.wr - this.oldest < LIMIT
    const before = this.wr
    const goal = smr.advance()
    const at = before + this.step
    insist(goal === Number(BigInt.asIntN(32, at)), `goal ${goal} instead of ${at}`)
    this.taken.push({ goal, at, time: this.time, met: false })
    this.look()
    insist(this.wr === (hasRoom ? at : before), `the write hand moved, or not: room ${hasRoom}`)
  }

  poll(worker: number, which: number): void {
    const taken = this.taken.at(which % (this.taken.length || 1))
    if (taken === undefined) return
    const smr = this.smrs[worker] as Smr
    let met = smr.poll(taken.goal)
    this.look()
    if (this.open.some((each) => each.since < taken.time)) {
      insist(!met, 'met under a reader’s feet')
    }
    if (this.open.every((each) => each.observed >= taken.at)) {
      met ||= smr.poll(taken.goal)
      this.look()
      insist(met, 'not met though nobody can see it')
    }
    if (taken.met) insist(met, 'met no longer')
    taken.met = met
  }

  /** Everybody leaves: nothing may wait any more. */
  end(): void {
    this.sections.forEach((section, worker) => {
      if (section !== undefined) this.exit(worker)
    })
    this.taken.forEach((_, i) => {
      this.poll(i % this.smrs.length, i)
    })
  }

  /** Follows the hands, which may only move forward. */
  private look(): void {
    this.time++
    this.wr += BigInt(this.moved(this.hands.wr, this.wr))
    this.rd += BigInt(this.moved(this.hands.rd, this.rd))
    insist(this.rd <= this.oldest, 'the read hand has passed a reader')
    insist(this.wr - this.rd <= LIMIT + this.step, 'the hands are too far apart')
    // Whoever keeps a goal that was met for so long polls another one: see smr.poll.
    this.taken = this.taken.filter((each) => each.at > this.rd || this.wr - each.at < LIMIT)
  }

  private moved(word: number, known: bigint): number {
    const by = delta(word as Seq, Number(BigInt.asIntN(32, known)) as Seq)
    insist(by >= 0, 'a hand moved back')
    return by
  }

  private refused(act: () => unknown): void {
    const { wr, rd } = this.hands
    let thrown: unknown
    try {
      act()
    } catch (error) {
      thrown = error
    }
    insist(thrown instanceof Misuse, 'not refused')
    insist(this.hands.wr === wr && this.hands.rd === rd, 'refused, but a hand moved')
  }
}

const worker = fc.nat(2)
/** Any goal that is still of interest, and half of the time one of the last three. */
const goal = fc.oneof(fc.nat(), fc.integer({ min: -3, max: -1 }))
/** Mostly one advance at a time; now and then so many that the hands get too far apart. */
const times = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(20))
type Step = readonly ['advance' | 'enter' | 'exit' | 'poll', number, number]
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(fc.constant('advance' as const), worker, times) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('enter' as const), worker, fc.constant(0)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('exit' as const), worker, fc.constant(0)) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('poll' as const), worker, goal) },
)

function run(oracle: Oracle, steps: readonly Step[]): void {
  for (const [verb, who, which] of steps) {
    if (verb === 'poll') oracle.poll(who, which)
    else for (let time = 0; time <= which; time++) oracle[verb](who)
  }
  oracle.end()
}

describe.each(CONFIGS)('$name', (config) => {
  it('no goal is met too early or too late, whoever does what when', () => {
    let circles = 0
    let waits = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 200, maxLength: 600, size: 'max' }), (steps) => {
        const oracle = new Oracle(config)
        const from = oracle.wr
        run(oracle, steps)
        circles = Math.max(circles, Number((oracle.wr - from) / 2n ** 32n))
        waits += oracle.smrs[0]?.stats().advanceWaits ?? 0
      }),
      { numRuns: 40 },
    )
    // The giant steps must have done what they are there for.
    if (config.sequence.step > 2) {
      expect(circles).toBeGreaterThan(1)
      expect(waits).toBeGreaterThan(100)
    }
  })

  it('so at the wrap limit, however small the steps', () => {
    fc.assert(
      fc.property(fc.nat(8), fc.array(step, { minLength: 20, maxLength: 120 }), (left, steps) => {
        const oracle = new Oracle(config)
        oracle.hands.nearLimit(left)
        oracle.wr += BigInt(delta(oracle.hands.wr as Seq, config.sequence.first as Seq))
        run(oracle, [['enter', 2, 0], ...steps])
      }),
      { numRuns: 60 },
    )
  })
})

/**
 * Long random runs of three workers on every domain there can be, judged by time that never wraps.
 *
 * The oracle knows neither clock nor sections: it remembers when each section began, what it showed,
 * and when each goal was taken. Whatever happens in between - turns end, ticks pass, deferred goals
 * are committed or are not, the hands meet the wrap guard - no goal is met under the feet of a
 * section that is older, none is met no longer, the hands go forward only and keep their order; and
 * when all have left and their turns are over, every goal is met by the second look. Of the default
 * clock with fenced sections more is said: an advance moves the hand by one step wherever there is
 * room, and a goal is met by the second look once no open section has observed less.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { delta, MAX_DELTA, type Seq } from '#src/base/seq.ts'
import { type Goal, Misuse } from '#src/index.ts'
import { CASES, type Case, type Hand, Stage } from '../../helpers/combos.ts'

const LIMIT = BigInt(MAX_DELTA)
/** At the guard the hand may be as far beyond as all workers together, or two ticks, take it. */
const BEYOND = 3n

/** Whether each step of the hands is known: see above. */
const isExact = ({ combo }: Case): boolean =>
  combo.clock === 'default' && combo.sections === 'fenced'

interface Taken {
  readonly goal: Goal
  /** Where it lies on a line that never wraps. */
  readonly at: bigint
  readonly time: number
  /** Given by an advance, or committed: a look need not wait for anybody's next advance. */
  due: boolean
  met: boolean
}

interface Section {
  readonly observed: bigint
  readonly since: number
}

function sees(section: Section | undefined, { at }: Taken): boolean {
  return section !== undefined && section.observed < at
}

/** `expect` is too slow for what is said a million times. */
function insist(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

class Oracle {
  readonly stage: Stage
  private readonly step: bigint
  private readonly exact: boolean
  wr: bigint
  private rd: bigint
  private time = 0
  taken: Taken[] = []
  private readonly sections: (Section | undefined)[] = [undefined, undefined, undefined]

  constructor(each: Case) {
    this.stage = new Stage(each)
    this.step = BigInt(each.config.sequence.step)
    this.exact = isExact(each)
    this.wr = BigInt(each.config.sequence.first)
    this.rd = this.wr
  }

  /** Puts the write hand so many steps before the guard. */
  nearGuard(steps: number): void {
    const { hands } = this.stage
    const before = hands.wr
    hands.nearLimit(steps)
    this.wr += BigInt(delta(hands.wr as Seq, before as Seq))
  }

  enter(worker: number): void {
    const { smr } = this.hand(worker)
    if (this.sections[worker] !== undefined) {
      this.refused(() => smr.enter())
      return
    }
    smr.enter()
    this.look()
    this.sections[worker] = { observed: this.published(worker), since: this.time }
    if (this.exact) insist(this.sections[worker]?.observed === this.wr, 'published something else')
    this.look()
  }

  exit(worker: number): void {
    const { smr } = this.hand(worker)
    if (this.sections[worker] === undefined) {
      this.refused(() => smr.exit())
      return
    }
    smr.exit()
    this.sections[worker] = undefined
    this.look()
  }

  endTurn(worker: number): void {
    this.hand(worker).endTurn()
    this.look()
  }

  advance(worker: number): void {
    this.take(worker, true, () => this.hand(worker).smr.advance())
  }

  defer(worker: number): void {
    this.take(worker, false, () => this.hand(worker).smr.deferredAdvance())
  }

  commit(worker: number, which: number): void {
    const taken = this.taken.at(which % (this.taken.length || 1))
    if (taken === undefined || this.sections[worker] !== undefined) return
    this.hand(worker).smr.commit(taken.goal)
    taken.due = true
    this.look()
  }

  tick(_worker: number, ticks: number): void {
    this.stage.tick(ticks % 8 === 7 ? 1000 : ticks % 4)
  }

  /** Time passes for a worker that goes on advancing. */
  lapse(worker: number): void {
    this.stage.tick(2)
    this.advance(worker)
  }

  poll(worker: number, which: number): void {
    const taken = this.taken.at(which % (this.taken.length || 1))
    if (taken !== undefined) this.ask(worker, taken)
  }

  /** Everybody leaves, all turns end: nothing may wait any more. */
  end(): void {
    for (const worker of [0, 1, 2]) if (this.sections[worker] !== undefined) this.exit(worker)
    this.stage.endTurns()
    for (const taken of this.taken) {
      if (!this.taken.includes(taken)) continue
      const { smr } = this.stage.workers[0]
      let met = false
      // Ripe, then a look that makes room at the guard, then ripe again.
      for (let look = 0; look < 3 && !met; look++) {
        this.stage.ripen(smr, taken.goal)
        met = this.ask(0, taken)
      }
      insist(met, 'not met though nobody can see it')
    }
  }

  private hand(worker: number): Hand {
    return this.stage.workers[worker] as Hand
  }

  private take(worker: number, moves: boolean, advance: () => Goal): void {
    if (this.sections[worker] !== undefined) {
      this.refused(advance)
      return
    }
    const { wr } = this
    const hasRoom = wr - this.rd < LIMIT || wr - this.oldest < LIMIT
    const goal = advance()
    const seq = this.stage.seqOf(goal)
    this.look()
    const at = wr + BigInt(delta(seq as Seq, Number(BigInt.asIntN(32, wr)) as Seq))
    insist(at > wr && at <= this.wr + 2n * this.step, `goal ${at}, hand ${wr} to ${this.wr}`)
    if (this.exact) {
      insist(at === wr + this.step, `goal ${at} instead of ${wr + this.step}`)
      insist(this.wr === (moves && hasRoom ? at : wr), `the hand at ${this.wr}, room ${hasRoom}`)
    }
    this.taken.push({ goal, at, time: this.time, due: moves, met: false })
    this.time++
  }

  private refused(act: () => unknown): void {
    const { wr, rd } = this.stage.hands
    let thrown: unknown
    try {
      act()
    } catch (error) {
      thrown = error
    }
    insist(thrown instanceof Misuse, 'not refused')
    const { hands } = this.stage
    insist(hands.wr === wr && hands.rd === rd, 'refused, but a hand moved')
  }

  /** What the oldest section has observed. */
  private get oldest(): bigint {
    let oldest = this.wr
    for (const each of this.sections) {
      if (each !== undefined && each.observed < oldest) oldest = each.observed
    }
    return oldest
  }

  private ask(worker: number, taken: Taken): boolean {
    const { smr } = this.hand(worker)
    let met = smr.poll(taken.goal)
    this.look()
    if (this.exact && taken.due && !this.sections.some((each) => sees(each, taken))) {
      met ||= smr.poll(taken.goal)
      this.look()
      insist(met, 'not met though nobody can see it')
    }
    const older = this.sections.some((each) => each !== undefined && each.since < taken.time)
    if (older) insist(!met, 'met under a reader’s feet')
    if (taken.met) insist(met, 'met no longer')
    taken.met = met
    return met
  }

  /** What this worker's word shows, on the line. */
  private published(worker: number): bigint {
    const seq = this.stage.hands.seq(worker)
    insist(seq !== 0, 'nothing is published')
    return this.wr + BigInt(delta(seq as Seq, Number(BigInt.asIntN(32, this.wr)) as Seq))
  }

  /** Follows the hands, which may only move forward. */
  private look(): void {
    this.time++
    this.wr += BigInt(this.moved(this.stage.hands.wr, this.wr))
    this.rd += BigInt(this.moved(this.stage.hands.rd, this.rd))
    insist(this.rd <= this.wr, 'the read hand has passed the write hand')
    for (const each of this.sections) {
      insist(each === undefined || this.rd <= each.observed, 'the read hand has passed a reader')
    }
    const beyond = this.exact ? this.step : BEYOND * this.step
    insist(this.wr - this.rd <= LIMIT + beyond, 'the hands are too far apart')
    // Whoever keeps a goal that was met for so long polls another one: see smr.poll.
    this.taken = this.taken.filter((each) => each.at > this.rd || this.wr - each.at < LIMIT)
  }

  private moved(word: number, known: bigint): number {
    const by = delta(word as Seq, Number(BigInt.asIntN(32, known)) as Seq)
    insist(by >= 0, 'a hand moved back')
    return by
  }
}

const worker = fc.nat(2)
/** Any goal that is still of interest, and half of the time one of the last three. */
const goal = fc.oneof(fc.nat(), fc.integer({ min: -3, max: -1 }))
/** Mostly one at a time; now and then so many that the hands get too far apart. */
const times = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(20))
type Verb =
  | 'advance'
  | 'lapse'
  | 'defer'
  | 'enter'
  | 'exit'
  | 'endTurn'
  | 'poll'
  | 'commit'
  | 'tick'
type Step = readonly [Verb, number, number]
const often = (weight: number, verb: Verb, which: fc.Arbitrary<number>) => ({
  weight,
  arbitrary: fc.tuple(fc.constant(verb), worker, which),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  often(5, 'advance', times),
  often(1, 'lapse', times),
  often(1, 'defer', times),
  often(3, 'enter', fc.constant(0)),
  often(4, 'exit', fc.constant(0)),
  often(2, 'endTurn', fc.constant(0)),
  often(6, 'poll', goal),
  often(1, 'commit', goal),
  often(3, 'tick', fc.nat(63)),
)

/** To the guard and back, whatever else comes up: a reader stays while another goes on advancing. */
const GUARD: readonly Step[] = [
  ['enter', 1, 0],
  ...Array.from({ length: 10 }, (): Step => ['lapse', 0, 20]),
  ['exit', 1, 0],
  ['lapse', 0, 20],
]

function run(oracle: Oracle, steps: readonly Step[]): void {
  for (const [verb, who, which] of steps) {
    if (verb === 'poll' || verb === 'commit' || verb === 'tick') oracle[verb](who, which)
    else for (let time = 0; time <= which; time++) oracle[verb](who)
  }
  oracle.end()
}

describe.each(CASES)('$name', (each) => {
  const exact = isExact(each)
  const { step: by } = each.config.sequence

  it('no goal is met too early or too late, whoever does what when', { timeout: 20_000 }, () => {
    let steps = 0n
    let furthest = 0n
    let waits = 0
    const [minLength, maxLength] = exact ? [200, 600] : [100, 400]
    fc.assert(
      fc.property(fc.array(step, { minLength, maxLength, size: 'max' }), (verbs) => {
        const oracle = new Oracle(each)
        const from = oracle.wr
        run(oracle, verbs)
        const moved = (oracle.wr - from) / BigInt(by)
        steps += moved
        if (moved > furthest) furthest = moved
        waits += oracle.stage.workers[0].smr.stats().advanceWaits
      }),
      { numRuns: 50, examples: [[[...GUARD]]] },
    )
    expect(steps).toBeGreaterThan(100n)
    // The giant steps must have done what they are there for: twice around, where none is missed.
    if (by > 2) expect(waits).toBeGreaterThan(exact ? 100 : 0)
    if (by > 2 && exact) expect(furthest).toBeGreaterThan(128n)
  })

  it.runIf(exact)('so at the wrap limit, however small the steps', () => {
    fc.assert(
      fc.property(fc.nat(8), fc.array(step, { minLength: 20, maxLength: 120 }), (left, verbs) => {
        const oracle = new Oracle(each)
        oracle.nearGuard(left)
        run(oracle, [['enter', 2, 0], ...verbs])
      }),
      { numRuns: 60 },
    )
  })
})

/**
 * Every clock with every kind of section: the six domains there can be, and a stage on which three
 * workers use one of them while the test owns time and the turns of their event loops.
 *
 * The clocks promise the same and keep it in different ways; `ripen` does what a clock wants done
 * before a goal can be met, so that one test can say of all of them when a goal must be met.
 */

import { vi } from 'vitest'
import { Arena, type ArenaOptions, type Goal, type Smr, type SmrOptions } from '#src/index.ts'
import { CLOCKS, type ClockName, SECTIONS, type SectionName } from '#src/smr/options.ts'
import { Hands } from './hands.ts'
import { CONFIGS, type Config, tinyArena } from './tiny.ts'

export interface Combo {
  readonly name: string
  readonly clock: ClockName
  readonly sections: SectionName
  readonly options: SmrOptions
}

/** Calls per step of the deferred clock under test, and milliseconds per tick of the lazy one. */
export const LIMIT = 3
export const TICK_MS = 10
/** Ticks until a lazy goal is reached. */
export const GRACE = 2

const KNOBS: Readonly<Record<ClockName, SmrOptions>> = {
  default: {},
  deferred: { limit: LIMIT },
  lazy: { tickMs: TICK_MS },
}

export const COMBOS: readonly Combo[] = CLOCKS.flatMap((clock) =>
  SECTIONS.map((sections) => {
    return {
      name: `${clock}, ${sections}`,
      clock,
      sections,
      options: { clock, sections, ...KNOBS[clock] },
    }
  }),
)

/** The same domains with a second word per reader, for async sections that nobody opens here. */
export const SLEEPABLE: readonly Combo[] = COMBOS.map((combo) => {
  return {
    ...combo,
    name: `${combo.name}, sleepable`,
    options: { ...combo.options, sleepable: true },
  }
})

export interface Case {
  readonly name: string
  readonly config: Config
  readonly combo: Combo
}

/** Each of these domains under each clock of CONFIGS. */
export function casesOf(combos: readonly Combo[]): readonly Case[] {
  return CONFIGS.flatMap((config) =>
    combos.map((combo) => ({ name: `${combo.name}; ${config.name}`, config, combo })),
  )
}

export const CASES: readonly Case[] = casesOf(COMBOS)
export const ALL_CASES: readonly Case[] = casesOf([...COMBOS, ...SLEEPABLE])

const START_MS = 1_000_000_000_000
const WORKERS = 3

/** One worker: its attachment, its handle of the domain, and the end of its turn. */
export class Hand {
  readonly arena: Arena
  readonly smr: Smr
  readonly worker: number
  private readonly due: (() => void)[] = []

  constructor(arena: Arena, worker: number, options: SmrOptions) {
    this.arena = arena
    this.worker = worker
    arena.space.turn.schedule = (end) => {
      this.due.push(end)
    }
    this.smr = arena.smr('d', options)
  }

  /** Whether somebody wants to hear of the end of this turn. */
  get armed(): boolean {
    return this.due.length > 0
  }

  /** The running task and its microtasks are over. */
  endTurn(): void {
    for (const end of this.due.splice(0)) end()
  }
}

/** Three workers and one domain, in a time that only the test and those who sleep move on. */
export class Stage {
  readonly combo: Combo
  readonly hands: Hands
  readonly workers: readonly [Hand, Hand, Hand]
  /** Milliseconds. */
  time = START_MS
  /** Called after each sleep of a worker that blocks. */
  onSleep: () => void = () => {}

  constructor({ combo, config }: Pick<Case, 'combo' | 'config'>, options: ArenaOptions = {}) {
    this.combo = combo
    const first = tinyArena(config, options)
    const arenas = [first, ...Array.from({ length: WORKERS - 1 }, () => Arena.attach(first.handle))]
    for (const arena of arenas) this.keepTime(arena)
    const hire = (i: number): Hand => new Hand(arenas[i] as Arena, i, i === 0 ? combo.options : {})
    this.workers = [hire(0), hire(1), hire(2)]
    this.hands = new Hands(this.workers[0].smr)
  }

  /** Lets this attachment live in the time of the test. */
  keepTime(arena: Arena): void {
    arena.space.watch.every = () => {}
    vi.spyOn(arena.memory, 'now').mockImplementation(() => this.time)
    vi.spyOn(arena.memory, 'sleep').mockImplementation((ms) => {
      this.time += ms
      this.onSleep()
    })
  }

  /** Ticks of a lazy clock go by; for the others just time. */
  tick(ticks = 1): void {
    this.time += ticks * TICK_MS
  }

  /** All turns end, as they do when nobody has anything to do. */
  endTurns(): void {
    for (const hand of this.workers) hand.endTurn()
  }

  /** What this clock wants done before the goal can be met: nothing, a commit, or time. */
  ripen(smr: Smr, goal: Goal): void {
    if (this.combo.clock === 'lazy') this.tick(GRACE)
    else smr.commit(goal)
  }

  /** Polls a goal that is ripe, twice: at the wrap guard the first poll only makes room. */
  pollRipe(smr: Smr, goal: Goal): boolean {
    this.ripen(smr, goal)
    return smr.poll(goal) || smr.poll(goal)
  }

  /** What the hand shows of a goal, however it was given. */
  seqOf(goal: Goal): number {
    return Number(BigInt.asIntN(32, BigInt(goal as unknown as number)))
  }
}

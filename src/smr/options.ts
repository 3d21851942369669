/**
 * The options of a domain, checked when it is created and compared when it is opened.
 *
 * Clock and section are two choices. FreeBSD's flags are presets of them: none is `default` and
 * `fenced`, SMR_DEFERRED is `deferred` and `fenced`, SMR_LAZY is `lazy` and `turn`.
 */

import { integer, Misuse, onlyOptions, show } from '../base/errors.ts'

/** Options of `arena.smr`. When the domain exists, any may be left out, but none may differ. */
export interface SmrOptions {
  /** How the write hand moves, see pace.ts. `default`: at every advance. */
  readonly clock?: ClockName
  /** Deferred clock: a worker moves the hand at every n-th advance, 1 to 2^20. Default 8. */
  readonly limit?: number
  /** Lazy clock: milliseconds per tick, 1 to 60,000. Default 1. */
  readonly tickMs?: number
  /**
   * How a section tells that it is open. `fenced`: it publishes at enter and clears at exit.
   * `turn`: what it published stays until the turn of the event loop ends (QSBR). That is far
   * cheaper, but holds memory back for that long. Default `turn` with a lazy clock, else `fenced`.
   */
  readonly sections?: SectionName
  /** Allows sections across `await`. Default false. */
  readonly sleepable?: boolean
}

/** When a domain's clock moves: at every advance, at every `limit`-th, or with time. */
export type ClockName = 'default' | 'deferred' | 'lazy'
/** Whether a section is published at each enter, or until the turn ends. */
export type SectionName = 'fenced' | 'turn'

/** The frozen words hold indices into these. */
export const CLOCKS: readonly ClockName[] = ['default', 'deferred', 'lazy']
export const SECTIONS: readonly SectionName[] = ['fenced', 'turn']

const DEFAULT_LIMIT = 8
const MAX_LIMIT = 2 ** 20
const DEFAULT_TICK_MS = 1
const MAX_TICK_MS = 60_000

/** The options as words. */
export interface SmrShape {
  readonly clock: number
  readonly limit: number
  readonly tickMs: number
  readonly sections: number
  readonly sleepable: number
}

/** The option that a word stands for, to print in an error. */
export const PRINTED: { readonly [K in keyof SmrShape]: (word: number) => unknown } = {
  clock: (word) => CLOCKS[word],
  limit: Number,
  tickMs: Number,
  sections: (word) => SECTIONS[word],
  sleepable: Boolean,
}

export function smrShape(call: string, options: SmrOptions): SmrShape {
  onlyOptions(call, options, Object.keys(PRINTED))
  const { clock = 'default' } = options
  const clockWord = choice(call, 'clock', clock, CLOCKS)
  belongs(call, 'limit', options.limit, 'deferred', clock)
  belongs(call, 'tickMs', options.tickMs, 'lazy', clock)
  const { sections = clock === 'lazy' ? 'turn' : 'fenced' } = options
  const { limit = DEFAULT_LIMIT, tickMs = DEFAULT_TICK_MS, sleepable = false } = options
  if (typeof sleepable !== 'boolean') {
    throw new Misuse(`${call}: sleepable is ${show(sleepable)}; give true or false`)
  }
  return {
    clock: clockWord,
    limit: clock === 'deferred' ? integer(call, 'limit', limit, 1, MAX_LIMIT) : 0,
    tickMs: clock === 'lazy' ? integer(call, 'tickMs', tickMs, 1, MAX_TICK_MS) : 0,
    sections: choice(call, 'sections', sections, SECTIONS),
    sleepable: sleepable ? 1 : 0,
  }
}

/** Misuse for an option of another clock: it would have no effect. */
function belongs(call: string, what: string, value: unknown, to: ClockName, clock: unknown): void {
  if (value === undefined || clock === to) return
  throw new Misuse(`${call}: ${what} is for clock ${show(to)}; this one is ${show(clock)}`, {
    [what]: show(value),
  })
}

function choice(call: string, what: string, value: unknown, known: readonly string[]): number {
  const index = known.indexOf(value as string)
  if (index >= 0) return index
  throw new Misuse(`${call}: ${what} is ${show(value)}; known are ${known.join(', ')}`, {
    [what]: show(value),
  })
}

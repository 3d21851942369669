/**
 * What a domain can be told at creation, and how two workers find out that they disagree.
 *
 * Clock and section are two choices. FreeBSD's flags are presets of them: none is `default` and
 * `fenced`, SMR_DEFERRED is `deferred` and `fenced`, SMR_LAZY is `lazy` and `turn`.
 */

import { Misuse, onlyOptions, show } from '../errors.ts'

/** Options of `arena.smr`. Whoever opens the domain again may leave any out, but not differ. */
export interface SmrOptions {
  /** How the write hand moves. `default`: at every advance. */
  readonly clock?: ClockName
  /** How a section tells that it is open. `fenced`: it publishes at enter and clears at exit. */
  readonly sections?: SectionName
}

export type ClockName = 'default'
export type SectionName = 'fenced'

/** How the choices are written into the domain's frozen words: by position. */
export const CLOCKS: readonly ClockName[] = ['default']
export const SECTIONS: readonly SectionName[] = ['fenced']

/** The options as words; a choice left out is the default one. */
export interface SmrShape {
  readonly clock: number
  readonly sections: number
}

export function smrShape(call: string, options: SmrOptions): SmrShape {
  onlyOptions(call, options, ['clock', 'sections'])
  return {
    clock: choice(call, 'clock', options.clock, CLOCKS),
    sections: choice(call, 'sections', options.sections, SECTIONS),
  }
}

function choice(call: string, what: string, value: unknown, known: readonly string[]): number {
  if (value === undefined) return 0
  const index = known.indexOf(value as string)
  if (index >= 0) return index
  throw new Misuse(`${call}: ${what} is ${show(value)}; known are ${known.join(', ')}`, {
    [what]: show(value),
  })
}

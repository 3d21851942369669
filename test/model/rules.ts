/**
 * What an exploration is allowed to do, as plain values. All of them have defaults; a scenario
 * brings its own, and a call may override those.
 *
 * The rules that change what a schedule *means* (the first group, and `kill`) are written into
 * every replay string. The others say how far to look.
 */

/** The thread stops for ever after so many steps; 0: before its first. */
export interface Kill {
  readonly thread: string
  readonly afterStep: number
}

export interface Rules {
  /** Plain accesses are preemption points too. Not needed where races are errors: then they commute. */
  readonly plainSteps?: boolean
  /** Plain stores become visible late. Makes plain accesses preemption points. */
  readonly delayed?: boolean
  /** A `glance` may miss the last write, unless that happens before it; it is a preemption point. */
  readonly stale?: boolean
  /** Racing plain accesses are errors. */
  readonly races?: boolean
  /** `wait` and `nap` may block; where not, they only breathe, as on a page's main thread. */
  readonly blocking?: boolean
  /** Who dies, and when. */
  readonly kill?: Kill | readonly Kill[]

  /** At most so many switches away from a thread that could have gone on. */
  readonly bound?: number
  /** Cut off states that were reached before. */
  readonly prune?: boolean
  /** Random schedules instead of all: how many, from which seed, with up to how many drops. */
  readonly sample?: {
    readonly schedules: number
    readonly seed?: number
    readonly depth?: number
  }
  /** Give up the search (not finished, not failed) after so many schedules. */
  readonly maxSchedules?: number
  /** A schedule with more verbs than this does not terminate. */
  readonly maxVerbs?: number
}

export const defaults = {
  plainSteps: false as boolean,
  delayed: false as boolean,
  stale: false as boolean,
  races: true as boolean,
  blocking: true as boolean,
  bound: Number.POSITIVE_INFINITY as number,
  prune: true as boolean,
  maxSchedules: Number.POSITIVE_INFINITY as number,
  maxVerbs: 20_000 as number,
} as const

export type FullRules = typeof defaults & Pick<Rules, 'kill' | 'sample'>

export function complete(rules: Rules): FullRules {
  const given = Object.entries(rules).filter(([, value]) => value !== undefined)
  return { ...defaults, ...(Object.fromEntries(given) as Rules) } as FullRules
}

/** The deaths that the rules ask for, as a list. */
export function killsOf(rules: Rules): readonly Kill[] {
  const { kill } = rules
  if (kill === undefined) return []
  return Array.isArray(kill) ? (kill as readonly Kill[]) : [kill as Kill]
}

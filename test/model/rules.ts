/**
 * What an exploration is allowed to do, as plain values. All of them have defaults; a scenario
 * brings its own, and a call may override those.
 *
 * The rules that change what a schedule *means* (the first group, `kill` and `fault`) are written into
 * every replay string. The others say how far to look.
 */

/** The thread stops for ever after so many steps; 0: before its first. */
export interface Kill {
  readonly thread: string
  readonly afterStep: number
}

/**
 * The thread survives an exception: a call of `Memory` throws where it would have acted.
 *
 *   throw  as a stack overflow does: the call is never entered, and the thread's own `catch` and
 *          `finally` run. `calls` such calls in a row fail: those in a `finally` may be too deep still.
 *   cut    as a time limit of node:vm does: no `finally` runs. From here to the end of the attempt
 *          no call has any effect, and what the thread keeps to itself stays as it was here.
 *
 * It happens in an attempt (`control.attempt`), and only to calls that the library makes.
 */
export interface Fault {
  readonly thread: string
  /** So many calls in the thread's attempts go well first. */
  readonly afterCalls: number
  readonly kind: 'throw' | 'cut'
  /** Default 1. Not for 'cut'. */
  readonly calls?: number
}

export interface Rules {
  /** Plain accesses are preemption points too. Not needed where races are errors: then they commute. */
  readonly plainSteps?: boolean
  /** Plain stores become visible late. Makes plain accesses preemption points. */
  readonly delayed?: boolean
  /** A `peekRacy` may miss the last write, unless that happens before it; it is a preemption point. */
  readonly stale?: boolean
  /**
   * A `peekRacy` or `tallied` may find whatever the word has held since the schedule began, as far as
   * its thread has no right to know better; the halves of a tally are found one by one. Both are
   * preemption points.
   */
  readonly hostile?: boolean
  /** Racing plain accesses are errors. */
  readonly races?: boolean
  /** `wait` and `sleep` may block; where not, they only spins, as on a page's main thread. */
  readonly blocking?: boolean
  /**
   * So often in a schedule, something happens that need not: time passes while others could go on,
   * up to the next wake-up or so far that every time limit is over; a `wait` returns early; or the
   * thread that runs is held up for longer than any time limit, while time passes for the others.
   */
  readonly impatience?: number
  /** Who dies, and when. */
  readonly kill?: Kill | readonly Kill[]
  /** Which call throws, in a thread that goes on. */
  readonly fault?: Fault | readonly Fault[]

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
  hostile: false as boolean,
  races: true as boolean,
  blocking: true as boolean,
  impatience: 0 as number,
  bound: Number.POSITIVE_INFINITY as number,
  prune: true as boolean,
  maxSchedules: Number.POSITIVE_INFINITY as number,
  maxVerbs: 20_000 as number,
} as const

export type FullRules = typeof defaults & Pick<Rules, 'kill' | 'fault' | 'sample'>

export function complete(rules: Rules): FullRules {
  const given = Object.entries(rules).filter(([, value]) => value !== undefined)
  return { ...defaults, ...(Object.fromEntries(given) as Rules) } as FullRules
}

/** The deaths that the rules ask for, as a list. */
export function killsOf({ kill }: Rules): readonly Kill[] {
  return listOf(kill)
}

/** The faults that the rules ask for, as a list. */
export function faultsOf({ fault }: Rules): readonly Fault[] {
  return listOf(fault)
}

function listOf<T extends object>(given: T | readonly T[] | undefined): readonly T[] {
  if (given === undefined) return []
  return Array.isArray(given) ? (given as readonly T[]) : [given as T]
}

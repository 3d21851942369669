/**
 * What a question is.
 *
 * A question has groups, a group has variants, and one variant of the group is the baseline that
 * all others are divided by. Only like is put beside like: two variants stand in one group when a
 * program could use either for the same work. A variant is a function that is run in a process of
 * its own and hands back plain data, so nothing that another variant did to the compiler's type
 * feedback, to the heap or to the caches can be seen in its figures.
 */

/** Packages that are not dependencies of this one: see `heavy.ts`. */
export type Heavy = 'lmdb' | 'sharedmap'

/** How long a variant measures. */
export interface Settings {
  readonly timeMs: number
  readonly warmupMs: number
}

/** Nanoseconds per operation, of the samples of one process. */
export interface Timing {
  readonly best: number
  readonly median: number
  readonly samples: number
}

/** What one process found. `facts` become columns of their own, named by their keys. */
export interface Outcome {
  readonly timing?: Timing
  readonly facts?: Readonly<Record<string, number>>
  readonly warning?: string
}

export interface Variant {
  readonly name: string
  readonly needs?: Heavy
  /** Left out of a quick run. */
  readonly rare?: boolean
  run(settings: Settings): Outcome | Promise<Outcome>
}

/** All processes of one variant, folded. */
export interface Result {
  readonly variant: string
  readonly outcome?: Outcome
  /** Why there are no figures. */
  readonly note?: string
}

export interface Group {
  readonly name: string
  /** What is counted as one operation. */
  readonly operation: string
  /** The name of the variant that the ratios are taken to. */
  readonly baseline: string
  readonly variants: readonly Variant[]
}

export interface Question {
  readonly name: string
  /** The question in one sentence. */
  readonly asks: string
  /** Counted, not timed: the same in every process, so one process is enough. */
  readonly exact?: boolean
  /** Processes per variant where the variants are many, instead of the usual. */
  readonly processes?: number
  /** Pictures of what was found, as SVG by file name; a whole run keeps them in docs/. */
  readonly pictures?: (found: ReadonlyMap<string, readonly Result[]>) => ReadonlyMap<string, string>
  readonly groups: readonly Group[]
}

/** Thrown by a variant that cannot run here; the report says why and goes on. */
export class Skip extends Error {
  override readonly name = 'Skip'
}

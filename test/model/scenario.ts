/**
 * What a scenario is: some memory, some threads, and what must hold in the end.
 *
 *   setup    runs once per exploration, alone. What it leaves in memory is where every schedule
 *            starts. Its result, the *world*, is handed to everybody: put addresses and numbers in
 *            it, never a handle with state of its own, because all threads and all schedules share it.
 *   prepare  runs once per exploration for each thread, in their order, undisturbed: attaching,
 *            opening handles. It is re-run from its log whenever the thread is, so that each run of a
 *            body has fresh handles.
 *   body     the thread. Ordinary synchronous code, deterministic but for its verbs.
 *   final    looks at the memory after all threads have ended, and throws when something is wrong.
 *
 * Setup and preparation happen before everything else, and everything happens before the final
 * check; threads are ordered with each other by nothing but their own verbs.
 */

import type { Memory } from '#src/memory/memory.ts'
import type { Control, Remark } from './history.ts'
import type { Operation } from './linearizable.ts'
import type { Rules } from './rules.ts'

export interface ThreadOf<W, P> {
  readonly name: string
  /** Starts when the thread of this name has ended or been killed, and after all that it did. */
  readonly after?: string
  readonly prepare?: (memory: Memory, world: W) => P
  /** `prepared` is what `prepare` returned; where there is none, it is the world. */
  readonly body: (memory: Memory, control: Control, prepared: P) => unknown
}

export type Thread<W> = ThreadOf<W, unknown>

/** How the threads came out. */
export interface Ending<W> {
  readonly world: W
  /** What each body returned, in the order of the threads; undefined for the dead. */
  readonly results: readonly unknown[]
  /** Names of the threads that were killed. */
  readonly dead: readonly string[]
  readonly remarks: readonly Remark[]
  readonly operations: readonly Operation[]
}

export interface Scenario<W = unknown> {
  readonly name: string
  /** Size of the memory. */
  readonly words: number
  setup(memory: Memory): W
  readonly threads: readonly Thread<W>[]
  final?(memory: Memory, results: readonly unknown[], ending: Ending<W>): void
  /** Names a word for messages, for example by its struct and field. */
  describe?(at: number, world: W): string | undefined
  /** Atomic stores to such words are treated as plain and late; for alarms that must ring. */
  weakenStore?(at: number, world: W): boolean
  /** Atomic loads of such words are treated as plain and possibly stale. */
  weakenLoad?(at: number, world: W): boolean
  /** Rules other than the defaults. */
  readonly rules?: Rules
  /** 'fails': a scenario with a bug on purpose, which must be found. */
  readonly expect?: 'holds' | 'fails'
}

/** A thread whose body takes what its `prepare` returns; writes the types down and changes nothing. */
export function thread<W, P>(of: ThreadOf<W, P>): Thread<W> {
  return of as Thread<W>
}

/** A scenario with the type of its world; changes nothing. */
export function scenario<W>(of: Scenario<W>): Scenario<W> {
  return of
}

/**
 * Calls that end between two of their steps, and a thread that goes on: what a stack overflow does,
 * and a time-out of `node:vm`.
 *
 * Every verb of memory is a step. At one of them a RangeError is thrown; then either all goes on as
 * usual ('thrown': `catch` and `finally` run, and can use memory), or no verb has any effect until the
 * call is over ('cut off': as if `finally` had not run).
 */

import type { Arena } from '#src/index.ts'

export type Manner = 'thrown' | 'cut off'
export const MANNERS: readonly Manner[] = ['thrown', 'cut off']

const VERBS = [
  'load',
  'store',
  'add',
  'swap',
  'cas',
  'or',
  'and',
  'enterSection',
  'findHash',
  'lookUpHash',
  'peek',
  'poke',
  'fill',
  'peekFloat',
  'pokeFloat',
  'peekByte',
  'pokeByte',
  'readBytes',
  'writeBytes',
  'tally',
  'tallied',
  'peekRacy',
  'pause',
  'sleep',
  'wait',
  'notify',
  'now',
] as const

export interface Interrupted<T> {
  /** Whether the call came as far as that step. */
  readonly interrupted: boolean
  /** What it returned, if it did. */
  readonly value?: T
  /** What it threw, if it did. */
  readonly error?: unknown
}

/** Runs `act`, which is interrupted at its `step`-th use of the arena's memory, from 0 on. */
export function interrupt<T>(
  { memory }: Arena,
  step: number,
  manner: Manner,
  act: () => T,
): Interrupted<T> {
  const cut = new RangeError('Maximum call stack size exceeded')
  let left = step
  let interrupted = false
  const isNow = (): boolean => {
    if (interrupted) return manner === 'cut off'
    interrupted = left-- <= 0
    return interrupted
  }
  // What a test has put there before is put there again.
  const before = VERBS.map((verb) => Object.getOwnPropertyDescriptor(memory, verb))
  for (const verb of VERBS) {
    const real = memory[verb].bind(memory) as (...args: unknown[]) => unknown
    Object.assign(memory, {
      [verb]: (...args: unknown[]) => {
        if (isNow()) throw cut
        return real(...args)
      },
    })
  }
  try {
    const value = act()
    return { interrupted, value }
  } catch (error) {
    return { interrupted, error }
  } finally {
    for (const [i, verb] of VERBS.entries()) {
      Reflect.deleteProperty(memory, verb)
      const own = before[i]
      if (own !== undefined) Object.defineProperty(memory, verb, own)
    }
  }
}

/** Does `attempt` once for each step that there is; false from it: the call has no such step. */
export function atEveryStep(attempt: (step: number, manner: Manner) => boolean): number {
  let steps = 0
  for (const manner of MANNERS) {
    steps = 0
    while (attempt(steps, manner)) steps++
  }
  return steps
}

/**
 * The memory that the library is given in a scenario with faults: one of its calls throws where it
 * would have acted, and the thread survives that. See `Fault` in rules.ts.
 *
 * Every call counts, also the plain ones: a stack may overflow, and a time limit may strike, at the
 * entry of any of them. Only calls inside an attempt count, so that a scenario's own work on the
 * board, which is done on the other memory, is never torn. In a re-run the same call throws again.
 */

import { ModelMemory } from './modelMemory.ts'
import { keepPrivateState } from './privateState.ts'
import type { ModelThread } from './thread.ts'
import { FAULT } from './verbs.ts'

/** What a time limit throws: nothing that code could know. */
const CUT: unique symbol = Symbol('the time limit is over')
const OVERFLOW = 'Maximum call stack size exceeded'

/** A stack overflow that the rules asked for. */
class Overflow extends RangeError {}

/** Whether this is the exception that `t` is to survive, or was made of it. */
export function isFault(t: ModelThread, error: unknown): boolean {
  if (t.unwinding) return false
  return t.cut || error instanceof Overflow || (error instanceof Error && isFault(t, error.cause))
}

export class FaultyMemory extends ModelMemory {
  /** @internal */
  mayFail(): void {
    const t = this.engine.current
    const { fault } = t
    if (fault === undefined || t.attempts === 0 || t.unwinding) return
    if (t.cut) throw CUT
    const before = t.calls++ - fault.afterCalls
    if (before < 0 || before >= (fault.calls ?? 1)) return
    t.struck = true
    if (!t.recalled(FAULT, before)) this.engine.done(t, FAULT, before, 0)
    if (fault.kind === 'throw') throw new Overflow(OVERFLOW)
    t.cut = true
    t.restore = keepPrivateState(t.handles)
    throw CUT
  }
}

const CALLS = [
  ...['load', 'store', 'add', 'swap', 'cas', 'or', 'and', 'peek', 'poke', 'fill'],
  ...['peekFloat', 'pokeFloat', 'peekByte', 'pokeByte', 'readBytes', 'writeBytes'],
  ...['tally', 'tallied', 'peekRacy', 'pause', 'sleep', 'wait', 'notify', 'now'],
] as const

type Call = (this: FaultyMemory, ...args: unknown[]) => unknown

for (const name of CALLS) {
  const act = (ModelMemory.prototype as unknown as Record<string, Call>)[name] as Call
  Object.defineProperty(FaultyMemory.prototype, name, {
    writable: true,
    value: function mayFailFirst(this: FaultyMemory, ...args: unknown[]): unknown {
      this.mayFail()
      return act.apply(this, args)
    },
  })
}

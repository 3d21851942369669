/**
 * How we wait: always bounded, never on a plain read, and in two ways.
 *
 * `until` blocks this thread: a few spins first, because most waits end within microseconds, then
 * naps that double up to a limit. Nobody has to wake us, so nobody can forget to; a reader that
 * leaves its section stays as cheap as one store. `untilAsync` does the same between turns of the
 * event loop, for threads that may not block and for programs that have better things to do.
 */

import { Exhausted, Misuse, onlyOptions, show } from '../base/errors.ts'
import { sleep } from '../base/host.ts'
import type { Memory } from '../memory/memory.ts'

/** What every waiting verb takes. */
export interface WaitOptions {
  /** Milliseconds from 0 on, 0 to look once; default 30,000. `Infinity` only if you write it. */
  readonly timeoutMs?: number
}

/** What every waiting verb takes that waits between turns of the event loop. */
export interface AsyncWaitOptions extends WaitOptions {
  /** Ends the wait by rejecting with its `reason`. */
  readonly signal?: { readonly aborted: boolean; readonly reason?: unknown }
}

/** What a wait takes when its caller named no time: long enough for any sane section. */
export const DEFAULT_TIMEOUT_MS = 30_000

const SPINS = 64
const FIRST_SLEEP_MS = 0.05
const LONGEST_SLEEP_MS = 2
const LONGEST_TIMER_MS = 8

/** How long the caller wants to wait; Misuse for what no waiting verb knows. */
export function timeoutOf(call: string, options: WaitOptions | undefined): number {
  return timeoutAmong(call, options, ['timeoutMs'])
}

/** The same for verbs that wait between turns. */
export function asyncTimeoutOf(call: string, options: AsyncWaitOptions | undefined): number {
  const ms = timeoutAmong(call, options, ['timeoutMs', 'signal'])
  const signal: unknown = options?.signal
  if (signal === undefined) return ms
  if (typeof signal === 'object' && signal !== null && 'aborted' in signal) return ms
  throw new Misuse(`${call}: signal is ${show(signal)}; give an AbortSignal`, {
    signal: show(signal),
  })
}

function timeoutAmong(
  call: string,
  options: WaitOptions | undefined,
  known: readonly string[],
): number {
  if (options === undefined) return DEFAULT_TIMEOUT_MS
  onlyOptions(call, options, known)
  const ms: unknown = options.timeoutMs
  if (ms === undefined) return DEFAULT_TIMEOUT_MS
  if (typeof ms === 'number' && ms >= 0) return ms
  throw new Misuse(`${call}: timeoutMs is ${show(ms)}; give milliseconds from 0 on`, {
    timeoutMs: show(ms),
  })
}

/** Whose thread it is that sleeps, and what it lets go of before. */
export interface Sleeper {
  readonly memory: Memory
  /** Clears what is published although nothing needs it: see turn.ts. */
  beforeSleep(): void
}

/** Where a thread cannot sleep: a clock that stands for so many looks in a row has been stopped. */
const FROZEN_PROBES = 2 ** 24

/**
 * How much of a time-out is left. By the clock; and by what was slept, for a program may have stopped
 * its clock (tests do, with fake timers that were there before us): the wait ends all the same.
 */
export class Deadline {
  private readonly memory: Memory
  private readonly timeoutMs: number
  private readonly end: number
  private slept = 0
  private last: number
  private frozen = 0

  constructor(memory: Memory, timeoutMs: number) {
    this.memory = memory
    this.timeoutMs = timeoutMs
    this.last = memory.now()
    this.end = this.last + timeoutMs
  }

  /** Milliseconds; 0 and less: it is over. */
  left(): number {
    const now = this.memory.now()
    this.frozen = now === this.last ? this.frozen + 1 : 0
    if (this.frozen === 0) this.slept = 0
    this.last = now
    const stands = this.slept >= this.timeoutMs || this.frozen >= FROZEN_PROBES
    if (stands && Number.isFinite(this.timeoutMs)) return 0
    return this.end - now
  }

  /** So long was slept since `left` was last asked. */
  sleeping(ms: number): void {
    this.slept += ms
  }
}

/** Probes until it says yes (true) or the time is over (false). Blocks this thread. */
export function until(sleeper: Sleeper, timeoutMs: number, probe: () => boolean): boolean {
  const { memory } = sleeper
  for (let spin = 0; spin < SPINS; spin++) {
    if (probe()) return true
    if (timeoutMs === 0) return false
    memory.pause()
  }
  const deadline = new Deadline(memory, timeoutMs)
  for (let sleepMs = FIRST_SLEEP_MS; ; sleepMs = Math.min(sleepMs * 2, LONGEST_SLEEP_MS)) {
    if (probe()) return true
    const left = deadline.left()
    if (left <= 0) return false
    sleeper.beforeSleep()
    const ms = Math.min(sleepMs, left)
    memory.sleep(ms)
    deadline.sleeping(memory.sleeps ? ms : 0)
  }
}

/** The same between turns of the event loop. Rejects when `signal` aborts. */
export async function untilAsync(
  memory: Memory,
  timeoutMs: number,
  options: AsyncWaitOptions | undefined,
  probe: () => boolean,
): Promise<boolean> {
  const deadline = new Deadline(memory, timeoutMs)
  for (let timerMs = 0; ; timerMs = Math.min(timerMs * 2 || 1, LONGEST_TIMER_MS)) {
    const signal = options?.signal
    if (signal?.aborted) throw signal.reason ?? new Exhausted('the wait was aborted')
    if (probe()) return true
    const left = deadline.left()
    if (left <= 0) return false
    const ms = Math.min(timerMs, left)
    await sleep(ms)
    deadline.sleeping(ms)
  }
}

/** Whether this is a promise: what must be over when the call returns is not over then. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  )
}

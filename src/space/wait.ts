/**
 * Waiting: always bounded, never on a plain read, and in two ways.
 *
 * `until` blocks this thread: a few spins first, because most waits end within microseconds, then
 * sleeps that double up to a limit. It polls, so no wake-up can be missed, and leaving a section
 * stays as cheap as one store. `untilAsync` does the same between turns of the event loop, for
 * threads that may not block or have other work.
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

/** Used when the caller gives no time: longer than any reasonable section. */
export const DEFAULT_TIMEOUT_MS = 30_000

const SPINS = 64
const FIRST_SLEEP_MS = 0.05
const LONGEST_SLEEP_MS = 2
const LONGEST_TIMER_MS = 8

/** The time-out among the options; Misuse for unknown options. */
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

/** The worker whose thread sleeps. */
export interface Sleeper {
  readonly memory: Memory
  /** Clears what is published but not needed: see turn.ts. */
  beforeSleep(): void
}

/** Where a thread cannot sleep, a clock with the same time this often in a row was stopped. */
const FROZEN_PROBES = 2 ** 24

/**
 * How much of a time-out is left. It counts time by the clock, and also what was slept: a program
 * may have stopped its clock (tests with fake timers do), and the wait must end all the same.
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

  /** Milliseconds; 0 or less: the time is over. */
  left(): number {
    const now = this.memory.now()
    this.frozen = now === this.last ? this.frozen + 1 : 0
    if (this.frozen === 0) this.slept = 0
    this.last = now
    const stands = this.slept >= this.timeoutMs || this.frozen >= FROZEN_PROBES
    if (stands && Number.isFinite(this.timeoutMs)) return 0
    return this.end - now
  }

  /** Notes that the thread has slept since the last `left`. */
  sleeping(ms: number): void {
    this.slept += ms
  }
}

/** Probes until `probe` returns true, or false if the time is over first. Blocks this thread. */
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

/** Whether this is a promise: then the call that returned it has not finished. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  )
}

/**
 * The little that depends on where we run: which thread this is, what time it is, what comes later.
 *
 * Everything is feature-detected, nothing is imported: the same core runs in Node, browsers, Bun
 * and Deno. What a host cannot tell has a safe default that is named at each function.
 */

import { Misuse, show } from './errors.ts'

interface NodeThreads {
  readonly threadId: number
}

interface NodeProcess {
  getBuiltinModule?(id: string): unknown
  emitWarning?(warning: Error | string): void
}

interface Channel {
  readonly port1: { onmessage: (() => void) | null }
  readonly port2: { postMessage(message: unknown): void }
}

interface HostScope {
  reportError?(error: unknown): void
  setImmediate?(callback: () => void): unknown
  setTimeout(callback: () => void, ms: number): unknown
  readonly MessageChannel?: new () => Channel
  readonly process?: NodeProcess
  readonly performance?: { now(): number; readonly timeOrigin: number }
  readonly Deno?: { unrefTimer?(timer: unknown): void }
}

const scope = globalThis as unknown as HostScope

// Time comes from one place, and is taken when this module is loaded: clock, timers and turns belong
// together, and whoever exchanges one of them later (a test with fake timers) does not stop our waits.
// Functions of our own besides: the global `performance` is a getter, and slower than its clock.
const { setImmediate, setTimeout: setTimer, MessageChannel, performance } = scope
const clock = performance?.now.bind(performance)
const origin = performance?.timeOrigin ?? 0
const { now: dateNow } = Date

/** Unknown threads are told apart from thread 0, which is Node's main thread. */
export const UNKNOWN_THREAD: number = -1

/**
 * This thread's number, the same one its parent sees as `worker.threadId`.
 * Unknown outside Node-like hosts, and on Node before 20.16: name the worker by hand there.
 */
export function threadId(): number {
  const threads = scope.process?.getBuiltinModule?.('node:worker_threads') as
    | NodeThreads
    | undefined
  return threads?.threadId ?? UNKNOWN_THREAD
}

/** What `arena.supervise` needs of a worker: Node's `Worker` has it. */
export interface SupervisedWorker {
  /** Number of the thread, as `node:worker_threads` gives it. */
  readonly threadId: number
  /**
   * Calls `listener` when the thread has ended. Must neither block nor throw; called outside
   * sections or inside.
   */
  once(event: 'exit', listener: () => void): unknown
}

/** The number of a worker's thread; Misuse when it cannot tell us that it exits, or has exited. */
export function exitingThread(worker: unknown): number {
  const { threadId: thread, once } = (worker ?? {}) as Partial<SupervisedWorker>
  const known = threadId() !== UNKNOWN_THREAD
  if (known && typeof once === 'function' && typeof thread === 'number' && thread > 0) return thread
  throw new Misuse(
    `arena.supervise: ${show(worker)} is no running Worker of node:worker_threads, or this host does not tell threads apart (Node before 20.16); call arena.reap when you know that it is dead`,
  )
}

/** Milliseconds on a clock that all threads of this process share. */
export function now(): number {
  return clock === undefined ? dateNow() : origin + clock()
}

/** Lets other tasks of this thread's event loop run, then goes on. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimer(resolve, ms)
  })
}

/** What follows a task through its awaits. */
export interface AsyncScope<T> {
  run<R>(value: T, fn: () => R): R
  getStore(): T | undefined
}

/** Undefined where the host cannot follow tasks. */
export function asyncScope<T>(): AsyncScope<T> | undefined {
  const hooks = scope.process?.getBuiltinModule?.('node:async_hooks') as
    | { readonly AsyncLocalStorage: new () => AsyncScope<T> }
    | undefined
  return hooks && new hooks.AsyncLocalStorage()
}

/** What a test throws through a thread that it takes off its processor: no error, and no news to anybody. */
const SUSPENDED = Symbol.for('uma-smr: suspend this thread')

/**
 * Says that something went wrong where nobody is there to catch it: a process warning in Node, what
 * `reportError` does elsewhere. Never throws, whatever it is told: its caller has to go on.
 */
export function report(error: unknown): void {
  if (error === SUSPENDED) return
  try {
    if (scope.process?.emitWarning !== undefined) {
      scope.process.emitWarning(error instanceof Error ? error : `uma-smr: ${show(error)}`)
    } else scope.reportError?.(error)
  } catch {
    // The host would not hear of it, and there is nobody else.
  }
}

/**
 * Calls back once after `ms`; with 0, after this turn. Unless `keepAlive`, the host may end the
 * thread before, if nothing else keeps it.
 */
export function later(callback: () => void, ms: number, keepAlive: boolean): void {
  if (ms === 0) endOfTurn(callback)
  else {
    const timer = setTimer(callback, ms)
    if (!keepAlive) unref(timer)
  }
}

/** The host need not wait for this timer: Node and Bun say so to the timer, Deno has a number. */
function unref(timer: unknown): void {
  if (typeof timer === 'number') scope.Deno?.unrefTimer?.(timer)
  else (timer as { unref?(): void }).unref?.()
}

/**
 * Calls back every `ms` until the answer is false, each time with nothing else on the stack: from a
 * microtask, so not even whoever plays the timers himself can call back inside another call. The
 * host may end the thread meanwhile.
 */
export function repeat(check: () => boolean, ms: number): void {
  const look = (): void => {
    if (check()) repeat(check, ms)
  }
  later(() => void Promise.resolve().then(look), ms, false)
}

/**
 * Calls back once, after this turn of the event loop: when the running task and all its microtasks
 * are over. `setImmediate` where there is one (Node, Bun, Deno), a message to ourselves in browsers.
 */
export function endOfTurn(callback: () => void): void {
  if (setImmediate !== undefined) setImmediate(callback)
  else if (MessageChannel !== undefined) postTurn(callback, MessageChannel)
  else setTimer(callback, 0)
}

/** One channel for all turns: opening one costs more than the turn. */
let channel: Channel | undefined
const due: (() => void)[] = []

function postTurn(callback: () => void, Channel: new () => Channel): void {
  if (channel === undefined) {
    channel = new Channel()
    channel.port1.onmessage = () => due.shift()?.()
  }
  due.push(callback)
  channel.port2.postMessage(0)
}

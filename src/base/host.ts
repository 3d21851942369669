/**
 * What depends on the host: the number of the thread, the time, timers, warnings.
 *
 * Everything is feature-detected, nothing is imported: the same core runs in Node, browsers, Bun
 * and Deno. If a host does not have something, each function names its safe default.
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
  readonly crypto?: { getRandomValues(into: Uint32Array): unknown }
  readonly Deno?: { unrefTimer?(timer: unknown): void }
}

const scope = globalThis as unknown as HostScope

// Timers and clock are taken once, when this module is loaded: they belong together, and a test
// with fake timers that replaces one of them later must not stop our waits. As local constants they
// are also faster: the global `performance` is a getter.
const { setImmediate, setTimeout: setTimer, MessageChannel, performance } = scope
const clock = performance?.now.bind(performance)
const origin = performance?.timeOrigin ?? 0
const { now: dateNow } = Date

/** Not 0, which is Node's main thread. */
export const UNKNOWN_THREAD: number = -1

/**
 * This thread's number, the same one its parent sees as `worker.threadId`.
 * Unknown outside Node-like hosts, and on Node before 20.16: reap by hand there.
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

/**
 * The number of a worker's thread; Misuse if it has exited, or this host cannot report its exit.
 */
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

/** Resolves after `ms`; other tasks of the event loop run meanwhile. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimer(resolve, ms)
  })
}

/** A value that follows a task through its awaits: Node's AsyncLocalStorage. */
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

/** One name of Node's diagnostics_channel: tools subscribe to it without knowing the arena. */
export interface DiagnosticsChannel {
  readonly hasSubscribers: boolean
  publish(message: unknown): void
}

/** Undefined where the host has no such channels. */
export function channelOf(name: string): DiagnosticsChannel | undefined {
  const channels = scope.process?.getBuiltinModule?.('node:diagnostics_channel') as
    | { channel(name: string): DiagnosticsChannel }
    | undefined
  return channels?.channel(name)
}

/** The model checker throws it to suspend a thread: not an error, so not reported. */
const SUSPENDED = Symbol.for('uma-smr: suspend this thread')

/**
 * Reports an error that no caller can catch: a process warning in Node, `reportError` elsewhere.
 * Never throws, since its caller has to go on.
 */
export function report(error: unknown): void {
  if (error === SUSPENDED) return
  try {
    if (scope.process?.emitWarning !== undefined) {
      scope.process.emitWarning(error instanceof Error ? error : `uma-smr: ${show(error)}`)
    } else scope.reportError?.(error)
  } catch {
    // The host has refused it, and there is no other place to report it to.
  }
}

/**
 * Calls back once after `ms`; with 0, after this turn. Unless `keepAlive`, the thread may end
 * before that, if nothing else keeps it alive.
 */
export function later(callback: () => void, ms: number, keepAlive: boolean): void {
  if (ms === 0) endOfTurn(callback)
  else {
    const timer = setTimer(callback, ms)
    if (!keepAlive) unref(timer)
  }
}

/** The timer does not keep the thread alive. In Node and Bun it has a method; in Deno, a number. */
function unref(timer: unknown): void {
  if (typeof timer === 'number') scope.Deno?.unrefTimer?.(timer)
  else (timer as { unref?(): void }).unref?.()
}

/**
 * Calls back every `ms` until `check` returns false, each time with nothing else on the stack: from
 * a microtask, so that even fake timers cannot call back inside another call. It does not keep the
 * thread alive.
 */
export function repeat(check: () => boolean, ms: number): void {
  const look = (): void => {
    if (check()) repeat(check, ms)
  }
  later(() => void Promise.resolve().then(look), ms, false)
}

/**
 * Calls back once, after this turn of the event loop: when the running task and all its microtasks
 * are over. By `setImmediate` where there is one (Node, Bun, Deno), by a message to itself in
 * browsers.
 */
export function endOfTurn(callback: () => void): void {
  if (setImmediate !== undefined) setImmediate(callback)
  else if (MessageChannel !== undefined) postTurn(callback, MessageChannel)
  else setTimer(callback, 0)
}

/** One channel for all turns: opening one is expensive. */
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

/** 32 random bits that nobody can guess, where the host has such; never 0. */
export function randomWord(): number {
  const word = new Uint32Array(1)
  if (scope.crypto === undefined) word[0] = Math.random() * 2 ** 32
  else scope.crypto.getRandomValues(word)
  return (word[0] as number) || 1
}

/**
 * Events: what a worker has noticed, told to functions of the user.
 *
 * The layers above publish where the thing happens, often under a lock or inside a section. Nothing
 * of the user's may run there: it could take the same lock, or throw. So `publish` only writes the
 * event down, in private memory, and never throws; listeners are called in a turn of their own,
 * when no call of the library is on the stack. (By a task, not a microtask: a listener that causes
 * the same event again must not stop the event loop.)
 *
 * An error of a listener, or a promise of it that rejects, is reported as a process warning; the
 * other listeners are called all the same. Nobody listens: then `publish` costs two looks at
 * private memory, and its callers ask `has` before they compute what to tell.
 *
 * Where the host has `diagnostics_channel`, each event is a message of the channel of its name too.
 *
 * UMA: uma_zone_set_warning(9) and uma_zone_set_maxaction(9), for which it has a task queue.
 */

import { Misuse, show } from '../base/errors.ts'
import { channelOf, type DiagnosticsChannel, endOfTurn, report } from '../base/host.ts'
import { isThenable } from './wait.ts'

/** What can be listened to. */
export const EVENTS = ['exhausted', 'grow', 'stall', 'reap'] as const
export type EventName = (typeof EVENTS)[number]

/** What happened, as plain values; `times`: so often since it was told last. */
export type Told = Readonly<Record<string, unknown>> & { readonly times: number }

type Listener = (told: Told) => unknown

interface Waiting {
  readonly name: EventName
  facts: object
  times: number
}

export class Events {
  /** Runs `deliver` in a turn of its own; tests that are their own event loop replace it. */
  later: (deliver: () => void) => void = endOfTurn
  private readonly listeners = new Map<EventName, Set<Listener>>()
  private readonly waiting = new Map<string, Waiting>()
  private serial = 0
  private scheduled = false

  /** Calls `listener` at each event of this name; if it is listed already, only once. */
  on(call: string, name: EventName, listener: Listener): void {
    assertListener(call, name, listener)
    const known = this.listeners.get(name)
    if (known === undefined) this.listeners.set(name, new Set([listener]))
    else known.add(listener)
  }

  off(call: string, name: EventName, listener: Listener): void {
    assertListener(call, name, listener)
    this.listeners.get(name)?.delete(listener)
  }

  /** Whether anybody in this thread listens. */
  has(name: EventName): boolean {
    return (this.listeners.get(name)?.size ?? 0) > 0 || channel(name)?.hasSubscribers === true
  }

  /**
   * Tells listeners later, in a turn of their own. Legal anywhere, under a lock and in a section;
   * never throws, never blocks. Events of one name and `key` that wait together become one, with
   * the facts of the last: so a loop that fails at every step does not fill memory.
   */
  publish(name: EventName, facts: object, key?: string): void {
    if (!this.has(name)) return
    const id = key === undefined ? `#${this.serial++}` : `${name} ${key}`
    const same = this.waiting.get(id)
    if (same === undefined) this.waiting.set(id, { name, facts, times: 1 })
    else {
      same.facts = facts
      same.times++
    }
    if (this.scheduled) return
    this.later(() => this.deliver())
    this.scheduled = true
  }

  /** Only in a turn of its own. */
  private deliver(): void {
    const all = [...this.waiting.values()]
    this.waiting.clear()
    this.scheduled = false
    for (const { facts, name, times } of all) {
      const told = Object.freeze({ ...facts, times })
      for (const listener of [...(this.listeners.get(name) ?? [])]) quietly(() => listener(told))
      const heard = channel(name)
      if (heard?.hasSubscribers === true) quietly(() => heard.publish(told))
    }
  }
}

/** Calls a function of the user's that has no caller to throw to. */
function quietly(call: () => unknown): void {
  try {
    const result = call()
    if (isThenable(result)) result.then(undefined, report)
  } catch (error) {
    report(error)
  }
}

function assertListener(call: string, name: unknown, listener: unknown): void {
  if (!EVENTS.includes(name as EventName)) {
    throw new Misuse(`${call}: event is ${show(name)}; known are ${EVENTS.join(', ')}`, {
      event: show(name),
    })
  }
  if (typeof listener !== 'function')
    throw new Misuse(`${call}: fn is ${show(listener)}; give a function of the event`)
}

const channels = new Map<EventName, DiagnosticsChannel | undefined>()

/** The host's channel of this name. One for the thread, whatever arena the event is about. */
function channel(name: EventName): DiagnosticsChannel | undefined {
  if (!channels.has(name)) channels.set(name, channelOf(`uma-smr:${name}`))
  return channels.get(name)
}

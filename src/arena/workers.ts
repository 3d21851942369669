/**
 * Who is attached to the arena: for people, and for programs that start and stop workers.
 */

import type { WorkerId } from '../base/brands.ts'
import { UNKNOWN_THREAD } from '../base/host.ts'
import type { Space } from '../space/space.ts'

/** One attachment: a thread that has attached twice is two of these. */
export interface WorkerInfo {
  /** What `arena.workerId` is there. */
  readonly workerId: WorkerId
  /** What it was called in `Arena.create` or `Arena.attach`, '' for nothing. */
  readonly label: string
  /** Its thread, as its host numbers it; left out where the host does not tell. */
  readonly threadId?: number
  /** Whether a living worker supervises its thread. */
  readonly supervised: boolean
  /** Milliseconds since it attached, by the clock that all threads share; wraps after 49 days. */
  readonly forMs: number
}

/** Those that attach, leave or die meanwhile may be there or not. */
export function workersOf({ workers }: Space): WorkerInfo[] {
  return workers.living().flatMap((slot) => {
    const workerId = workers.idOf(slot) as WorkerId
    const said = workers.introduced(slot)
    const thread = workers.threadOf(slot)
    const supervised = workers.wardenOf(slot) !== undefined
    // The slot has changed hands since: whose thread and warden these are is not known.
    if (said === undefined || workers.idOf(slot) !== workerId) return []
    const known = thread === UNKNOWN_THREAD ? {} : { threadId: thread }
    return [{ workerId, supervised, ...known, ...said }]
  })
}

/**
 * Queues callbacks and comes to its end: nothing but they can keep its event loop alive. Or stays in
 * async sections until somebody ends it.
 */

import { workerData } from 'node:worker_threads'
import { Arena, type Handle } from 'uma-smr'

export interface Task {
  readonly handle: Handle
  readonly calls: number
  readonly expedite: boolean
  /** How many async sections it stays in. */
  readonly sections: number
}

const { calls, expedite, handle, sections } = workerData as Task
const arena = Arena.attach(handle)
const smr = arena.smr('exit')
const ran = arena.root('ran')
for (let i = 0; i < calls; i++) smr.call(() => Atomics.add(arena.words, ran, 1), { expedite })
for (let i = 0; i < sections; i++) {
  void smr.readAsync(() => new Promise((resolve) => setTimeout(resolve, 60_000)), `section ${i}`)
}
Atomics.add(arena.words, arena.root('queued'), 1)
Atomics.notify(arena.words, arena.root('queued'))

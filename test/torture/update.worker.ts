/**
 * Adds to a few counters by `table.update`: members for good, each so often, and victims without end,
 * which add nothing and are terminated meanwhile.
 */

import { workerData } from 'node:worker_threads'
import { Arena, type Handle } from 'uma-smr'
import { openCounters } from './counters.ts'

export interface Task {
  readonly handle: Handle
  readonly keys: number
  /** Additions; 0: a victim. */
  readonly rounds: number
}

const { handle, keys, rounds } = workerData as Task
const arena = Arena.attach(handle)
const counters = openCounters(arena)

function add(id: number, by: number): void {
  counters.update(id, (old) => ({ id, sum: (old?.sum ?? 0) + by, check: (old?.sum ?? 0) + by }))
}

if (rounds === 0) for (let i = 0; ; i++) add(i % keys, 0)
for (let i = 0; i < rounds; i++) add(i % keys, 1)
arena.detach()

/**
 * Another thread: attaches to the arena that it is handed, says what it sees there, and adds a
 * record that the parent reads.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { Arena, type Handle, type Item } from 'uma-smr'

/** What the parent passes: the handle, and a record that it has written. */
export interface Brief {
  readonly handle: Handle
  readonly item: Item
}

export interface Answer {
  readonly workerId: number
  readonly bytes: number
  readonly seen: number | undefined
  readonly item: Item
  readonly attached: readonly number[]
}

function answer({ handle, item }: Brief): Answer {
  const arena = Arena.attach(handle)
  const smr = arena.smr('domain')
  const zone = arena.zone('zone')
  const mine = zone.zallocSmr()
  const seen = smr.read(() => arena.words[item])
  arena.words[mine] = (seen ?? 0) + 1
  const { workerId, buffer } = arena
  const { attached } = arena.stats().workers
  arena.detach()
  return { workerId, bytes: buffer.byteLength, seen, item: mine, attached }
}

parentPort?.on('message', (brief: Brief) => parentPort?.postMessage(answer(brief)))
if (workerData !== null) parentPort?.postMessage(answer(workerData as Brief))

/**
 * The other worker of intrinsicsBeside.ts: moves the hand, watches the section, or plays rounds of the
 * litmus test, as the mode word says. It works with JavaScript's own Atomics.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { lookAtAll, Mode, Shared, STRIDE } from './intrinsicsBeside.ts'
import { SLOT, WR } from './intrinsicsLaws.ts'

const words = new Int32Array(workerData as SharedArrayBuffer)
/** Long enough for the other side to see one move at a time. */
const SPIN = 150
let idle = 0
let round = 0

const actions: Record<number, () => void> = {
  [Mode.move]() {
    Atomics.add(words, WR, STRIDE)
    for (let i = 0; i < SPIN; i++) idle += i
  },
  [Mode.watch]() {
    if (Atomics.load(words, SLOT) !== 0) Atomics.store(words, Shared.look, 1)
  },
  [Mode.litmus]() {
    const next = Atomics.load(words, Shared.round)
    if (next === round) return
    round = next
    lookAtAll(words, round)
  },
}

parentPort?.postMessage('ready')
for (let mode: number = Mode.idle; mode !== Mode.end; ) {
  mode = Atomics.load(words, Shared.mode)
  if (mode === Mode.idle) Atomics.wait(words, Shared.mode, mode, 1)
  else actions[mode]?.()
}
parentPort?.postMessage(idle)

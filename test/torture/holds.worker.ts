/** Who holds, who writes, and who is terminated while it holds: see holds.test.ts. */

import { setImmediate as nextTurn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { Random } from '../helpers/random.ts'
import { HOLDS, isWhole, KEYS, openHeld, rowOf, type Task } from './heldRows.ts'

const STEPS_PER_TURN = 50

const { handle, role, seed } = workerData as Task
const random = new Random(seed)
const arena = Arena.attach(handle)
const table = openHeld(arena)
const isOver = arena.root('over')
const report = { holds: 0, gone: 0, wrong: 0, writes: 0 }

/** Rows that are held over many steps and turns, with the versions that they had. */
const kept: {
  readonly hold: NonNullable<ReturnType<typeof table.hold>>
  readonly version: number
}[] = []

function check(at: number): void {
  const each = kept[at]
  if (each !== undefined && !isWhole(each.hold.get(), each.version)) report.wrong++
}

function letGo(at: number): void {
  const [each] = kept.splice(at, 1)
  if (each === undefined) return
  const { item } = each.hold
  const isThere = table.read(each.hold.get().key, (found) => found === item)
  if (isThere !== true) report.gone++
  each.hold.release()
}

function step(): void {
  if (role === 'writer' || (role === 'victim' && random.below(4) === 0)) {
    const key = random.below(KEYS)
    if (random.below(4) === 0) table.delete(key)
    else table.set(rowOf(key, random.below(2 ** 16)))
    report.writes++
    return
  }
  if (kept.length > 0) check(random.below(kept.length))
  if (kept.length === HOLDS || (kept.length > 0 && random.below(2) === 0)) {
    letGo(random.below(kept.length))
    return
  }
  const hold = table.hold(random.below(KEYS))
  if (hold === undefined) return
  report.holds++
  kept.push({ hold, version: hold.get().version })
}

if (role === 'victim') parentPort?.postMessage('ready')
while (role === 'victim' || Atomics.load(arena.words, isOver) === 0) {
  for (let i = 0; i < STEPS_PER_TURN; i++) step()
  await nextTurn()
}
while (kept.length > 0) {
  check(0)
  letGo(0)
}
arena.detach()
parentPort?.postMessage(report)

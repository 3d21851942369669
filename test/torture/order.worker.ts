/**
 * Works on an ordered table: movers put a key beside another one and take the other out, back and forth;
 * readers ask for the nearest keys; victims write keys of their own without end, and are terminated.
 *
 * In each block there is a fence, and always one of two keys: a mover puts the one before it takes the
 * other. So whoever asks for the nearest key above the fence finds one of the two, at any moment.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { Arena, type Handle } from 'uma-smr'
import { Random } from '../helpers/random.ts'
import { BLOCKS, HIGH, isWhole, LOW, OWN, openRows, row, STEP } from './orderRows.ts'

export interface Task {
  readonly handle: Handle
  readonly role: 'mover' | 'reader' | 'victim'
  readonly seed: number
  readonly rounds: number
  /** Which of the movers: each has blocks of its own. */
  readonly index: number
  readonly movers: number
}

const { handle, index, movers, role, rounds, seed } = workerData as Task
const arena = Arena.attach(handle)
const table = openRows(arena)
const random = new Random(seed, index)
let wrong = 0

function move(version: number): void {
  const block = random.below(BLOCKS / movers) * movers + index
  const base = block * STEP
  const isLow = table.has(base + LOW)
  table.set(row(base + (isLow ? HIGH : LOW), version))
  table.delete(base + (isLow ? LOW : HIGH))
}

function read(): void {
  const base = random.below(BLOCKS) * STEP
  const found = [
    table.floor(base + HIGH + 1),
    table.ceiling(base + 1),
    table.higher(base),
    table.lower(base + HIGH + 1),
  ]
  for (const each of found) {
    const isIn = each !== undefined && (each.key === base + LOW || each.key === base + HIGH)
    if (!isIn || !isWhole(each)) wrong++
  }
  const fence = table.get(base)
  if (fence === undefined || !isWhole(fence)) wrong++
  if (!random.oneIn(16)) return
  let last = -1
  table.rangeRead({ from: base, to: base + 4 * STEP }, (item) => {
    const each = table.schema.read(arena, item)
    if (each.key <= last || !isWhole(each)) wrong++
    last = each.key
  })
}

function disturb(version: number): void {
  const key = random.below(BLOCKS) * STEP + OWN + random.below(20)
  if (random.oneIn(2)) table.set(row(key, version))
  else table.delete(key)
  if (random.oneIn(4)) table.set(row(random.below(BLOCKS) * STEP, version))
}

if (role === 'victim') {
  parentPort?.postMessage('begun')
  for (let i = 0; ; i++) disturb(i)
}
for (let i = 0; i < rounds; i++) {
  if (role === 'mover') move(i)
  else read()
}
arena.detach()
parentPort?.postMessage(wrong)

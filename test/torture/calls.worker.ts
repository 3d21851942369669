/**
 * Callbacks in bulk: each worker replaces records in shared slots, so many in a turn, and frees each
 * old one in a callback. In between it reads, and now and then it waits for everybody's callbacks.
 *
 * A record stays whole from its writing until its callback spoils and frees it. A reader verifies all
 * of it, stays, and verifies it again in the same section; a callback verifies that nobody else has
 * freed it. The zone has no smr of its own: a record that is freed is used again at once, so nothing
 * but the callback's grace period stands between a reader and the next owner.
 */

import { Arena, type Handle, type Item } from 'uma-smr'
import { Member } from '../helpers/member.ts'
import { canaryIsWhole, generationOf, lookTwice, writeCanary } from './canary.ts'

export type Sabotage =
  /** Callbacks run in the next turn, whoever may still be looking. */
  | 'calls run early'
  | 'barriers do not wait'
  /** They wait for the callbacks of their own worker only. */
  | 'barriers wait for their own'

export interface Task {
  readonly handle: Handle
  /** First of `slots` words that hold items; then per member a word of calls made, one of calls run. */
  readonly table: Item
  readonly slots: number
  readonly members: number
  readonly calls: number
  readonly sabotage: Sabotage | undefined
}

export const RECORD_BYTES = 32
/** How many callbacks one turn queues at most. */
export const PER_TURN = 400
export const POINTS = 16
const BARRIERS = 10
const MOST_MEMBERS = 16

const member = new Member<Task>()
const { calls, handle, members, sabotage, slots, table } = member.task
const { random } = member
const arena = Arena.attach(handle)
const { words } = arena
const smr = arena.smr('calls')
const zone = arena.zone('records')

if (sabotage === 'calls run early') smr.call = (callback) => void setImmediate(callback)
if (sabotage === 'barriers do not wait') smr.barrier = () => Promise.resolve(true)
if (sabotage === 'barriers wait for their own') smr.barrier = ownBarrier

const queuedAt = (of: number): number => table + slots + of
const ranAt = (of: number): number => table + slots + members + of
let generation = member.index + 1
let queued = 0
let ran = 0
let reads = 0
let full = 0
let barriers = 0
let peak = 0
let last = -1
const curve: number[] = []

function read(): void {
  smr.enter()
  const item = Atomics.load(words, table + random.below(slots)) as Item
  if (item !== 0) {
    const wrong = lookTwice(words, item, random)
    if (wrong !== undefined) member.violation(wrong)
    reads++
  }
  smr.exit()
}

/** False when there is no record to be had: others have to free some first, or our own turn must end. */
function replace(): boolean {
  const item = zone.tryZalloc()
  if (item === 0) {
    full++
    return false
  }
  generation = (generation + MOST_MEMBERS) | 0
  writeCanary(words, item, generation)
  const old = Atomics.exchange(words, table + random.below(slots), item) as Item
  const number = queued++
  smr.call(() => free(old, number), { bytes: RECORD_BYTES })
  // Not before: a barrier of somebody who reads this must wait for what it counts, and a callback is
  // queued when `call` returns.
  Atomics.store(words, queuedAt(member.index), queued)
  return true
}

function free(old: Item, number: number): void {
  if (number !== last + 1) member.violation(`callback ${number} after ${last}`)
  last = number
  if (smr.entered) member.violation('a callback in a section')
  if (old !== 0) {
    if (!canaryIsWhole(words, old, generationOf(words, old))) {
      member.violation(`item ${old} is torn before it is freed`)
    }
    words.fill(0, old, old + RECORD_BYTES / words.BYTES_PER_ELEMENT)
    zone.zfree(old)
  }
  ran++
  Atomics.store(words, ranAt(member.index), ran)
}

function turn(): void {
  for (let i = 0; i < PER_TURN && queued < calls; i++) {
    if (!replace()) break
    if (i % 8 === 0) read()
  }
  peak = Math.max(peak, queued - ran)
  if (queued >= ((curve.length + 1) * calls) / POINTS) curve.push(smr.stats().callsPending)
}

/** What anybody had queued before it has run when it is over. */
async function barrier(): Promise<void> {
  const before = Array.from({ length: members }, (_, of) => Atomics.load(words, queuedAt(of)))
  await smr.barrier({ timeoutMs: Number.POSITIVE_INFINITY })
  before.forEach((had, of) => {
    const run = Atomics.load(words, ranAt(of))
    if (run < had) member.violation(`of ${had} callbacks of member ${of}, ${run} have run`)
  })
  barriers++
}

async function ownBarrier(): Promise<boolean> {
  const had = queued
  while (ran < had) await nextTurn()
  return true
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

member.begin()
for (let next = calls / BARRIERS; queued < calls; await nextTurn()) {
  member.guard(turn)
  if (queued < next) continue
  next += calls / BARRIERS
  await barrier()
}
await barrier()
member.report({ queued, ran, reads, full, barriers }, { peak, curve })
arena.detach()

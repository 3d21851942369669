/**
 * One worker that dies and comes back without end, and two who race to reap it.
 *
 * The living one attaches, says which worker it is, and does no more: it is dead. It attaches again as
 * soon as its slot is free - there is no other one -, opens a section, and looks whether it is still
 * itself when a while has passed. A reaper looks who is dead, stays a while, and reaps whom it saw:
 * the slot has a successor by then as often as not.
 */

import process from 'node:process'
import { Arena, type Handle } from 'uma-smr'
import { reapSlot } from '#src/arena/reap.ts'
import { Member } from '../helpers/member.ts'
import { dwell } from './dwell.ts'

export interface Task {
  readonly handle: Handle
  /** The name of the worker that is dead, plus 1; 0 while it lives. */
  readonly dead: Int32Array<SharedArrayBuffer>
}

const member = new Member<Task>()
const { handle, dead } = member.task
const counts = { lives: 0, reaped: 0, late: 0 }

function attach(): Arena | undefined {
  try {
    return Arena.attach(handle, { intrinsics: false })
  } catch {
    return undefined // Nobody has reaped it yet.
  }
}

function live(): void {
  const arena = attach()
  if (arena === undefined) return
  counts.lives++
  const smr = arena.smr('d')
  smr.enter()
  dwell(member.random)
  if (!arena.space.isOurs) member.violation(`worker ${arena.workerId} lives, and was reaped`)
  else if (!arena.stats().workers.attached.includes(arena.workerId))
    member.violation(`no poller looks at worker ${arena.workerId}`)
  Atomics.store(dead, 0, arena.workerId + 1)
}

function reap(arena: Arena): void {
  const workerId = Atomics.load(dead, 0) - 1
  const seen = workerId < 0 ? undefined : arena.space.workers.named(workerId)
  if (seen === undefined) return
  dwell(member.random)
  if (reapSlot(arena.space, seen.slot, seen.generation).reaped) counts.reaped++
  else counts.late++
}

if (member.role === 'mortal') {
  // The dead leave their sections open, which would be reported at the end of the turn.
  process.emitWarning = () => {}
  member.begin()
  while (!member.stopped) member.guard(live)
} else {
  const arena = Arena.attach(handle)
  arena.smr('d')
  member.begin()
  while (!member.stopped) member.guard(() => reap(arena))
}
member.report(counts)

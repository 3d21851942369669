/**
 * Adds to a plain word under a lock, each member with another verb of it. Without the lock two of
 * them would read the same value and one of the two sums would be lost.
 */

import { Arena, type Handle } from 'uma-smr'
import { Member } from '../../helpers/member.ts'

export interface Task {
  readonly handle: Handle
  readonly lock: string
  /** Address of the plain word. */
  readonly at: number
  readonly rounds: number
}

const member = new Member<Task>()
const { handle, lock: name, at, rounds } = member.task
const arena = Arena.attach(handle)
const { words } = arena
const lock = arena.lock(name)

/** Slow on purpose: another worker has time to get in between. */
function addOne(): void {
  const seen = words[at] ?? 0
  let idle = 0
  for (let i = 0; i < 50; i++) idle += i
  words[at] = seen + Math.sign(idle)
}

const turns = [
  () => {
    lock.lock()
    addOne()
    lock.unlock()
  },
  () => lock.withLock(addOne),
  () => {
    while (lock.tryLock() === false);
    addOne()
    lock.unlock()
  },
]
const turn = turns[member.index % turns.length] as () => void

member.begin()
for (let round = 0; round < rounds; round++) turn()
arena.detach()
member.report({ rounds })

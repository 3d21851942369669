/**
 * rcutorture's histogram, for records of a zone with smr. (Paul McKenney, Linux kernel/rcu.)
 *
 * Items stand in a few slots, published by an atomic exchange that takes the one before out, which
 * is then freed. Each item carries its age, and every station of its way writes it:
 *
 *   0  published        a reader that finds it in a slot sees this
 *   1  unlinked         a reader that found it before may see this: the section is still open
 *   2  reclaimed        the destructor has run: nobody may see this
 *   3  handed out       nor this: it is somebody's again
 *   4  another item     nor this: the same address carries a later generation
 *
 * A reader takes an item from a slot, stays a while, and counts the oldest age it saw. Any count
 * past index 1 is a grace period that ended too early. Readers use plain reads; so do the writes,
 * for after the unlink the only thing between them is the zone's own batching.
 *
 * Buckets are of two items, and the zone may not grow: so nothing waits in a queue, the oldest goal
 * is always a young one, and an item that is let go too early comes back within microseconds.
 */

import { Arena, type Handle, type Item } from 'uma-smr'
import { Member } from '../helpers/member.ts'
import { blockFor, dwell, turnEnds } from './dwell.ts'
import { type Sabotage, sabotage } from './sabotage.ts'

export interface Task {
  readonly handle: Handle
  readonly sabotage: Sabotage | undefined
  /** Whether to let the turn end now and then. */
  readonly turns: boolean
  /** First of `slots` words that hold items. */
  readonly table: Item
  readonly slots: number
}

/** Words of an item. */
const AGE = 0
const GENERATION = 1

const UNLINKED = 1
const RECLAIMED = 2
const HANDED_OUT = 3
const RECYCLED = 4
const AGES = 5

const MOST_MEMBERS = 16
const FULL_SLEEP_MS = 0.05

const member = new Member<Task>()
const { handle, slots, table, turns } = member.task
const { random } = member
const arena = Arena.attach(handle)
const { words } = arena
const smr = arena.smr('ages')
const zone = arena.zone('ages', {
  smr,
  dtor: (item) => {
    words[item + AGE] = RECLAIMED
  },
})
sabotage(member.task.sabotage, zone)

const histogram = new Array<number>(AGES).fill(0)
let reads = 0
let writes = 0
let full = 0
/** Never the same in two workers. */
let generation = member.index

function replace(slot: number): void {
  const item = zone.tryZallocSmr()
  if (item === 0) {
    full++
    blockFor(FULL_SLEEP_MS)
    return
  }
  words[item + AGE] = HANDED_OUT
  generation = (generation + MOST_MEMBERS) | 0
  words[item + GENERATION] = generation
  words[item + AGE] = 0
  const old = Atomics.exchange(words, table + slot, item) as Item
  writes++
  if (old === 0) return
  words[old + AGE] = UNLINKED
  zone.zfreeSmr(old)
}

function look(slot: number): void {
  smr.enter()
  const item = Atomics.load(words, table + slot)
  if (item === 0) {
    smr.exit()
    return
  }
  const found = words[item + GENERATION]
  let age = words[item + AGE] as number
  dwell(random)
  age = Math.max(age, words[item + AGE] as number)
  if (words[item + GENERATION] !== found) age = RECYCLED
  smr.exit()
  reads++
  histogram[age] = (histogram[age] ?? 0) + 1
  if (age > UNLINKED) member.violation(`item ${item} of age ${age} inside a section`)
}

member.begin()
while (!member.stopped) {
  const slot = random.below(slots)
  if (member.role === 'writer') replace(slot)
  else look(slot)
  if (turns) await turnEnds(random)
}
arena.detach()
member.report({ reads, writes, full }, histogram)

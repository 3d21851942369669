/**
 * Queues under fire: writers change four queues, one of each type, under a lock for each; readers walk
 * them in sections. All elements come from one small zone with smr, so that what was removed is soon
 * something else.
 *
 * Keys rise from head to tail, and there is always exactly one element with key 0: it may be replaced,
 * never removed. What a reader meets is judged by that: keys must rise, 0 must be met, and each
 * element's canary must be whole and of one generation, before and after the reader has stayed for a
 * while. Writers check every word of the queue, and the canary of whatever they free.
 */

import {
  Arena,
  type Handle,
  type Item,
  SmrList,
  type SmrQueue,
  SmrSList,
  SmrStailQ,
  SmrTailQ,
} from 'uma-smr'
import { Member } from '../helpers/member.ts'
import { CANARY_WORDS, canaryIsWhole, generationOf, writeCanary } from './canary.ts'
import { blockFor, dwell } from './dwell.ts'
import { type Sabotage, sabotage } from './sabotage.ts'

export interface Task {
  readonly handle: Handle
  readonly sabotage: Sabotage | undefined
  /** Readers walk without opening a section: to show that it matters. */
  readonly reckless: boolean
  /** Heads of the four queues, in the order of KINDS. */
  readonly heads: readonly Item[]
  /** A head of this member's own, where it gathers what it appends. */
  readonly own: Item
}

const member = new Member<Task>()
const { handle, heads, own, reckless } = member.task
const { random } = member
const arena = Arena.attach(handle)
const { words } = arena
const smr = arena.smr('queues')
const zone = arena.zone('elements')
sabotage(member.task.sabotage, zone)

/** Behind the canary: the key, then the link. */
const KEY = CANARY_WORDS
const link = KEY + 1
const KINDS = [SmrSList, SmrList, SmrStailQ, SmrTailQ]
const MOST_ELEMENTS = 12
/** A walk that meets more than this runs in a circle. */
const LONGEST_WALK = 100
const MOST_MEMBERS = 16
const FULL_SLEEP_MS = 0.05

const queues = KINDS.map((Kind, i) => new Kind(arena, { head: heads[i] as Item, link }))
const sources = KINDS.map((Kind) => new Kind(arena, { head: own, link }))
const locks = KINDS.map((Kind) => arena.lock(Kind.name))

let walks = 0
let met = 0
let inserts = 0
let removals = 0
let replacements = 0
let appends = 0
let full = 0
/** Never the same in two workers. */
let generation = member.index + 1

// ---- readers ---------------------------------------------------------------------------------

function walk(queue: SmrQueue): void {
  let last = Number.NEGATIVE_INFINITY
  let zeros = 0
  let steps = 0
  if (!reckless) smr.enter()
  for (let it = queue.enteredFirst(); it !== 0; it = queue.enteredNext(it)) {
    const key = look(it)
    if (key <= last) member.violation(`${queue.kind}: key ${key} behind ${last}`)
    last = key
    if (key === 0) zeros++
    met++
    if (++steps > LONGEST_WALK) break
  }
  if (!reckless) smr.exit()
  if (zeros !== 1) member.violation(`${queue.kind}: key 0 was met ${zeros} times`)
  walks++
}

function look(item: Item): number {
  const found = generationOf(words, item)
  const key = words[item + KEY] as number
  const first = canaryIsWhole(words, item, found)
  dwell(random)
  const second = canaryIsWhole(words, item, found)
  if (!first || !second || words[item + KEY] !== key) {
    member.violation(`item ${item}: generation ${found}, then ${generationOf(words, item)}`)
  }
  return key
}

// ---- writers ---------------------------------------------------------------------------------

/** An element with everything in it but its key; 0: none is to be had. */
function fresh(): Item {
  const item = zone.tryZallocSmr()
  if (item === 0) {
    full++
    blockFor(FULL_SLEEP_MS)
    return item
  }
  generation = (generation + MOST_MEMBERS) | 0
  writeCanary(words, item, generation)
  return item
}

function free(item: Item): void {
  if (!canaryIsWhole(words, item, generationOf(words, item))) {
    member.violation(`item ${item} is torn while it is linked`)
  }
  zone.zfreeSmr(item)
}

function keyOf(item: Item): number {
  return words[item + KEY] as number
}

function insert(queue: SmrQueue, elements: readonly Item[], item: Item): void {
  const atTail = (queue instanceof SmrStailQ || queue instanceof SmrTailQ) && random.oneIn(2)
  words[item + KEY] = atTail
    ? Math.max(0, keyOf(elements.at(-1) as Item)) + 1
    : Math.min(0, keyOf(elements[0] as Item)) - 1
  if (atTail) queue.insertTail(item)
  else queue.insertHead(item)
  inserts++
}

/** Removes about half of them, or one; never the one that stays. */
function thin(queue: SmrQueue, elements: readonly Item[], gone: Item[]): void {
  if (random.oneIn(2)) {
    const item = elements[random.below(elements.length)] as Item
    if (keyOf(item) === 0) return
    queue.remove(item)
    gone.push(item)
    return
  }
  const cursor = queue.iterate()
  for (const item of cursor) {
    if (keyOf(item) === 0 || random.oneIn(2)) cursor.next()
    else {
      cursor.erase()
      gone.push(item)
    }
  }
}

function append(which: number, elements: readonly Item[], items: readonly Item[]): void {
  const src = sources[which] as SmrQueue
  const key = keyOf(elements.at(-1) as Item)
  src.init()
  for (const [i, item] of items.entries()) {
    words[item + KEY] = key + items.length - i
    src.insertHead(item)
  }
  ;(queues[which] as SmrQueue).append(src)
  appends++
}

/** One change of one queue. Allocates before the lock is taken, frees after it was given back. */
function write(which: number): void {
  const queue = queues[which] as SmrQueue
  const lock = locks[which] as (typeof locks)[number]
  const items = [fresh(), fresh()].filter((item) => item !== 0)
  const gone: Item[] = []
  lock.withLock(() => {
    const elements = [...queue.serialized()]
    const [item] = items
    const chance = random.below(16)
    if (elements.length >= MOST_ELEMENTS || item === undefined) thin(queue, elements, gone)
    else if (chance < 4) {
      const old = elements[random.below(elements.length)] as Item
      words[item + KEY] = keyOf(old)
      queue.replace(old, items.shift() as Item)
      replacements++
      gone.push(old)
    } else if (chance < 7) append(which, elements, items.splice(0))
    else insert(queue, elements, items.shift() as Item)
    if (random.oneIn(8)) queue.check()
  })
  removals += gone.length
  for (const item of gone) free(item)
  for (const item of items) zone.zfreeSmr(item)
  if (random.oneIn(8)) zone.seal()
}

member.begin()
while (!member.stopped) {
  const which = random.below(KINDS.length)
  member.guard(() => {
    if (member.role === 'writer') write(which)
    else walk(queues[which] as SmrQueue)
  })
  if (smr.entered) smr.exit() // A walk that threw was one of a sabotaged run.
}
arena.detach()
member.report({ walks, met, inserts, removals, replacements, appends, full })

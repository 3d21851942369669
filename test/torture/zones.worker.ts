/**
 * Churn on zones: every worker allocates, publishes, reads, replaces, frees, hands over and reclaims,
 * all at random, in one zone with smr and in one without.
 *
 * Canaries. Every word of an item is a function of the item, of its generation and of the word's
 * number; no two generations are ever the same. A reader verifies all of it, stays, and verifies
 * again that it is all of it still *that* generation. In the plain zone an item belongs to one
 * worker, or lies in a slot for whoever takes it; it is verified whenever it changes hands and before
 * it is freed, so an item that was handed out twice shows as a canary that somebody else has written.
 *
 * The limit of the zone is small: allocations fail now and then, and the roads that lead around a
 * limit - looking harder, asking all workers for their buckets - are driven too.
 */

import { Arena, type Handle, type Item } from 'uma-smr'
import { Member } from '../helpers/member.ts'
import { canaryIsWhole, generationOf, lookTwice, writeCanary } from './canary.ts'
import { blockFor, turnEnds } from './dwell.ts'
import { type Sabotage, sabotage } from './sabotage.ts'

export interface Task {
  readonly handle: Handle
  readonly sabotage: Sabotage | undefined
  /** Whether to let the turn end now and then. */
  readonly turns: boolean
  /** First of `slots` words that hold items of the zone with smr, then of as many for the other. */
  readonly table: Item
  readonly slots: number
}

/** How many items of the plain zone a worker keeps to itself. */
const POCKET = 12
const RECLAIM_MS = 5
const FULL_SLEEP_MS = 0.05
const MOST_MEMBERS = 16

const member = new Member<Task>()
const { handle, slots, table, turns } = member.task
const { random } = member
const arena = Arena.attach(handle)
const { words } = arena
const smr = arena.smr('churn')
const shared = arena.zone('shared', { smr })
const plain = arena.zone('plain')
sabotage(member.task.sabotage, shared)

const pocket: Item[] = []
let reads = 0
let writes = 0
let frees = 0
let full = 0
let handed = 0
/** Never the same in two workers. */
let generation = member.index + 1

// ---- the zone with smr -----------------------------------------------------------------------

function read(at: number): void {
  smr.enter()
  const item = Atomics.load(words, at) as Item
  if (item !== 0) {
    const wrong = lookTwice(words, item, random)
    if (wrong !== undefined) member.violation(wrong)
    reads++
  }
  smr.exit()
}

function replace(at: number): void {
  const item = shared.tryZallocSmr()
  if (item === 0) {
    full++
    blockFor(FULL_SLEEP_MS)
    return
  }
  generation = (generation + MOST_MEMBERS) | 0
  writeCanary(words, item, generation)
  writes++
  takeOut(at, item)
}

/** Puts `item`, or nothing, in the place of what is there, which is freed. */
function takeOut(at: number, item: number): void {
  const old = Atomics.exchange(words, at, item) as Item
  if (old === 0) return
  if (!canaryIsWhole(words, old, generationOf(words, old))) {
    member.violation(`item ${old} is torn while it is published`)
  }
  shared.zfreeSmr(old)
  frees++
}

// ---- the plain zone --------------------------------------------------------------------------

function take(): void {
  const item = plain.tryZalloc()
  if (item === 0) {
    full++
    return
  }
  generation = (generation + MOST_MEMBERS) | 0
  writeCanary(words, item, generation)
  pocket.push(item)
}

function drop(): void {
  const item = pocket.splice(random.below(pocket.length), 1)[0]
  if (item === undefined) return
  own(item)
  plain.zfree(item)
}

/** Swaps one of ours for what lies in the slot: others free what we have allocated. */
function handOver(at: number): void {
  const item = pocket.pop()
  if (item === undefined) return
  own(item)
  const other = Atomics.exchange(words, at, item) as Item
  handed++
  if (other === 0) return
  own(other)
  pocket.push(other)
}

/** Nobody else may have written to an item that is ours. */
function own(item: Item): void {
  if (canaryIsWhole(words, item, generationOf(words, item))) return
  member.violation(`plain item ${item} was written to by somebody else`)
}

// ---- keeping house ---------------------------------------------------------------------------

function keepHouse(): void {
  const zone = random.oneIn(2) ? shared : plain
  const what = random.below(16)
  if (what < 10) zone.seal()
  else if (what < 14) zone.reclaim('trim')
  else if (what === 14) zone.reclaim('drain', { timeoutMs: RECLAIM_MS })
  else zone.reclaim('all', { timeoutMs: RECLAIM_MS })
}

function churn(): void {
  const slot = table + random.below(slots)
  const what = random.below(100)
  if (what < 45) read(slot)
  else if (what < 70) replace(slot)
  else if (what < 75) takeOut(slot, 0)
  else if (what < 85) pocket.length < POCKET ? take() : drop()
  else if (what < 92) drop()
  else if (what < 99) handOver(slot + slots)
  else if (random.oneIn(10)) keepHouse()
}

member.begin()
while (!member.stopped) {
  member.guard(churn)
  if (turns) await turnEnds(random)
}
while (pocket.length > 0) drop()
arena.detach()
member.report({ reads, writes, frees, handed, full })

/**
 * Traffic on a zone whose knobs are being turned, also from here.
 *
 * Canaries as in zones.worker.ts: every word of a record is a function of the record, of its
 * generation - which names its owner - and of the word's number. A reader verifies all of it, stays,
 * and verifies again in the same section. A record that was unpublished, and one that a member has kept
 * to itself, is verified before it is freed: nobody else may have been given it.
 *
 * Turns of the event loop end now and then, since that is when buckets grow old and zones are
 * trimmed. Where sections are fenced, member 0 computes without a break: it hears of its age at
 * refills only.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Arena, type Handle, type Item } from 'uma-smr'
import { Member } from '../helpers/member.ts'
import { canaryIsWhole, generationOf, lookTwice, writeCanary } from './canary.ts'
import { blockFor, turnEnds } from './dwell.ts'
import {
  ackAt,
  anyTurn,
  BURST,
  CELLS,
  COMMAND,
  cellAt,
  commandOf,
  DOMAIN,
  did,
  differing,
  entered,
  type KnobSabotage,
  MADE,
  ownTurn,
  roundsAt,
  STEPS,
  STIR,
  type Step,
  said,
  TRAFFIC,
  wrongBucket,
  ZONE,
} from './knobTurns.ts'
import { type Lives, lives } from './lives.ts'
import { type Sabotage, sabotage } from './sabotage.ts'

export interface Task {
  readonly handle: Handle
  readonly board: Item
  /** Where hooks count the lives of records; 0 in a zone without hooks. */
  readonly lives: Item | 0
  readonly checks: boolean
  readonly members: number
  readonly ages: readonly number[]
  /** Whether this member's turns end. */
  readonly turns: boolean
  readonly sabotage: Sabotage | KnobSabotage | undefined
}

/** What a member has done in each step. */
export type Doings = { readonly [step in Step]?: { reads: number; writes: number; frees: number } }

/** Generations of a member lie so far apart: the rest of one names its owner, and no two share one. */
const OWNERS = 16
const POCKET = 24
const FULL_SLEEP_MS = 0.05
/** Rounds of traffic between two turns of knobs, and between two looks at the size of buckets. */
const TURN_ONE_IN = 256
const OWN_TURN_ONE_IN = 16
const LOOK_ONE_IN = 512
const HOUSE_ONE_IN = 512

const member = new Member<Task>()
const { ages, board, checks, handle, members, turns } = member.task
const livesAt = member.task.lives
const { index, random } = member
const arena = Arena.attach(handle)
const { words } = arena
const smr = arena.smr(DOMAIN)
const hooks: Partial<Lives> =
  livesAt === 0 ? {} : lives(words, livesAt, checks, (what) => member.violation(what))
const zone = arena.zone(ZONE, hooks)
breakIt(member.task.sabotage)

const pocket: Item[] = []
const doings: Record<string, { reads: number; writes: number; frees: number }> = {}
let doing = { reads: 0, writes: 0, frees: 0 }
let allocs = 0
let turned = 0
let looks = 0
let full = 0
let generation = index + 1
/** What this member has said of its own knobs. */
let mine: ReturnType<typeof said> = {}

function breakIt(kind: Sabotage | KnobSabotage | undefined): void {
  if (kind === 'a trim shrinks buckets below their range') {
    const knobs = Object.getPrototypeOf(zone.parts.knobs) as typeof zone.parts.knobs
    if (typeof knobs.shrink !== 'function') throw new Error('sabotage: there is no shrink')
    knobs.shrink = function (): void {
      this.setBucket(MADE.min - 1)
    }
  } else if (kind === 'knobs are turned without the lock') {
    const depot = Object.getPrototypeOf(zone.parts.depot) as typeof zone.parts.depot
    if (typeof depot.tune !== 'function') throw new Error('sabotage: there is no tune')
    depot.tune = (turn) => turn(zone.parts.knobs)
  } else if (kind === 'records are destroyed when they are freed') {
    // Once all the same, or it would be noticed for being done twice.
    const zfreeSmr = zone.zfreeSmr.bind(zone)
    zone.zfreeSmr = (item) => {
      hooks.dtor?.(item)
      zfreeSmr(item)
    }
    Object.assign(zone.parts.hooks, { dtor: () => {} })
  } else sabotage(kind, zone)
}

// ---- traffic ---------------------------------------------------------------------------------

/** A new record, written; 0 when there is none to be had. */
function create(): Item {
  const item = zone.tryZallocSmr()
  if (item === 0) {
    full++
    blockFor(FULL_SLEEP_MS)
    return item
  }
  allocs++
  generation = (generation + OWNERS) | 0
  writeCanary(words, item, generation)
  return item
}

function free(item: Item, was: string): void {
  if (!canaryIsWhole(words, item, generationOf(words, item))) {
    member.violation(`item ${item} was written to while it was ${was}`)
  }
  zone.zfreeSmr(item)
  doing.frees++
}

function read(at: number): void {
  smr.enter()
  const item = Atomics.load(words, at) as Item
  if (item !== 0) {
    const wrong = lookTwice(words, item, random)
    if (wrong !== undefined) member.violation(wrong)
    doing.reads++
  }
  smr.exit()
}

/** Puts a new record, or nothing, in the place of what is there. */
function replace(at: number, withNew: boolean): void {
  const item = withNew ? create() : 0
  if (withNew && item === 0) return
  const old = Atomics.exchange(words, at, item) as Item
  doing.writes++
  if (old !== 0) free(old, 'published')
}

function keepOrDrop(): void {
  if (pocket.length < POCKET && random.oneIn(2)) {
    const item = create()
    if (item !== 0) pocket.push(item)
    return
  }
  const item = pocket.splice(random.below(pocket.length), 1)[0]
  if (item !== undefined) free(item, 'in a pocket')
}

function round(): void {
  const cell = cellAt(board, random.below(CELLS))
  const what = random.below(100)
  if (what < 40) read(cell)
  else if (what < 75) replace(cell, true)
  else if (what < 80) replace(cell, false)
  else keepOrDrop()
}

// ---- knobs -----------------------------------------------------------------------------------

/** Only when all are in this step: each step has its own rules about who turns what. */
function allEntered(step: Step): boolean {
  for (let of = 0; of < members; of++) {
    if (Atomics.load(words, ackAt(board, of)) !== entered(step)) return false
  }
  return true
}

function turnKnobs(step: Step): void {
  if (step === 'all' && random.oneIn(TURN_ONE_IN) && allEntered(step)) {
    zone.tune(anyTurn(random, ages))
    turned++
  }
  if (step !== 'own' || !random.oneIn(OWN_TURN_ONE_IN) || !allEntered(step)) return
  const lost = differing(zone.stats().knobs, mine)
  if (lost !== undefined) member.violation(`a turn of a knob was lost: ${lost}`)
  const turn = ownTurn(random, ages, index, members + 1)
  zone.tune(turn)
  turned++
  mine = said(turn, checks)
}

function look(): void {
  const wrong = wrongBucket(zone)
  if (wrong !== undefined) member.violation(wrong)
  looks++
}

function house(): void {
  if (random.oneIn(2)) zone.seal()
  else zone.reclaim('trim')
}

async function traffic(step: Step): Promise<void> {
  for (let rounds = 1; isNow(step); rounds++) {
    member.guard(() => {
      round()
      turnKnobs(step)
      if (random.oneIn(LOOK_ONE_IN)) look()
      // A trim makes buckets smaller: not while they shall grow.
      if (step !== 'grow' && random.oneIn(HOUSE_ONE_IN)) house()
    })
    Atomics.store(words, roundsAt(board, index), rounds)
    const end = turns ? turnEnds(random) : undefined
    if (end !== undefined) await end
  }
}

// ---- quiet -----------------------------------------------------------------------------------

/** Allocates so many and frees them: more than a bucketful comes by every slow path. */
async function burst(many: number): Promise<void> {
  const items: Item[] = []
  while (items.length < many && !member.stopped && commanded() !== commandOf('over')) {
    const item = create()
    if (item !== 0) items.push(item)
    else await sleep(1)
  }
  for (const item of items) free(item, 'in a burst')
}

/** Zones are told of knobs at slow paths, so there has to be one, whenever the main thread asks. */
async function stirred(): Promise<void> {
  // Eight records could keep eight slabs: one stays published.
  for (let cell = 1; cell < CELLS && index === 0; cell++) replace(cellAt(board, cell), false)
  let stir = -1
  for (let stirs = 0; isNow('trimmed'); await sleep(1)) {
    const asked = Atomics.load(words, board + STIR)
    if (asked === stir) continue
    await burst(2 * MADE.max + 1)
    stir = asked
    Atomics.store(words, roundsAt(board, index), ++stirs)
  }
}

function putAway(): void {
  for (const item of pocket.splice(0)) free(item, 'in a pocket')
}

// ---- steps -----------------------------------------------------------------------------------

function commanded(): number {
  return Atomics.load(words, board + COMMAND)
}

function isNow(step: Step): boolean {
  return commanded() === commandOf(step) && !member.stopped
}

async function take(step: Step): Promise<void> {
  if (TRAFFIC.includes(step)) await traffic(step)
  else if (step === 'burst') {
    putAway()
    await burst(BURST)
  } else if (step === 'trimmed') await stirred()
  else if (step === 'sealed') {
    putAway()
    zone.seal()
  }
}

member.begin()
for (const step of STEPS) {
  while (commanded() < commandOf(step) && !member.stopped) await sleep(1)
  doing = { reads: 0, writes: 0, frees: 0 }
  doings[step] = doing
  mine = {}
  Atomics.store(words, roundsAt(board, index), 0)
  Atomics.store(words, ackAt(board, index), entered(step))
  await take(step)
  Atomics.store(words, ackAt(board, index), did(step))
}
member.guard(() => arena.detach())
const frees = Object.values(doings).reduce((sum, each) => sum + each.frees, 0)
const reads = Object.values(doings).reduce((sum, each) => sum + each.reads, 0)
member.report({ reads, allocs, frees, turned, looks, full }, doings satisfies Doings)

/**
 * Churn on a hash table: writers set, replace and delete, each its own share of the keys; readers
 * look keys up, stay, look again, and walk the whole table; once in a while the table is resized.
 *
 * What a reader insists on:
 *   a record it is reading is whole, has the key that was asked for, and does not change while the
 *   section is open;
 *   versions of a key never go backwards from one lookup to the next;
 *   an iteration meets every key that is always there exactly once, also across a resize.
 * What a writer insists on: what it has put is there, what it has deleted is not, at once. At the end
 * it reports what it believes to be in its share, and the test compares.
 */

import { Arena, Exhausted, type Handle } from 'uma-smr'
import { Member } from '../helpers/member.ts'
import { blockFor, dwell, turnEnds } from './dwell.ts'
import { type Sabotage, sabotage } from './sabotage.ts'
import { entry, isWhole, openTable, wholeVersion } from './tableRecord.ts'

export interface Task {
  readonly handle: Handle
  readonly sabotage: Sabotage | undefined
  /** Whether to let the turn end now and then. */
  readonly turns: boolean
  /** Keys from 0; each writer has those that are its index modulo the number of writers. */
  readonly keys: number
  readonly writers: number
  /** Keys below this are there from the beginning and never deleted. */
  readonly always: number
}

/** What a writer believes: versions by key. */
export type Belief = ReadonlyMap<number, number>

const CAPACITIES = [16, 64, 128, 512]
const RESIZE_EVERY_MS = 25
const RESIZE_TIMEOUT_MS = 15_000
const FULL_SLEEP_MS = 0.05

const member = new Member<Task>()
const { always, handle, keys, turns, writers } = member.task
const { random } = member
const arena = Arena.attach(handle)
const table = openTable(arena)
sabotage(member.task.sabotage, table.zone)

let reads = 0
let walks = 0
let writes = 0
let resizes = 0
let full = 0

// ---- writers ---------------------------------------------------------------------------------

const mine = new Map<number, number>()
let version = 1

function ownKey(): number {
  return random.below(keys / writers) * writers + member.index
}

function write(): void {
  const key = ownKey()
  if (key < always || random.below(4) > 0) put(key)
  else if (table.delete(key) !== mine.delete(key)) {
    member.violation(`key ${key}: delete found another truth than its only writer knows`)
  }
  writes++
  const other = random.oneIn(4) ? ownKey() : key
  const found = table.get(other)?.version
  if (found !== believed(other)) {
    member.violation(`key ${other}: version ${found}, its only writer knows ${believed(other)}`)
  }
  const there = table.hasMany([key, other])
  if (there[0] !== (believed(key) !== undefined) || there[1] !== (believed(other) !== undefined)) {
    member.violation(`keys ${key} and ${other}: ${there}, their only writer knows otherwise`)
  }
}

/** While readers hold all back that the limit allows, nothing changes, and we wait. */
function put(key: number): void {
  version++
  try {
    table.set(entry(key, version))
    mine.set(key, version)
  } catch (error) {
    if (!(error instanceof Exhausted)) throw error
    full++
    blockFor(FULL_SLEEP_MS)
  }
}

/** Keys that are always there have version 1 until their writer gets to them. */
function believed(key: number): number | undefined {
  return mine.get(key) ?? (key < always ? 1 : undefined)
}

let resizeAt = performance.now() + RESIZE_EVERY_MS

/** The first writer resizes now and then. */
function resize(): void {
  if (member.index !== 0 || performance.now() < resizeAt) return
  const capacity = CAPACITIES[random.below(CAPACITIES.length)] as number
  table.resize(capacity, { timeoutMs: RESIZE_TIMEOUT_MS })
  resizes++
  resizeAt = performance.now() + RESIZE_EVERY_MS
}

/** Keys that a reader asks for together. */
const MANY = 100

// ---- readers ---------------------------------------------------------------------------------

/** The latest version of each key that this reader has seen. */
const latest = new Map<number, number>()

function read(): void {
  const key = random.below(keys)
  const seen = table.read(key, (item) => {
    const first = wholeVersion(arena, item, key)
    dwell(random)
    const second = wholeVersion(arena, item, key)
    if (first < 0 || first !== second) {
      member.violation(`key ${key}: version ${first}, then ${second}, within one section`)
    }
    return first
  })
  reads++
  if (seen === undefined && key < always) member.violation(`key ${key} was not found`)
  else if (seen !== undefined) noteVersion(key, seen)
}

/** As `read` for many keys, of which some are looked up long before they are read. */
function readMany(): void {
  const from = random.below(keys)
  const length = Math.min(MANY, keys)
  const asked = Array.from({ length }, (_, i) => (from + i) % keys)
  const seen = table.readMany(asked, (item, i) => {
    const key = asked[i] as number
    const version = wholeVersion(arena, item, key)
    if (version < 0) member.violation(`key ${key} is torn among many`)
    if (i % 16 === 0) dwell(random)
    return version
  })
  reads++
  for (const [i, version] of seen.entries()) {
    const key = asked[i] as number
    if (version !== undefined) noteVersion(key, version)
    else if (key < always) member.violation(`key ${key} was not found among many`)
  }
}

function noteVersion(key: number, seen: number): void {
  const before = latest.get(key) ?? 0
  if (seen < before) member.violation(`key ${key}: version ${seen} after ${before}`)
  latest.set(key, seen)
}

function walk(): void {
  const met = new Set<number>()
  for (const found of table.entries()) {
    if (!isWhole(found)) member.violation(`a torn record in an iteration: ${found.key}`)
    if (found.key < always && met.has(found.key)) {
      member.violation(`key ${found.key} was met twice in one iteration`)
    }
    met.add(found.key)
    if (random.oneIn(8)) dwell(random)
  }
  for (let key = 0; key < always; key++) {
    if (!met.has(key)) member.violation(`key ${key} was not met in an iteration`)
  }
  walks++
}

member.begin()
while (!member.stopped) {
  if (member.role === 'writer') {
    member.guard(write)
    if (member.task.sabotage === undefined && random.oneIn(64)) member.guard(resize)
  } else {
    member.guard(random.oneIn(256) ? walk : random.oneIn(32) ? readMany : read)
  }
  if (turns) await turnEnds(random)
}
for (let key = member.index; key < always && member.role === 'writer'; key += writers) {
  if (!mine.has(key)) mine.set(key, 1)
}
arena.detach()
member.report({ reads, walks, writes, resizes, full }, mine satisfies Belief)

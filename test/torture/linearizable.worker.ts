/**
 * Rounds of a few calls each, on keys that nobody has used before: three workers meet at a barrier,
 * call, and meet again; then one of them takes the keys out. What they called, when and what they
 * were answered is judged by the test. Now and then one of them resizes the table meanwhile.
 *
 * Calls are short and processors few, so calls would hardly ever meet: hence the sleeps, between the
 * first ticket and the call, in the middle of a lookup, and, by way of `ctor`, in the middle of a set.
 */

import { Arena, type Handle, type Item } from 'uma-smr'
import { Member } from '../helpers/member.ts'
import { blockFor } from './dwell.ts'
import { Barrier, CALLS, CALLS_EACH, KEYS, NOTE_WORDS, openTable } from './rounds.ts'

export interface Task {
  readonly handle: Handle
  readonly mostRounds: number
}

const CAPACITIES = [16, 32, 256]
const RESIZE_ONE_IN = 32
const REST_ONE_IN = 4
const REST_MS = 0.01

const member = new Member<Task>()
const { handle, mostRounds } = member.task
const { index, random } = member
const arena = Arena.attach(handle)
const table = openTable(arena, rest)
const barrier = new Barrier(arena)
const tickets = arena.root('tickets')
const over = arena.root('over')
const notes: number[] = []

/** Lets others go first, now and then. */
function rest(): void {
  if (random.oneIn(REST_ONE_IN)) blockFor(REST_MS)
}

function ticket(): number {
  return Atomics.add(arena.words, tickets, 1) + 1
}

type Found = ReturnType<typeof table.schema.read>

/** The version of a record that is whole; 0 for none. */
function versionOf(found: Readonly<Found> | undefined, key: number): number {
  if (found === undefined) return 0
  if (found.key !== key || found.version !== found.again) {
    member.violation(`key ${key}: found ${JSON.stringify(found)}`)
  }
  return found.version
}

const perform: Record<(typeof CALLS)[number], (key: number, version: number) => number> = {
  get(key) {
    const found = table.read(key, (item) => {
      rest()
      return table.schema.read(arena, item)
    })
    return versionOf(found, key)
  },
  has: (key) => Number(table.has(key)),
  set(key, version) {
    table.set({ key, version, again: version })
    return 0
  },
  delete: (key) => Number(table.delete(key)),
  insert: (key, version) => Number(table.insert({ key, version, again: version })),
  replace: (key, version) => versionOf(table.replace({ key, version, again: version }), key),
  update(key, version) {
    let before = 0
    table.update(key, (old) => {
      rest()
      before = versionOf(old, key)
      return old && { key, version, again: version }
    })
    return before
  },
  getOrInsert(key, version) {
    const make = (): Found => {
      rest()
      return { key, version, again: version }
    }
    return versionOf(table.getOrInsert(key, make), key)
  },
  deleteIf(key) {
    const isEven = (item: Item): boolean => {
      rest()
      return table.schema.get.version(arena, item) % 2 === 0
    }
    return Number(table.deleteIf(key, isEven))
  },
}

function play(round: number): void {
  for (let i = 0; i < CALLS_EACH; i++) {
    const call = random.below(CALLS.length)
    const key = random.below(KEYS)
    const version = (round * CALLS_EACH + i + 1) * 4 + index
    const first = ticket()
    rest()
    const verb = perform[CALLS[call] as (typeof CALLS)[number]]
    const result = verb(round * KEYS + key, version)
    notes.push(round, call, key, version, result, first, ticket())
  }
}

function tidy(round: number): void {
  for (let key = 0; key < KEYS; key++) table.delete(round * KEYS + key)
}

member.begin()
let round = 0
for (; ; round++) {
  if (index === 0 && (member.stopped || round === mostRounds)) Atomics.store(arena.words, over, 1)
  barrier.wait()
  if (Atomics.load(arena.words, over) !== 0) break
  if (index === 0 && random.oneIn(RESIZE_ONE_IN)) {
    member.guard(() => table.resize(CAPACITIES[random.below(CAPACITIES.length)] as number))
  }
  member.guard(() => play(round))
  barrier.wait()
  if (index === 0) member.guard(() => tidy(round))
}
arena.detach()
member.report({ calls: notes.length / NOTE_WORDS, rounds: index === 0 ? round : 0 }, notes)

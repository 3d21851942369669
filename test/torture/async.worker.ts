/**
 * Async sections by the thousand, over timers, while a writer churns.
 *
 * The reader's tasks each open a section, take hold of a record, and look at it again after every
 * timer that they wait for. First they come and go at random; then so many begin before the first
 * one leaves, and they leave in any order. The writer replaces records all the while, as many as the
 * zone lets it have: at its limit it has to wait for the oldest section.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Arena, type Handle, type Item } from 'uma-smr'
import { Member } from '../helpers/member.ts'
import { canaryIsWhole, generationOf, writeCanary } from './canary.ts'
import { blockFor } from './dwell.ts'

export interface Task {
  readonly handle: Handle
  readonly table: Item
  readonly slots: number
  readonly sections: number
  /** Whether a section's own word is left as it was: nothing is held back. */
  readonly sabotage: boolean
}

const SPREAD_MS = 150
const LONGEST_MS = 60
const FULL_SLEEP_MS = 0.1
const ROUND = 64

const member = new Member<Task>()
const { handle, sabotage, sections, slots, table } = member.task
const { random } = member
const arena = Arena.attach(handle)
const { words } = arena
const smr = arena.smr('async')
const zone = arena.zone('records', { smr })
const doneAt = arena.root('done')

let open = 0
let most = 0
let looks = 0

/** In a section of its own: one record, looked at after each of some sleeps, and after `stay`. */
async function visit(sleeps: readonly number[], stay?: Promise<void>): Promise<void> {
  most = Math.max(most, ++open)
  const item = Atomics.load(words, table + random.below(slots)) as Item
  const found = generationOf(words, item)
  const look = (): void => {
    looks++
    if (canaryIsWhole(words, item, found)) return
    member.violation(`item ${item}: generation ${found}, then ${generationOf(words, item)}`)
  }
  look()
  for (const ms of sleeps) {
    await sleep(ms)
    look()
  }
  if (stay !== undefined) {
    await stay
    await sleep(random.below(LONGEST_MS))
    look()
  }
  open--
}

function section(fn: () => Promise<void>): Promise<void> {
  return sabotage ? fn() : smr.readAsync(fn, `section ${open}`)
}

async function read(): Promise<void> {
  const some = (n: number): number[] =>
    Array.from({ length: n }, () => random.below(LONGEST_MS / n))
  await Promise.all(
    Array.from({ length: sections }, async () => {
      await sleep(random.below(SPREAD_MS))
      await section(() => visit(some(1 + random.below(4))))
    }),
  )
  const apart = most
  most = 0
  // All begin, and only then the first one leaves.
  let begun = 0
  let all = (): void => {}
  const there = new Promise<void>((resolve) => {
    all = resolve
  })
  await Promise.all(
    Array.from({ length: sections }, async () => {
      await sleep(random.below(SPREAD_MS))
      await section(() => {
        if (++begun === sections) all()
        return visit([random.below(10)], there)
      })
    }),
  )
  Atomics.store(words, doneAt, 1)
  arena.detach()
  member.report({ sections: 2 * sections, looks }, { apart, most })
}

async function write(): Promise<void> {
  let writes = 0
  let full = 0
  let generation = 0
  while (!member.stopped && Atomics.load(words, doneAt) === 0) {
    for (let i = 0; i < ROUND; i++) {
      const item = zone.tryZallocSmr()
      if (item === 0) {
        full++
        blockFor(FULL_SLEEP_MS)
        break
      }
      writeCanary(words, item, ++generation)
      zone.zfreeSmr(Atomics.exchange(words, table + random.below(slots), item) as Item)
      writes++
    }
    await sleep(0) // Its own turn ends too, whatever kind of sections the domain has.
  }
  const { peakPending } = zone.stats()
  arena.detach()
  member.report({ writes, full }, { peakPending })
}

member.begin()
await (member.role === 'reader' ? read() : write())

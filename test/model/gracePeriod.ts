/**
 * A grace period in thirty lines: the example that every explanation of this folder uses, and the
 * first bug that the explorer must find.
 *
 * A reader publishes the write hand, follows the head pointer and reads the item. A writer unlinks
 * the item, advances, polls until no reader can be inside, and poisons it. Advancing *before* the
 * unlink is the bug: a reader that enters in between publishes the new sequence, is taken for one
 * that cannot have seen the item, and reads poison.
 */

import type { Memory } from '#src/memory/memory.ts'
import { type Scenario, scenario, thread } from './scenario.ts'

const WR = 0
const RD = 1
const SLOT = 2
const HEAD = 3
const ITEM = 8
const POISON = -1
const WORDS = 16

function read(memory: Memory): number {
  memory.store(SLOT, memory.load(WR))
  try {
    const item = memory.load(HEAD)
    if (item === 0) return 0
    const value = memory.peek(item)
    if (value === POISON) throw new Error('use after free')
    return value
  } finally {
    memory.store(SLOT, 0)
  }
}

function advance(memory: Memory): number {
  return memory.add(WR, 2) + 2
}

function poll(memory: Memory, goal: number): boolean {
  const rd = memory.load(RD)
  if (goal <= rd) return true
  let min = memory.load(WR)
  const seen = memory.load(SLOT)
  if (seen !== 0) min = Math.min(min, Math.max(seen, rd))
  if (min > rd) memory.cas(RD, rd, min)
  return goal <= Math.max(min, rd)
}

function reuse(memory: Memory, goal: number): void {
  while (!poll(memory, goal)) memory.pause()
  memory.poke(ITEM, POISON)
}

function unlinkThenAdvance(memory: Memory): void {
  memory.store(HEAD, 0)
  reuse(memory, advance(memory))
}

function advanceThenUnlink(memory: Memory): void {
  const goal = advance(memory)
  memory.store(HEAD, 0)
  reuse(memory, goal)
}

const NAMES: Record<number, string> = {
  [WR]: 'clock.wr',
  [RD]: 'clock.rd',
  [SLOT]: 'slot.seq',
  [HEAD]: 'head',
  [ITEM]: 'item.value',
}

function withWriter(name: string, write: (memory: Memory) => void): Scenario {
  return scenario({
    name,
    words: WORDS,
    setup(memory: Memory): undefined {
      memory.poke(WR, 1)
      memory.poke(RD, 1)
      memory.poke(HEAD, ITEM)
      memory.poke(ITEM, 7)
    },
    threads: [thread({ name: 'reader', body: read }), thread({ name: 'writer', body: write })],
    final(memory) {
      if (memory.peek(ITEM) !== POISON) throw new Error('the item was never reclaimed')
    },
    describe: (at) => NAMES[at],
  }) as Scenario
}

export const graceGood: Scenario = withWriter('grace period', unlinkThenAdvance)
export const graceBad: Scenario = {
  ...withWriter('grace period, advance before unlink', advanceThenUnlink),
  expect: 'fails',
}

/** The same bug, seen as use after free: races are ignored, so that poison must really be read. */
export const graceBadPoison: Scenario = {
  ...graceBad,
  name: 'grace period, advance before unlink, races ignored',
  rules: { races: false, plainSteps: true },
}

/**
 * Sweeping up after a dead worker while another one resizes: the arrays of the living table are
 * in use at every moment, whichever of the table's words leads to them just then.
 */

import { expect, it } from 'vitest'
import { sweepOrphans } from '#src/arena/sweep.ts'
import type { Arena } from '#src/index.ts'
import type { Space } from '#src/space/space.ts'
import { CONFIGS, type Config } from '../../helpers/tiny.ts'
import { expectIntact, fillTable, pair, versions } from './fixture.ts'

function sweep(space: Space): number {
  return space.directory.whileLocked((names) => sweepOrphans(space, names))
}

const VERBS = ['load', 'store', 'add', 'swap', 'cas', 'poke', 'peekRacy'] as const

class Blocked extends Error {}

/**
 * Lets `action` happen before the k-th access of `arena`, all at once; where it would have to wait for
 * a lock that `arena` holds, it does not happen. Returns what ends this, and tells whether there was
 * a k-th access.
 */
function interject(arena: Arena, k: number, other: Arena, action: () => void): () => boolean {
  Object.assign(other.space.locks, {
    lockSlowly: () => {
      throw new Blocked('the lock is taken')
    },
  })
  const memory = arena.memory as unknown as Record<string, (...args: unknown[]) => unknown>
  let accesses = 0
  for (const verb of VERBS) {
    const proper = memory[verb]?.bind(memory)
    memory[verb] = (...args) => {
      if (accesses++ === k) attempt(action)
      return proper?.(...args)
    }
  }
  return () => {
    const had = accesses > k
    accesses = Number.NaN
    return had
  }
}

function attempt(action: () => void): void {
  try {
    action()
  } catch (error) {
    if (!(error instanceof Blocked)) throw error
  }
}

function twoWorkers() {
  const all = pair(CONFIGS[0] as Config, { checks: false })
  fillTable(all.table, 12)
  return { ...all, before: versions(all.table) }
}

/** What was given back by mistake is handed out here, and written over. */
function expectUnharmed({ table, theirs, before }: ReturnType<typeof twoWorkers>): void {
  const { pages } = theirs.parts.arena.space
  for (let base = pages.reserve(1); base !== 0; base = pages.reserve(1)) {
    theirs.parts.arena.memory.fill(base, 1024, -1)
  }
  expect(versions(table)).toEqual(before)
  expectIntact(table)
}

it('spares the arrays of a table that is resized before any of its steps', () => {
  let resized = 0
  for (let k = 0, happened = true; happened; k++) {
    const all = twoWorkers()
    const had = interject(all.arena, k, all.other, () => {
      all.theirs.resize(64)
      resized++
    })
    expect(sweep(all.arena.space)).toBe(0)
    happened = had()
    expectUnharmed(all)
  }
  expect(resized).toBeGreaterThan(10)
})

it('spares them before any step of the resize', () => {
  let swept = 0
  for (let k = 0, happened = true; happened; k++) {
    const all = twoWorkers()
    const had = interject(all.other, k, all.arena, () => {
      expect(sweep(all.arena.space)).toBe(0)
      swept++
    })
    all.theirs.resize(64)
    happened = had()
    expectUnharmed(all)
  }
  expect(swept).toBeGreaterThan(50)
})

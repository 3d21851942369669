/**
 * A worker that stops for ever between any two of its writes: the table stays whole, holds what it
 * held before the step or after it, and the next worker goes on. Its buckets and sections are for
 * `reap` to see to; here its locks are merely anybody's to take.
 */

import { describe, expect, it } from 'vitest'
import type { Arena } from '#src/index.ts'
import { RunKind } from '#src/memory/layout.ts'
import { checkTable } from '#src/table/stats.ts'
import { dieAfter } from '../../helpers/death.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import { type Accounts, account, fillTable, pair, stripeLock, versions } from './fixture.ts'

/** Its slot changes hands, as when it is reaped. */
function bury(survivor: Arena, dead: Arena): void {
  survivor.space.workers.release(dead.workerId)
  survivor.space.pages.releaseReservedBy(dead.workerId)
}

const ACTIONS: Record<string, (table: Accounts) => void> = {
  'an insertion': (table) => table.set(account(100, 1)),
  'an update': (table) => table.set(account(7, 1)),
  'a deletion': (table) => table.delete(7),
  'a growing resize': (table) => table.resize(256),
  'a second resize': (table) => table.resize(16),
}

/** What the table may hold afterwards, other than what it held before. */
function after(action: string, before: ReadonlyMap<number, number>): Map<number, number> {
  const all = new Map(before)
  if (action === 'an insertion') all.set(100, 1)
  if (action === 'an update') all.set(7, 1)
  if (action === 'a deletion') all.delete(7)
  return all
}

describe.each(CONFIGS)('a worker dies in the middle, sequences $name', (config) => {
  it.each(Object.entries(ACTIONS))('of %s', (action, act) => {
    let survived = false
    for (let k = 0; !survived; k++) {
      const { arena, other, table, theirs } = pair(config, { bucket: 8 })
      fillTable(table, 30)
      theirs.set(account(200)).set(account(201)).delete(200)
      if (action === 'a second resize') theirs.resize(64)
      const before = versions(table)
      const { chains } = table.stats()
      const sizes = [chains, 256, 16].map((all) => all / 16)
      survived = !dieAfter(other, k, () => act(theirs))
      bury(arena, other)

      // Lookups never notice, and see all of it or nothing.
      const now = versions(table)
      expect([before, after(action, before)]).toContainEqual(now)
      // Each stripe has moved or has not.
      for (let stripe = 0; stripe < 16; stripe++) {
        const { chains: all } = table.parts
        expect(sizes).toContain(2 ** all.bitsIn(all.current(stripe)))
      }
      // Its slot is free, but nobody has reaped it: the item in its hands, if any, is nobody's.
      expect(table.zone.audit(table.items()).leaked.length).toBeLessThanOrEqual(1)
      // Writers take its locks over, and count again what they protect.
      table.resize(128)
      table.resize(32)
      checkTable(table)
      expect(versions(table)).toEqual(now)
      for (const id of [7, 100, 300]) table.set(account(id, 2))
      expect(table.get(7)).toEqual(account(7, 2))
      checkTable(table)
      const runs = arena.space.pages.runs()
      expect(runs.filter((run) => run.who === RunKind.chains && run.state === 'used')).toHaveLength(
        1,
      )
    }
  })

  it('with a stripe locked: the next writer in it counts its records again', () => {
    const { arena, other, table } = pair(config)
    fillTable(table, 100)
    const lock = stripeLock(table, 7)
    other.space.locks.lock(lock, 'test')
    other.memory.add(lock + 1, 5)
    expect(table.size).toBe(105)
    bury(arena, other)
    table.set(account(7, 1))
    expect(table.size).toBe(100)
    checkTable(table)
    expect(table.items()).toHaveLength(100)
  })
})

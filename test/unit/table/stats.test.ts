/** A table in numbers, and that its law is one that can fail. */

import { describe, expect, it } from 'vitest'
import { Corruption } from '#src/index.ts'
import { StripeWords } from '#src/memory/layout.ts'
import { checkTable } from '#src/table/stats.ts'
import { CONFIGS } from '../../helpers/tiny.ts'
import { account, fillTable, mustFind, pair, stripeLock } from './fixture.ts'

describe.each(CONFIGS)('stats, sequences $name', (config) => {
  it('say what is there, as plain JSON, the same to every worker', () => {
    const { table, theirs } = pair(config, { capacity: 100 })
    fillTable(table, 64)
    for (let i = 0; i < 10; i++) theirs.set(account(i, 1))
    table.delete(63)
    const stats = table.stats()
    expect(stats).toMatchObject({
      name: 'accounts',
      size: 63,
      chains: 128,
      load: 63 / 128,
      stripes: 16,
    })
    expect(stats.zone).toMatchObject({
      name: 'accounts',
      live: 63,
      allocs: 74,
      frees: 11,
      bucket: 3,
    })
    expect(stats.smr).toMatchObject({ name: 'accounts' })
    expect(theirs.stats()).toEqual(stats)
    expect(JSON.parse(JSON.stringify(stats))).toEqual(stats)
  })

  it('batch: one advance for each bucket of records that were replaced', () => {
    const { table } = pair(config, { bucket: 4 })
    fillTable(table, 8)
    for (let i = 0; i < 4 * 25; i++) table.set(account(i % 8, i + 1))
    const { zone, smr } = table.stats()
    expect(zone.frees).toBe(100)
    // The bucket that is full now is retired by the next free.
    expect(zone.retired).toBe(24)
    expect(zone.advances).toBe(24)
    expect(smr.advances).toBe(24)
  })

  it('know more stripes where more workers are to be expected', () => {
    expect(pair(config, { maxWorkers: 8 }).table.stats()).toMatchObject({ stripes: 16, chains: 16 })
    expect(pair(config, { maxWorkers: 9 }).table.stats()).toMatchObject({ stripes: 64, chains: 64 })
  })
})

describe('checkTable', () => {
  const made = () => {
    const all = pair({ name: 'from 1', sequence: { first: 1, step: 2 } })
    fillTable(all.table, 30)
    checkTable(all.table)
    const item = all.table.smr.read(() => mustFind(all.table, 5))
    return { ...all, item, memory: all.arena.memory, check: () => checkTable(all.table) }
  }

  it('finds a record in a chain that its hash does not call for', () => {
    const { table, item, check } = made()
    table.parts.chains.setHash(item, ~table.parts.chains.hashOf(item))
    expect(check).toThrow(Corruption)
    expect(check).toThrow(/record \d+ hangs in chain \d+, not once in \d+/)
  })

  it('finds a chain that bites its tail', () => {
    const { table, item, memory, check } = made()
    const { chains } = table.parts
    const stripe = chains.stripeOf(chains.hashOf(item))
    memory.store(item + chains.linkOffset(chains.current(stripe)), item)
    expect(check).toThrow(/chain .* is damaged/)
  })

  it('finds a record that is lost, and a count that is wrong', () => {
    const { table, item, memory, check } = made()
    const { chains } = table.parts
    const hash = chains.hashOf(item)
    const head = chains.headFor(chains.current(chains.stripeOf(hash)), hash)
    const chain = memory.load(head)
    memory.store(head, 0)
    expect(check).toThrow(/30 records by count, \d+ by walk/)
    memory.store(head, chain)
    check()
    memory.add(stripeLock(table, 5) - StripeWords.lock + StripeWords.records, 1)
    expect(check).toThrow(/31 records by count, 30 by walk/)
  })
})

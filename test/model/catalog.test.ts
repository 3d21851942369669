/**
 * The front door of the explorer: the catalog's small groups end with the verdict that they expect,
 * and the table tells them.
 *
 * Groups that take long have tests of their own, beside their scenarios. Here it is about the
 * machinery that run.ts is made of: rules given to an entry, deaths, verdicts that shout when a
 * scenario surprises, and the sum below the table.
 */

import { describe, expect, it } from 'vitest'
import type { Memory } from '#src/memory/memory.ts'
import { catalog, entriesNamed, entry } from './catalog.ts'
import { graceBad, graceGood } from './gracePeriod.ts'
import { scenario, thread } from './scenario.ts'
import { formatSum, formatTable, runEntry } from './table.ts'

describe('the catalog', () => {
  for (const group of ['litmus', 'grace period']) {
    it(`${group}: everything is as expected`, () => {
      for (const each of catalog[group] ?? []) {
        const row = runEntry(each)
        expect(`${row.name}: ${row.verdict}`).toMatch(/: (holds|caught after \d+)$/)
        expect(row.good).toBe(true)
      }
    })
  }

  it('finds entries by name', () => {
    expect(entriesNamed('grace period').map((each) => each.rules?.delayed)).toEqual([
      undefined,
      true,
    ])
    expect(entriesNamed('no such thing')).toEqual([])
  })
})

describe('rows', () => {
  const store = scenario({
    name: 'stores',
    words: 4,
    setup: (memory: Memory) => memory.poke(1, 1),
    threads: [0, 1].map((i) =>
      thread({
        name: `t${i}`,
        body(memory: Memory) {
          memory.store(1, 2)
          memory.store(2, 2)
        },
      }),
    ),
  })

  it('tell what was explored, in Markdown', () => {
    const rows = [
      runEntry(entry(store, { victim: 't0', rules: { bound: 1 } })),
      runEntry(entry(store, { rules: { sample: { schedules: 10 }, delayed: true } })),
    ]
    expect(formatTable(rows).split('\n')).toEqual([
      '| scenario | threads | bound | search | schedules | steps | verdict |',
      '|---|---|---|---|---|---|---|',
      `| stores, t0 killed at every step | 2 | 1 | exhaustive | ${rows[0]?.schedules} | ${rows[0]?.steps} | holds |`,
      '| stores, late stores | 2 | none | sampled | 10 | 40 | holds |',
    ])
    expect(formatSum(rows)).toMatch(/^2 explorations, \d+ schedules, \d+ steps in /)
  })

  it('shout when a scenario surprises', () => {
    expect(runEntry({ scenario: { ...graceBad, expect: 'holds' } }).verdict).toBe('FAILS')
    expect(runEntry({ scenario: { ...graceGood, expect: 'fails' } }).verdict).toBe('NOT CAUGHT')
    const unfinished = runEntry({ scenario: graceGood, rules: { maxSchedules: 3 } })
    expect(unfinished.verdict).toBe('NOT FINISHED')
    expect(unfinished.good).toBe(false)
  })
})

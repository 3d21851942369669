/**
 * Making an ordered table, and a worker that stops for ever in the middle of it: whoever comes next
 * makes the table or finds it, and nothing of a table that was never finished stays.
 */

import { describe, expect, it } from 'vitest'
import { reapSlot } from '#src/arena/reap.ts'
import { Arena, OrderedTable, record, u32 } from '#src/index.ts'
import { dieAfter } from '../../helpers/death.ts'
import { CONFIGS, tinyArena } from '../../helpers/tiny.ts'

const CONFIG = CONFIGS[0] as (typeof CONFIGS)[0]
const Row = record({ key: u32, version: u32 })
const OPTIONS = { record: Row, key: 'key', bucket: 2 } as const

const namesIn = (arena: Arena): string[] =>
  arena.space.directory
    .list()
    .map(({ kind, name }) => `${kind} ${name}`)
    .sort()
/** One domain, two zones, the table itself. */
const ALL = ['2 rows', '3 rows', '3 rows nodes', '6 rows']

describe('a worker that dies while it makes a table', () => {
  it('leaves a whole one, or none', () => {
    let survived = false
    let made = 0
    for (let k = 0; !survived; k++) {
      const arena = tinyArena(CONFIG, { bytes: 2 ** 19 })
      const other = Arena.attach(arena.handle)
      // Nobody looks after what a dead worker has left behind, but those who come next.
      other.space.watch.every = () => {}
      survived = !dieAfter(other, k, () => void OrderedTable.create(other, 'rows', OPTIONS))
      reapSlot(arena.space, other.space.slot)
      const names = namesIn(arena)
      if (names.includes('6 rows')) {
        made++
        expect(names).toEqual(ALL)
        const table = OrderedTable.open(arena, 'rows', OPTIONS_TO_OPEN)
        expect(table.set({ key: 1, version: 1 }).floor(5)?.key).toBe(1)
        continue
      }
      // At most its domain, which the next table of the name uses.
      expect(names.filter((name) => name !== '2 rows')).toEqual([])
      const table = OrderedTable.create(arena, 'rows', OPTIONS)
      expect(table.set({ key: 1, version: 1 }).floor(5)?.key).toBe(1)
      expect(namesIn(arena)).toEqual(ALL)
      const runs = arena.space.pages.runs()
      expect(runs.filter((run) => run.state === 'reserved')).toEqual([])
    }
    expect(made).toBeGreaterThan(0)
  })
})

const OPTIONS_TO_OPEN = { record: Row, key: 'key' } as const

it('a table ends with the zone of its records, and its name is free again', () => {
  const arena = tinyArena(CONFIG, { bytes: 2 ** 19 })
  for (let round = 0; round < 3; round++) {
    const table = OrderedTable.create(arena, 'rows', OPTIONS)
    for (let key = 0; key < 40; key++) table.set({ key, version: round })
    table.clear()
    table.zone.destroy()
    expect(() => OrderedTable.open(arena, 'rows', OPTIONS_TO_OPEN)).toThrow(/was destroyed/)
  }
})

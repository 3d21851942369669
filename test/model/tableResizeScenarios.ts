/**
 * The shipped hash table while it is resized: lookups, writers and iterations on both arrays.
 *
 * A grown table has two chains where it had one, threaded through the other link words; a reader
 * that began on the old array ends there. A second resize wants the first array's link words back,
 * and has to wait for such readers: that is what `there and back` is about.
 */

import type { Scenario, Thread } from './scenario.ts'
import type { Library } from './stage.ts'
import { holds, steadyReader, walk, writer } from './tableScenarios.ts'
import {
  FEW_CHAINS,
  KEY,
  MORE_CHAINS,
  member,
  put,
  type Rows,
  scene,
  type TableWorld,
} from './tableStage.ts'

const { a, b, c, d, e } = KEY
/** In the array of 16 one chain: c, d, b, a. */
const HELD = [
  [a, 1],
  [b, 1],
  [d, 1],
  [c, 1],
] as const
const EVERY = HELD.map(([key]) => key)

export function resizeScenarios(lib: Library): readonly Scenario<TableWorld>[] {
  /** Resizes to so many records, one size after the other. */
  const resizer = (...sizes: readonly number[]): Thread<TableWorld> =>
    writer(lib, 'resizer', (table) => {
      for (const size of sizes) table.resize(size)
    })
  const walker = (times = 1): Thread<TableWorld> =>
    member(lib, 'reader', ({ table }) => {
      for (let i = 0; i < times; i++) walk(table, EVERY)
    })
  const busy = writer(lib, 'writer', (table) => {
    put(table, b, 2)
    put(table, e, 1)
    table.delete(c)
  })
  const afterBusy = [[a, 1] as const, [b, 2] as const, [c, 0] as const, [d, 1] as const]

  // One chain for each stripe: a third record is one too many, and it grows to 1024.
  const crowded = { capacity: 4, grow: true } as const
  const grew = (table: Rows): void => {
    const { grown, chains } = table.stats()
    if (grown !== 1 || chains !== 1024 + 3)
      throw new Error(`${grown} times grown, ${chains} chains`)
  }

  return [
    scene(lib, 'lookup against growth', {
      ...crowded,
      holds: HELD.slice(0, 2),
      threads: [steadyReader(lib, a), writer(lib, 'writer', (table) => put(table, c, 1))],
      rules: { bound: 2 },
      judge(table) {
        holds(table, ...HELD.slice(0, 2), [c, 1])
        grew(table)
      },
    }),
    scene(lib, 'writer against growth', {
      ...crowded,
      holds: HELD.slice(0, 2),
      threads: [
        writer(lib, 'writer', (table) => put(table, c, 1)),
        writer(lib, 'other', (table) => {
          put(table, b, 2)
          put(table, d, 1)
        }),
      ],
      rules: { bound: 2 },
      judge: (table) => holds(table, [a, 1], [b, 2], [c, 1], [d, 1]),
    }),
    scene(lib, 'iteration against growth', {
      ...crowded,
      holds: HELD.slice(0, 2),
      threads: [
        member(lib, 'reader', ({ table }) => walk(table, [a, b])),
        writer(lib, 'writer', (table) => put(table, c, 1)),
      ],
      rules: { bound: 2 },
    }),
    scene(lib, 'resize against growth', {
      ...crowded,
      holds: HELD.slice(0, 2),
      threads: [writer(lib, 'writer', (table) => put(table, c, 1)), resizer(FEW_CHAINS)],
      rules: { bound: 2 },
      judge: (table) => holds(table, ...HELD.slice(0, 2), [c, 1]),
    }),
    scene(lib, 'lookup against grow', {
      holds: HELD,
      threads: [steadyReader(lib, a), resizer(MORE_CHAINS)],
      rules: { bound: 2 },
      judge: (table) => holds(table, ...HELD),
    }),
    scene(lib, 'lookup against shrink', {
      holds: HELD,
      capacity: MORE_CHAINS,
      threads: [steadyReader(lib, d), resizer(FEW_CHAINS)],
      rules: { bound: 2 },
      judge: (table) => holds(table, ...HELD),
    }),
    scene(lib, 'lookup against there and back', {
      holds: HELD,
      threads: [steadyReader(lib, a), resizer(MORE_CHAINS, FEW_CHAINS)],
      rules: { bound: 2 },
      judge: (table) => holds(table, ...HELD),
    }),
    scene(lib, 'lookup of the last of a chain against there and back', {
      holds: HELD,
      threads: [steadyReader(lib, d), resizer(MORE_CHAINS, FEW_CHAINS)],
      rules: { bound: 2 },
      judge: (table) => holds(table, ...HELD),
    }),
    scene(lib, 'writer against grow', {
      holds: HELD,
      threads: [busy, resizer(MORE_CHAINS)],
      rules: { bound: 2 },
      judge: (table) => holds(table, [e, 1], ...afterBusy),
    }),
    scene(lib, 'writer against there and back', {
      holds: HELD,
      threads: [busy, resizer(MORE_CHAINS, FEW_CHAINS)],
      rules: { bound: 2 },
      judge: (table) => holds(table, [e, 1], ...afterBusy),
    }),
    scene(lib, 'iteration against grow', {
      holds: HELD,
      threads: [walker(), resizer(MORE_CHAINS)],
      rules: { bound: 2 },
    }),
    scene(lib, 'iteration in several sections against shrink', {
      holds: HELD,
      capacity: 8 * FEW_CHAINS,
      threads: [walker(), resizer(FEW_CHAINS)],
      rules: { sample: { schedules: 4000 } },
    }),
    scene(lib, 'two resizers', {
      holds: HELD,
      threads: [
        resizer(MORE_CHAINS),
        writer(lib, 'other', (table) => table.resize(2 * MORE_CHAINS)),
      ],
      rules: { bound: 2 },
      judge: (table) => holds(table, ...HELD),
    }),
    scene(lib, 'reader and writer against there and back', {
      holds: HELD,
      bucket: 1,
      threads: [
        steadyReader(lib, a),
        writer(lib, 'writer', (table) => {
          put(table, b, 2)
          put(table, a, 2)
          table.delete(c)
        }),
        resizer(MORE_CHAINS, FEW_CHAINS),
      ],
      rules: { sample: { schedules: 20_000 } },
      judge: (table) => holds(table, [a, 2], [b, 2], [c, 0], [d, 1]),
    }),
    scene(lib, 'iteration and writer against grow', {
      holds: HELD,
      threads: [
        member(lib, 'reader', ({ table }) => walk(table, [a, d])),
        writer(lib, 'writer', (table) => {
          put(table, a, 2)
          table.delete(c)
          put(table, c, 2)
        }),
        resizer(MORE_CHAINS),
      ],
      rules: { sample: { schedules: 20_000 } },
    }),
  ]
}

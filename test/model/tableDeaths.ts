/**
 * Deaths in the shipped hash table: a worker stops for ever after any of its steps, another reaps it
 * and goes on; see tableDeathStage.ts. Each scenario is explored once per step of its victim (kill.ts).
 */

import type { Arena } from '#src/index.ts'
import { Named } from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import { assertLinearizable } from './linearizable.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { join, type Library, raise } from './stage.ts'
import { type Death, deathScene, HELD, reap, VICTIM } from './tableDeathStage.ts'
import { holds, walk } from './tableScenarios.ts'
import { tableSpec } from './tableSpec.ts'
import {
  change,
  createRows,
  FEW_CHAINS,
  finalTable,
  type Hand,
  KEY,
  LARGE,
  look,
  lookAt,
  lookMany,
  MORE_CHAINS,
  member,
  openOrCreateRows,
  openRows,
  put,
  type Rows,
  row,
  STAGE,
  type TableWorld,
} from './tableStage.ts'

const { a, b, c, d, f } = KEY

/** Two chains for each stripe, and in that of `a` four records: one more is too many. */
const CROWDED = {
  capacity: 8,
  grow: true,
  before: (table: Rows): void => put(table, c, 1),
}

/** Their stripe gets an array of its own. */
export function grown(table: Rows): void {
  for (const key of [c, f]) put(table, key, 1)
  if (table.stats().grown !== 1) throw new Error('it has not grown')
}

/** The victim is `victim`; the scenario is meant for `proveAtEveryStep(it, 'victim')`. */
export function deathScenarios(lib: Library): readonly Scenario<TableWorld>[] {
  const bystander = member(lib, 'bystander', ({ arena, table }) => {
    holds(table, [b, 1], [d, 1])
    put(table, c, 5)
    holds(table, [b, 1], [c, 5], [d, 1])
    arena.detach()
  })
  const death = (name: string, of: Death): Scenario<TableWorld> => deathScene(lib, name, of)

  return [
    death('death in insert', {
      before: (table) => table.delete(a),
      dies: ({ table }) => put(table, a, 2),
      versions: [0, 2],
    }),
    death('death in insert, counted at once', {
      before: (table) => table.delete(a),
      dies: ({ table }) => put(table, a, 2),
      versions: [0, 2],
      counts: true,
    }),
    death('death in delete, counted at once', {
      dies: ({ table }) => table.delete(a),
      versions: [0, 1],
      counts: true,
    }),
    death('death in replace', {
      dies: ({ table }) => put(table, a, 2),
      versions: [1, 2],
    }),
    death('death in replace, full bucket', {
      bucket: 1,
      before: (table) => put(table, a, 1),
      dies({ table }) {
        put(table, a, 1)
        put(table, a, 2)
      },
      versions: [1, 2],
    }),
    death('death in update', {
      bucket: 1,
      dies: ({ table }) => change(table, a, 2),
      versions: [1, 2],
    }),
    death('death in getOrInsert', {
      before: (table) => table.delete(a),
      dies: ({ table }) => table.getOrInsert(a, () => row(a, 2)),
      versions: [0, 2],
    }),
    death('death in deleteIf', {
      dies: ({ table }) => table.deleteIf(a, () => true),
      versions: [0, 1],
    }),
    death('death in delete', {
      dies: ({ table }) => table.delete(a),
      versions: [0, 1],
    }),
    death('death in get', {
      bucket: 1,
      dies: ({ table }) => look(table, a),
    }),
    death('death in has', {
      bucket: 1,
      dies: ({ table }) => table.has(a),
    }),
    death('death in many lookups', {
      bucket: 1,
      dies: ({ table }) => lookMany(table, [a, b]),
    }),
    death('death in grow', {
      dies: ({ table }) => table.resize(MORE_CHAINS),
    }),
    death('death in growth', {
      ...CROWDED,
      dies: ({ table }) => put(table, f, 1),
      // It is crowded again, with the array that the victim may have left; then all have their own.
      next({ table }) {
        put(table, KEY.g, 1)
        table.resize(LARGE)
      },
    }),
    death('death in shrink', {
      ...CROWDED,
      before: grown,
      dies: ({ table }) => table.resize(FEW_CHAINS),
      next: ({ table }) => table.resize(MORE_CHAINS),
    }),
    death('death in shrink, the next wants more', {
      ...CROWDED,
      before: grown,
      dies: ({ table }) => table.resize(FEW_CHAINS),
      next: ({ table }) => table.resize(LARGE / 2),
    }),
    death('death in growth beside a reader', {
      ...CROWDED,
      dies: ({ table }) => put(table, f, 1),
      next({ table }) {
        put(table, KEY.g, 1)
        table.resize(FEW_CHAINS)
      },
      others: [
        member(lib, 'reader', ({ arena, table }) => {
          holds(table, [b, 1], [d, 1])
          arena.detach()
        }),
      ],
      rules: { sample: { schedules: 30 } },
    }),
    // The other comes before the reaper, and finds what the victim has promised.
    death('death in growth, another grows', {
      ...CROWDED,
      dies: ({ table }) => put(table, f, 1),
      others: [
        member(lib, 'grower', ({ arena, table }) => {
          put(table, KEY.g, 1)
          put(table, KEY.g, 2)
          arena.detach()
        }),
      ],
      rules: { sample: { schedules: 20 } },
    }),
    death('death in there and back', {
      dies({ table }) {
        table.resize(MORE_CHAINS)
        table.resize(FEW_CHAINS)
      },
    }),
    death('death in grow, the next resizes too', {
      dies: ({ table }) => table.resize(MORE_CHAINS),
      next({ table }) {
        table.resize(2 * MORE_CHAINS)
        table.resize(FEW_CHAINS)
      },
    }),
    death('death in grow, the next wants the old size', {
      dies: ({ table }) => table.resize(MORE_CHAINS),
      next: ({ table }) => table.resize(FEW_CHAINS),
    }),
    death('death in grow beside a reader', {
      dies: ({ table }) => table.resize(MORE_CHAINS),
      next: ({ table }) => table.resize(2 * MORE_CHAINS),
      others: [
        member(lib, 'reader', ({ arena, table }) => {
          holds(table, [b, 1], [d, 1])
          arena.detach()
        }),
      ],
      rules: { sample: { schedules: 60 } },
    }),
    death('death in grow of a table resized before', {
      before: thereAndBack,
      dies: ({ table }) => table.resize(MORE_CHAINS),
      next({ table }) {
        table.resize(2 * MORE_CHAINS)
        table.resize(FEW_CHAINS)
      },
    }),
    death('death in grow of a table resized before, beside a reader', {
      before: thereAndBack,
      dies: ({ table }) => table.resize(MORE_CHAINS),
      next: ({ table }) => table.resize(2 * MORE_CHAINS),
      others: [
        member(lib, 'reader', ({ arena, table }) => {
          holds(table, [b, 1], [d, 1])
          arena.detach()
        }),
      ],
      rules: { sample: { schedules: 60 } },
    }),
    death('death in replace, others go on', {
      dies: ({ table }) => put(table, a, 2),
      versions: [1, 2],
      others: [bystander],
      rules: { sample: { schedules: 60 } },
    }),
    death('death in grow, others go on', {
      dies: ({ table }) => table.resize(MORE_CHAINS),
      others: [bystander],
      rules: { sample: { schedules: 60 } },
    }),
    death('death in there and back, others resize', {
      dies({ table }) {
        table.resize(MORE_CHAINS)
        table.resize(FEW_CHAINS)
      },
      others: [
        member(lib, 'resizer', ({ arena, table }) => {
          table.resize(2 * MORE_CHAINS)
          arena.detach()
        }),
      ],
      rules: { sample: { schedules: 20 } },
    }),
    death('death in get, reaped while another resizes', {
      dies: ({ table }) => look(table, a),
      others: [
        member(lib, 'resizer', ({ arena, table }) => {
          table.resize(MORE_CHAINS)
          table.resize(FEW_CHAINS)
          walk(table, [a, b, d])
          arena.detach()
        }),
      ],
      rules: { sample: { schedules: 60 } },
    }),
    death('death in insert, and another takes it out', {
      before: (table) => table.delete(a),
      dies: ({ table }) => put(table, a, 2),
      versions: [0, 2],
      others: [
        member(
          lib,
          'other',
          ({ arena, table }) => {
            // What the victim has put, and nothing that the rescuer puts. It may wait for a lock of the
            // dead until that is reaped.
            table.deleteIf(a, (item) => lookAt({ arena, table }, item, a) === 2)
            table.zone.seal()
            arena.detach()
          },
          'victim',
        ),
      ],
      rules: { bound: 0 },
    }),
    createDeath(lib),
    destroyDeath(lib),
    unfinished(lib),
  ]
}

/** Then there is a goal of a resize before, long met. */
function thereAndBack(table: Rows): void {
  table.resize(MORE_CHAINS)
  table.resize(FEW_CHAINS)
}

/** A killed call may have taken effect or not; the rest must be explained all the same. */
export function deadHistories(lib: Library): readonly Scenario<TableWorld>[] {
  const calls = (name: string, first: number) =>
    member(lib, name, ({ control, table }) => {
      for (let i = 0; i < 2; i++) {
        const version = first + i
        if (control.choose(2) === 0)
          control.operation('set', [a, version], () => put(table, a, version) as unknown)
        else control.operation('delete', [a], () => table.delete(a))
        control.operation('get', [a], () => look(table, a))
      }
    })
  const rescuer = member(
    lib,
    'rescuer',
    (hand) => {
      reap(lib, hand, VICTIM)
      put(hand.table, c, 7)
    },
    'victim',
  )
  return [
    {
      ...deathScene(lib, 'linearizable: one of two dies', { dies: () => {} }),
      threads: [calls('victim', 2), rescuer, calls('other', 12)],
      final(memory, _results, { operations }) {
        finalTable(lib, memory)
        assertLinearizable(operations, tableSpec(HELD))
      },
      rules: { sample: { schedules: 100 } },
    },
  ]
}

/** Whoever comes next finds the table, or makes it. */
function createDeath(lib: Library): Scenario<TableWorld> {
  const create = (name: string, after?: string): Thread<{ at: number }> => ({
    name,
    ...(after === undefined ? {} : { after }),
    prepare: (memory) => join(lib, memory),
    body(memory, control, prepared) {
      const arena = prepared as ReturnType<typeof join>
      if (after === undefined) return createRows(lib, arena)
      lib.reapSlot(arena.space, VICTIM)
      const table = openOrCreate(lib, arena)
      put(table, a, 7)
      look(table, a)
      arena.detach()
      return [memory, control]
    },
  })
  return scenario<TableWorld>({
    name: 'death in create',
    words: STAGE.words,
    setup: (memory) => raise(lib, memory, STAGE, () => ({ at: 0 })),
    threads: [create('victim'), create('rescuer', 'victim')],
    final(memory) {
      holds(finalTable(lib, memory), [a, 7])
    },
    rules: { bound: 0 },
  })
}

/** Whatever is left of the table, the next one of its name is whole, and nothing is lost. */
function destroyDeath(lib: Library): Scenario<TableWorld> {
  return scenario<TableWorld>({
    name: 'death in destroy',
    words: STAGE.words,
    setup: (memory) =>
      raise(lib, memory, STAGE, (arena) => {
        for (const key of [a, b]) put(openOrCreateRows(lib, arena), key, 1)
        return { at: 0 }
      }),
    threads: [
      thread<TableWorld, Rows>({
        name: 'victim',
        prepare: (memory) => openRows(lib, join(lib, memory)),
        body: (_memory, _control, table) => table.destroy({ timeoutMs: 0 }),
      }),
      thread<TableWorld, Arena>({
        name: 'rescuer',
        after: 'victim',
        prepare: (memory) => join(lib, memory),
        body(_memory, _control, arena) {
          lib.reapSlot(arena.space, VICTIM)
          put(openOrCreateRows(lib, arena), a, 7)
          arena.detach()
        },
      }),
    ],
    final: (memory) => holds(finalTable(lib, memory), [a, 7]),
    rules: { bound: 0 },
  })
}

/**
 * The victim's zone has a reserve: what it leaves would keep the pages, and the name, for ever. Whoever
 * comes next makes a table of another shape, unless the victim's is there.
 */
function unfinished(lib: Library): Scenario<TableWorld> {
  const prepare = (memory: Memory, _world: TableWorld): Arena => join(lib, memory)
  return scenario<TableWorld>({
    name: 'death in create, and another shape takes the name',
    words: STAGE.words,
    setup: (memory) => raise(lib, memory, STAGE, () => ({ at: 0 })),
    threads: [
      thread({
        name: 'victim',
        prepare,
        body: (_memory: Memory, _control, arena: Arena) =>
          void createRows(lib, arena, { reserve: 4 }),
      }),
      thread({
        name: 'rescuer',
        after: 'victim',
        prepare,
        body(_memory: Memory, _control, arena: Arena) {
          lib.reapSlot(arena.space, VICTIM)
          const kinds = arena.space.directory.list().map(({ kind }) => kind)
          const isThere = kinds.includes(Named.table)
          if (kinds.includes(Named.zone) !== isThere) throw new Error('a zone has no table')
          const table = isThere ? openRows(lib, arena) : createRows(lib, arena, { limit: 7 })
          put(table, a, 7)
          arena.detach()
        },
      }),
    ],
    final: (memory) => holds(finalTable(lib, memory), [a, 7]),
    rules: { bound: 0 },
  })
}

function openOrCreate(lib: Library, arena: Hand['arena']): Rows {
  try {
    return openRows(lib, arena)
  } catch (error) {
    if (!(error instanceof Error && error.name === 'Misuse')) throw error
    return createRows(lib, arena)
  }
}

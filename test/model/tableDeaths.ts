/**
 * Deaths in the shipped hash table: a worker stops for ever after any of its steps, another reaps it
 * and goes on.
 *
 * What must hold: rows that the dead worker did not touch are there, whole and unchanged; the one
 * it touched is old or new; the next owner of its stripe makes the count again; an array that a
 * resize had half built goes back; nobody is blocked; at most the one item in its hands is lost, and
 * the audit names it. In the end all workers have left, and all that was freed must come back:
 * so no dead reader holds anything.
 *
 * Each scenario is explored once per step of its victim (kill.ts).
 */

import { assertLinearizable } from './linearizable.ts'
import type { Scenario, Thread } from './scenario.ts'
import { scenario } from './scenario.ts'
import { join, type Library, raise } from './stage.ts'
import { holds, walk } from './tableScenarios.ts'
import { tableSpec } from './tableSpec.ts'
import {
  createRows,
  describe,
  FEW_CHAINS,
  type Hand,
  KEY,
  type Knobs,
  look,
  MORE_CHAINS,
  member,
  openRows,
  put,
  type Rows,
  STAGE,
  settle,
  type TableWorld,
} from './tableStage.ts'

const { a, b, c, d, e } = KEY
const HELD = [
  [a, 1],
  [b, 1],
  [d, 1],
] as const
const VICTIM = 0

interface Death extends Knobs {
  /** What the victim is at when it dies. */
  readonly dies: (hand: Hand) => void
  /** Before it begins; `HELD` are there already. */
  readonly before?: (table: Rows) => void
  /** What its table may hold for the key `a` afterwards. Default: 1. */
  readonly versions?: readonly number[]
  /** What the rescuer does after it has reaped. */
  readonly next?: (hand: Hand) => void
  /** Others that know nothing of it. */
  readonly others?: readonly Thread<TableWorld>[]
  /** Items that may be lost. */
  readonly leaks?: number
  readonly rules?: Scenario['rules']
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
    death('death in delete', {
      dies: ({ table }) => table.delete(a),
      versions: [0, 1],
    }),
    death('death in get', {
      bucket: 1,
      dies: ({ table }) => look(table, a),
    }),
    death('death in grow', {
      dies: ({ table }) => table.resize(MORE_CHAINS),
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
      rules: { sample: { schedules: 200 } },
    }),
    death('death in replace, others go on', {
      dies: ({ table }) => put(table, a, 2),
      versions: [1, 2],
      others: [bystander],
      rules: { sample: { schedules: 200 } },
    }),
    death('death in grow, others go on', {
      dies: ({ table }) => table.resize(MORE_CHAINS),
      others: [bystander],
      rules: { sample: { schedules: 200 } },
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
      rules: { sample: { schedules: 200 } },
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
      rules: { sample: { schedules: 200 } },
    }),
    createDeath(lib),
  ]
}

/** Nothing but a reaper and a resizer, so that all their interleavings can be had. */
export function reapedDuringResize(lib: Library): Scenario<TableWorld> {
  const grow = { dies: ({ table }: Hand) => table.resize(MORE_CHAINS) }
  return {
    ...deathScene(lib, 'death in grow, reaped while another resizes', grow),
    threads: [
      member(lib, 'victim', grow.dies),
      member(lib, 'rescuer', (hand) => reap(lib, hand, VICTIM), 'victim'),
      member(lib, 'resizer', ({ table }) => table.resize(2 * MORE_CHAINS), 'victim'),
    ],
    rules: { sample: { schedules: 1000, depth: 5 } },
  }
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
      final(memory, _results, { operations, dead }) {
        settle(lib, memory, dead.length)
        assertLinearizable(operations, tableSpec(HELD))
      },
      rules: { sample: { schedules: 100 } },
    },
  ]
}

/** Two deaths: the victim's, and that of the rescuer, who is rescued in turn. */
export function twoDeaths(lib: Library): Scenario<TableWorld> {
  const first = { dies: ({ table }: Hand) => table.resize(MORE_CHAINS) }
  return {
    ...deathScene(lib, 'death in grow, then death of the rescuer in resize', first),
    threads: [
      member(lib, 'victim', first.dies),
      rescue(lib, { ...first, next: ({ table }) => table.resize(2 * MORE_CHAINS) }),
      member(
        lib,
        'second rescuer',
        (hand) => {
          reap(lib, hand, 0)
          reap(lib, hand, 1)
          table(hand)
        },
        'rescuer',
      ),
    ],
    rules: { bound: 0, maxVerbs: 20_000 },
  }

  function table({ arena, table: rows }: Hand): void {
    holds(rows, [b, 1], [d, 1])
    rows.resize(FEW_CHAINS)
    put(rows, c, 8)
    holds(rows, [b, 1], [c, 8], [d, 1])
    arena.detach()
  }
}

function deathScene(lib: Library, name: string, of: Death): Scenario<TableWorld> {
  const { before, dies, others = [], leaks = 1, rules = { bound: 0 } } = of
  return scenario<TableWorld>({
    name,
    words: STAGE.words,
    setup: (memory) =>
      raise(lib, memory, STAGE, (arena) => {
        const table = createRows(lib, arena, of)
        for (const [key, version] of HELD) put(table, key, version)
        before?.(table)
        return { at: table.parts.at }
      }),
    threads: [member(lib, 'victim', dies), rescue(lib, of), ...others],
    final(memory, _results, { dead }) {
      const table = settle(lib, memory, dead.length * leaks)
      holds(table, [b, 1], [d, 1])
      const { remaining } = table.zone.reclaim('all', { timeoutMs: 0 })
      if (remaining > 0) throw new Error(`${remaining} free items do not come back`)
    },
    describe: (at, world) => describe(at - world.at),
    rules,
  })
}

/** Waits for the victim's end, reaps it, looks at all, writes to its stripe, and leaves. */
function rescue(lib: Library, { versions = [1], next }: Death): Thread<TableWorld> {
  return member(
    lib,
    'rescuer',
    (hand) => {
      const { arena, table } = hand
      reap(lib, hand, VICTIM)
      holds(table, [b, 1], [d, 1])
      const found = look(table, a)
      if (!versions.includes(found)) throw new Error(`key ${a} has version ${found}`)
      next?.(hand)
      put(table, a, 7)
      put(table, e, 1)
      table.delete(e)
      holds(table, [a, 7], [b, 1], [d, 1])
      arena.detach()
    },
    'victim',
  )
}

export function reap(lib: Library, { arena }: Pick<Hand, 'arena'>, slot: number): void {
  lib.reapSlot(arena.space, slot)
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
      holds(settle(lib, memory, 0), [a, 7])
    },
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

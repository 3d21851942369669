/**
 * How deaths in the hash table are staged: a victim, a rescuer who comes after it, and what must hold.
 *
 * Rows that the dead worker did not touch are there, whole and unchanged; the one it touched is old or
 * new; the next owner of its stripe makes the count again; an array that a resize had half built goes
 * back; nobody is blocked; what was in its hands is not lost. In the
 * end all workers have left, and all that was freed must come back: so no dead reader holds anything.
 */

import { type Scenario, scenario, type Thread } from './scenario.ts'
import { type Library, raise } from './stage.ts'
import { holds } from './tableScenarios.ts'
import {
  createRows,
  describe,
  finalTable,
  type Hand,
  KEY,
  type Knobs,
  look,
  member,
  put,
  type Rows,
  STAGE,
  type TableWorld,
} from './tableStage.ts'

const { a, b, d, e } = KEY
export const HELD = [
  [a, 1],
  [b, 1],
  [d, 1],
] as const
export const VICTIM = 0

export interface Death extends Knobs {
  /** What the victim is at when it dies. */
  readonly dies: (hand: Hand) => void
  /** Before it begins; `HELD` are there already. */
  readonly before?: (table: Rows) => void
  /** What its table may hold for the key `a` afterwards. Default: 1. */
  readonly versions?: readonly number[]
  /** Whether the rescuer asks for the number of records before anybody writes. */
  readonly counts?: boolean
  /** Items that may be lost. */
  readonly leaks?: number
  /** What the rescuer does after it has reaped. */
  readonly next?: (hand: Hand) => void
  /** Others that know nothing of it. */
  readonly others?: readonly Thread<TableWorld>[]
  readonly rules?: Scenario['rules']
}

export function deathScene(lib: Library, name: string, of: Death): Scenario<TableWorld> {
  const { before, dies, others = [], leaks = 0, rules = { bound: 0 } } = of
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
    final(memory) {
      const table = finalTable(lib, memory, leaks)
      holds(table, [b, 1], [d, 1])
      const { remaining } = table.zone.reclaim('all', { timeoutMs: 0 })
      if (remaining > 0) throw new Error(`${remaining} free items do not come back`)
    },
    describe: (at, world) => describe(at - world.at),
    rules,
  })
}

/** Waits for the victim's end, reaps it, looks at all, writes to its stripe, and leaves. */
export function rescue(
  lib: Library,
  { versions = [1], next, counts = false }: Death,
): Thread<TableWorld> {
  return member(
    lib,
    'rescuer',
    (hand) => {
      const { arena, table } = hand
      reap(lib, hand, VICTIM)
      holds(table, [b, 1], [d, 1])
      const found = look(table, a)
      if (!versions.includes(found)) throw new Error(`key ${a} has version ${found}`)
      if (counts && table.size !== table.items().length) {
        throw new Error(`${table.size} records by count, ${table.items().length} by walk`)
      }
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

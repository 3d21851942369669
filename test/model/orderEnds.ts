/**
 * The birth and the end of the shipped ordered table: a worker that dies after any of its steps, and
 * whoever comes next makes the table of this name anew, or finds it whole. What has ended leaves neither
 * a name nor a page.
 */

import type { Arena } from '#src/index.ts'
import { Named } from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import { VICTIM } from './orderDeaths.ts'
import {
  createRows,
  finalTable,
  holds,
  KEY,
  type OrderWorld,
  openOrCreateRows,
  openRows,
  put,
  type Rows,
  STAGE,
} from './orderStage.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { join, type Library, raise } from './stage.ts'

const { a, b, d } = KEY
const VICTIM_SLOT = 0

/** The victim is `victim`; meant for `proveAtEveryStep(it, 'victim')`. */
export function orderEnds(lib: Library): readonly Scenario<OrderWorld>[] {
  const opening = (body: (table: Rows) => void): Thread<OrderWorld> =>
    thread<OrderWorld, Rows>({
      name: VICTIM,
      prepare: (memory) => openRows(lib, join(lib, memory)),
      body: (_memory, _control, table) => body(table),
    })
  const joining = (
    name: string,
    body: (arena: Arena, memory: Memory) => void,
    after?: string,
  ): Thread<OrderWorld> =>
    thread<OrderWorld, Arena>({
      name,
      ...(after === undefined ? {} : { after }),
      prepare: (memory) => join(lib, memory),
      body: (memory, _control, arena) => body(arena, memory),
    })
  /** Makes the table anew or finds it, and ends it if told to. */
  const rescuer = (ends: boolean): Thread<OrderWorld> =>
    joining(
      'rescuer',
      (arena, memory) => {
        lib.reapSlot(arena.space, VICTIM_SLOT)
        const table = openOrCreateRows(lib, arena)
        put(table, a, 7)
        if (ends) {
          table.destroy({ timeoutMs: 0 })
          assertNothing(arena)
          put(openOrCreateRows(lib, arena), a, 7)
        }
        lib.checkPages(memory, arena.space.pages)
        arena.detach()
      },
      VICTIM,
    )
  const ending = (name: string, rows: readonly number[], of: Thread<OrderWorld>[]) =>
    scenario<OrderWorld>({
      name,
      words: STAGE.words,
      setup: (memory) =>
        raise(lib, memory, STAGE, (arena) => {
          if (rows.length > 0) for (const key of rows) put(openOrCreateRows(lib, arena), key, 1)
          return { at: 0 }
        }),
      threads: of,
      final: (memory) => holds(finalTable(lib, memory), [a, 7]),
      rules: { bound: 0 },
    })
  const destroys = opening((table) => table.destroy({ timeoutMs: 0 }))
  const creates = joining(VICTIM, (arena) => void createRows(lib, arena))
  return [
    ending('ordered: death in destroy', [a, b, d], [destroys, rescuer(false)]),
    ending('ordered: death in create', [], [creates, rescuer(false)]),
    ending('ordered: death in create, and an end', [], [creates, rescuer(true)]),
  ]
}

/**
 * Neither the table nor its zones have a name. Its domain may: a domain that was there before the table
 * is not ended with it, and nobody knows that a dead worker had made it for this one.
 */
function assertNothing({ space }: Arena): void {
  const left = space.directory.list().filter(({ kind }) => kind !== Named.domain)
  if (left.length > 0) throw new Error(`${left.map(({ name }) => name).join()} are left`)
}

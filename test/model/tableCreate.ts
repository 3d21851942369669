/**
 * Two workers create the same table: one of them makes it, the other is told that it exists, and what
 * was made works. Also where they want tables of different shapes.
 */

import type { Arena } from '#src/index.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { join, type Library, raise } from './stage.ts'
import { holds } from './tableScenarios.ts'
import {
  createRows,
  finalTable,
  KEY,
  openOrCreateRows,
  openRows,
  put,
  STAGE,
  type TableWorld,
} from './tableStage.ts'
import { checkArena } from './world.ts'

const { a, b } = KEY
/** More chains than the arena has words. */
const TOO_MANY = 2 ** 20

export function createScenarios(lib: Library): readonly Scenario<TableWorld>[] {
  /** Creates the table, or opens it when another was first, and puts a row. */
  const maker = (name: string, key: number): Thread<TableWorld> =>
    thread<TableWorld, Arena>({
      name,
      prepare: (memory) => join(lib, memory),
      body(_memory, _control, arena) {
        const made = attempt('Misuse', () => createRows(lib, arena))
        put(made ?? openRows(lib, arena), key, 1)
        return made !== undefined
      },
    })
  /** Creates a table of its own shape, if it is the first. */
  const other = (name: string): Thread<TableWorld> =>
    thread<TableWorld, Arena>({
      name,
      prepare: (memory) => join(lib, memory),
      body(_memory, _control, arena) {
        const shape = { record: lib.record({ [name]: lib.u32 }), key: name, capacity: 16, seed: 0 }
        const made = attempt('Misuse', () => lib.HashTable.create(arena, 'rows', shape))
        // In the end nothing may be live but what somebody can name.
        return made?.set({ [name]: 1 }).delete(1) === true
      },
    })
  const oneMade = (results: readonly unknown[]): void => {
    const made = results.filter((each) => each === true).length
    if (made !== 1) throw new Error(`${made} of ${results.length} have made the table`)
  }
  /** Does not know who is first. */
  const either = (name: string, key: number): Thread<TableWorld> =>
    thread<TableWorld, Arena>({
      name,
      prepare: (memory) => join(lib, memory),
      body: (_memory, _control, arena) => void put(openOrCreateRows(lib, arena), key, 1),
    })
  const greedy: Thread<TableWorld> = thread<TableWorld, Arena>({
    name: 'greedy',
    prepare: (memory) => join(lib, memory),
    body(_memory, _control, arena) {
      attempt('Exhausted', () =>
        attempt('Misuse', () => createRows(lib, arena, { capacity: TOO_MANY })),
      )
    },
  })
  const scene = (name: string, ...threads: Thread<TableWorld>[]): Scenario<TableWorld> =>
    scenario<TableWorld>({
      name,
      words: STAGE.words,
      setup: (memory) => raise(lib, memory, STAGE, () => ({ at: 0 })),
      threads,
      final(memory, results) {
        oneMade(results)
        const table = finalTable(lib, memory)
        holds(table, [a, 1])
        if (threads.length > 1 && threads[1] !== greedy) holds(table, [b, 1])
      },
      rules: { bound: 2 },
    })
  return [
    scene('two make one table', maker('one', a), maker('other', b)),
    scene('two make one table, one asks for too much', maker('one', a), greedy),
    scenario<TableWorld>({
      name: 'two open one table or make it',
      words: STAGE.words,
      setup: (memory) => raise(lib, memory, STAGE, () => ({ at: 0 })),
      threads: [either('one', a), either('other', b)],
      final: (memory) => holds(finalTable(lib, memory), [a, 1], [b, 1]),
      rules: { bound: 2 },
    }),
    scenario<TableWorld>({
      name: 'two make tables of one name and different shapes',
      words: STAGE.words,
      setup: (memory) => raise(lib, memory, STAGE, () => ({ at: 0 })),
      threads: [other('one'), other('other')],
      final(memory, results) {
        oneMade(results)
        checkArena(lib, memory)
      },
      rules: { bound: 2 },
    }),
  ]
}

/** Undefined when it throws an error of this name. */
function attempt<T>(name: string, body: () => T): T | undefined {
  try {
    return body()
  } catch (error) {
    if (!(error instanceof Error && error.name === name)) throw error
    return undefined
  }
}

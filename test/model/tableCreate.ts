/**
 * Two workers create the same table: one of them makes it, the other is told that it exists, and what
 * was made works.
 */

import type { Arena } from '#src/index.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { join, type Library, raise } from './stage.ts'
import { holds } from './tableScenarios.ts'
import { createRows, KEY, openRows, put, STAGE, settle, type TableWorld } from './tableStage.ts'

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
      },
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
      final(memory) {
        const table = settle(lib, memory, 0)
        holds(table, [a, 1])
        if (threads.length > 1 && threads[1] !== greedy) holds(table, [b, 1])
      },
      rules: { bound: 2 },
    })
  return [
    scene('two make one table', maker('one', a), maker('other', b)),
    scene('two make one table, one asks for too much', maker('one', a), greedy),
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

/**
 * Near copies of the shipped hash table: what a worker is answered from them is what it would have been
 * answered from the table at some moment of its call.
 *
 * A copy that is out of date tells nobody by itself: it is whole, and was right. So the threads report
 * what they are answered, and all of it together must be explained by one order of their calls. `c` has
 * the version word of `a`; a table with buckets of one uses a place again at once.
 */

import { PAGE_WORDS } from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import { MOST_VERSIONS } from '#src/table/version.ts'
import { assertLinearizable } from './linearizable.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { join, type Library, raise } from './stage.ts'
import { deathScene, HELD, reap, VICTIM } from './tableDeathStage.ts'
import { actor, caller, judgedScene } from './tableHistories.ts'
import { type Call, tableSpec } from './tableSpec.ts'
import {
  createRows,
  describe,
  finalTable,
  KEY,
  look,
  MORE_CHAINS,
  member,
  openRows,
  put,
  type Rows,
  STAGE,
  type TableWorld,
} from './tableStage.ts'

const { a, b, c, d } = KEY
/** So few that a third copy drops the first. */
const FEW = 2
const MANY = 4
/** More than were ever free. */
const MOST_PAGES = 32
const CALLS: readonly Call[] = ['get', 'set', 'delete']

export function nearScenarios(lib: Library): readonly Scenario<TableWorld>[] {
  const reader = (calls: readonly (readonly [Call, number])[], near = MANY, name = 'reader') =>
    actor(
      lib,
      name,
      (perform) => {
        for (const [call, key] of calls) perform(call, key)
      },
      near,
    )
  const writer = (calls: readonly (readonly [Call, number, number?])[], name = 'writer') =>
    actor(lib, name, (perform) => {
      for (const call of calls) perform(...call)
    })
  const thrice = [
    ['get', a],
    ['get', a],
    ['get', a],
  ] as const
  const judged = (name: string, of: Parameters<typeof judgedScene>[2]) =>
    judgedScene(lib, `near: ${name}`, of)

  return [
    judged('a copy against replace', {
      threads: [reader(thrice), writer([['set', a, 2]])],
      rules: { bound: 3 },
    }),
    judged('a copy against delete', {
      threads: [reader(thrice), writer([['delete', a]])],
      rules: { bound: 3 },
    }),
    judged('a copy of nothing against insert', {
      holds: [],
      threads: [reader(thrice), writer([['set', a, 2]])],
      rules: { bound: 3 },
    }),
    judged('a copy against replace, seen by another', {
      threads: [
        reader(thrice.slice(1)),
        writer([['set', a, 2]]),
        actor(lib, 'other', (perform) => perform('get', a)),
      ],
      rules: { bound: 2 },
    }),
    judged('a copy against delete, seen by a lookup', {
      threads: [
        reader([
          ['get', a],
          ['has', a],
          ['get', a],
        ]),
        writer([['delete', a]]),
      ],
      rules: { bound: 2 },
    }),
    judged('a copy against its place used again', {
      threads: [
        reader(thrice),
        writer([
          ['delete', a],
          ['set', a, 2],
        ]),
      ],
      rules: { bound: 2 },
    }),
    judged('a copy against another key in its place', {
      threads: [
        reader([
          ['get', a],
          ['get', b],
          ['get', a],
        ]),
        writer([
          ['delete', a],
          ['set', b, 2],
        ]),
      ],
      rules: { bound: 2 },
    }),
    judged('copies of two keys with one version word', {
      holds: [
        [a, 1],
        [c, 1],
      ],
      threads: [
        reader([
          ['get', a],
          ['get', c],
          ['get', a],
          ['get', c],
        ]),
        writer([['set', c, 2]]),
      ],
      rules: { bound: 2 },
    }),
    judged('two writers and a copy', {
      threads: [reader(thrice), writer([['set', a, 2]]), writer([['set', a, 12]], 'second')],
      rules: { bound: 1 },
    }),
    judged('a copy beside a resize', {
      threads: [
        reader(thrice),
        writer([['set', a, 2]]),
        member(lib, 'resizer', ({ table }) => table.resize(MORE_CHAINS)),
      ],
      rules: { sample: { schedules: 10_000 } },
    }),
    judged('more keys than copies', {
      holds: [
        [a, 1],
        [b, 1],
        [d, 1],
      ],
      threads: [
        reader(
          [
            ['get', a],
            ['get', b],
            ['get', d],
            ['get', a],
            ['get', b],
          ],
          FEW,
        ),
        writer([
          ['set', a, 2],
          ['set', b, 2],
        ]),
      ],
      rules: { bound: 1 },
    }),
    judged('any two calls each on one key', {
      threads: [
        caller(lib, 'one', 2, CALLS, [a], 2, MANY),
        caller(lib, 'other', 2, CALLS, [a], 12, MANY),
      ],
      rules: { bound: 1 },
    }),
    judged('three threads of four calls on one key', {
      threads: [
        caller(lib, 'one', 4, CALLS, [a], 2, FEW),
        caller(lib, 'other', 4, CALLS, [a], 12, FEW),
        caller(lib, 'third', 4, CALLS, [a], 22, FEW),
      ],
      rules: { sample: { schedules: 10_000 } },
    }),
    judged('a copy against its slab given back', {
      threads: [
        reader(thrice),
        actor(lib, 'writer', (perform, _choose, { table }) => {
          perform('delete', a)
          table.zone.reclaim('all', { timeoutMs: 0 })
          perform('set', b, 2)
        }),
      ],
      rules: { bound: 1 },
    }),
    judged('a version word that begins again', {
      threads: [
        reader(thrice),
        actor(lib, 'writer', (perform, _choose, { memory, table }) => {
          perform('set', a, 2)
          // As after many writes to its range: the next has the version that `a` began with.
          const { key, versions } = inside(table)
          memory.store(versions.at(key.hash(a)), MOST_VERSIONS)
          perform('set', a, 3)
        }),
      ],
      rules: { bound: 3 },
    }),
    ending(lib),
  ]
}

/** The near copies and the version words of a table, and what leads to one. */
function inside(table: Rows): Inside {
  const { key, near, parts } = table as unknown as Inside & { parts: Inside }
  return { key, near, versions: parts.versions }
}

interface Inside {
  readonly near: { find(key: number): object | undefined }
  readonly key: { hash(value: number): number }
  readonly versions: { at(hash: number): number }
}

/**
 * A table ends while a reader still has a copy. The page of the version words is anybody's then: the reader
 * itself takes it, at whatever moment, and stores there what its copy was made with. It asks only for its
 * copy, since an ordinary lookup in a table that has ended is nobody's right.
 */
function ending(lib: Library): Scenario<TableWorld> {
  const destroyer = member(lib, 'destroyer', ({ table }) => table.destroy())
  return scenario<TableWorld>({
    name: 'near: a copy against the end of its table',
    words: STAGE.words,
    setup: (memory) =>
      raise(lib, memory, STAGE, (arena) => {
        const table = createRows(lib, arena)
        put(table, a, 1)
        return { at: table.parts.at }
      }),
    threads: [
      thread<TableWorld, ReturnType<typeof squatter>>({
        name: 'reader',
        prepare: (memory, { at }) => squatter(lib, memory, at),
        body: (_memory, _control, body) => body(),
      }),
      destroyer,
    ],
    describe: (at, world) => describe(at - world.at),
    rules: { bound: 1 },
  })
}

function squatter(lib: Library, memory: Memory, at: number): () => void {
  const arena = join(lib, memory)
  arena.space.turn.schedule = () => {}
  const table = openRows(lib, arena, MANY)
  look(table, a)
  const { key, near, versions } = inside(table)
  const word = versions.at(key.hash(a))
  const seen = memory.load(word)
  return () => {
    for (let i = 0; i < MOST_PAGES; i++) {
      const run = arena.space.pages.reserve(PAGE_WORDS)
      if (run === 0) return
      if (run === at) break
    }
    memory.store(word, seen)
    const found = near.find(a)
    if (found !== undefined) throw new Error(`the table has ended, and key ${a} is answered for`)
  }
}

/** A worker dies at each step; another has near copies, and a third repairs what there is to repair. */
export function nearDeaths(lib: Library): readonly Scenario<TableWorld>[] {
  const rescuer = member(
    lib,
    'rescuer',
    (hand) => {
      reap(lib, hand, VICTIM)
      put(hand.table, c, 7)
    },
    'victim',
  )
  const writing: readonly Call[] = ['set', 'delete']
  const died = (name: string, victim: Thread<TableWorld>): Scenario<TableWorld> => ({
    ...deathScene(lib, `near: ${name}`, { dies: () => {} }),
    threads: [victim, rescuer, caller(lib, 'reader', 3, ['get'], [a], 12, MANY)],
    final(memory, _results, { operations }) {
      const table = finalTable(lib, memory)
      const start = Number.MAX_SAFE_INTEGER - 1
      const result = look(table, a)
      const last = { thread: -1, call: 'get', args: [a], result, start, end: start + 1 }
      assertLinearizable([...operations, last], tableSpec(HELD))
    },
    rules: { sample: { schedules: 100 } },
  })
  return [
    died('a writer dies beside a copy', caller(lib, 'victim', 1, writing, [a], 2)),
    died('one with copies dies', caller(lib, 'victim', 3, ['get', 'set'], [a], 2, FEW)),
  ]
}

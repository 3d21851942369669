/**
 * Linearizability of the shipped hash table: what several workers were answered must be explained by
 * one order of their calls on a plain Map.
 *
 * Programs are not listed by hand: each thread picks its next call with `control.choose`, so that an
 * exhaustive search covers all programs of that length, and a sample draws them. `size` is left out:
 * it adds up stripes one by one while writers go on, and a lookup may find a record that is not
 * counted yet. That it is *not* linearizable is a scenario of its own, which must fail.
 */

import { assertLinearizable, type Operation } from './linearizable.ts'
import type { Scenario, Thread } from './scenario.ts'
import type { Library } from './stage.ts'
import { type Call, tableSpec } from './tableSpec.ts'
import {
  change,
  type Hand,
  KEY,
  look,
  MORE_CHAINS,
  member,
  put,
  row,
  type Scene,
  scene,
  type TableWorld,
  versionOf,
} from './tableStage.ts'

const { a, b, e } = KEY
const HOLDS = [[a, 1] as const]
const MIXED: readonly Call[] = ['get', 'set', 'delete', 'has']
const FEWER: readonly Call[] = ['get', 'set', 'delete']
const CHANGES: readonly Call[] = ['update', 'insert', 'replace', 'getOrInsert', 'deleteIf']

/** Performs one call as an operation of the history. */
type Perform = (call: Call, key: number, version?: number) => void

function performer(
  { arena, table }: Pick<Hand, 'arena' | 'table'>,
  control: Parameters<Parameters<typeof member>[2]>[0]['control'],
): Perform {
  return (call, key, version = 0) => {
    control.operation(call, [key, version], () => {
      switch (call) {
        case 'get':
          return look(table, key)
        case 'has':
          return table.has(key)
        case 'delete':
          return table.delete(key)
        case 'size':
          return table.size
        case 'set':
          put(table, key, version)
          return undefined
        case 'insert':
          return table.insert(row(key, version))
        case 'replace': {
          const old = table.replace(row(key, version))
          return old === undefined ? 0 : versionOf(old, key)
        }
        case 'update':
          return change(table, key, version)
        case 'getOrInsert':
          return versionOf(
            table.getOrInsert(key, () => row(key, version)),
            key,
          )
        case 'deleteIf':
          return table.deleteIf(key, (item) => table.schema.get.version(arena, item) % 2 === 0)
      }
    })
  }
}

/** A thread that reports what it does. `versions` of different threads differ. */
export function actor(
  lib: Library,
  name: string,
  body: (perform: Perform, choose: (n: number) => number, hand: Hand) => void,
  near?: number,
): Thread<TableWorld> {
  return member(
    lib,
    name,
    (hand) => body(performer(hand, hand.control), (n) => hand.control.choose(n), hand),
    undefined,
    near,
  )
}

/** So many calls, each any of these, on any of these keys; with `near`, so many near copies. */
export function caller(
  lib: Library,
  name: string,
  calls: number,
  of: readonly Call[],
  keys: readonly number[],
  first: number,
  near?: number,
): Thread<TableWorld> {
  return actor(
    lib,
    name,
    (perform, choose) => {
      for (let i = 0; i < calls; i++) {
        const call = of[choose(of.length)] as Call
        perform(call, keys[choose(keys.length)] as number, first + i)
      }
    },
    near,
  )
}

/** A scene in which what all were answered has to be linearizable. */
export function judgedScene(lib: Library, name: string, of: Scene): Scenario<TableWorld> {
  return scene(lib, name, {
    holds: HOLDS,
    bucket: 1,
    ...of,
    judge: (table, { operations }) => {
      // What is there in the end is the answer of a last lookup.
      const start = Number.MAX_SAFE_INTEGER - 1
      const last = [a, b].map((key): Operation => {
        const result = look(table, key)
        return { thread: -1, call: 'get', args: [key], result, start, end: start + 1 }
      })
      assertLinearizable([...operations, ...last], tableSpec(of.holds ?? HOLDS))
    },
  })
}

export function historyScenarios(lib: Library): readonly Scenario<TableWorld>[] {
  const any = (...of: Parameters<typeof caller> extends [Library, ...infer Rest] ? Rest : never) =>
    caller(lib, ...of)
  const judged = (name: string, of: Scene) => judgedScene(lib, name, of)
  const resizer = member(lib, 'resizer', ({ table }) => table.resize(MORE_CHAINS))

  return [
    judged('linearizable: any two calls each on one key', {
      threads: [any('one', 2, MIXED, [a], 2), any('other', 2, MIXED, [a], 12)],
      rules: { bound: 2 },
    }),
    judged('linearizable: a call each on one of two keys, three threads', {
      threads: [
        any('one', 1, FEWER, [a, b], 2),
        any('other', 1, FEWER, [a, b], 12),
        any('third', 1, FEWER, [a, b], 22),
      ],
      rules: { bound: 1 },
    }),
    judged('linearizable: a change of one key beside any other', {
      threads: [any('one', 1, CHANGES, [a], 2), any('other', 1, [...CHANGES, ...FEWER], [a], 12)],
      rules: { bound: 2 },
    }),
    judged('linearizable: a change of one key while it is written twice', {
      threads: [any('one', 1, CHANGES, [a], 2), any('other', 2, ['set', 'delete'], [a], 12)],
      rules: { bound: 1 },
    }),
    judged('linearizable: three threads of two changes on two keys', {
      threads: [
        any('one', 2, [...CHANGES, ...MIXED], [a, b], 2),
        any('other', 2, [...CHANGES, ...MIXED], [a, b], 12),
        any('third', 2, [...CHANGES, ...MIXED], [a, b], 22),
      ],
      rules: { sample: { schedules: 20_000 } },
    }),
    judged('linearizable: three threads of three calls on two keys', {
      threads: [
        any('one', 3, MIXED, [a, b], 2),
        any('other', 3, MIXED, [a, b], 12),
        any('third', 3, MIXED, [a, b], 22),
      ],
      rules: { sample: { schedules: 30_000 } },
    }),
    judged('linearizable: two threads of two calls during a resize', {
      threads: [any('one', 2, MIXED, [a, b], 2), any('other', 2, MIXED, [a, b], 12), resizer],
      rules: { sample: { schedules: 30_000 } },
    }),
    {
      ...judged('not linearizable: size against two writers', {
        holds: [[a, 1]],
        threads: [
          actor(lib, 'reader', (perform) => perform('size', 0)),
          actor(lib, 'writer', (perform) => {
            perform('set', e, 1)
            perform('delete', a)
          }),
        ],
        rules: { bound: 2 },
      }),
      expect: 'fails',
    },
    {
      ...judged('not linearizable: size after a lookup', {
        threads: [
          actor(lib, 'reader', (perform) => {
            perform('get', b)
            perform('size', 0)
          }),
          actor(lib, 'writer', (perform) => perform('set', b, 2)),
        ],
        rules: { bound: 2 },
      }),
      expect: 'fails',
    },
  ]
}

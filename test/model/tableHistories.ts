/**
 * Linearizability of the shipped hash table: what several workers were answered must be explained by
 * one order of their calls on a plain Map.
 *
 * Programs are not listed by hand: each thread picks its next call with `control.choose`, so that an
 * exhaustive search covers all programs of that length, and a sample draws them. `size` is left out:
 * it adds up stripes one by one while writers go on, and a lookup may find a record that is not
 * counted yet. That it is *not* linearizable is a scenario of its own, which must fail.
 */

import { assertLinearizable } from './linearizable.ts'
import type { Scenario, Thread } from './scenario.ts'
import type { Library } from './stage.ts'
import { type Call, tableSpec } from './tableSpec.ts'
import {
  KEY,
  look,
  MORE_CHAINS,
  member,
  put,
  type Rows,
  type Scene,
  scene,
  type TableWorld,
} from './tableStage.ts'

const { a, b, e } = KEY
const HOLDS = [[a, 1] as const]
const MIXED: readonly Call[] = ['get', 'set', 'delete', 'has']
const FEWER: readonly Call[] = ['get', 'set', 'delete']

/** Performs one call as an operation of the history. */
type Perform = (call: Call, key: number, version?: number) => void

function performer(
  table: Rows,
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
      }
    })
  }
}

/** A thread that reports what it does. `versions` of different threads differ. */
function actor(
  lib: Library,
  name: string,
  body: (perform: Perform, choose: (n: number) => number) => void,
): Thread<TableWorld> {
  return member(lib, name, ({ table, control }) =>
    body(performer(table, control), (n) => control.choose(n)),
  )
}

export function historyScenarios(lib: Library): readonly Scenario<TableWorld>[] {
  /** So many calls, each any of these, on any of these keys. */
  const any = (
    name: string,
    calls: number,
    of: readonly Call[],
    keys: readonly number[],
    first: number,
  ): Thread<TableWorld> =>
    actor(lib, name, (perform, choose) => {
      for (let i = 0; i < calls; i++) {
        const call = of[choose(of.length)] as Call
        perform(call, keys[choose(keys.length)] as number, first + i)
      }
    })
  const judged = (name: string, of: Scene): Scenario<TableWorld> =>
    scene(lib, name, {
      holds: HOLDS,
      bucket: 1,
      ...of,
      judge: (_table, { operations }) =>
        assertLinearizable(operations, tableSpec(of.holds ?? HOLDS)),
    })
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

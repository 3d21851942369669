/**
 * Linearizability of the shipped ordered table: what several workers were answered must be explained by
 * one order of their calls on a sorted list. Each thread picks its calls with `control.choose`.
 *
 * `range` is left out, as `entries` is for the hash table: it has no single moment.
 */

import { assertLinearizable, deterministic, type Operation, type Spec } from './linearizable.ts'
import {
  type Hand,
  type Held,
  KEY,
  look,
  member,
  type OrderWorld,
  pack,
  put,
  type Rows,
  type Scene,
  scene,
} from './orderStage.ts'
import type { Scenario, Thread } from './scenario.ts'
import type { Library } from './stage.ts'

const { a, b, c, d, e, f, z } = KEY

export type Call =
  | 'get'
  | 'set'
  | 'delete'
  | 'floor'
  | 'ceiling'
  | 'lower'
  | 'higher'
  | 'first'
  | 'last'

type State = readonly (readonly [key: number, version: number])[]

const NEAREST: readonly Call[] = ['floor', 'ceiling', 'lower', 'higher']
const ALL: readonly Call[] = ['get', 'set', 'delete', ...NEAREST, 'first', 'last']
const WRITES: readonly Call[] = ['set', 'delete']

function call(table: Rows, what: Call, key: number, version: number): number | boolean | undefined {
  switch (what) {
    case 'get':
      return look(table, key)
    case 'set':
      put(table, key, version)
      return undefined
    case 'delete':
      return table.delete(key)
    case 'first':
    case 'last':
      return pack(table[what]())
    default:
      return pack(table[what](key))
  }
}

/** The table as it would be if only one worker used it. */
export function orderSpec(initial: Held): Spec<State> {
  const sorted = (state: State): State => state.toSorted(([one], [other]) => one - other)
  const packed = (row: State[number] | undefined): number =>
    row === undefined ? 0 : row[0] * 100 + row[1]
  return deterministic<State>(
    sorted(initial),
    (state, what, args) => {
      const [key, version] = args as readonly [number, number]
      const rest = state.filter(([each]) => each !== key)
      const answers = {
        get: () => state.find(([each]) => each === key)?.[1] ?? 0,
        floor: () => packed(state.findLast(([each]) => each <= key)),
        lower: () => packed(state.findLast(([each]) => each < key)),
        ceiling: () => packed(state.find(([each]) => each >= key)),
        higher: () => packed(state.find(([each]) => each > key)),
        first: () => packed(state[0]),
        last: () => packed(state.at(-1)),
      }
      if (what === 'set') return { state: sorted([...rest, [key, version]]), result: undefined }
      if (what === 'delete') return { state: rest, result: rest.length < state.length }
      return { state, result: answers[what as keyof typeof answers]() }
    },
    (state) => state.map((row) => row.join('=')).join(),
  )
}

/** Performs one call as an operation of the history. */
export function perform({ control, table }: Hand, what: Call, key: number, version: number): void {
  control.operation(what, [key, version], () => call(table, what, key, version))
}

export function orderHistories(lib: Library): readonly Scenario<OrderWorld>[] {
  /** So many calls, each any of these, on any of these keys. */
  const any = (
    name: string,
    calls: number,
    of: readonly Call[],
    keys: readonly number[],
    first: number,
  ): Thread<OrderWorld> =>
    member(lib, name, (hand) => {
      for (let i = 0; i < calls; i++) {
        const what = of[hand.control.choose(of.length)] as Call
        perform(hand, what, keys[hand.control.choose(keys.length)] as number, first + i)
      }
    })
  const these = (
    name: string,
    ...calls: readonly (readonly [Call, number, number?])[]
  ): Thread<OrderWorld> =>
    member(lib, name, (hand) => {
      for (const [what, key, version = 0] of calls) perform(hand, what, key, version)
    })
  const judged = (name: string, of: Scene & { readonly holds: Held }): Scenario<OrderWorld> =>
    scene(lib, name, {
      ...of,
      judge: (table, { operations }) => {
        // What is there in the end is the answer of last lookups.
        const start = Number.MAX_SAFE_INTEGER - 1
        const last = Object.values(KEY).map((key): Operation => {
          const result = look(table, key)
          return { thread: -1, call: 'get', args: [key], result, start, end: start + 1 }
        })
        assertLinearizable([...operations, ...last], orderSpec(of.holds))
      },
    })

  return [
    judged('ordered: linearizable: the nearest key while two others come and go', {
      holds: [
        [a, 1],
        [e, 1],
      ],
      threads: [
        any('reader', 1, [...NEAREST, 'first', 'last'], [b, c], 0),
        these('writer', ['set', b, 2], ['delete', a], ['set', d, 3], ['delete', b]),
      ],
      rules: { bound: 2 },
    }),
    judged('ordered: linearizable: a near key comes before a far one', {
      holds: [
        [c, 1],
        [f, 1],
        [d, 1],
      ],
      threads: [any('reader', 1, ['lower'], [c], 0), these('writer', ['set', a, 2], ['set', z, 3])],
      rules: { bound: 2 },
    }),
    judged('ordered: linearizable: a far key comes before the near one goes', {
      holds: [
        [a, 1],
        [c, 1],
        [f, 1],
        [d, 1],
      ],
      threads: [any('reader', 1, ['lower'], [c], 0), these('writer', ['set', z, 2], ['delete', a])],
      rules: { bound: 2 },
    }),
    judged('ordered: linearizable: a near key goes', {
      holds: [
        [a, 1],
        [c, 1],
        [f, 1],
      ],
      threads: [any('reader', 1, ['floor'], [b], 0), these('writer', ['delete', a])],
      rules: { bound: 2 },
    }),
    judged('ordered: linearizable: a near key comes before a far one, upwards', {
      holds: [
        [z, 1],
        [a, 1],
        [b, 1],
      ],
      threads: [
        any('reader', 1, ['higher'], [b], 0),
        these('writer', ['set', c, 2], ['set', d, 3]),
      ],
      rules: { bound: 2 },
    }),
    judged('ordered: linearizable: a near key goes, upwards', {
      holds: [
        [a, 1],
        [b, 1],
        [f, 1],
      ],
      threads: [any('reader', 1, ['ceiling'], [c], 0), these('writer', ['delete', f])],
      rules: { bound: 2 },
    }),
    judged('ordered: linearizable: keys that differ where no node does', {
      holds: [
        [a, 1],
        [b, 1],
      ],
      threads: [
        any('reader', 1, NEAREST, [z, d], 0),
        these('writer', ['set', c, 2], ['delete', b]),
      ],
      rules: { bound: 1 },
    }),
    judged('ordered: linearizable: the nearest key while the root changes', {
      holds: [[a, 1]],
      threads: [
        any('reader', 2, ['floor', 'ceiling', 'first', 'last'], [c], 0),
        these('writer', ['set', e, 2], ['delete', a], ['delete', e], ['set', b, 3]),
      ],
      rules: { bound: 2 },
    }),
    judged('ordered: linearizable: replaced while it is looked for', {
      holds: [
        [a, 1],
        [b, 1],
      ],
      threads: [
        any('reader', 2, ['floor', 'get', 'ceiling'], [b], 0),
        these('writer', ['set', b, 2], ['set', b, 3], ['set', b, 4]),
      ],
      rules: { bound: 2 },
    }),
    judged('ordered: linearizable: any two calls beside two writes', {
      holds: [
        [a, 1],
        [c, 1],
      ],
      threads: [any('one', 2, ALL, [a, b, d], 2), any('other', 2, WRITES, [a, b, c], 12)],
      rules: { sample: { schedules: 20_000 } },
    }),
    judged('ordered: linearizable: three threads of two calls', {
      holds: [
        [b, 1],
        [d, 1],
      ],
      threads: [
        any('one', 2, ALL, [a, b, c], 2),
        any('other', 2, ALL, [b, c, d], 12),
        any('third', 2, ALL, [a, d, e], 22),
      ],
      rules: { sample: { schedules: 30_000 } },
    }),
  ]
}

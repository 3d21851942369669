/**
 * Readers of the shipped ordered table against its writers, while nodes come and go under them.
 *
 * A reader detects a writer by a row that is torn, recycled or another key's (its sum), by a plain read
 * that races, by a key that was there throughout and is not found, and by an order that is none. In the
 * end every law of tree, records, nodes and pages must hold. Answers of the nearest key are judged by
 * histories: orderHistories.ts.
 */

import {
  type Hand,
  holds,
  KEY,
  look,
  lookAt,
  member,
  type OrderWorld,
  put,
  type Rows,
  scene,
} from './orderStage.ts'
import type { Scenario, Thread } from './scenario.ts'
import type { Library } from './stage.ts'

const { a, b, c, d, e } = KEY

export function orderScenarios(lib: Library): readonly Scenario<OrderWorld>[] {
  const reader = (body: (hand: Hand) => void): Thread<OrderWorld> => member(lib, 'reader', body)
  const writer = (body: (table: Rows) => void, name = 'writer'): Thread<OrderWorld> =>
    member(lib, name, ({ table }) => body(table))
  /** Two lookups of a key that is there throughout; its versions never go back. */
  const steady = (key: number): Thread<OrderWorld> =>
    reader(({ table }) => {
      let last = 1
      for (let i = 0; i < 2; i++) {
        const version = look(table, key)
        if (version < last) throw new Error(`key ${key}: version ${version} after ${last}`)
        last = version
      }
    })
  /** A look in place at what is nearest, some time, another look. */
  const patient = (key: number): Thread<OrderWorld> =>
    reader((hand) => {
      const { memory, table } = hand
      table.floorRead(key, (item) => {
        const first = lookAt(hand, item)
        memory.load(table.parts.at)
        const second = lookAt(hand, item)
        if (first !== second) throw new Error(`key ${key}: ${first}, then ${second}`)
      })
      table.read(key, (item) => lookAt(hand, item))
    })
  const walker = (always: readonly number[], reverse: boolean): Thread<OrderWorld> =>
    reader(({ table }) => {
      const met = [...table.range({ reverse })].map(({ key }) => key)
      const sorted = [...new Set(met)].sort((one, other) => (reverse ? other - one : one - other))
      if (met.join() !== sorted.join()) throw new Error(`in order: ${met.join()}`)
      const missed = always.filter((key) => !met.includes(key))
      if (missed.length > 0) throw new Error(`${missed.join()} was there throughout, and not met`)
    })
  /** Makes the node of a and b, hangs it below others, and lets it go; then others lie there. */
  const builder = (table: Rows): void => {
    put(table, b, 2)
    table.delete(b)
    put(table, d, 3)
    put(table, e, 4)
    table.delete(d)
  }

  return [
    scene(lib, 'ordered: lookup against replace', {
      holds: [
        [a, 1],
        [b, 1],
      ],
      threads: [
        steady(a),
        writer((table) => {
          for (let i = 0; i < 3; i++) put(table, a, 2 + i)
        }),
      ],
      rules: { bound: 2 },
      judge: (table) => holds(table, [a, 4], [b, 1]),
    }),
    scene(lib, 'ordered: lookup against nodes that come and go', {
      holds: [[a, 1]],
      threads: [steady(a), writer(builder)],
      rules: { bound: 2 },
      judge: (table) => holds(table, [a, 1], [b, 0], [d, 0], [e, 4]),
    }),
    scene(lib, 'ordered: lookup of a neighbour against a node that goes', {
      holds: [
        [a, 1],
        [b, 1],
        [d, 1],
      ],
      threads: [
        steady(b),
        writer((table) => {
          table.delete(a)
          put(table, c, 2)
          put(table, e, 3)
          table.delete(d)
        }),
      ],
      rules: { bound: 2 },
      judge: (table) => holds(table, [a, 0], [b, 1], [c, 2], [d, 0], [e, 3]),
    }),
    scene(lib, 'ordered: the nearest in place against insert and delete', {
      holds: [[b, 1]],
      threads: [
        patient(c),
        writer((table) => {
          put(table, a, 1)
          table.delete(b)
          put(table, c, 2)
          table.delete(a)
          put(table, a, 3)
        }),
      ],
      rules: { bound: 2 },
      judge: (table) => holds(table, [a, 3], [b, 0], [c, 2]),
    }),
    scene(lib, 'ordered: a walk upwards against writers', {
      holds: [
        [a, 1],
        [b, 1],
        [d, 1],
        [e, 1],
      ],
      threads: [
        walker([a, e], false),
        writer((table) => {
          put(table, a, 2)
          table.delete(b)
          table.delete(d)
          put(table, c, 3)
          put(table, d, 4)
        }),
      ],
      rules: { bound: 2 },
    }),
    scene(lib, 'ordered: a walk downwards against writers', {
      holds: [
        [a, 1],
        [b, 1],
        [c, 1],
        [d, 1],
      ],
      threads: [
        walker([b], true),
        writer((table) => {
          table.delete(a)
          table.delete(c)
          put(table, e, 1)
          table.delete(d)
          put(table, c, 2)
        }),
      ],
      rules: { bound: 2 },
    }),
    scene(lib, 'ordered: a walk while a slot is filled and emptied', {
      holds: [
        [a, 1],
        [b, 1],
        [c, 1],
      ],
      threads: [
        walker([a, c], false),
        writer((table) => {
          table.delete(b)
          put(table, b, 2)
          table.delete(b)
        }),
      ],
      rules: { bound: 3 },
    }),
    scene(lib, 'ordered: what a lookup has found a walk meets', {
      holds: [
        [a, 1],
        [c, 1],
      ],
      threads: [
        reader(({ table }) => {
          const before = look(table, b)
          const isMet = [...table.range()].some(({ key }) => key === b)
          const after = look(table, b)
          // It comes once and goes once: so it was there in between.
          if (!isMet && before !== 0 && after !== 0) throw new Error(`key ${b} was not met`)
        }),
        writer((table) => {
          put(table, b, 2)
          table.delete(b)
        }),
      ],
      rules: { bound: 3 },
    }),
    scene(lib, 'ordered: one reader, two writers of one node', {
      holds: [
        [a, 1],
        [b, 1],
      ],
      threads: [
        steady(a),
        writer((table) => {
          table.delete(b)
          put(table, c, 2)
        }, 'one'),
        writer((table) => {
          put(table, d, 3)
          put(table, a, 4)
        }, 'other'),
      ],
      rules: { bound: 1 },
      judge: (table) => holds(table, [a, 4], [b, 0], [c, 2], [d, 3]),
    }),
    scene(lib, 'ordered: two writers that need the same node', {
      holds: [[a, 1]],
      threads: [
        writer((table) => put(table, b, 2), 'one'),
        writer((table) => put(table, c, 3), 'other'),
        steady(a),
      ],
      rules: { bound: 2 },
      judge: (table) => holds(table, [a, 1], [b, 2], [c, 3]),
    }),
    scene(lib, 'ordered: two writers of one key', {
      holds: [[b, 1]],
      threads: [
        patient(a),
        writer((table) => {
          put(table, a, 2)
          put(table, a, 3)
        }, 'one'),
        writer((table) => {
          table.delete(a)
          put(table, a, 9)
        }, 'other'),
      ],
      rules: { bound: 1 },
      judge(table) {
        if (![3, 9].includes(look(table, a))) throw new Error(`key ${a}: the last write is lost`)
      },
    }),
    scene(lib, 'ordered: size against writers', {
      holds: [[a, 1]],
      threads: [
        reader(({ table }) => {
          const { size } = table
          if (size < 1 || size > 2) throw new Error(`size is ${size}`)
        }),
        writer((table) => {
          put(table, b, 1)
          table.delete(a)
        }),
      ],
      rules: { bound: 2 },
    }),
  ]
}

/**
 * Lookups of the shipped hash table against its writers.
 *
 * A reader detects a writer three times over: by a row that is torn or another key's (its sum), by
 * a plain read that races (the explorer's clocks), and by a key that was there throughout and is
 * not found. In the end every law of table, zone and pages must hold.
 *
 * Buckets of one or two send records around quickly: with one, the third version of a key lies where
 * the first one was.
 */

import type { Scenario, Thread } from './scenario.ts'
import type { Library } from './stage.ts'
import {
  type Hand,
  KEY,
  look,
  lookAt,
  member,
  put,
  type Rows,
  scene,
  type TableWorld,
} from './tableStage.ts'

const { a, b, c, d, e } = KEY
/** The first put hangs last. */
const CHAIN = [
  [a, 1],
  [b, 1],
  [c, 1],
] as const

/** Two lookups of a key that is there throughout; its versions never go back. */
export function steadyReader(lib: Library, key: number, times = 2): Thread<TableWorld> {
  return member(lib, 'reader', ({ table }) => {
    let last = 1
    for (let i = 0; i < times; i++) {
      const version = look(table, key)
      if (version === 0) throw new Error(`key ${key} was there throughout and was not found`)
      if (version < last) throw new Error(`key ${key}: version ${version} after ${last}`)
      last = version
    }
  })
}

/** A look in place, some time, another look. */
function patientReader(lib: Library, key: number): Thread<TableWorld> {
  return member(lib, 'reader', (hand) => {
    const { memory, table } = hand
    table.smr.read(() => {
      const item = table.find(key)
      if (item === 0) return
      const first = lookAt(hand, item, key)
      memory.load(table.parts.at)
      const second = lookAt(hand, item, key)
      if (first !== second) throw new Error(`key ${key}: version ${first}, then ${second}`)
    })
    table.has(key)
    table.read(key, (item) => lookAt(hand, item, key))
  })
}

export function writer(
  lib: Library,
  name: string,
  body: (table: Rows, hand: Hand) => void,
): Thread<TableWorld> {
  return member(lib, name, (hand) => body(hand.table, hand))
}

/** All scenarios of this file, on the shipped library or on a mutant of it. */
export function tableScenarios(lib: Library): readonly Scenario<TableWorld>[] {
  const replacer = (key: number, times: number): Thread<TableWorld> =>
    writer(lib, 'writer', (table) => {
      for (let i = 0; i < times; i++) put(table, key, 2 + i)
    })
  const neighbours = writer(lib, 'writer', (table) => {
    put(table, b, 2)
    table.delete(c)
    put(table, c, 3)
    table.delete(b)
  })

  return [
    scene(lib, 'lookup against replace', {
      holds: CHAIN,
      bucket: 1,
      threads: [steadyReader(lib, a), replacer(a, 4)],
      rules: { bound: 2 },
      judge: (table) => holds(table, [a, 5], [b, 1], [c, 1]),
    }),
    scene(lib, 'lookup against writers of its chain', {
      holds: CHAIN,
      bucket: 1,
      threads: [steadyReader(lib, a), neighbours],
      rules: { bound: 2 },
      judge: (table) => holds(table, [a, 1], [b, 0], [c, 3]),
    }),
    scene(lib, 'lookup in place against insert and delete', {
      holds: [[b, 1]],
      bucket: 1,
      threads: [
        patientReader(lib, a),
        writer(lib, 'writer', (table) => {
          put(table, a, 1)
          table.delete(a)
          put(table, a, 3)
          table.delete(b)
        }),
      ],
      rules: { bound: 2 },
      judge: (table) => holds(table, [a, 3], [b, 0]),
    }),
    scene(lib, 'one reader, two writers of its chain', {
      holds: CHAIN,
      threads: [
        steadyReader(lib, a),
        writer(lib, 'one', (table) => {
          put(table, a, 2)
          table.delete(c)
        }),
        writer(lib, 'other', (table) => {
          put(table, b, 2)
          put(table, d, 1)
        }),
      ],
      rules: { bound: 2 },
      judge: (table) => holds(table, [a, 2], [b, 2], [c, 0], [d, 1]),
    }),
    scene(lib, 'one reader, two writers of its key', {
      holds: CHAIN,
      bucket: 1,
      threads: [
        patientReader(lib, a),
        writer(lib, 'one', (table) => {
          put(table, a, 2)
          put(table, a, 3)
        }),
        writer(lib, 'other', (table) => {
          table.delete(a)
          put(table, a, 9)
        }),
      ],
      rules: { bound: 2 },
      judge(table) {
        if (![3, 9].includes(look(table, a))) throw new Error(`key ${a}: the last write is lost`)
      },
    }),
    scene(lib, 'two writers at the limit of the zone', {
      holds: [
        [a, 1],
        [b, 1],
      ],
      limit: 4,
      threads: [
        steadyReader(lib, b, 1),
        writer(lib, 'one', (table) => attempt(table, a, [2, 3])),
        writer(lib, 'other', (table) => attempt(table, a, [12, 13])),
      ],
      rules: { bound: 2 },
      judge: (table) => holds(table, [b, 1]),
    }),
    scene(lib, 'iteration against writers', {
      holds: [[d, 1], ...CHAIN, [e, 1]],
      threads: [
        member(lib, 'reader', ({ table }) => walk(table, [a, e])),
        writer(lib, 'writer', (table) => {
          put(table, a, 2)
          table.delete(b)
          put(table, e, 2)
          put(table, b, 3)
        }),
      ],
      rules: { bound: 2 },
    }),
    scene(lib, 'size against writers', {
      holds: [[a, 1]],
      threads: [
        member(lib, 'reader', ({ table }) => {
          for (let i = 0; i < 2; i++) {
            // One writer puts a row, then another in a later stripe, then takes the first out.
            const { size } = table
            if (size < 1 || size > 3) throw new Error(`size is ${size}`)
          }
        }),
        writer(lib, 'writer', (table) => {
          put(table, b, 1)
          put(table, e, 1)
          table.delete(a)
        }),
      ],
      rules: { bound: 2 },
      judge(table) {
        if (table.size !== 2) throw new Error(`size is ${table.size} in the end`)
      },
    }),
  ]
}

/** Throws unless these keys have these versions; 0: is not there. */
export function holds(table: Rows, ...rows: readonly (readonly [number, number])[]): void {
  for (const [key, version] of rows) {
    const found = look(table, key)
    if (found !== version) throw new Error(`key ${key} has version ${found}, not ${version}`)
  }
}

/** Iterates; every key of `always` must be met exactly once, no key twice, every row whole. */
export function walk(table: Rows, always: readonly number[]): void {
  const met: number[] = []
  for (const found of table.entries()) {
    if (found.sum === 0) throw new Error('no sum')
    if (met.includes(found.key)) throw new Error(`key ${found.key} was met twice`)
    met.push(found.key)
  }
  for (const key of always) {
    if (!met.includes(key)) throw new Error(`key ${key} was there throughout and was not met`)
  }
}

/** Puts versions one after the other; at the limit the table refuses, and nothing has changed. */
function attempt(table: Rows, key: number, versions: readonly number[]): void {
  for (const version of versions) {
    try {
      put(table, key, version)
    } catch (error) {
      if (!(error instanceof Error && error.name === 'Exhausted')) throw error
    }
  }
}

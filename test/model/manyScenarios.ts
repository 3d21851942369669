/**
 * Many keys at once: one section, and one call for all walks. What others may do to the chains is done
 * between each two of its accesses, also between one walk and the next.
 *
 * A key that is there throughout must be found, whole, and no older the second time. Which of two
 * answers is the newer one is not asked: each has a moment of its own.
 */

import type { Scenario, Thread } from './scenario.ts'
import type { Library } from './stage.ts'
import { holds, writer } from './tableScenarios.ts'
import {
  FEW_CHAINS,
  KEY,
  lookAt,
  lookMany,
  MORE_CHAINS,
  member,
  put,
  scene,
  type TableWorld,
} from './tableStage.ts'

const { a, b, c } = KEY
/** The first put hangs last. */
const CHAIN = [
  [a, 1],
  [b, 1],
  [c, 1],
] as const

/** Keys that are there throughout; the same one twice, as its second walk may meet another node. */
function reader(lib: Library, ...keys: readonly number[]): Thread<TableWorld> {
  return member(lib, 'reader', ({ table }) => {
    const versions = lookMany(table, keys)
    if (versions.includes(0)) throw new Error(`not all were found: ${versions}`)
    for (const [i, key] of keys.entries()) {
      const before = versions[keys.indexOf(key)] as number
      if ((versions[i] as number) < before) throw new Error(`key ${key}: ${versions}`)
    }
  })
}

/** All scenarios of this file, on the shipped library or on a mutant of it. */
export function manyScenarios(lib: Library): readonly Scenario<TableWorld>[] {
  const held = { holds: CHAIN, bucket: 1, rules: { bound: 2 } }
  const replacer = writer(lib, 'writer', (table) => {
    for (let i = 0; i < 3; i++) put(table, a, 2 + i)
  })
  return [
    scene(lib, 'many at once against replace', {
      ...held,
      threads: [reader(lib, a, b, a), replacer],
      judge: (table) => holds(table, [a, 4], [b, 1], [c, 1]),
    }),
    scene(lib, 'many at once against writers of their chain', {
      ...held,
      threads: [
        reader(lib, a, a),
        writer(lib, 'writer', (table) => {
          put(table, b, 2)
          table.delete(c)
          put(table, c, 3)
          table.delete(b)
        }),
      ],
      judge: (table) => holds(table, [a, 1], [b, 0], [c, 3]),
    }),
    scene(lib, 'many at once against three resizes', {
      ...held,
      threads: [
        reader(lib, a, c),
        writer(lib, 'resizer', (table) => {
          for (const size of [MORE_CHAINS, FEW_CHAINS, MORE_CHAINS]) table.resize(size)
        }),
      ],
      judge: (table) => holds(table, ...CHAIN),
    }),
    scene(lib, 'many in place against replace, and whether they are there', {
      ...held,
      threads: [
        member(lib, 'reader', (hand) => {
          const { table } = hand
          const found = table.readMany([a, KEY.d, a], (item) => lookAt(hand, item, a))
          if (found[0] === undefined || found[1] !== undefined || found[2] === undefined) {
            throw new Error(`found ${found}`)
          }
          const there = table.hasMany([KEY.d, a]).join()
          if (there !== 'false,true') throw new Error(`there are ${there}`)
        }),
        replacer,
      ],
      judge: (table) => holds(table, [a, 4], [b, 1], [c, 1]),
    }),
  ]
}

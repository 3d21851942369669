/**
 * `has`, whose whole section may be one call: it publishes, walks and lets go by itself. What others
 * may do to its chain is done between each two of its accesses.
 *
 * A key that is there throughout must be found. A reader that is not protected is detected by a
 * race: it looks at the hash of a node that is being written again, or at an array of chains that is.
 */

import type { Memory } from '#src/memory/memory.ts'
import type { Scenario, Thread } from './scenario.ts'
import type { Library } from './stage.ts'
import { writer } from './tableScenarios.ts'
import {
  FEW_CHAINS,
  type Hand,
  KEY,
  MORE_CHAINS,
  member,
  put,
  type Rows,
  STAGE,
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

/** Steps of the clock so large that three of them are a long sleep, and eleven half the circle. */
const STRIDE = 190_000_000
const SLEEP = 3
const HALF = Math.ceil(2 ** 31 / STRIDE)
const CIRCLE = { ...STAGE, sequence: { first: 2 ** 31 - 300_000_001, step: STRIDE } }

function finds(table: Rows, key: number): void {
  if (!table.has(key)) throw new Error(`key ${key} was there throughout and was not found`)
}

/** Asks for each of these, one section each. */
function asker(lib: Library, ...keys: readonly number[]): Thread<TableWorld> {
  return member(lib, 'reader', ({ table }) => {
    for (const key of keys) finds(table, key)
  })
}

/** So many steps of the clock, each with a poll; then the first node of the chain is used again. */
function goRoundAndReuse({ table }: Hand, steps: number): void {
  for (let i = 0; i < steps; i++) table.smr.poll(table.smr.advance())
  table.delete(c)
  table.zone.seal()
  put(table, c, 2)
}

/** All scenarios of this file, on the shipped library or on a mutant of it. */
export function hasScenarios(lib: Library): readonly Scenario<TableWorld>[] {
  const replacer = (key: number, times: number): Thread<TableWorld> =>
    writer(lib, 'writer', (table, { arena }) => {
      for (let i = 0; i < times; i++) put(table, key, 2 + i)
      arena.detach()
    })
  const held = { holds: CHAIN, bucket: 1, rules: { bound: 2 } }
  const ofTurns = { ...held, domain: { sections: 'turn' } } as const
  const endTurn = ({ arena }: Hand): void => arena.space.turn.letGo()

  return [
    scene(lib, 'has against replace', {
      ...held,
      threads: [asker(lib, a, a), replacer(a, 4)],
      judge({ zone }) {
        // The writer has left, and so has the reader its section, though not the arena.
        const { remaining } = zone.reclaim('all', { timeoutMs: 0 })
        if (remaining > 0) throw new Error(`${remaining} free items do not come back`)
      },
    }),
    scene(lib, 'has against writers of its chain', {
      ...held,
      threads: [
        asker(lib, a),
        writer(lib, 'writer', (table) => {
          put(table, b, 2)
          table.delete(c)
          put(table, c, 3)
          table.delete(b)
        }),
      ],
    }),
    scene(lib, 'has against three resizes', {
      ...held,
      threads: [
        asker(lib, a),
        writer(lib, 'resizer', (table) => {
          for (const size of [MORE_CHAINS, FEW_CHAINS, MORE_CHAINS]) table.resize(size)
        }),
      ],
    }),
    scene(lib, 'has sleeps for a quarter of the circle', {
      ...held,
      stage: CIRCLE,
      threads: [asker(lib, a), member(lib, 'writer', (hand) => goRoundAndReuse(hand, SLEEP))],
    }),
    scene(lib, 'has sleeps for half the circle', {
      ...held,
      stage: CIRCLE,
      threads: [asker(lib, a), member(lib, 'writer', (hand) => goRoundAndReuse(hand, HALF))],
      rules: { bound: 3 },
    }),
    scene(lib, 'has in turn sections', {
      ...ofTurns,
      threads: [
        member(lib, 'reader', (hand) => {
          finds(hand.table, a)
          // The second one is covered by what the first one has published.
          finds(hand.table, a)
          endTurn(hand)
          finds(hand.table, a)
          endTurn(hand)
        }),
        replacer(a, 3),
      ],
      rules: { bound: 1, hostile: true },
    }),
    scene(lib, 'has inside a section', {
      ...held,
      threads: [
        member(lib, 'reader', ({ memory, table }) => {
          table.smr.read(() => {
            const item = table.find(a)
            const first = hashOf(memory, table, item)
            finds(table, a)
            if (hashOf(memory, table, item) !== first) throw new Error('the item was used again')
          })
        }),
        replacer(a, 3),
      ],
    }),
  ]
}

function hashOf(memory: Memory, { parts }: Rows, item: number): number {
  return memory.peek(item + parts.chains.behind)
}

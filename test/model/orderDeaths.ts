/**
 * Deaths and exceptions in the shipped ordered table: a worker stops for ever after any of its steps, or
 * one of its calls fails and it goes on.
 *
 * Rows that it did not touch are there, whole and unchanged; the one it touched is old or new; the next
 * owner of the lock counts again, and lets walks for the nearest key trust what they find. Nobody is
 * blocked; at most a record and a node are lost. In the end all have left, and all that was freed must
 * come back.
 */

import {
  build,
  describe,
  finalTable,
  type Hand,
  holds,
  KEY,
  type Knobs,
  look,
  member,
  type OrderWorld,
  pack,
  put,
  type Rows,
  STAGE,
} from './orderStage.ts'
import { type Scenario, scenario, type Thread } from './scenario.ts'
import type { Library } from './stage.ts'
import { assertHoldsNothing, endTurn, endTurnIfCut } from './world.ts'

const { a, b, c, d, e } = KEY
export const VICTIM = 'victim'
const SURVIVOR = 'survivor'
const VICTIM_SLOT = 0

/** What is there at first, besides what an action puts before. */
const HELD = [
  [b, 1],
  [d, 1],
] as const

interface Action extends Knobs {
  readonly name: string
  /** Before it begins; `HELD` are there already. */
  readonly before?: (table: Rows) => void
  readonly body: (hand: Hand) => void
  /** What the table may hold for the key `a` afterwards. */
  readonly versions: readonly number[]
}

const withA = (table: Rows): void => put(table, a, 1)

const ACTIONS: readonly Action[] = [
  {
    name: 'insert that splits',
    body: ({ table }) => put(table, a, 2),
    versions: [0, 2],
  },
  {
    name: 'insert into a slot',
    before: (table) => put(table, c, 1),
    body: ({ table }) => put(table, a, 2),
    versions: [0, 2],
  },
  { name: 'replace', before: withA, body: ({ table }) => put(table, a, 2), versions: [1, 2] },
  {
    name: 'delete that collapses',
    before: withA,
    body: ({ table }) => table.delete(a),
    versions: [0, 1],
  },
  {
    name: 'delete from a slot',
    before(table) {
      withA(table)
      put(table, c, 1)
    },
    body: ({ table }) => table.delete(a),
    versions: [0, 1],
  },
  {
    name: 'two writes, buckets full',
    before: withA,
    body({ table }) {
      table.delete(a)
      put(table, a, 2)
    },
    versions: [0, 1, 2],
  },
  {
    name: 'update',
    before: withA,
    body: ({ table }) => void table.update(a, (old) => old && { ...old }),
    versions: [1],
  },
  { name: 'get', before: withA, body: ({ table }) => void look(table, a), versions: [1] },
  { name: 'floor', before: withA, body: ({ table }) => void pack(table.floor(c)), versions: [1] },
  { name: 'range', before: withA, body: ({ table }) => void [...table.range()], versions: [1] },
]

/** What somebody finds and does who comes after. */
function goOn({ arena, table }: Hand, versions: readonly number[]): void {
  holds(table, [b, 1], [d, 1])
  const found = look(table, a)
  if (!versions.includes(found)) throw new Error(`key ${a} has version ${found}`)
  const below = table.lower(b)?.key ?? 0
  if (below !== (found === 0 ? 0 : a)) throw new Error(`below ${b} is ${below}`)
  if (table.size !== table.items().length) {
    throw new Error(`${table.size} records by count, ${table.items().length} by walk`)
  }
  put(table, a, 7)
  put(table, e, 1)
  if (table.last()?.key !== e) throw new Error(`${e} is not the last`)
  table.delete(e)
  holds(table, [a, 7], [b, 1], [d, 1])
  arena.detach()
}

function finale(lib: Library, memory: Parameters<typeof finalTable>[1]): void {
  const table = finalTable(lib, memory)
  holds(table, [a, 7], [b, 1], [d, 1])
  for (const zone of [table.zone, table.nodes]) {
    const { remaining } = zone.reclaim('all', { timeoutMs: 0 })
    if (remaining > 0) throw new Error(`${zone.name}: ${remaining} free items do not come back`)
  }
}

/** The victim is `victim`; meant for `proveAtEveryStep(it, 'victim')`. */
export function orderDeaths(lib: Library): readonly Scenario<OrderWorld>[] {
  const bystander = member(lib, 'bystander', ({ arena, table }) => {
    const found = pack(table.floor(b))
    if (found !== b * 100 + 1) throw new Error(`floor of ${b} is ${found}`)
    put(table, c, 5)
    holds(table, [b, 1], [c, 5], [d, 1])
    arena.detach()
  })
  const death = (
    { before, body, name, versions, ...knobs }: Action,
    others: readonly Thread<OrderWorld>[] = [],
  ): Scenario<OrderWorld> =>
    scenario<OrderWorld>({
      name: `ordered: death in ${name}${others.length > 0 ? ', others go on' : ''}`,
      words: STAGE.words,
      setup: (memory) => build(lib, memory, knobs, HELD, before),
      threads: [
        member(lib, VICTIM, body),
        member(
          lib,
          'rescuer',
          (hand) => {
            lib.reapSlot(hand.arena.space, VICTIM_SLOT)
            goOn(hand, versions)
          },
          VICTIM,
        ),
        ...others,
      ],
      final: (memory) => finale(lib, memory),
      describe: (at, world) => describe(at - world.at),
      rules: others.length > 0 ? { sample: { schedules: 40 } } : { bound: 0 },
    })
  const accompanied = ['insert that splits', 'delete that collapses', 'delete from a slot']
  return [
    ...ACTIONS.map((action) => death(action)),
    ...ACTIONS.filter(({ name }) => accompanied.includes(name)).map((action) =>
      death(action, [bystander]),
    ),
  ]
}

/** The victim's, and that of its reaper: what the victim had in its hands is settled by two. */
export function orderTwoDeaths(lib: Library): readonly Scenario<OrderWorld>[] {
  const twice = ['insert that splits', 'delete that collapses']
  return ACTIONS.filter(({ name }) => twice.includes(name)).map(
    ({ before, body, name, versions, ...knobs }) =>
      scenario<OrderWorld>({
        name: `ordered: death in ${name}, then death of the reaper`,
        words: STAGE.words,
        setup: (memory) => build(lib, memory, knobs, HELD, before),
        threads: [
          member(lib, VICTIM, body),
          member(lib, 'rescuer', ({ arena }) => lib.reapSlot(arena.space, VICTIM_SLOT), VICTIM),
          member(
            lib,
            'heir',
            (hand) => {
              lib.reapSlot(hand.arena.space, VICTIM_SLOT)
              lib.reapSlot(hand.arena.space, VICTIM_SLOT + 1)
              goOn(hand, versions)
            },
            'rescuer',
          ),
        ],
        final: (memory) => finale(lib, memory),
        describe: (at, world) => describe(at - world.at),
        rules: { bound: 0 },
      }),
  )
}

/** Let a call of `survivor` fail. */
export function orderThrows(lib: Library): readonly Scenario<OrderWorld>[] {
  return ACTIONS.map(({ before, body, name, versions, ...knobs }) =>
    scenario<OrderWorld>({
      name: `an exception in ordered table: ${name}`,
      words: STAGE.words,
      setup: (memory) => build(lib, memory, knobs, HELD, before),
      threads: [
        member(lib, SURVIVOR, (hand) => {
          hand.control.attempt(() => body(hand))
          endTurnIfCut(hand.control, hand.arena)
          const { table } = hand
          put(table, c, 6)
          table.delete(c)
          holds(table, [b, 1], [d, 1])
          endTurn(hand.arena)
          assertHoldsNothing(hand.memory, hand)
          hand.arena.detach()
        }),
        member(
          lib,
          'heir',
          (hand) => {
            put(hand.table, c, 5)
            goOn(hand, versions)
          },
          SURVIVOR,
        ),
      ],
      final: (memory) => finale(lib, memory),
      describe: (at, world) => describe(at - world.at),
      rules: { bound: 0 },
    }),
  )
}

/**
 * Records that are held, for the explorer: against those who replace and delete them and use memory
 * again, against another who lets go, and deaths and exceptions in between.
 *
 * Buckets have one record, so what is freed is used again at once. A row shows by its sum whether it is
 * whole, and its version must be the same at each look for as long as it is held.
 */

import type { Scenario, Thread } from './scenario.ts'
import type { Library } from './stage.ts'
import { deathScene, HELD } from './tableDeathStage.ts'
import {
  type Hand,
  KEY,
  member,
  put,
  type Rows,
  row,
  scene,
  type TableWorld,
  versionOf,
} from './tableStage.ts'
import { assertHoldsNothing, endTurn, endTurnIfCut } from './world.ts'

const { a, b, c, f } = KEY
const HOLDS = 1
const KNOBS = { bucket: 1, mayHold: HOLDS }
/** A death in the middle of holding or of letting go may lose the row. */
const MAY_LOSE = { ...KNOBS, leaks: 1 }
/** As many writes as make a worker look for those that are gone. */
const MANY = 33

type Held = ReturnType<Rows['hold']>

/** The version that a held row has; it must be this one, if one is given. */
function versionIn(held: Held, key: number, before?: number): number {
  if (held === undefined) return 0
  const version = versionOf(held.get(), key)
  if (before !== undefined && before !== version) {
    throw new Error(`the row that is held had version ${before}, and has ${version}`)
  }
  return version
}

/** Holds the row, looks at it some times, and lets go. */
function hold({ table }: Pick<Hand, 'table'>, key: number, looks = 2): number {
  const held = table.hold(key)
  const version = versionIn(held, key)
  for (let i = 1; i < looks; i++) versionIn(held, key, version)
  held?.release()
  return version
}

/** Everything is in the table or free. */
function nothingIsLeft(table: Rows, leaks = 0): void {
  const held = table.parts.holds?.held().length
  if (held !== 0) throw new Error(`${held} are held in the end`)
  const lost = table.zone.stats().live - table.size
  if (lost < 0 || lost > leaks) throw new Error(`${lost} rows are neither in the table nor free`)
}

// ---- two and three at the same time --------------------------------------------------------------

export function holdScenarios(lib: Library): readonly Scenario<TableWorld>[] {
  const judged = (
    name: string,
    threads: readonly Thread<TableWorld>[],
    bound: number,
  ): Scenario<TableWorld> =>
    scene(lib, name, {
      ...KNOBS,
      holds: [
        [a, 1],
        [b, 1],
      ],
      threads,
      judge: (table) => nothingIsLeft(table),
      rules: { bound },
    })
  const holder = (name: string, looks = 2): Thread<TableWorld> =>
    member(lib, name, (hand) => hold(hand, a, looks))
  const writer = (body: (table: Rows) => void): Thread<TableWorld> =>
    member(lib, 'writer', ({ table }) => body(table))
  return [
    judged(
      'holds: against a replacement, and who uses its memory',
      [
        holder('holder'),
        writer((table) => {
          put(table, a, 2)
          put(table, b, 2)
          put(table, b, 3)
        }),
      ],
      3,
    ),
    judged(
      'holds: against a deletion, and the next row of that key',
      [
        holder('holder'),
        writer((table) => {
          table.delete(a)
          put(table, a, 3)
          put(table, b, 2)
        }),
      ],
      3,
    ),
    judged(
      'holds: two let go of what a third deletes',
      [holder('one', 1), holder('other', 1), writer((table) => table.delete(a))],
      2,
    ),
    judged(
      'holds: twice, against two who replace',
      [
        member(lib, 'holder', (hand) => {
          hold(hand, a)
          hold(hand, a)
        }),
        writer((table) => put(table, a, 2)),
        member(lib, 'deleter', ({ table }) => void table.delete(a)),
      ],
      1,
    ),
    judged(
      'holds: the holder itself replaces and deletes',
      [
        member(lib, 'holder', ({ table }) => {
          const held = table.hold(a)
          const before = versionIn(held, a)
          put(table, a, 5)
          table.delete(a)
          put(table, b, 5)
          versionIn(held, a, before)
          held?.release()
        }),
        writer((table) => {
          put(table, a, 2)
          put(table, b, 2)
        }),
      ],
      2,
    ),
  ]
}

// ---- deaths --------------------------------------------------------------------------------------

interface Deed {
  readonly name: string
  readonly act: (hand: Hand) => void
  /** Versions of `a` that may be found afterwards. */
  readonly versions: readonly number[]
}

const DEEDS: readonly Deed[] = [
  { name: 'hold', act: (hand) => void hand.table.hold(a), versions: [1] },
  { name: 'hold and release', act: (hand) => void hold(hand, a), versions: [1] },
  {
    name: 'replacing what it holds',
    act: ({ table }) => {
      const held = table.hold(a)
      put(table, a, 2)
      held?.release()
    },
    versions: [1, 2],
  },
  {
    name: 'deleting what was held',
    act: ({ table }) => {
      table.hold(a)?.release()
      table.delete(a)
    },
    versions: [1, 0],
  },
]

/** Holds work, and after some writes nothing of what others held is left. */
function goOn({ table }: Hand): void {
  for (let i = 0; i < MANY; i++) put(table, b, 10 + i)
  const held = table.hold(b)
  put(table, b, 1)
  versionIn(held, b, 9 + MANY)
  held?.release()
}

/** `goOn`, and nobody else is there. */
function goOnAlone(hand: Hand): void {
  goOn(hand)
  const held = hand.table.parts.holds?.held().length
  if (held !== 0) throw new Error(`${held} are held in the end`)
}

/** The victim is `victim`; for `proveAtEveryStep`. */
export function holdDeaths(lib: Library): readonly Scenario<TableWorld>[] {
  const scenes = DEEDS.map(({ name, act, versions }) =>
    deathScene(lib, `death in ${name}, of rows that are held`, {
      ...MAY_LOSE,
      dies: act,
      versions,
      next: goOnAlone,
    }),
  )
  const beside = deathScene(lib, 'a holder dies beside another who holds the same row', {
    ...MAY_LOSE,
    dies: ({ table }) => {
      const held = table.hold(a)
      put(table, a, 2)
      held?.release()
    },
    versions: [1, 2],
    others: [
      member(lib, 'keeper', (hand) => {
        hold(hand, a)
        hand.arena.detach()
      }),
    ],
    next: goOn,
    rules: { bound: 0, sample: { schedules: 10 } },
  })
  const two = deathScene(lib, 'death in deleting two that it holds, of rows that are held', {
    ...MAY_LOSE,
    mayHold: 2,
    before: (table) => {
      put(table, c, 1)
      put(table, f, 1)
    },
    dies: ({ table }) => {
      for (const key of [c, f]) {
        table.hold(key)
        table.delete(key)
      }
    },
    next: goOnAlone,
  })
  return [...scenes, two, beside]
}

// ---- exceptions ----------------------------------------------------------------------------------

/** A call of the survivor's fails; for `proveWithThrowAtEveryStep`. */
export function holdThrows(lib: Library): readonly Scenario<TableWorld>[] {
  return DEEDS.map(({ name, act }) =>
    scene(lib, `an exception in table: ${name}, of rows that are held`, {
      ...KNOBS,
      // It may be left with a hold.
      mayHold: 2,
      holds: HELD,
      threads: [
        member(lib, 'survivor', (hand) => {
          const { control } = hand
          control.attempt(() => act(hand))
          endTurnIfCut(control, hand.arena)
          goOn(hand)
          endTurn(hand.arena)
          assertHoldsNothing(hand.memory, hand)
          hand.arena.detach()
        }),
        member(
          lib,
          'heir',
          (hand) => {
            goOn(hand)
            hand.table.delete(a)
            hand.table.set(row(a, 1))
            hand.arena.detach()
          },
          'survivor',
        ),
      ],
      judge: (table) => nothingIsLeft(table, 1),
      leaks: 1,
      rules: { bound: 0 },
    }),
  )
}

/**
 * Deaths and exceptions in the middle of a change to a record with atomic fields: the record stays
 * sealed, wholly or in part, with its lock held or not, and everybody must be able to go on: readers at
 * once, additions and writers when the dead worker is reaped.
 */

import type { Scenario, Thread } from './scenario.ts'
import type { Library } from './stage.ts'
import {
  answer,
  anyOf,
  type CountCall,
  type CountHand,
  type Counts,
  count,
  counter,
  countScene,
  judgedCounts,
  perform,
} from './tableCounts.ts'
import { KEY, type TableWorld } from './tableStage.ts'
import { assertHoldsNothing, endTurn, endTurnIfCut } from './world.ts'

const { a, b } = KEY
const VICTIM = 0
const SURVIVOR = 'survivor'
const HELD = [
  [a, 5],
  [b, 3],
] as const

interface Deed {
  readonly name: string
  readonly call: CountCall
  readonly n?: number
  readonly m?: number
  /** Hits of `a` that may be found when it did not come back; -1: it is not there. */
  readonly leaves: readonly number[]
  /** Whether somebody has sealed `a` before. */
  readonly isSealed?: boolean
}

const DEEDS: readonly Deed[] = [
  { name: 'set', call: 'set', n: 40, leaves: [5, 40] },
  { name: 'update', call: 'double', leaves: [5, 10] },
  { name: 'replace', call: 'replace', n: 60, leaves: [5, 60] },
  { name: 'delete', call: 'delete', leaves: [5, -1] },
  { name: 'deleteIf', call: 'deleteIf', leaves: [5, -1] },
  { name: 'update of a sealed record', call: 'double', leaves: [5, 10], isSealed: true },
  { name: 'add', call: 'add', n: 1, leaves: [5, 6] },
  { name: 'add to a sealed record', call: 'add', n: 1, leaves: [5, 6], isSealed: true },
  {
    name: 'exchange in a sealed record',
    call: 'exchange',
    n: 5,
    m: 8,
    leaves: [5, 8],
    isSealed: true,
  },
]

/** Seals the record of `a`, as somebody who asks for a moment does. */
function seal(table: Counts): void {
  const { writer } = table as unknown as { readonly writer: { claim(key: number): number } }
  writer.claim(a)
}

/** What is there is one of these; reading it does not wait for anybody. */
function found(table: Counts, leaves: readonly number[]): number {
  const record = table.get(a)
  const hits = record?.hits ?? -1
  if (!leaves.includes(hits)) throw new Error(`key ${a} has ${hits} hits`)
  if (record !== undefined && record.marks !== 0) throw new Error(`${record.marks} marks`)
  return hits
}

/** Every verb works on what is there, and answers as it should. */
function goOn({ arena, table }: CountHand, leaves: readonly number[]): void {
  let hits = found(table, leaves)
  const expect = (what: string, is: unknown, wanted: unknown): void => {
    if (is !== wanted) throw new Error(`${what}: ${String(is)}, not ${String(wanted)}`)
  }
  if (hits === -1) {
    expect('add', table.add(a, 'hits', 1), undefined)
    table.set(count(a, 7))
    hits = 7
  }
  expect('add', table.add(a, 'hits', 2), hits + 2)
  expect('mark', table.add(a, 'marks', 1), 1)
  expect('exchange', table.compareExchange(a, 'hits', hits + 2, hits), hits + 2)
  expect('update', table.update(a, (old) => old && count(a, old.hits + old.marks))?.hits, hits + 1)
  const isOdd = (hits + 1) % 2 === 1
  const { schema } = table
  expect(
    'deleteIf',
    table.deleteIf(a, (item) => schema.get.hits(arena, item) % 2 === 1),
    isOdd,
  )
  table.set(count(a, 1))
  expect('other key', table.get(b)?.hits, 3)
}

function inTheEnd(table: Counts): void {
  if (table.get(a)?.hits !== 1 || table.size !== 2) throw new Error('a write is lost')
  const { remaining } = table.zone.reclaim('all', { timeoutMs: 0 })
  if (remaining > 0) throw new Error(`${remaining} free items do not come back`)
}

/** The victim is `victim`; for `proveAtEveryStep`. */
export function countDeaths(lib: Library): readonly Scenario<TableWorld>[] {
  const rescuer = (leaves: readonly number[]): Thread<TableWorld> =>
    counter(
      lib,
      'rescuer',
      (hand) => {
        found(hand.table, leaves)
        lib.reapSlot(hand.arena.space, VICTIM)
        goOn(hand, leaves)
        hand.arena.detach()
      },
      'victim',
    )
  const deaths = DEEDS.map(({ name, call, n, m, leaves, isSealed = false }) =>
    countScene(lib, `death in ${name}, of atomic fields`, {
      holds: HELD,
      before: (table) => isSealed && seal(table),
      threads: [counter(lib, 'victim', (hand) => perform(hand, call, a, n, m)), rescuer(leaves)],
      judge: inTheEnd,
      rules: { bound: 0 },
    }),
  )
  return [...deaths, history(lib)]
}

/** Whatever the victim was at, what the others are answered must be explained. */
function history(lib: Library): Scenario<TableWorld> {
  return judgedCounts(lib, 'linearizable: one of three dies, of atomic fields', {
    holds: HELD,
    threads: [
      anyOf(lib, 'victim', 1, [['set', 40], ['double'], ['fold'], ['deleteIf'], ['add', 1]]),
      counter(
        lib,
        'rescuer',
        (hand) => {
          perform(hand, 'get', a)
          lib.reapSlot(hand.arena.space, VICTIM)
          perform(hand, 'add', a, 2)
          perform(hand, 'fold', a)
        },
        'victim',
      ),
      anyOf(lib, 'adder', 2, [['add', 1], ['mark', 1], ['get']]),
    ],
    rules: { sample: { schedules: 60 } },
  })
}

/** A call of the survivor's fails; for `proveWithThrowAtEveryStep`. */
export function countThrows(lib: Library): readonly Scenario<TableWorld>[] {
  return DEEDS.map(({ name, call, n, m, leaves, isSealed = false }) =>
    countScene(lib, `an exception in table: ${name}, of atomic fields`, {
      holds: HELD,
      before: (table) => isSealed && seal(table),
      threads: [
        counter(lib, SURVIVOR, (hand) => {
          const { control } = hand
          control.attempt(() => void answer(hand, call, a, n, m))
          endTurnIfCut(control, hand.arena)
          goOn(hand, leaves)
          endTurn(hand.arena)
          assertHoldsNothing(hand.memory, hand)
          hand.arena.detach()
        }),
        counter(
          lib,
          'heir',
          (hand) => {
            goOn(hand, [1])
            hand.arena.detach()
          },
          SURVIVOR,
        ),
      ],
      judge: inTheEnd,
      rules: { bound: 0 },
    }),
  )
}

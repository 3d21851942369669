/**
 * Tables with atomic fields for the explorer: additions in place against whoever replaces or removes the
 * record, judged by a plain Map.
 *
 * A record has two atomic fields, so that a writer has two to seal, and half of it can be done. What is
 * read of a record in one go is one of them, for a copy of both is made field by field; but `fold` sees
 * both, and so must be an update that nobody comes between.
 */

import type { Arena, Item } from '#src/index.ts'
import type { Memory } from '#src/memory/memory.ts'
import { SEAL } from '#src/record/atomic.ts'
import type { RecordWriter } from '#src/table/verbs.ts'
import type { Control } from './history.ts'
import { assertLinearizable, deterministic, type Operation, type Spec } from './linearizable.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { join, type Library, raise } from './stage.ts'
import { describe, FEW_CHAINS, KEY, MORE_CHAINS, STAGE, type TableWorld } from './tableStage.ts'

const NAME = 'counts'
const { a, b } = KEY
const SEALED = SEAL >>> 0

// ---- the table -------------------------------------------------------------------------------

function schemaOf(lib: Library) {
  return lib.record({ key: lib.u32, hits: lib.atomic(lib.u32), marks: lib.atomic(lib.u32) })
}

export function openCounts(lib: Library, arena: Arena) {
  return lib.HashTable.open(arena, NAME, { record: schemaOf(lib), key: 'key' })
}

export type Counts = ReturnType<typeof openCounts>

export function count(key: number, hits: number, marks = 0) {
  return { key, hits, marks }
}

export interface CountHand {
  readonly memory: Memory
  readonly control: Control
  readonly arena: Arena
  readonly table: Counts
}

export function counter(
  lib: Library,
  name: string,
  body: (hand: CountHand) => unknown,
  after?: string,
): Thread<TableWorld> {
  return thread<TableWorld, Pick<CountHand, 'arena' | 'table'>>({
    name,
    ...(after === undefined ? {} : { after }),
    prepare(memory) {
      const arena = join(lib, memory)
      arena.space.turn.schedule = () => {}
      return { arena, table: openCounts(lib, arena) }
    },
    body: (memory, control, prepared) => body({ ...prepared, memory, control }),
  })
}

export interface CountScene {
  /** Hits by key in the beginning. */
  readonly holds?: readonly (readonly [key: number, hits: number])[]
  readonly bucket?: number
  readonly before?: (table: Counts) => unknown
  readonly threads: readonly Thread<TableWorld>[]
  readonly judge?: (
    table: Counts,
    ending: Parameters<NonNullable<Scenario<TableWorld>['final']>>[2],
  ) => void
  readonly rules?: Scenario['rules']
}

/** In the end every law holds, and every number can be added to. */
export function countScene(lib: Library, name: string, of: CountScene): Scenario<TableWorld> {
  const { holds = [[a, 5]], bucket = 1, before, threads, judge, rules } = of
  return scenario<TableWorld>({
    name,
    words: STAGE.words,
    setup: (memory) =>
      raise(lib, memory, STAGE, (arena) => {
        const record = schemaOf(lib)
        const options = {
          record,
          key: 'key',
          capacity: FEW_CHAINS,
          stripes: 4,
          seed: 0,
          bucket,
        } as const
        const table = lib.HashTable.create(arena, NAME, options)
        for (const [key, hits] of holds) table.set(count(key, hits))
        before?.(table)
        return { at: table.parts.at }
      }),
    threads,
    final(memory, _results, ending) {
      const arena = join(lib, memory)
      const table = openCounts(lib, arena)
      lib.checkTable(table)
      table.zone.check()
      lib.checkPages(memory, arena.space.pages)
      const { leaked } = table.zone.audit(table.items())
      if (leaked.length > 0) throw new Error(`lost: ${leaked.join()}`)
      judge?.(table, ending)
      for (const { key, hits } of [...table]) {
        const sum = table.add(key, 'hits', 1)
        if (sum !== (hits + 1) >>> 0) throw new Error(`key ${key}: ${hits} and 1 is ${sum}`)
      }
    },
    describe: (at, world) => describe(at - world.at),
    ...(rules === undefined ? {} : { rules }),
  })
}

// ---- histories -------------------------------------------------------------------------------

export type CountCall =
  | 'get'
  | 'add'
  | 'addHere'
  | 'addFound'
  | 'addLocked'
  | 'mark'
  | 'exchange'
  | 'set'
  | 'double'
  | 'fold'
  | 'replace'
  | 'getOrInsert'
  | 'delete'
  | 'deleteIf'
  | 'deleteByUpdate'

/** Nothing there. */
const NONE = -1

interface Numbers {
  readonly hits: number
  readonly marks: number
}

type State = ReadonlyMap<number, Numbers>

/**
 * Answers: numbers, or -1 for no record; from `addFound`, that nothing was added, which it may always say.
 * `deleteIf` and `deleteByUpdate` delete odd numbers only.
 */
export function countSpec(initial: Iterable<readonly [number, number]>): Spec<State> {
  const start = new Map([...initial].map(([key, hits]) => [key, { hits, marks: 0 }]))
  const spec = deterministic<State>(
    start,
    (state, call, [key, n, m]) => step(state, call as CountCall, Number(key), Number(n), Number(m)),
    (state) =>
      [...state]
        .sort(([one], [other]) => one - other)
        .map(([key, { hits, marks }]) => `${key}=${hits},${marks}`)
        .join(),
  )
  return {
    ...spec,
    next(state, operation) {
      const isRefused = operation.call === 'addFound' && operation.result === NONE
      return isRefused ? [state] : spec.next(state, operation)
    },
  }
}

function step(state: State, call: CountCall, key: number, n: number, m: number) {
  const held = state.get(key)
  const put = (next: Numbers, result: unknown) => ({
    state: new Map(state).set(key, next),
    result,
  })
  const gone = (result: unknown) => {
    const next = new Map(state)
    next.delete(key)
    return { state: next, result }
  }
  if (held === undefined) {
    if (call === 'set') return put({ hits: n, marks: 0 }, undefined)
    if (call === 'replace') return put({ hits: n, marks: 0 }, NONE)
    if (call === 'getOrInsert') return put({ hits: n, marks: 0 }, n)
    if (call.startsWith('delete')) return { state, result: false }
    return { state, result: NONE }
  }
  const { hits, marks } = held
  switch (call) {
    case 'get':
    case 'getOrInsert':
      return { state, result: hits }
    case 'add':
      return put({ hits: (hits + n) >>> 0, marks }, (hits + n) >>> 0)
    case 'addHere':
    case 'addFound':
    case 'addLocked':
      return put({ hits: (hits + n) >>> 0, marks }, (hits + n) >>> 0)
    case 'mark':
      return put({ hits, marks: (marks + n) >>> 0 }, (marks + n) >>> 0)
    case 'exchange':
      return hits === n ? put({ hits: m, marks }, hits) : { state, result: hits }
    case 'set':
      return put({ hits: n, marks: 0 }, undefined)
    case 'double':
      return put({ hits: (2 * hits) >>> 0, marks }, hits)
    case 'fold':
      return put({ hits: (hits + marks) >>> 0, marks: 0 }, hits + marks)
    case 'replace':
      return put({ hits: n, marks: 0 }, hits)
    case 'delete':
      return gone(true)
    case 'deleteIf':
    case 'deleteByUpdate':
      return hits % 2 === 1 ? gone(true) : { state, result: false }
  }
}

/** Performs one call as an operation of the history. */
export function perform(hand: CountHand, call: CountCall, key: number, n = 0, m = 0): void {
  hand.control.operation(call, [key, n, m], () => answer(hand, call, key, n, m))
}

/** What one call answers. */
export function answer(
  { arena, table }: Pick<CountHand, 'arena' | 'table'>,
  call: CountCall,
  key: number,
  n = 0,
  m = 0,
): unknown {
  const { schema } = table
  switch (call) {
    case 'get':
      return table.get(key)?.hits ?? NONE
    case 'add':
      return table.add(key, 'hits', n) ?? NONE
    case 'addHere': {
      const add = (item: Item) => schema.add.hits(arena, item, n)
      return table.read(key, add) ?? table.add(key, 'hits', n) ?? NONE
    }
    case 'addLocked':
      return addLocked(table, key, n)
    case 'addFound':
      throw new Error('wants an item: see `finder`')
    case 'mark':
      return table.add(key, 'marks', n) ?? NONE
    case 'exchange':
      return table.compareExchange(key, 'hits', n, m) ?? NONE
    case 'set':
      table.set(count(key, n))
      return undefined
    case 'double':
      return (
        change(table, key, ({ hits, marks }) => count(key, (2 * hits) >>> 0, marks))?.hits ?? NONE
      )
    case 'fold': {
      const old = change(table, key, ({ hits, marks }) => count(key, (hits + marks) >>> 0))
      return old === undefined ? NONE : old.hits + old.marks
    }
    case 'replace':
      return table.replace(count(key, n))?.hits ?? NONE
    case 'getOrInsert':
      return table.getOrInsert(key, () => count(key, n)).hits
    case 'delete':
      return table.delete(key)
    case 'deleteIf':
      return table.deleteIf(key, (item) => schema.get.hits(arena, item) % 2 === 1)
    case 'deleteByUpdate': {
      let isOdd = false
      table.update(key, (old) => {
        isOdd = old !== undefined && old.hits % 2 === 1
        return isOdd ? undefined : old
      })
      return isOdd
    }
  }
}

/** `add` when it has waited long enough for who has sealed the record. */
function addLocked(table: Counts, key: number, n: number): number {
  const { writer } = table as unknown as { readonly writer: Pick<RecordWriter<number>, 'change'> }
  const field = table.schema.atomics[0]
  if (field === undefined) throw new Error('no atomic field')
  const before = writer.change(key, field, (hits) => (hits + n) | 0)
  return before === undefined ? NONE : (before + n) >>> 0
}

/** `update` of what is there; what `to` was given the last time. */
function change(table: Counts, key: number, to: (old: Numbers) => ReturnType<typeof count>) {
  let before: Numbers | undefined
  table.update(key, (old) => {
    before = old && { ...old }
    return old && to(old)
  })
  return before
}

type Move = readonly [CountCall, n?: number, m?: number]

const ADDS: readonly Move[] = [
  ['add', 1],
  ['add', -1],
  ['mark', 1],
  ['exchange', 5, 8],
  ['addHere', 2],
]
const CHANGES: readonly Move[] = [
  ['set', 40],
  ['double'],
  ['fold'],
  ['replace', 60],
  ['delete'],
  ['deleteIf'],
  ['deleteByUpdate'],
  ['getOrInsert', 70],
]

/** A scenario whose history must be explained. */
export function judgedCounts(lib: Library, name: string, of: CountScene): Scenario<TableWorld> {
  const { holds = [[a, 5]] } = of
  return countScene(lib, name, {
    ...of,
    judge(table, { operations }) {
      const start = Number.MAX_SAFE_INTEGER - 1
      const last = [a, b].map((key): Operation => {
        const result = table.get(key)?.hits ?? NONE
        return { thread: -1, call: 'get', args: [key], result, start, end: start + 1 }
      })
      assertLinearizable([...operations, ...last], countSpec(holds))
    },
  })
}

/** A thread of so many calls, each any of these on any of these keys. */
export function anyOf(
  lib: Library,
  name: string,
  calls: number,
  of: readonly Move[],
  keys: readonly number[] = [a],
): Thread<TableWorld> {
  return counter(lib, name, (hand) => {
    for (let i = 0; i < calls; i++) {
      const [call, n, m] = of[hand.control.choose(of.length)] as Move
      perform(hand, call, keys[hand.control.choose(keys.length)] as number, n, m)
    }
  })
}

/** Finds the record, and adds to it later, in the same section. */
function finder(lib: Library): Thread<TableWorld> {
  return counter(lib, 'finder', ({ arena, control, table }) => {
    table.smr.read(() => {
      const item = table.find(a)
      if (item === 0) return
      for (let i = 0; i < 2; i++) {
        const add = () => table.schema.add.hits(arena, item, 1) ?? NONE
        control.operation('addFound', [a, 1], add)
      }
    })
  })
}

/** The same in an ordered table: it has another writer, and a lock for all keys. */
export function orderedCounts(lib: Library): readonly Scenario<TableWorld>[] {
  type Options = Parameters<typeof lib.HashTable.create>[2]
  const { OrderedTable } = lib
  const create = (arena: Arena, name: string, { record, key, bucket = 1 }: Options) =>
    OrderedTable.create(arena, name, { record, key, bucket })
  const open = OrderedTable.open.bind(OrderedTable)
  const HashTable = { create, open } as unknown as Library['HashTable']
  const checkTable = lib.checkOrdered as unknown as Library['checkTable']
  const ordered = countScenarios({ ...lib, HashTable, checkTable })
  return ordered
    .filter(({ name }) => !/resize/.test(name))
    .map((each) => ({ ...each, name: each.name.replace('additions', 'additions in order') }))
}

export function countScenarios(lib: Library): readonly Scenario<TableWorld>[] {
  const judged = (name: string, of: CountScene) => judgedCounts(lib, name, of)
  return [
    judged('additions: any two at the same time', {
      threads: [anyOf(lib, 'one', 2, ADDS), anyOf(lib, 'other', 2, ADDS)],
      rules: { bound: 2 },
    }),
    judged('additions: one against any change of the record', {
      threads: [anyOf(lib, 'adder', 1, [...ADDS, ['get']]), anyOf(lib, 'writer', 1, CHANGES)],
      rules: { bound: 3 },
    }),
    judged('additions: two against any change of the record', {
      threads: [anyOf(lib, 'adder', 2, [...ADDS, ['get']]), anyOf(lib, 'writer', 1, CHANGES)],
      rules: { bound: 2 },
    }),
    judged('additions: up and down again while the record is looked at', {
      threads: [
        anyOf(lib, 'adder', 3, [
          ['add', 1],
          ['addLocked', -1],
        ]),
        anyOf(lib, 'writer', 1, [['deleteIf']]),
      ],
      holds: [[a, 4]],
      rules: { bound: 3 },
    }),
    judged('additions: read again against any change of the record', {
      threads: [
        counter(lib, 'adder', (hand) => {
          perform(hand, 'add', a, 1)
          perform(hand, 'get', a)
        }),
        anyOf(lib, 'writer', 1, CHANGES),
      ],
      rules: { bound: 2 },
    }),
    judged('additions: a step to the number that is a seal', {
      threads: [
        counter(lib, 'one', (hand) => {
          perform(hand, 'add', a, 1)
          if (hand.control.choose(2) === 0) perform(hand, 'add', a, 1)
          else perform(hand, 'exchange', a, SEALED - 1, SEALED)
        }),
        anyOf(lib, 'other', 1, [['get'], ['double']]),
      ],
      holds: [[a, SEALED - 2]],
      rules: { bound: 1 },
    }),
    judged('additions: two who change the record, and one who adds', {
      threads: [
        anyOf(lib, 'adder', 2, ADDS),
        anyOf(lib, 'writer', 1, CHANGES),
        anyOf(lib, 'other', 1, CHANGES),
      ],
      rules: { bound: 1 },
    }),
    judged('additions: to a record that was found before', {
      threads: [finder(lib), anyOf(lib, 'writer', 1, CHANGES)],
      rules: { bound: 2 },
    }),
    judged('additions: to the number that is a seal, and away', {
      threads: [
        anyOf(lib, 'one', 2, [
          ['add', 1],
          ['add', -1],
          ['exchange', SEALED, 7],
          ['exchange', SEALED - 1, SEALED],
          ['get'],
        ]),
        anyOf(lib, 'other', 1, [
          ['add', 1],
          ['get'],
          ['double'],
          ['delete'],
          ['set', SEALED],
          ['deleteIf'],
        ]),
      ],
      holds: [[a, SEALED - 1]],
      rules: { bound: 2 },
    }),
    judged('additions: a reader of the number that is a seal', {
      threads: [
        counter(lib, 'reader', (hand) => {
          perform(hand, 'get', a)
          perform(hand, 'get', a)
        }),
        counter(lib, 'adder', (hand) => {
          perform(hand, 'add', a, 1)
          perform(hand, 'add', a, 1)
        }),
        counter(lib, 'other', (hand) => perform(hand, 'add', a, -1)),
      ],
      holds: [[a, SEALED - 1]],
      rules: { bound: 2 },
    }),
    judged('additions: three threads of two of anything on two keys', {
      threads: ['one', 'other', 'third'].map((name) =>
        anyOf(lib, name, 2, [...ADDS, ...CHANGES, ['get']], [a, b]),
      ),
      rules: { sample: { schedules: 20_000 } },
    }),
    judged('additions: during a resize', {
      threads: [
        anyOf(lib, 'adder', 2, ADDS),
        anyOf(lib, 'writer', 2, CHANGES),
        counter(lib, 'resizer', ({ table }) => table.resize(MORE_CHAINS)),
      ],
      rules: { sample: { schedules: 10_000 } },
    }),
  ]
}

/**
 * Tables whose records own blocks of a heap: readers see whole values, whatever becomes of the record;
 * every block belongs to one record, after lost races, deaths and exceptions too.
 */

import type { Arena } from '#src/index.ts'
import type { Memory } from '#src/memory/memory.ts'
import { LARGE } from './heapStage.ts'
import type { Control } from './history.ts'
import { assertLinearizable, type Operation } from './linearizable.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { join, type Library, raise, type Stage } from './stage.ts'
import { type Call, tableSpec } from './tableSpec.ts'
import { KEY, STAGE } from './tableStage.ts'
import { assertHoldsNothing, endTurn, endTurnIfCut, reap } from './world.ts'

const { a, b } = KEY
const NAME = 'notes'
const TEXT_STAGE: Stage = { ...STAGE, words: 2 ** 16 }
/** So long that a slab has seven: few steps to make one. */
const CHARACTERS = 500

interface Note {
  readonly key: number
  readonly version: number
  readonly note: string
  readonly more: string
}

/** The one value that this version of this key can have: one field is empty in every other version. */
function noteOf(key: number, version: number, length: number = CHARACTERS): Note {
  const note = `${key}/${version} `.repeat(length).slice(0, length)
  return { key, version, note, more: version % 2 === 0 ? '' : note }
}

/** Throws when it is torn or another's. */
function versionOf(found: Note | undefined, key: number): number {
  if (found === undefined) return 0
  const { note, more } = noteOf(key, found.version, found.note.length)
  if (found.key === key && found.note === note && found.more === more) return found.version
  throw new Error(`key ${key}: found ${JSON.stringify(found).slice(0, 100)}`)
}

const schemaOf = (lib: Library) =>
  lib.record({ key: lib.u32, version: lib.u32, note: lib.text(), more: lib.text() })
type Notes = ReturnType<typeof open>

function create(lib: Library, arena: Arena): Notes {
  const sizes = { capacity: 16, bucket: 1, seed: 0 }
  const options = { record: schemaOf(lib), key: 'key', ...sizes } as const
  return lib.HashTable.create(arena, NAME, options)
}

function open(lib: Library, arena: Arena) {
  return lib.HashTable.open(arena, NAME, { record: schemaOf(lib), key: 'key' })
}

interface Hand {
  readonly arena: Arena
  readonly table: Notes
  readonly control: Control
  readonly memory: Memory
}

function member(
  lib: Library,
  name: string,
  body: (hand: Hand) => unknown,
  after?: string,
): Thread<undefined> {
  return thread<undefined, Pick<Hand, 'arena' | 'table'>>({
    name,
    ...(after === undefined ? {} : { after }),
    prepare(memory) {
      const arena = join(lib, memory)
      arena.space.turn.schedule = () => {}
      return { arena, table: open(lib, arena) }
    },
    body: (memory, control, prepared) => body({ ...prepared, memory, control }),
  })
}

const look = (table: Notes, key: number): number => versionOf(table.get(key), key)
const put = (table: Notes, key: number, version: number): void => {
  table.set(noteOf(key, version))
}

/** What was freed is to be used again as soon as may be. */
function recycle({ arena, table }: Pick<Hand, 'arena' | 'table'>): void {
  for (const each of [arena.heap(NAME), table.zone]) each.reclaim('all', { timeoutMs: 0 })
}

interface Scene {
  readonly threads: readonly Thread<undefined>[]
  readonly judge?: (table: Notes, operations: readonly Operation[]) => void
  readonly rules?: Scenario['rules']
  /** There is one record, whose text is a run of pages: there is room for one more. */
  readonly large?: boolean
}

function scene(lib: Library, name: string, of: Scene): Scenario<undefined> {
  const { judge, large = false, rules = { bound: 2 }, threads } = of
  return scenario<undefined>({
    name,
    words: TEXT_STAGE.words,
    setup: (memory) =>
      raise(lib, memory, TEXT_STAGE, (arena) => {
        const table = create(lib, arena)
        if (large) {
          table.set(noteOf(a, 2, LARGE))
          return undefined
        }
        put(table, a, 1)
        put(table, b, 1)
        return undefined
      }),
    threads,
    final(memory, _results, { operations }) {
      const arena = join(lib, memory)
      const table = open(lib, arena)
      lib.checkTable(table)
      lib.checkPages(memory, arena.space.pages)
      const heap = arena.heap(NAME)
      table.zone.check()
      heap.check()
      const records = table.zone.audit(table.items()).leaked.length
      const blocks = heap.audit(table.blocks()).leaked.length
      if (records > 0) throw new Error(`${records} records are lost`)
      if (blocks > 0) throw new Error(`${blocks} blocks are lost`)
      const live = heap.stats().blocks
      if (live !== table.blocks().length + blocks) throw new Error(`${live} blocks are live`)
      for (const found of table.values()) versionOf(found, found.key)
      judge?.(table, operations)
    },
    rules,
  })
}

/** False: there was no memory for it, as long as a reader is inside. */
function tried(write: () => unknown): boolean {
  try {
    write()
    return true
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_UMA_SMR_EXHAUSTED') throw error
    return false
  }
}

// ---- what happens -----------------------------------------------------------------------------

const CALLS: readonly Call[] = [
  'get',
  'set',
  'delete',
  'insert',
  'replace',
  'update',
  'getOrInsert',
]

function perform({ control, table }: Hand, call: Call, key: number, version: number): void {
  control.operation(call, [key, version], () => {
    switch (call) {
      case 'get':
        return look(table, key)
      case 'delete':
        return table.delete(key)
      case 'insert':
        return table.insert(noteOf(key, version))
      case 'replace':
        return versionOf(table.replace(noteOf(key, version)), key)
      case 'update': {
        let before = 0
        table.update(key, (old) => {
          before = versionOf(old, key)
          return old && noteOf(key, version)
        })
        return before
      }
      case 'getOrInsert':
        return versionOf(
          table.getOrInsert(key, () => noteOf(key, version)),
          key,
        )
      default:
        put(table, key, version)
        return undefined
    }
  })
}

export function textScenarios(lib: Library): readonly Scenario<undefined>[] {
  const any = (name: string, calls: number, keys: readonly number[], first: number) =>
    member(lib, name, (hand) => {
      for (let i = 0; i < calls; i++) {
        const call = CALLS[hand.control.choose(CALLS.length)] as Call
        perform(hand, call, keys[hand.control.choose(keys.length)] as number, first + i)
      }
    })
  const judge: Scene['judge'] = (table, operations) => {
    const start = Number.MAX_SAFE_INTEGER - 1
    const last = [a, b].map((key): Operation => {
      const result = look(table, key)
      return { thread: -1, call: 'get', args: [key], result, start, end: start + 1 }
    })
    const held = [a, b].map((key) => [key, 1] as const)
    assertLinearizable([...operations, ...last], tableSpec(held))
  }
  return [
    scene(lib, 'a text is replaced under a reader', {
      threads: [
        member(lib, 'reader', ({ table }) => look(table, a)),
        member(lib, 'writer', (hand) => {
          for (const version of [2, 3, 4]) {
            put(hand.table, a, version)
            recycle(hand)
          }
        }),
      ],
      rules: { bound: 1 },
    }),
    scene(lib, 'a large text is replaced under a reader', {
      large: true,
      threads: [
        member(lib, 'reader', ({ table }) => look(table, a)),
        member(lib, 'writer', ({ memory, table }) => {
          for (const version of [4, 6, 8]) {
            while (!tried(() => table.set(noteOf(a, version, LARGE)))) memory.pause()
          }
        }),
      ],
    }),
    scene(lib, 'a text is replaced twice under a reader', {
      threads: [
        member(lib, 'reader', ({ table }) => look(table, a)),
        member(lib, 'writer', ({ table }) => {
          for (const version of [2, 3, 4]) put(table, a, version)
        }),
      ],
      rules: { bound: 1 },
    }),
    scene(lib, 'a text is deleted under a reader, and another written', {
      threads: [
        member(lib, 'reader', ({ table }) => look(table, a)),
        member(lib, 'writer', (hand) => {
          hand.table.delete(a)
          recycle(hand)
          put(hand.table, b, 3)
        }),
      ],
      rules: { bound: 1 },
    }),
    scene(lib, 'texts: two calls each on one key', {
      threads: [any('one', 2, [a], 2), any('other', 2, [a], 12)],
      judge,
      rules: { sample: { schedules: 3000, depth: 6, seed: 1 } },
    }),
    scene(lib, 'texts: three threads of two calls on two keys', {
      threads: [any('one', 2, [a, b], 2), any('other', 2, [a, b], 12), any('third', 2, [a, b], 22)],
      judge,
      rules: { sample: { schedules: 3000, depth: 6, seed: 1 } },
    }),
  ]
}

// ---- deaths and exceptions --------------------------------------------------------------------

interface Action {
  readonly name: string
  readonly body: (table: Notes) => unknown
  /** The versions that there may be of `a` afterwards. */
  readonly versions: readonly number[]
}

const ACTIONS: readonly Action[] = [
  { name: 'set', body: (table) => put(table, a, 3), versions: [1, 3] },
  {
    name: 'two sets',
    body(table) {
      put(table, a, 3)
      put(table, a, 4)
    },
    versions: [1, 3, 4],
  },
  { name: 'delete', body: (table) => table.delete(a), versions: [0, 1] },
  { name: 'update', body: (table) => table.update(a, () => noteOf(a, 2)), versions: [1, 2] },
  {
    name: 'a lost insert',
    body: (table) => table.trySet(noteOf(a, 3), { ifVersion: 0 }),
    versions: [1],
  },
]

/** Whoever comes after: reads, writes, and finds memory for it. */
function goesOn(hand: Pick<Hand, 'arena' | 'table'>, versions: readonly number[]): void {
  const { table } = hand
  const found = look(table, a)
  if (!versions.includes(found)) throw new Error(`key ${a} has version ${found}`)
  for (const version of [5, 6, 7]) put(table, a, version)
  table.delete(b)
  put(table, b, 1)
  if (look(table, a) !== 7 || look(table, b) !== 1) throw new Error('what was written is not there')
}

export function textDeaths(lib: Library): readonly Scenario<undefined>[] {
  // The others put as `set` does.
  const differ = ACTIONS.filter(({ name }) => name !== 'update' && name !== 'two sets')
  return differ.map(({ body, name, versions }) =>
    scene(lib, `death in ${name}, with texts`, {
      threads: [
        member(lib, 'victim', ({ table }) => body(table)),
        member(
          lib,
          'heir',
          (hand) => {
            reap(lib, hand.arena, 0)
            goesOn(hand, versions)
            recycle(hand)
          },
          'victim',
        ),
      ],
      rules: { bound: 0, maxVerbs: 60_000 },
    }),
  )
}

/** The victim's, and that of its reaper: what the victim had in its hands is settled by two. */
export function textTwoDeaths(lib: Library): readonly Scenario<undefined>[] {
  const [{ body, versions }] = ACTIONS as unknown as [Action]
  return [
    scene(lib, 'death in set, with texts, then death of the reaper', {
      threads: [
        member(lib, 'victim', ({ table }) => body(table)),
        member(lib, 'rescuer', (hand) => reap(lib, hand.arena, 0), 'victim'),
        member(
          lib,
          'heir',
          (hand) => {
            reap(lib, hand.arena, 0)
            reap(lib, hand.arena, 1)
            goesOn(hand, versions)
            recycle(hand)
          },
          'rescuer',
        ),
      ],
      rules: { bound: 0, maxVerbs: 60_000 },
    }),
  ]
}

export function textThrows(lib: Library): readonly Scenario<undefined>[] {
  return ACTIONS.map(({ body, name, versions }) =>
    scene(lib, `an exception in ${name}, with texts`, {
      threads: [
        member(lib, 'survivor', (hand) => {
          hand.control.attempt(() => body(hand.table))
          endTurnIfCut(hand.control, hand.arena)
          goesOn(hand, versions)
          endTurn(hand.arena)
          assertHoldsNothing(hand.memory, hand)
          hand.arena.detach()
        }),
      ],
      rules: { bound: 0, maxVerbs: 60_000 },
    }),
  )
}

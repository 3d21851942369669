/**
 * An exception in what the arena and the hash table do, and the worker goes on: it does the same
 * again, and in the end nothing is held and nothing is lost.
 */

import type { Arena } from '#src/index.ts'
import type { Memory } from '#src/memory/memory.ts'
import type { Claims } from '#src/space/claims.ts'
import { ARENA_DEEDS, type ArenaAction, arenaScene } from './arenaDeaths.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { join, type Library, raise } from './stage.ts'
import { HELD } from './tableDeathStage.ts'
import { holds } from './tableScenarios.ts'
import {
  change,
  createRows,
  describe,
  FEW_CHAINS,
  finalTable,
  type Hand,
  KEY,
  type Knobs,
  look,
  MORE_CHAINS,
  member,
  openRows,
  put,
  type Rows,
  row,
  STAGE,
  type TableWorld,
} from './tableStage.ts'
import { assertHoldsNothing, endTurn, endTurnIfCut, quietly } from './world.ts'

export const SURVIVOR = 'survivor'
/** The item that the survivor had in its hands. */
const LEAKS = 1

// ---- the arena --------------------------------------------------------------------------------

export function arenaThrows(lib: Library): readonly Scenario<undefined>[] {
  return [attaching(lib), ...ARENA_DEEDS.map((action) => arenaThrow(lib, action))]
}

function arenaThrow(lib: Library, action: ArenaAction): Scenario<undefined> {
  const { name, setup, first, body, again, leavesLocked = false, mayLeak = 0 } = action
  const prepare = (memory: Memory, _world: undefined): Arena => {
    const arena = join(lib, memory)
    first?.(arena)
    return arena
  }
  const laws = { thorough: true, mayLeak: mayLeak + LEAKS }
  return arenaScene(lib, `an exception in ${name}`, setup, laws, [
    thread({
      name: SURVIVOR,
      prepare,
      body: (memory: Memory, control, arena: Arena) =>
        quietly(() => {
          const ended = control.attempt(() => body(arena, memory))
          endTurnIfCut(control, arena)
          if (!ended) mayBeDone(() => body(arena, memory))
          if (leavesLocked) endTurn(arena)
          again?.(arena, memory)
          endTurn(arena)
          assertHoldsNothing(memory, { arena })
          arena.detach()
        }),
    }),
    thread({
      name: 'heir',
      after: SURVIVOR,
      prepare,
      body: (memory: Memory, _control, arena: Arena) => again?.(arena, memory),
    }),
  ])
}

/** Done once more, it may say that it has been done. */
function mayBeDone(action: () => void): void {
  try {
    action()
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_UMA_SMR_MISUSE') throw error
  }
}

/** What a thread that attaches has to itself. */
interface Attaching {
  readonly claims: Claims
  /** What it was given, if it was. */
  arena: Arena | undefined
}

/**
 * Attaches again: a slot that was claimed in vain is given back, with what had been locked by then. An
 * arena that was delivered is the thread's to leave.
 */
function attaching(lib: Library): Scenario<undefined> {
  return arenaScene(lib, 'an exception in attaching', undefined, { thorough: true }, [
    thread({
      name: SURVIVOR,
      prepare(_memory: Memory, _world: undefined): Attaching {
        const claims = new lib.Claims()
        claims.every = () => {}
        return { claims, arena: undefined }
      },
      body(_memory: Memory, control, own: Attaching) {
        const use = (): void => {
          own.arena = own.claims.make((claim) => join(lib, control.library, claim))
          own.arena.smr('own').read(() => 0)
          own.arena.detach()
        }
        const leave = (): void => own.arena?.detach()
        if (control.attempt(use)) return
        if (own.claims.check()) throw new Error('a slot was not given back')
        if (own.arena !== undefined) endTurn(own.arena)
        mayBeDone(leave)
        use()
      },
    }),
    thread({
      name: 'heir',
      after: SURVIVOR,
      prepare: (memory: Memory, _world: undefined) => join(lib, memory),
      body(_memory: Memory, _control, arena: Arena) {
        arena.smr('own').synchronize()
        const { slot, workers } = arena.space
        for (let other = 0; other < workers.max; other++) {
          if (other !== slot && workers.isClaimed(other)) throw new Error(`slot ${other} is lost`)
        }
      },
    }),
  ])
}

// ---- the hash table ---------------------------------------------------------------------------

const { a, b, c, d, e, f } = KEY

interface Action extends Knobs {
  readonly name: string
  readonly before?: (table: Rows) => void
  readonly body: (hand: Hand) => void
  /** What the table may hold for the key `a` afterwards. Default: 1. */
  readonly versions?: readonly number[]
  readonly other?: boolean
  /** So many near copies. */
  readonly near?: number
}

const TABLE_DEEDS: readonly Action[] = [
  {
    name: 'insert',
    before: (table) => table.delete(a),
    body: ({ table }) => put(table, a, 2),
    versions: [0, 2],
  },
  { name: 'replace', body: ({ table }) => put(table, a, 2), versions: [1, 2] },
  {
    name: 'replace, full bucket',
    bucket: 1,
    before: (table) => put(table, a, 1),
    body({ table }) {
      put(table, a, 1)
      put(table, a, 2)
    },
    versions: [1, 2],
  },
  { name: 'delete', body: ({ table }) => table.delete(a), versions: [0, 1] },
  { name: 'update', body: ({ table }) => void change(table, a, 2), versions: [1, 2] },
  {
    name: 'update that inserts',
    before: (table) => table.delete(a),
    body: ({ table }) => void table.getOrInsert(a, () => row(a, 2)),
    versions: [0, 2],
  },
  { name: 'deleteIf', body: ({ table }) => void table.deleteIf(a, () => true), versions: [0, 1] },
  { name: 'get', body: ({ table }) => void look(table, a) },
  {
    name: 'get with near copies',
    near: 2,
    body({ table }) {
      look(table, a)
      look(table, a)
      look(table, b)
      put(table, a, 2)
      look(table, a)
    },
    versions: [1, 2],
  },
  { name: 'iteration', body: ({ table }) => void [...table.entries()] },
  { name: 'grow', body: ({ table }) => table.resize(MORE_CHAINS) },
  {
    name: 'growth',
    capacity: 8,
    grow: true,
    before: (table) => put(table, c, 1),
    body: ({ table }) => put(table, f, 1),
  },
  {
    name: 'there and back',
    body({ table }) {
      table.resize(MORE_CHAINS)
      table.resize(FEW_CHAINS)
    },
  },
]

export function tableThrows(lib: Library): readonly Scenario<TableWorld>[] {
  return [
    ...TABLE_DEEDS.map((action) => tableThrow(lib, action)),
    ...TABLE_DEEDS.filter(({ name }) =>
      ['replace', 'delete', 'get with near copies', 'grow'].includes(name),
    ).map((action) =>
      tableThrow(lib, { ...action, name: `${action.name}, others go on`, other: true }),
    ),
    creating(lib),
  ]
}

function tableThrow(lib: Library, action: Action): Scenario<TableWorld> {
  const { name, before, body, versions = [1], other = false, near } = action
  const goesOn = ({ table }: Hand): void => {
    holds(table, [b, 1], [d, 1])
    const found = look(table, a)
    if (!versions.includes(found)) throw new Error(`key ${a} has version ${found}`)
    put(table, a, 7)
    put(table, e, 1)
    table.delete(e)
    table.resize(2 * MORE_CHAINS)
    table.resize(FEW_CHAINS)
    holds(table, [a, 7], [b, 1], [d, 1])
  }
  const threads = [
    member(
      lib,
      SURVIVOR,
      (hand) => {
        hand.control.attempt(() => body(hand))
        endTurnIfCut(hand.control, hand.arena)
        goesOn(hand)
        endTurn(hand.arena)
        assertHoldsNothing(hand.memory, hand)
        hand.arena.detach()
      },
      undefined,
      near,
    ),
    member(
      lib,
      'heir',
      ({ arena, table }) => {
        put(table, a, 8)
        holds(table, [a, 8], [b, 1], [d, 1])
        arena.detach()
      },
      SURVIVOR,
    ),
  ]
  const bystander = member(lib, 'bystander', ({ arena, table }) => {
    holds(table, [b, 1], [d, 1])
    put(table, c, 5)
    holds(table, [b, 1], [c, 5], [d, 1])
    arena.detach()
  })
  return scenario<TableWorld>({
    name: `an exception in table: ${name}`,
    words: STAGE.words,
    setup: (memory) =>
      raise(lib, memory, STAGE, (arena) => {
        const table = createRows(lib, arena, action)
        for (const [key, version] of HELD) put(table, key, version)
        before?.(table)
        return { at: table.parts.at }
      }),
    threads: other ? [...threads, bystander] : threads,
    final(memory) {
      const table = finalTable(lib, memory)
      holds(table, [a, 8], [b, 1], [d, 1])
      const { remaining } = table.zone.reclaim('all', { timeoutMs: 0 })
      if (remaining > 0) throw new Error(`${remaining} free items do not come back`)
    },
    describe: (at, world) => describe(at - world.at),
    rules: other ? { sample: { schedules: 10 } } : { bound: 0 },
  })
}

function creating(lib: Library): Scenario<TableWorld> {
  const survivor: Thread<TableWorld> = thread({
    name: SURVIVOR,
    prepare: (memory: Memory, _world: TableWorld) => join(lib, memory),
    body(memory: Memory, control, arena: Arena) {
      const ended = control.attempt(() => void createRows(lib, arena))
      endTurnIfCut(control, arena)
      if (!ended) mayBeDone(() => void createRows(lib, arena))
      const table = openRows(lib, arena)
      put(table, a, 7)
      look(table, a)
      endTurn(arena)
      assertHoldsNothing(memory, { arena })
      arena.detach()
    },
  })
  return scenario<TableWorld>({
    name: 'an exception in table: create',
    words: STAGE.words,
    setup: (memory) => raise(lib, memory, STAGE, () => ({ at: 0 })),
    threads: [survivor],
    final: (memory) => holds(finalTable(lib, memory), [a, 7]),
    rules: { bound: 0 },
  })
}

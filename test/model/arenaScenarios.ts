/**
 * What an arena does at its edges: it comes into being while others look for it; a lock is only tried
 * for; a root has two makers; a table that cannot be had leaves nothing behind.
 */

import type { Arena } from '#src/index.ts'
import { Header, WorkerSlot } from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import { HEIR, VICTIM } from './deathStage.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { join, type Library, raise } from './stage.ts'
import { boardAt, checkArena, reap, WORDS, ZONE_STAGE } from './world.ts'

const COUNTER = boardAt(0)
const DIRT = 0x5eed
/** More items than there are words for: some slabs are had before that shows. */
const TOO_MANY = 4000
/** Items of a reserve that takes several slabs. */
const RESERVE = 300

type World = undefined

// ---- creating and attaching ------------------------------------------------------------------

function create(lib: Library, memory: Memory): Arena {
  const { words, maxWorkers, checks, sequence } = ZONE_STAGE
  lib.format(memory, lib.geometry(words, maxWorkers), checks, sequence, true)
  return join(lib, memory)
}

/** An arena where there is one; undefined where there is none, or none yet. */
function attach(lib: Library, memory: Memory): Arena | undefined {
  try {
    lib.assertArena(bounded(memory), ZONE_STAGE.words)
  } catch (error) {
    if (!(error instanceof Error && error.message.includes('holds no arena'))) throw error
    return undefined
  }
  return join(lib, memory)
}

/** Without the board: as large as the arena is made. */
function bounded(memory: Memory): Memory {
  const words = memory.words.subarray(0, ZONE_STAGE.words)
  return Object.assign(Object.create(memory) as Memory, { words })
}

function use(arena: Arena): void {
  arena.smr('own').read(() => 0)
  arena.detach()
}

const making = (lib: Library, name: string): Thread<World> =>
  thread({ name, body: (memory: Memory, _control, _world: World) => use(create(lib, memory)) })

/** What lies there before: anything but an arena. */
function dirty(memory: Memory): World {
  for (let at = 0; at < Header.WORDS + 2 * WorkerSlot.WORDS; at++) memory.poke(at, DIRT)
  return undefined
}

export function birthScenarios(lib: Library): readonly Scenario<World>[] {
  const waiting: Thread<World> = thread({
    name: 'attacher',
    body(memory: Memory, _control, _world: World) {
      let arena = attach(lib, memory)
      for (; arena === undefined; arena = attach(lib, memory)) memory.pause()
      use(arena)
    },
  })
  return [
    scenario<World>({
      name: 'attaching while the arena is made',
      words: WORDS,
      setup: dirty,
      threads: [making(lib, 'maker'), waiting],
      final: (memory) => checkArena(lib, memory),
      rules: { bound: 2 },
    }),
  ]
}

/** Deaths; kill `VICTIM`. */
export function birthDeaths(lib: Library): readonly Scenario<World>[] {
  return [
    scenario<World>({
      name: 'death in making an arena',
      words: WORDS,
      setup: dirty,
      threads: [
        making(lib, VICTIM),
        thread({
          name: HEIR,
          after: VICTIM,
          body(memory: Memory, _control, _world: World) {
            const arena = attach(lib, memory) ?? create(lib, memory)
            for (const slot of arena.space.workers.attached()) {
              if (slot !== arena.space.slot) reap(lib, arena, slot)
            }
            use(arena)
          },
        }),
      ],
      final: (memory) => checkArena(lib, memory, { thorough: true }),
      rules: { bound: 0 },
    }),
  ]
}

// ---- locks and roots -------------------------------------------------------------------------

export function edgeScenarios(lib: Library): readonly Scenario<World>[] {
  const by = (
    name: string,
    body: (arena: Arena, memory: Memory) => unknown,
    after?: string,
  ): Thread<World> => ({
    ...thread({
      name,
      prepare(memory: Memory, _world: World): Arena {
        const arena = join(lib, memory)
        arena.lock('lock')
        return arena
      },
      body: (memory: Memory, _control, arena: Arena) => body(arena, memory),
    }),
    ...(after === undefined ? {} : { after }),
  })
  const scene = (
    name: string,
    threads: readonly Thread<World>[],
    judge: (memory: Memory, results: readonly unknown[]) => void,
  ): Scenario<World> =>
    scenario<World>({
      name,
      words: WORDS,
      setup(memory) {
        raise(lib, memory, ZONE_STAGE, (arena) => void arena.lock('lock'))
        return undefined
      },
      threads,
      final(memory, results) {
        judge(memory, results)
        checkArena(lib, memory)
      },
      rules: { bound: 2 },
    })

  const count = (memory: Memory): void => memory.poke(COUNTER, memory.peek(COUNTER) + 1)
  /** How often it had the lock at once. */
  const trying = (arena: Arena, memory: Memory): number => {
    const lock = arena.lock('lock')
    let had = 0
    for (let i = 0; i < 3; i++) {
      if (lock.tryLock() === false) continue
      count(memory)
      had++
      lock.unlock()
    }
    return had
  }
  const insisting = (arena: Arena, memory: Memory): number => {
    for (let i = 0; i < 2; i++) arena.lock('lock').withLock(() => count(memory))
    return 2
  }
  const countsAre = (memory: Memory, results: readonly unknown[]): void => {
    const sum = (results as number[]).reduce((all, each) => all + each, 0)
    const counted = memory.peek(COUNTER)
    if (counted !== sum) throw new Error(`counted ${counted} of ${sum}`)
  }
  /** Whether it was told that the last owner had died; it insists, but never waits. */
  const inheriting = (arena: Arena, memory: Memory): number => {
    const lock = arena.lock('lock')
    let taken = lock.tryLock()
    for (; taken === false; taken = lock.tryLock()) memory.pause()
    count(memory)
    lock.unlock()
    return taken === 'owner-died' ? 1 : 0
  }
  const rooting = (arena: Arena, memory: Memory): number => {
    const at = arena.root('root')
    memory.add(at, 1)
    return at
  }

  return [
    scene('a lock that is only tried for', [by('one', trying), by('other', insisting)], countsAre),
    scene('a lock that two only try for', [by('one', trying), by('other', trying)], countsAre),
    scene(
      'a lock of a dead owner that is only tried for',
      [
        by('holder', (arena) => void arena.lock('lock').lock()),
        by(
          'reaper',
          (arena, memory) => {
            reap(lib, arena, 0)
            return inheriting(arena, memory)
          },
          'holder',
        ),
        by('other', inheriting, 'holder'),
      ],
      (memory, [, ...told]) => {
        countsAre(memory, [2])
        const heirs = (told as number[]).reduce((all, each) => all + each, 0)
        if (heirs !== 1) throw new Error(`${heirs} workers were told that the owner had died`)
      },
    ),
    scene(
      'one root of two makers',
      [by('one', rooting), by('other', rooting)],
      (memory, [one, other]) => {
        if (one !== other) throw new Error(`the same name led to ${one} and to ${other}`)
        const value = memory.load(one as number)
        if (value !== 2) throw new Error(`the root holds ${value}, not 2`)
      },
    ),
  ]
}

// ---- what is undone --------------------------------------------------------------------------

function makeTable(lib: Library, arena: Arena, reserve: number) {
  const options = {
    record: lib.record({ id: lib.u32 }),
    key: 'id',
    capacity: 16,
    seed: 0,
    reserve,
  } as const
  return lib.HashTable.create(arena, 'table', options)
}

function isRefused(make: () => unknown, ...errors: readonly string[]): void {
  try {
    make()
  } catch (error) {
    if (!(error instanceof Error && errors.includes(error.name))) throw error
  }
}

function asksForTooMuch(lib: Library, arena: Arena): void {
  isRefused(() => makeTable(lib, arena, TOO_MANY), 'Exhausted', 'Misuse')
}

/** Explored with fewer switches: these are long. */
export function undoScenarios(lib: Library): readonly Scenario<World>[] {
  const by = (name: string, body: (arena: Arena, memory: Memory) => void): Thread<World> =>
    thread({
      name,
      prepare: (memory: Memory, _world: World) => join(lib, memory),
      body: (memory: Memory, _control, arena: Arena) => body(arena, memory),
    })
  return [
    scenario<World>({
      name: 'a table that cannot be had beside one who makes it',
      words: WORDS,
      setup(memory) {
        raise(lib, memory, ZONE_STAGE, () => 0)
        return undefined
      },
      threads: [
        by('greedy', (arena) => asksForTooMuch(lib, arena)),
        // Nobody else makes one: so it is not refused, whatever the other undoes.
        by('maker', (arena) => {
          const table = makeTable(lib, arena, 0)
          table.set({ id: 1 })
          if (!table.has(1)) throw new Error('a row is lost')
        }),
      ],
      final(memory) {
        tableWorks(lib, join(lib, memory))
        checkArena(lib, memory)
      },
      rules: { bound: 1 },
    }),
  ]
}

/** Deaths; kill `VICTIM`. The heir makes the table as it likes it, unless there is a whole one. */
export function undoDeaths(lib: Library): readonly Scenario<World>[] {
  const death = (
    name: string,
    make: (arena: Arena) => void,
    heir: (arena: Arena) => void,
    judge: (arena: Arena) => void,
  ): Scenario<World> =>
    scenario<World>({
      name,
      words: WORDS,
      setup(memory) {
        raise(lib, memory, ZONE_STAGE, () => 0)
        return undefined
      },
      threads: [
        thread({
          name: VICTIM,
          prepare: (memory: Memory, _world: World) => join(lib, memory),
          body: (_memory: Memory, _control, arena: Arena) => make(arena),
        }),
        thread({
          name: HEIR,
          after: VICTIM,
          prepare: (memory: Memory, _world: World) => join(lib, memory),
          body(_memory: Memory, _control, arena: Arena) {
            reap(lib, arena, 0)
            heir(arena)
          },
        }),
      ],
      final(memory) {
        const arena = join(lib, memory)
        judge(arena)
        arena.detach()
        checkArena(lib, memory, { thorough: true })
      },
      rules: { bound: 0 },
    })
  const table = (name: string, make: (arena: Arena) => void): Scenario<World> => {
    const works = (arena: Arena): void => tableWorks(lib, arena)
    return death(name, make, works, (arena) => {
      works(arena)
      noneButTheTable(arena)
    })
  }
  const reserving = { bytes: 8, bucket: 2, reserve: RESERVE } as const
  const whole = (arena: Arena): void => {
    const { created } = arena.zone('zone', reserving).stats()
    if (created < RESERVE) throw new Error(`of a reserve of ${RESERVE} items ${created} are there`)
  }
  return [
    table('death in making a table whose reserve is not to be had', (arena) =>
      asksForTooMuch(lib, arena),
    ),
    table('death in making a table with a reserve', (arena) => void makeTable(lib, arena, 20)),
    death(
      'death in making a zone with a reserve',
      (arena) => void arena.zone('zone', reserving),
      whole,
      whole,
    ),
  ]
}

/** A table, its zone and its domain. */
function noneButTheTable(arena: Arena): void {
  const names = arena.space.directory.list().map(({ kind }) => kind)
  if (names.length !== 3 || new Set(names).size !== 3) throw new Error(`there is ${names.join()}`)
}

/** Makes it, or opens what another has made. */
function tableWorks(lib: Library, arena: Arena): void {
  const record = lib.record({ id: lib.u32 })
  let table: ReturnType<typeof makeTable>
  try {
    table = lib.HashTable.open(arena, 'table', { record, key: 'id' })
  } catch (error) {
    if (!(error instanceof Error && error.message.includes('there is no table'))) throw error
    table = makeTable(lib, arena, 0)
  }
  table.set({ id: 7 })
  if (!table.has(7)) throw new Error('a row is lost')
  for (const id of [1, 7]) table.delete(id)
  lib.checkTable(table)
}

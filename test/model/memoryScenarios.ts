/**
 * The bottom floor: locks, worker slots, the directory and pages, used by two and three at once.
 *
 * A lock is detected by the plain words it protects (they race when it lets two in) and by the
 * clock: virtual time passes only when nobody can run, so a sleeper whom nobody woke shows up late.
 */

import type { Arena } from '#src/index.ts'
import { Named } from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import type { Ending, Scenario, Thread } from './scenario.ts'
import { scenario, thread } from './scenario.ts'
import { join, type Library, raise } from './stage.ts'
import { boardAt, checkArena, reap, WORDS, ZONE_STAGE } from './world.ts'

const COUNTER = boardAt(0)
const LOCK_WORD = boardAt(1)
/** A sleeper asks by itself after 20 ms; whoever was woken is there at once. */
const LATE_MS = 10
/** Longer than all the spins that are taken before going to sleep. */
const LONG_MS = 5

type World = undefined

export function memoryScenarios(lib: Library): readonly Scenario<World>[] {
  const scene = (
    name: string,
    setup: (arena: Arena) => void,
    threads: readonly Thread<World>[],
    more: Partial<Scenario<World>> = {},
  ): Scenario<World> =>
    scenario<World>({
      name,
      words: WORDS,
      setup(memory) {
        raise(lib, memory, ZONE_STAGE, setup)
        return undefined
      },
      threads,
      final: (memory) => checkArena(lib, memory),
      rules: { bound: 2 },
      ...more,
    })

  const by = (
    name: string,
    body: (arena: Arena, memory: Memory) => unknown,
    more: { first?: (arena: Arena) => void; after?: string } = {},
  ): Thread<World> => ({
    ...thread({
      name,
      prepare(memory: Memory, _world: World): Arena {
        const arena = join(lib, memory)
        more.first?.(arena)
        return arena
      },
      body: (memory: Memory, _control, arena: Arena) => body(arena, memory),
    }),
    ...(more.after === undefined ? {} : { after: more.after }),
  })

  // ---- locks -------------------------------------------------------------------------------

  const opened = { first: (arena: Arena) => void arena.lock('lock') }
  /** Counts under the lock, and answers when it had it. */
  const counts =
    (times: number, sleepMs = 0) =>
    (arena: Arena, memory: Memory): number => {
      for (let i = 0; i < times; i++) {
        arena.lock('lock').withLock(() => {
          memory.poke(COUNTER, memory.peek(COUNTER) + 1)
          if (sleepMs > 0) memory.sleep(sleepMs)
        })
      }
      return memory.now()
    }
  const countIs =
    (expected: number) =>
    (memory: Memory): void => {
      const counted = memory.peek(COUNTER)
      if (counted !== expected) throw new Error(`counted ${counted} of ${expected}`)
      checkArena(lib, memory)
    }
  const nobodyLate = (memory: Memory, _results: unknown, { results }: Ending<World>): void => {
    const [first, ...others] = results as number[]
    const late = others.find((when) => when - (first as number) > LATE_MS)
    if (late !== undefined) throw new Error('a sleeper was not woken: its time ran out')
    checkArena(lib, memory)
  }
  /** Ends with the lock in its hands. */
  const holder = by('holder', (arena) => void arena.lock('lock').lock(), opened)
  const locks = (arena: Arena): void => void arena.lock('lock')
  /** Takes the lock and says whether its owner had died. */
  const inherits = (arena: Arena, memory: Memory): string => {
    const taken = arena.lock('lock').lock()
    memory.poke(COUNTER, memory.peek(COUNTER) + 1)
    arena.lock('lock').unlock()
    return taken
  }
  /** Reaped while it has one of the library's own locks, or gives it back: `unlock` asks nobody. */
  const mistaken = ({ space }: Arena): void => {
    try {
      space.locks.acquire(LOCK_WORD, 'it')
    } catch {
      return // It was told, and has no lock.
    }
    space.locks.unlock(LOCK_WORD)
  }
  /** Alone in there, although somebody else may think that he is. */
  const succeeds = ({ space }: Arena, memory: Memory): void => {
    space.locks.acquire(LOCK_WORD, 'it')
    memory.poke(COUNTER, memory.peek(COUNTER) + 1)
    space.locks.unlock(LOCK_WORD)
  }
  const oneHeir = (memory: Memory, results: readonly unknown[]): void => {
    const told = results.filter((taken) => taken === 'owner-died').length
    if (told !== 1) throw new Error(`${told} workers were told that the owner had died`)
    countIs(2)(memory)
  }

  // ---- names and slots ---------------------------------------------------------------------

  const openZone = (arena: Arena): number => {
    const zone = arena.zone('new', { bytes: 512, bucket: 2 })
    zone.zfree(zone.zalloc())
    return zone.serial
  }
  const openAll = (arena: Arena): number => {
    arena.lock('new')
    return arena.smr('new').serial * 2 ** 16 + arena.zone('new', { bytes: 512 }).serial
  }
  /** Of two who come to the same thing at once one may be told so. */
  const unlessRefused = (body: (arena: Arena) => void) => (arena: Arena) => {
    try {
      body(arena)
    } catch (error) {
      if (!(error instanceof Error && error.name === 'Misuse')) throw error
    }
  }
  const same = (memory: Memory, [one, other]: readonly unknown[]): void => {
    if (one !== other) throw new Error(`the same name led to ${one} and to ${other}`)
    checkArena(lib, memory)
  }
  const attaches = (arena: Arena, memory: Memory): number => {
    const second = join(lib, memory)
    const { workerId } = second
    if (workerId === arena.workerId) throw new Error(`two workers in slot ${workerId}`)
    second.detach()
    return workerId
  }
  /** In the middle both have two slots of the four; nobody may have another's. */
  const claims = (arena: Arena, memory: Memory): number => {
    const second = join(lib, memory)
    const at = boardAt(1 + second.space.slot)
    memory.poke(at, arena.workerId)
    if (memory.peek(at) !== arena.workerId) throw new Error('another is in this slot')
    second.detach()
    return attaches(arena, memory)
  }

  // ---- pages -------------------------------------------------------------------------------

  const turnPages =
    (...sizes: number[]) =>
    (arena: Arena, memory: Memory): void => {
      const { pages } = arena.space
      const runs = sizes.map((words) => pages.reserve(words))
      for (const run of runs) if (run !== 0) memory.poke(run, arena.workerId)
      for (const run of runs) {
        if (run === 0) continue
        if (memory.peek(run) !== arena.workerId) throw new Error('two have one page')
        pages.release(run)
      }
    }

  return [
    scene(
      'lock, two by turns',
      locks,
      [by('one', counts(2), opened), by('two', counts(2), opened)],
      {
        final: countIs(4),
        rules: { bound: 3 },
      },
    ),
    scene(
      'lock, three by turns',
      locks,
      ['one', 'two', 'three'].map((name) => by(name, counts(1), opened)),
      {
        final: countIs(3),
      },
    ),
    scene(
      'lock, sleepers are woken',
      locks,
      [
        by('holder', counts(1, LONG_MS), opened),
        by('two', counts(1), opened),
        by('three', counts(1), opened),
      ],
      { final: nobodyLate, rules: { bound: 1 } },
    ),
    scene(
      'lock of a dead owner',
      locks,
      [
        holder,
        by(
          'reaper',
          (arena, memory) => {
            reap(lib, arena, 0)
            return inherits(arena, memory)
          },
          { ...opened, after: 'holder' },
        ),
        by('waiter', inherits, { ...opened, after: 'holder' }),
      ],
      { final: oneHeir },
    ),
    scene(
      'lock of a worker that was reaped although it lives',
      () => {},
      [
        by('mistaken', mistaken),
        by('reaper', (arena, memory) => {
          reap(lib, arena, 0)
          succeeds(arena, memory)
        }),
        by('third', succeeds),
      ],
      { final: countIs(2) },
    ),
    scene('two attach and detach', () => {}, [by('one', claims), by('two', claims)]),
    scene('one zone of two makers', () => {}, [by('one', openZone), by('two', openZone)], {
      final: same,
    }),
    scene('one name for all, two makers', () => {}, [by('one', openAll), by('two', openAll)], {
      final: same,
      rules: { bound: 1 },
    }),
    scene(
      'a zone is made while another ends',
      (arena) => void arena.zone('old', { bytes: 512, bucket: 2 }),
      [
        by('maker', openZone),
        by('ender', (arena) => {
          arena.zone('old').destroy()
          openZone(arena)
        }),
      ],
    ),
    scene('a domain is made while its namesake ends', (arena) => void arena.smr('new'), [
      by('maker', (arena) => void arena.smr('new')),
      by('ender', (arena) => arena.smr('new').destroy()),
    ]),
    // In the end a zone that was made has its domain: checkArena opens it.
    scene('a zone is bound to a domain that another ends', (arena) => void arena.smr('new'), [
      by(
        'binder',
        unlessRefused((arena) => {
          const zone = arena.zone('bound', { bytes: 512, bucket: 2, smr: arena.smr('new') })
          zone.zfreeSmr(zone.zallocSmr())
        }),
        { first: (arena) => void arena.smr('new') },
      ),
      by(
        'ender',
        unlessRefused((arena) => arena.smr('new').destroy()),
        { first: (arena) => void arena.smr('new') },
      ),
    ]),
    scene(
      'pages of two',
      () => {},
      [by('one', turnPages(1000, 3000)), by('two', turnPages(2000, 1000))],
      {
        final(memory) {
          checkArena(lib, memory)
          const arena = join(lib, memory)
          const used = arena.space.pages.runs().filter(({ state }) => state !== 'free').length
          const named = arena.space.directory
            .list()
            .filter(({ kind }) => kind !== Named.lock).length
          if (used !== named) throw new Error(`${used} runs are used, by ${named} things`)
        },
      },
    ),
  ]
}

/**
 * Two reapers of one dead worker, and a successor who attaches as soon as its slot is free: whoever
 * went by the slot alone would take the living for the dead. All of one thread, as far as the host's
 * numbers go: so nothing but the generation tells them apart.
 */

import type { Arena } from '#src/index.ts'
import type { Memory } from '#src/memory/memory.ts'
import { type Scenario, scenario, thread } from './scenario.ts'
import { join, type Library, raise } from './stage.ts'
import { checkArena, DOMAIN, WORDS, ZONE_STAGE } from './world.ts'

const DEAD_SLOT = 0

/** What a reaper has seen before anybody is reaped. */
interface Eye {
  readonly arena: Arena
  readonly seen: number
}

function watching(lib: Library, memory: Memory): Eye {
  const arena = join(lib, memory)
  arena.smr(DOMAIN)
  return { arena, seen: arena.space.workers.generation(DEAD_SLOT) }
}

/** `later`: so many generations after the one that was seen. */
const reaping = (lib: Library, { arena, seen }: Eye, later: number): boolean =>
  lib.reapSlot(arena.space, DEAD_SLOT, seen + later).reaped

/** Attaches, opens a section, and insists on being what it is until the end. */
function succeed(lib: Library, memory: Memory): void {
  const arena = join(lib, memory)
  const smr = arena.smr(DOMAIN)
  smr.enter()
  smr.exit()
  if (!arena.space.isOurs) throw new Error(`worker ${arena.workerId} lives, and was reaped`)
  arena.detach()
}

/** The dead worker left a section open. */
export function successorScenarios(lib: Library): readonly Scenario<undefined>[] {
  const dying = (then: (arena: Arena) => void) =>
    thread({
      name: 'dead',
      prepare(memory: Memory, _world: undefined): Arena {
        const arena = join(lib, memory)
        arena.smr(DOMAIN)
        return arena
      },
      body(_memory: Memory, _control, arena: Arena) {
        arena.smr(DOMAIN).enter()
        then(arena)
      },
    })
  /** As whoever reaps its supervisor does it; who reaps the worker itself comes later. */
  const buried = ({ space: { slot, workers } }: Arena): void => {
    workers.bury({ slot, generation: workers.generation(slot) })
  }
  const scene = (
    name: string,
    threads: Scenario<undefined>['threads'],
    final: (memory: Memory) => void,
  ): Scenario<undefined> =>
    scenario<undefined>({
      name,
      words: WORDS,
      setup(memory) {
        raise(lib, memory, ZONE_STAGE, (arena) => void arena.smr(DOMAIN))
        return undefined
      },
      threads,
      final,
      rules: { bound: 2 },
    })
  const reapers = (later: number, then: (memory: Memory) => void) =>
    ['one reaper', 'another'].map((name) =>
      thread({
        name,
        after: 'dead',
        prepare: (memory: Memory, _world: undefined) => watching(lib, memory),
        body(memory: Memory, _control, eye: Eye) {
          if (reaping(lib, eye, later)) then(memory)
        },
      }),
    )
  /** Whoever has the slot is called by its number in the slot. */
  const named = (number: number): string => `worker ${number} `.repeat(2)
  return [
    scene(
      "a label is one worker's",
      [
        thread({
          name: 'comers and goers',
          prepare: (memory: Memory, _world: undefined) => join(lib, memory).space.workers,
          body(_memory: Memory, _control, workers) {
            for (let number = 0; number < 2; number++) {
              const slot = workers.claim('model', number)
              workers.introduce(slot, named(number))
              if (number === 0) workers.release(slot)
            }
          },
        }),
        thread({
          name: 'looker',
          prepare: (memory: Memory, _world: undefined) => join(lib, memory).space.workers,
          body(_memory: Memory, _control, workers) {
            const said = workers.introduced(2)
            if (said === undefined || [named(0), named(1)].includes(said.label)) return
            throw new Error(`somebody is called ${said.label}`)
          },
        }),
      ],
      () => {},
    ),
    scene(
      'two reapers and a successor',
      [dying(() => {}), ...reapers(0, (memory) => succeed(lib, memory))],
      (memory) => checkArena(lib, memory, { thorough: true }),
    ),
    scene(
      'two reapers of one who was buried, and a successor who is buried too',
      [dying(buried), ...reapers(1, (memory) => void join(lib, memory))],
      (memory) => {
        const { workers } = join(lib, memory).space
        const seen = { slot: DEAD_SLOT, generation: workers.generation(DEAD_SLOT) }
        // As a reaper does with those who were supervised by the dead.
        if (!workers.bury(seen)) throw new Error('there is no successor')
        if (workers.unreaped().some(({ slot }) => slot === DEAD_SLOT)) return
        throw new Error('the successor is left to one who has no such thing in mind')
      },
    ),
  ]
}

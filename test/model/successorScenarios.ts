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

const reaping = (lib: Library, { arena, seen }: Eye): boolean =>
  lib.reapSlot(arena.space, DEAD_SLOT, seen).reaped

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
  const dead = thread({
    name: 'dead',
    prepare(memory: Memory, _world: undefined): Arena {
      const arena = join(lib, memory)
      arena.smr(DOMAIN)
      return arena
    },
    body(_memory: Memory, _control, arena: Arena) {
      arena.smr(DOMAIN).enter()
    },
  })
  const reapers = ['one reaper', 'another'].map((name) =>
    thread({
      name,
      after: 'dead',
      prepare: (memory: Memory, _world: undefined) => watching(lib, memory),
      body(memory: Memory, _control, eye: Eye) {
        if (reaping(lib, eye)) succeed(lib, memory)
      },
    }),
  )
  return [
    scenario<undefined>({
      name: 'two reapers and a successor',
      words: WORDS,
      setup(memory) {
        raise(lib, memory, ZONE_STAGE, (arena) => void arena.smr(DOMAIN))
        return undefined
      },
      threads: [dead, ...reapers],
      final: (memory) => checkArena(lib, memory, { thorough: true }),
      rules: { bound: 2 },
    }),
  ]
}

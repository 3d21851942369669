/**
 * Scenarios in which somebody survives an exception in the middle of a action, and goes on.
 *
 * One call of the survivor's fails, one exploration for each (throws.ts). Then it reads again, takes
 * and frees what there is, asks whether it still holds anything, and leaves. The heir starts when it
 * has left and wants every item there is. A worker may live beside the two all the while. In the end
 * all laws hold, nobody is blocked, no lock and no section is held, and at most the one item that was
 * in the survivor's hands is unaccounted for.
 */

import type { Item, ZoneOptions } from '#src/index.ts'
import type { Memory } from '#src/memory/memory.ts'
import type { Action } from './deathStage.ts'
import { work } from './deathStage.ts'
import { type Scenario, type Thread, thread } from './scenario.ts'
import type { Library } from './stage.ts'
import {
  assertHoldsNothing,
  endTurn,
  endTurnIfCut,
  hire,
  reap,
  type Worker,
  ZONE_STAGE,
} from './world.ts'
import { Hand, reachable, reading, watching, worker, zoneScene } from './zoneStage.ts'

export const SURVIVOR = 'survivor'
const LIMIT = 6
/** The item that the survivor had in its hands. */
const LEAKS = 1

/** The scenario of one action; let a call of `SURVIVOR` throw. */
export function throwScene(lib: Library, action: Action): Scenario<undefined> {
  const { name, body, first, heads = [], plain = false, other, limit = LIMIT, knobs } = action
  const { hooks = plain ? undefined : watching, stage = ZONE_STAGE } = action
  const hooked = hooks === undefined ? {} : { hooks }
  const witness = hooks && new Witness(hooks)
  const survivor: Thread<undefined> = thread({
    name: SURVIVOR,
    prepare(memory: Memory): Worker {
      const hired = hire(lib, memory, witness?.hooks(memory))
      first?.(memory, hired, new Hand(memory, 0))
      return hired
    },
    body(memory: Memory, control, hired: Worker) {
      const hand = new Hand(memory, 0)
      witness?.sees(memory)
      const ended = control.attempt(() => body(memory, hired, hand))
      endTurnIfCut(control, hired.arena)
      if (leaves(action)) {
        if (!ended) leaveAgain(hired)
        return
      }
      if (!plain) reading(2, ...heads)(memory, hired, hand)
      work(memory, hired, hand, plain)
      endTurn(hired.arena)
      assertHoldsNothing(memory, hired)
      hired.arena.detach()
    },
  })
  const threads = [
    survivor,
    worker(
      lib,
      'heir',
      1,
      (memory, hired, hand) => {
        // One that could not give all back has left its slot as a dead worker would.
        if (leaves(action)) reap(lib, hired.arena, 0)
        const taken = work(memory, hired, hand, plain)
        // Beside a third worker neither the items that it has nor what it says of them is for us.
        if (other !== undefined) return
        const known = reachable(memory).length - hand.items().length
        if (taken + known + LEAKS >= limit) return
        throw new Error(`of ${limit} items ${taken} are to be had`)
      },
      { ...hooked, after: SURVIVOR },
    ),
  ]
  if (other !== undefined) threads.push(worker(lib, 'other', 2, other, hooked))
  return zoneScene(
    lib,
    name,
    threads,
    {
      stage,
      heads,
      plain,
      ...hooked,
      zone: { limit, ...knobs },
      laws: { thorough: true, mayLeak: LEAKS },
    },
    { rules: { bound: other === undefined ? 0 : 1, maxVerbs: 30_000 } },
  )
}

/**
 * Hooks whose own work never fails, and that fail in the end: what they have seen is in the scenario's
 * memory then. A hook that fails before it has done its work is the user's.
 */
class Witness {
  private readonly of: (memory: Memory) => ZoneOptions
  private own: ZoneOptions = {}

  constructor(of: (memory: Memory) => ZoneOptions) {
    this.of = of
  }

  /** From now on, in this memory. */
  sees(memory: Memory): void {
    this.own = this.of(memory)
  }

  hooks(library: Memory): ZoneOptions {
    this.sees(library)
    const hook = (name: 'ctor' | 'dtor' | 'init' | 'fini') => (item: Item) => {
      this.own[name]?.(item)
      library.peek(item)
    }
    const names = (['ctor', 'dtor', 'init', 'fini'] as const).filter((name) => this.own[name])
    return Object.fromEntries(names.map((name) => [name, hook(name)]))
  }
}

/** Whether the action is to leave: then nothing is left to do but to leave again. */
function leaves({ name }: Action): boolean {
  return name.endsWith('detach')
}

/** The handle is still good for that, or says that it has been detached. */
function leaveAgain({ arena }: Worker): void {
  try {
    arena.detach()
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_UMA_SMR_MISUSE') throw error
  }
}

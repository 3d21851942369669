/**
 * The wrap guard under every clock, with the largest steps there are: a reader is inside since before
 * the hands went apart, and others want to go on.
 *
 * Five steps bring the hands to the guard and ten go round half the circle, so whoever moves the hand
 * where it must not be moved makes an old section look like the future, and goals like the past. A
 * lazy goal lies two steps ahead of a hand that may itself be two steps past the guard.
 */

import { MAX_DELTA } from '#src/base/seq.ts'
import { Cast } from './paceCast.ts'
import {
  COMBOS,
  type Combo,
  endTurn,
  look,
  ONE,
  replace,
  rest,
  reuse,
  STRIDE,
  tick,
  type Worker,
  type World,
} from './paceStage.ts'
import type { Scenario, Thread } from './scenario.ts'
import type { Library } from './stage.ts'

/** Steps that fit between the hands before the guard, as STRIDE has it. */
const ROOM = Math.ceil(MAX_DELTA / STRIDE) - 1

export function guardScenarios(lib: Library): readonly Scenario<World>[] {
  return COMBOS.flatMap((combo) => {
    const cast = new Cast(lib, combo)
    return [atTheGuard(cast), beyondTheGuard(cast), committed(cast)]
  })
}

/** A reader has been inside since before the hands went apart. */
function parked(cast: Cast): Thread<World> {
  return cast.veteran(
    'parked',
    ({ smr }) => smr.enter(),
    (worker) => {
      look(worker.memory)
      look(worker.memory)
      worker.smr.exit()
      worker.smr.read(() => look(worker.memory))
      endTurn(worker)
    },
  )
}

/** A writer who has tried to take the hand so many steps forward. */
function hasty(cast: Cast, steps: number): Thread<World> {
  const { combo } = cast
  return cast.veteran(
    'writer',
    (worker) => {
      for (let i = 0; i < steps; i++) bringForward(worker, combo, i)
    },
    (worker) => {
      if (combo.clock === 'lazy') tick(worker.memory, LONG)
      replace(worker, combo)
    },
  )
}

/** Two advance and poll where there is room for one step more, or none. */
function atTheGuard(cast: Cast): Scenario<World> {
  const { combo } = cast
  const rival = cast.member('rival', (worker) => {
    for (let i = 0; i < 2; i++) {
      if (combo.clock === 'lazy') tick(worker.memory, 2)
      worker.smr.poll(worker.smr.advance())
    }
  })
  const threads = [parked(cast), hasty(cast, ROOM), rival]
  return cast.scene('two writers at the wrap guard', threads, {}, true)
}

/** Whatever was tried, the hand has stayed where it may be; and the goals are met in the end. */
function beyondTheGuard(cast: Cast): Scenario<World> {
  return cast.scene(
    'the hand does not pass the guard',
    [parked(cast), hasty(cast, 3 * ROOM)],
    {},
    true,
  )
}

/** A goal that was committed where the hand could not move is met by polls alone. */
function committed(cast: Cast): Scenario<World> {
  const writer = cast.veteran(
    'writer',
    (worker) => {
      for (let i = 0; i <= ROOM; i++) bringForward(worker, cast.combo, 0)
    },
    ({ memory, smr }) => {
      memory.store(ONE.head, 0)
      const goal = smr.deferredAdvance()
      smr.commit(goal)
      while (!smr.poll(goal)) rest(memory, cast.combo)
      reuse(memory)
    },
  )
  return cast.scene('a commit at the wrap guard', [parked(cast), writer], {}, true)
}

/** Ticks of a long rest: if each were a step, the hand would go half round the circle. */
const LONG = 12

/** One step of the write hand, by one of the verbs that may move it. */
function bringForward({ memory, smr }: Worker, { clock }: Combo, turn: number): void {
  if (clock === 'lazy') {
    tick(memory, 1)
    smr.advance()
  } else if (turn % 2 === 0) smr.commit(smr.deferredAdvance())
  else smr.wait(smr.deferredAdvance(), { timeoutMs: 0 })
}

/**
 * Callbacks and barriers, turn by turn: each worker's event loop is a list that the scenario empties
 * where it says that a turn has ended.
 *
 * A callback writes again to what was unlinked before the call, as one that frees does: a reader who
 * can still look is detected by the value and by the race. It also writes plainly to a word that
 * whoever has waited for it reads plainly: that is what being done means.
 */

import type { Smr } from '#src/index.ts'
import type { Memory } from '#src/memory/memory.ts'
import {
  assertCounted,
  assertDone,
  doneAt,
  endTurn,
  finish,
  idle,
  mark,
  memberOf,
  outlast,
  pendingIn,
  promise,
  queue,
  RAN,
  scene,
  type Turning,
  turning,
  withLoop,
} from './callStage.ts'
import {
  build,
  COMBOS,
  type Combo,
  comboOf,
  look,
  ONE,
  reuse,
  tick,
  WIDE,
  type World,
} from './paceStage.ts'
import { type Scenario, type Thread, thread } from './scenario.ts'
import { join, type Library } from './stage.ts'
import { DOMAIN, quietly, reap } from './world.ts'

export function callScenarios(lib: Library): readonly Scenario<World>[] {
  const plain = comboOf('default, fenced')
  return [
    ...COMBOS.map((combo) => againstReader(lib, combo)),
    againstReader(lib, plain, 'many, at the wrap guard', 3, {
      setup: (memory) => build(lib, memory, plain, WIDE),
    }),
    barrier(lib, plain),
    ...['default, fenced', 'default, turn', 'lazy, turn'].map((name) => held(lib, comboOf(name))),
    laterOnes(lib, plain),
    mutual(lib, plain),
    leaving(lib, plain),
    halfReaped(lib, plain),
  ]
}

/** Unlink, call; the callback writes where a reader in a section may be looking. */
function againstReader(
  lib: Library,
  combo: Combo,
  name = 'a callback against a reader',
  advances = 0,
  more: Partial<Scenario<World>> = {},
): Scenario<World> {
  const member = memberOf(lib, combo)
  const reader = member('reader', ({ arena, memory, smr }) => {
    for (let i = 0; i < 2; i++) {
      smr.read(() => {
        look(memory)
        look(memory)
      })
    }
    arena.space.turn.letGo()
  })
  const writer = member('writer', (worker) => {
    const { memory, smr } = worker
    if (combo.clock === 'lazy') tick(memory, 2)
    smr.call(() => memory.add(RAN, 1)) // In the same batch, before the unlink.
    for (let i = 0; i < advances; i++) smr.advance()
    memory.store(ONE.head, 0)
    smr.call(() => {
      reuse(memory)
      memory.add(RAN, 1)
    })
    idle(worker, combo)
  })
  return scene(lib, combo, name, [reader, writer], {
    final(memory, _results, { world, dead }) {
      assertCounted(memory, world, dead.length)
      if (memory.load(RAN) !== 2) throw new Error(`${memory.load(RAN)} of 2 callbacks have run`)
    },
    ...more,
  })
}

function barrier(lib: Library, combo: Combo): Scenario<World> {
  const member = memberOf(lib, combo)
  const caller = member('caller', (worker) => {
    queue(worker, 0)
    idle(worker, combo)
  })
  const waiting = member('waiting', (worker) => outlast(lib, worker, combo))
  return scene(lib, combo, 'a barrier', [caller, waiting], { rules: { bound: 3 } })
}

/**
 * Queued inside a section, as OpenBSD allows: it waits for that very section, and every barrier for it,
 * also one that another worker begins before the section has ended, or its own worker right after.
 */
function held(lib: Library, combo: Combo): Scenario<World> {
  const member = memberOf(lib, combo)
  const caller = member('caller', (worker) => {
    const { arena, memory, smr } = worker
    smr.read(() => {
      look(memory)
      memory.store(ONE.head, 0)
      smr.callAnywhere(() => {
        if (smr.inside) throw new Error('a callback runs in a section')
        reuse(memory)
        finish(memory, 0)
      })
      promise(memory, 0)
      memory.peek(ONE.record)
    })
    arena.space.turn.letGo()
    outlast(lib, worker, combo)
  })
  const reader = member('reader', ({ arena, memory, smr }) => {
    smr.read(() => {
      look(memory)
      look(memory)
    })
    arena.space.turn.letGo()
  })
  const waiting = member('waiting', (worker) => outlast(lib, worker, combo))
  return scene(lib, combo, 'a barrier and a callback queued in a section', [
    caller,
    waiting,
    reader,
  ])
}

/** A callback that queues itself again: the barrier is over when the first has run. */
function laterOnes(lib: Library, combo: Combo): Scenario<World> {
  const member = memberOf(lib, combo)
  const caller = member(
    'caller',
    (worker) => {
      while (worker.memory.load(RAN) === 0) endTurn(worker)
    },
    (worker) => {
      worker.smr.call(() => queue(worker, 1))
      queue(worker, 0)
    },
  )
  const waiting: Thread<World> = thread({
    name: 'waiting',
    prepare(memory: Memory, world: World) {
      const worker = turning(lib, memory, world, combo)
      return { worker, queued: mark(lib, worker) }
    },
    body(memory, _control, { worker, queued }) {
      while (!queued.areCompleted()) memory.pause()
      assertDone(worker, [true])
    },
  })
  return scene(lib, combo, 'a barrier and later ones', [caller, waiting])
}

/** Two workers, each with a callback and a barrier, beside a reader. */
function mutual(lib: Library, combo: Combo): Scenario<World> {
  const member = memberOf(lib, combo)
  const worker = (number: number): Thread<World> =>
    member(`worker ${number}`, (it) => {
      queue(it, number)
      outlast(lib, it, combo)
      idle(it, combo)
      // The other's barrier still counts on our turns, if it has not begun before our end.
    })
  const reader = member('reader', ({ memory, smr }) => smr.read(() => look(memory)))
  return scene(lib, combo, 'two barriers', [worker(0), worker(1), reader])
}

/** Leaves with callbacks; another takes the slot, and queues what nobody waits for. */
function leaving(lib: Library, combo: Combo): Scenario<World> {
  const member = memberOf(lib, combo)
  const leaver: Thread<World> = thread({
    name: 'leaver',
    prepare(memory: Memory, world: World) {
      const worker = turning(lib, memory, world, combo)
      queue(worker, 0)
      queue(worker, 0)
      return worker
    },
    body(memory, _control, { arena, domain }) {
      quietly(() => arena.detach())
      if (pendingIn(memory, domain, arena.space.slot) !== 0) {
        throw new Error('the worker has left, and its callbacks wait')
      }
      const successor = join(lib, memory)
      successor.space.turn.schedule = () => {}
      const smr: Smr = successor.smr(DOMAIN)
      const heir = withLoop({ arena: successor, domain, memory, smr })
      heir.smr.call(() => {})
    },
  })
  const waiting: Thread<World> = thread({
    name: 'waiting',
    prepare(memory: Memory, world: World) {
      return mark(lib, turning(lib, memory, world, combo))
    },
    body(memory, _control, queued) {
      while (!queued.areCompleted()) memory.pause()
      // Dropped or run: it is over, and nobody is left who could still do it.
      memory.peek(doneAt(0))
    },
  })
  const reader = member('reader', ({ memory, smr }) => smr.read(() => look(memory)))
  return scene(lib, combo, 'a worker leaves', [leaver, waiting, reader])
}

/** The caller is dead and its slot's name has changed, but its reaper has come no further. */
function halfReaped(lib: Library, combo: Combo): Scenario<World> {
  const member = memberOf(lib, combo)
  const dead = member(
    'dead',
    () => {},
    (worker) => queue(worker, 0),
  )
  const reaper = member('reaper', ({ arena: { space } }) => {
    space.workers.beginReap(0, space.locks.signature)
  })
  const waiting: Thread<World> = thread({
    name: 'waiting',
    prepare(memory: Memory, world: World) {
      return mark(lib, turning(lib, memory, world, combo))
    },
    body(memory, _control, queued) {
      while (!queued.areCompleted()) memory.pause()
    },
  })
  return scene(lib, combo, 'a reaper that died', [dead, waiting, reaper])
}

// ---- death ------------------------------------------------------------------------------------

export const CALL_VICTIM = 'victim'

/** Death among callbacks: nobody waits for them for ever, and all are counted once. */
export function callDeaths(lib: Library): Readonly<Record<'alone' | 'beside', Scenario<World>>> {
  const combo = comboOf('default, fenced')
  const member = memberOf(lib, combo)
  const victim = member(CALL_VICTIM, (worker) => {
    queue(worker, 0)
    endTurn(worker)
    queue(worker, 0)
    queue(worker, 0)
    idle(worker, combo)
  })
  const reaping = (worker: Turning): void => {
    reap(lib, worker.arena, 0)
    const said = worker.smr.stats()
    if (said.callsPending !== 0) throw new Error(`${said.callsPending} callbacks of the dead wait`)
    const run = worker.memory.load(RAN)
    // Its last one may have run without having been counted: then it is called lost.
    const counted = said.calls - said.callsLost
    if (counted !== run && counted !== run - 1) {
      throw new Error(`${said.calls} calls, ${said.callsLost} lost, ${run} run`)
    }
  }
  const heir: Thread<World> = { ...member('heir', reaping), after: CALL_VICTIM }
  const waiting = member('waiting', (worker) => {
    const queued = mark(lib, worker)
    while (!queued.areCompleted()) worker.memory.pause()
  })
  return {
    alone: scene(lib, combo, 'death', [victim, heir], { rules: { bound: 0 } }),
    beside: scene(lib, combo, 'death beside a barrier', [victim, heir, waiting], {
      rules: { bound: 1 },
    }),
  }
}

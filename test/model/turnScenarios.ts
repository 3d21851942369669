/**
 * Turn sections: several in one publication, with racy peeks that miss the last step of the hand, and
 * what lets go of the publication in the end.
 *
 * A turn's end, a poll of the worker's own, `offline` and a verb that blocks clear the word; each
 * comes between two sections, beside a writer who is only waiting for that. Whoever lets go too early
 * is detected by a look; whoever does not, by a writer who never gets on.
 */

import type { Memory } from '#src/memory/memory.ts'
import {
  build,
  COMBOS,
  type Combo,
  comboOf,
  endTurn,
  hire,
  look,
  ONE,
  OTHER,
  PLAIN_HEAD,
  replace,
  replaceAndWait,
  rest,
  SETTING,
  SIGN,
  tick,
  WIDE,
  type Worker,
  type World,
} from './paceStage.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import type { Library } from './stage.ts'

const OTHER_DOMAIN = 'another'
const LOCK = 'lock'

export function turnScenarios(lib: Library): readonly Scenario<World>[] {
  return [
    ...COMBOS.filter((each) => each.turn).flatMap((combo) => inTurns(lib, combo)),
    ...blocking(lib, comboOf('default, turn')),
    sleeps(lib, comboOf('default, turn')),
  ]
}

type Member = (name: string, body: (worker: Worker) => void) => Thread<World>

const memberOf =
  (lib: Library, combo: Combo): Member =>
  (name, body) =>
    thread({
      name,
      prepare: (memory: Memory, world: World) => hire(lib, memory, world, combo),
      body: (_memory, _control, worker: Worker) => body(worker),
    })

function scene(
  lib: Library,
  combo: Combo,
  name: string,
  threads: readonly Thread<World>[],
  more: Partial<Scenario<World>> = {},
): Scenario<World> {
  return scenario<World>({
    ...SETTING,
    name: `${combo.name}: ${name}`,
    setup: (memory) => build(lib, memory, combo),
    threads,
    rules: { bound: 2, hostile: true },
    ...more,
  })
}

function inTurns(lib: Library, combo: Combo): Scenario<World>[] {
  const member = memberOf(lib, combo)
  const visit = (worker: Worker, times: number): void => {
    for (let i = 0; i < times; i++) worker.smr.read(() => look(worker.memory))
  }
  const reader = member('reader', (worker) => {
    visit(worker, 3)
    endTurn(worker)
  })
  const writer = member('writer', (worker) => {
    if (combo.clock === 'lazy') tick(worker.memory, 2)
    replace(worker, combo)
    worker.memory.store(SIGN, 1)
  })
  const untilSigned = ({ memory }: Worker): void => {
    while (memory.load(SIGN) === 0) rest(memory, combo)
  }
  const second = member('second', (worker) => replace(worker, combo, OTHER))
  /** Between two sections it lets go, one way or another. */
  const letter = (name: string, letGo: (worker: Worker) => void): Thread<World> =>
    member(name, (worker) => {
      visit(worker, 2)
      letGo(worker)
      visit(worker, 1)
      endTurn(worker)
    })
  /** Inside a section nothing lets go, whatever happens. */
  const inside = member('inside', (worker) => {
    const goal = worker.smr.deferredAdvance()
    visit(worker, 1)
    worker.smr.read(() => {
      look(worker.memory)
      endTurn(worker)
      worker.smr.poll(goal)
      look(worker.memory)
    })
    endTurn(worker)
  })
  return [
    scene(lib, combo, 'sections of one publication', [reader, writer]),
    scene(lib, combo, 'the same, pointers loaded plainly', [reader, writer], PLAIN_HEAD),
    scene(lib, combo, 'two writers beside a turn', [
      member('reader', (worker) => {
        for (let i = 0; i < 2; i++) {
          worker.smr.read(() => {
            look(worker.memory, ONE)
            look(worker.memory, OTHER)
          })
        }
        endTurn(worker)
      }),
      writer,
      second,
    ]),
    scene(lib, combo, 'the turn ends between sections', [letter('reader', endTurn), writer]),
    scene(lib, combo, 'a reader polls between sections', [
      letter('reader', ({ smr }) => void smr.poll(smr.advance())),
      writer,
    ]),
    scene(lib, combo, 'a reader goes offline between sections', [
      letter('reader', (worker) => {
        worker.smr.offline()
        untilSigned(worker)
        worker.smr.online()
      }),
      writer,
    ]),
    scene(lib, combo, 'a writer has read in the same turn', [
      member('reader', (worker) => {
        visit(worker, 2)
        endTurn(worker)
      }),
      member('writer', (worker) => {
        visit(worker, 1)
        if (combo.clock === 'lazy') tick(worker.memory, 2)
        replace(worker, combo)
      }),
    ]),
    scene(lib, combo, 'a reader leaves, and another gets its slot', [
      member('reader', (worker) => {
        visit(worker, 1)
        worker.arena.detach()
        untilSigned(hire(lib, worker.memory, worker, combo))
      }),
      writer,
    ]),
    scene(lib, combo, 'a turn ends, and a poll comes, inside a section', [inside, writer]),
  ]
}

/** The reader's thread blocks for something that only comes when the writer has got on. */
function blocking(lib: Library, combo: Combo): Scenario<World>[] {
  const member = memberOf(lib, combo)
  const waits = member('reader', (worker) => {
    worker.smr.read(() => look(worker.memory))
    worker.arena.smr(OTHER_DOMAIN).synchronize()
    worker.smr.read(() => look(worker.memory))
    endTurn(worker)
  })
  /** Inside in the other domain, until it has got on in this one. */
  const holder: Thread<World> = thread({
    name: 'writer',
    prepare(memory: Memory, world: World): Worker {
      const worker = hire(lib, memory, world, combo)
      worker.arena.smr(OTHER_DOMAIN).enter()
      return worker
    },
    body(_memory: Memory, _control, worker: Worker) {
      replace(worker, combo)
      worker.arena.smr(OTHER_DOMAIN).exit()
    },
  })
  const locks = member('reader', (worker) => {
    worker.smr.read(() => look(worker.memory))
    worker.arena.lock(LOCK).withLock(() => {})
    worker.smr.read(() => look(worker.memory))
    endTurn(worker)
  })
  const locked: Thread<World> = thread({
    name: 'writer',
    prepare(memory: Memory, world: World): Worker {
      const worker = hire(lib, memory, world, combo)
      worker.arena.lock(LOCK).lock()
      return worker
    },
    body(_memory: Memory, _control, worker: Worker) {
      replaceAndWait(worker)
      worker.arena.lock(LOCK).unlock()
    },
  })
  const bound1 = { rules: { bound: 1 } }
  return [
    scene(lib, combo, 'a reader waits in another domain', [waits, holder], bound1),
    scene(lib, combo, 'a reader sleeps on a lock', [locks, locked], bound1),
  ]
}

/** [I] The reader sleeps in the middle of publishing, for more than half the circle. */
function sleeps(lib: Library, combo: Combo): Scenario<World> {
  const member = memberOf(lib, combo)
  const reader = member('reader', (worker) => {
    worker.smr.read(() => look(worker.memory))
    worker.smr.read(() => look(worker.memory))
    endTurn(worker)
  })
  const writer = member('writer', (worker) => {
    for (let i = 0; i < HALF; i++) worker.smr.poll(worker.smr.advance())
    replace(worker, combo)
  })
  return scene(lib, combo, 'a reader sleeps in enter for half the circle', [reader, writer], {
    setup: (memory) => build(lib, memory, combo, WIDE),
    rules: { bound: 3 },
  })
}

/** Steps of a wide stage that go round half the circle and a little further. */
const HALF = 11

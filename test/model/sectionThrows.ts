/**
 * An exception in sections, in moving and waiting for the clock, and in callbacks; and the worker goes
 * on. Whatever it has left, its later sections protect what they find, nobody waits for it for ever,
 * and in the end nothing of it is published.
 */

import type { Tracker } from '#src/index.ts'
import { DomainWords, ReaderWords } from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import {
  scene as asyncScene,
  begin,
  end,
  lookAgain,
  type Open,
  sleepable,
} from './asyncScenarios.ts'
import { scene as callScene, endTurn as endTasks, idle, mark, queue, turning } from './callStage.ts'
import type { Control } from './history.ts'
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
  type Place,
  replace,
  SETTING,
  tick,
  type Worker,
  type World,
} from './paceStage.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import type { Library } from './stage.ts'
import { endTurnIfCut, quietly } from './world.ts'

export const SURVIVOR = 'survivor'
const WORKERS = 3

export function sectionThrows(lib: Library): readonly Scenario<World>[] {
  return [
    ...COMBOS.map((combo) => sections(lib, combo)),
    ...COMBOS.map((combo) => clocks(lib, combo)),
    asyncSections(lib, sleepable(comboOf('default, fenced'))),
    callbacks(lib, comboOf('default, fenced')),
  ]
}

function member<T extends Worker>(
  name: string,
  prepare: (memory: Memory, world: World) => T,
  body: (worker: T, control: Control) => void,
): Thread<World> {
  return thread({ name, prepare, body: (_memory, control, worker: T) => body(worker, control) })
}

function sections(lib: Library, combo: Combo): Scenario<World> {
  const hired = (memory: Memory, world: World): Worker => hire(lib, memory, world, combo)
  const looking = ({ smr, memory }: Worker, times: number): void => {
    for (let i = 0; i < times; i++) {
      smr.read(() => {
        look(memory)
        look(memory)
      })
    }
  }
  return scene(lib, combo, 'sections', [
    member(SURVIVOR, hired, (worker, control) => {
      control.attempt(() => {
        looking(worker, 2)
        endTurn(worker)
        looking(worker, 1)
      })
      endTurnIfCut(control, worker.arena)
      looking(worker, 2)
      endTurn(worker)
    }),
    member('writer', hired, (worker) => {
      if (combo.clock === 'lazy') tick(worker.memory, 2)
      replace(worker, combo)
    }),
  ])
}

function clocks(lib: Library, combo: Combo): Scenario<World> {
  const hired = (memory: Memory, world: World): Worker => hire(lib, memory, world, combo)
  return scene(lib, combo, 'clock', [
    member(SURVIVOR, hired, (worker, control) => {
      const { smr } = worker
      control.attempt(() => {
        const goal = smr.deferredAdvance()
        smr.commit(goal)
        smr.poll(smr.advance())
        smr.synchronize({ timeoutMs: 100 })
      })
      endTurnIfCut(control, worker.arena)
      replace(worker, combo, OTHER)
    }),
    member('reader', hired, (worker) => {
      worker.smr.read(() => look(worker.memory, OTHER))
      endTurn(worker)
    }),
  ])
}

function scene(
  lib: Library,
  combo: Combo,
  name: string,
  threads: readonly Thread<World>[],
): Scenario<World> {
  return scenario<World>({
    ...SETTING,
    name: `an exception in ${name}, ${combo.name}`,
    setup: (memory) => build(lib, memory, combo),
    threads,
    final: assertNothingPublished,
    rules: { bound: 1 },
  })
}

function assertNothingPublished(
  memory: Memory,
  _results: readonly unknown[],
  { world: { domain } }: { world: World },
): void {
  for (let slot = 0; slot < WORKERS; slot++) {
    const reader = domain + DomainWords.WORDS + slot * ReaderWords.WORDS
    const seq = memory.load(reader + ReaderWords.seq)
    if (seq !== 0) throw new Error(`worker ${slot} still shows ${seq}`)
  }
}

/** The survivor closes the sections that it was told of. */
function asyncSections(lib: Library, combo: Combo): Scenario<World> {
  const hired = (memory: Memory, world: World): Worker => hire(lib, memory, world, combo)
  return asyncScene(
    lib,
    combo,
    'an exception',
    [
      member(SURVIVOR, hired, (worker, control) => {
        const open: { readonly tracker: Tracker; readonly records: number[] }[] = []
        // What it is told it writes down at once, before it looks at anything.
        const opens = (places: readonly Place[], label: string): void => {
          const records: number[] = []
          open.push({ tracker: worker.smr.enterSleepable(label), records })
          for (const { head } of places) records.push(worker.memory.load(head))
        }
        const closes = ({ tracker, records }: (typeof open)[number]): void => {
          lookAgain(worker, records)
          records.length = 0 // From here on it may be closed.
          worker.smr.exitSleepable(tracker)
        }
        control.attempt(() => {
          opens([ONE], 'first')
          opens([ONE, OTHER], 'second')
          worker.smr.advance()
          for (let each = open[0]; each !== undefined; each = open[0]) {
            closes(each)
            open.shift()
          }
        })
        endTurnIfCut(control, worker.arena)
        for (const each of open) endIfOpen(worker, each)
        end(worker, begin(worker, [ONE, OTHER], 'third'))
      }),
      member('writer', hired, (worker) => replace(worker, combo)),
    ],
    { rules: { bound: 1 } },
  )
}

/** The exception may have come after it was closed. */
function endIfOpen(worker: Worker, open: Open): void {
  try {
    end(worker, open)
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_UMA_SMR_MISUSE') throw error
  }
}

/** What a barrier does before it waits. It gives up then: what would come later is no schedule's. */
function ask({ smr }: Worker, verb: 'barrier' | 'flush'): void {
  void smr[verb]({ signal: OVER }).catch(() => {})
}

const OVER = { aborted: true, reason: 'over' } as const

function callbacks(lib: Library, combo: Combo): Scenario<World> {
  const hired = (memory: Memory, world: World) => turning(lib, memory, world, combo)
  return callScene(
    lib,
    combo,
    'an exception',
    [
      member(SURVIVOR, hired, (worker, control) =>
        quietly(() => {
          const actions = [
            () => queue(worker, 0),
            () => ask(worker, 'barrier'),
            () => endTasks(worker),
            () => queue(worker, 0),
            () => ask(worker, 'flush'),
            () => queue(worker, 0),
            () => idle(worker, combo),
          ]
          for (const action of actions) {
            if (!control.attempt(action)) endTurnIfCut(control, worker.arena)
          }
          queue(worker, 0)
          idle(worker, combo)
          const said = worker.smr.stats()
          if (said.callsPending !== 0) throw new Error(`${said.callsPending} callbacks still wait`)
        }),
      ),
      member('waiting', hired, (worker) => {
        const queued = mark(lib, worker)
        while (!queued.areCompleted()) worker.memory.pause()
      }),
    ],
    {
      rules: { bound: 1 },
    },
  )
}

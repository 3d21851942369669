/**
 * Async sections: several of one worker at once, closed in any order, against unlink and reuse.
 *
 * Each section takes hold of what it finds when it begins and looks at it again before it ends: if
 * the worker's word has let go of it in between, the writer has written to the record, and the look
 * is a race as well. A worker's tasks interleave on one thread, so their order is part of the body;
 * where any order must do, the explorer chooses it.
 */

import type { Tracker } from '#src/index.ts'
import { DomainWords, ReaderWords } from '#src/memory/layout.ts'
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
  type Place,
  replace,
  SETTING,
  STRIDE,
  tick,
  WIDE,
  type Worker,
  type World,
} from './paceStage.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { type Library, SMALL } from './stage.ts'
import { reap } from './world.ts'

const FRESH = 7
const WORKERS = 3
/** So many advances in a row bring the hands to the wrap guard. */
const GUARD = Math.ceil(2 ** 30 / STRIDE)

/** An open section, and what its task has found. */
export interface Open {
  readonly tracker: Tracker
  readonly records: readonly number[]
}

export function begin({ memory, smr }: Worker, places: readonly Place[] = [ONE], label = ''): Open {
  const tracker = smr.enterSleepable(label)
  return { tracker, records: places.map(({ head }) => memory.load(head)) }
}

export function end(worker: Worker, { tracker, records }: Open): void {
  lookAgain(worker, records)
  worker.smr.exitSleepable(tracker)
}

/** Whoever is still in its section still has what it found. */
export function lookAgain({ memory }: Worker, records: readonly number[]): void {
  for (const record of records) {
    const value = record === 0 ? FRESH : memory.peek(record)
    if (value !== FRESH) throw new Error(`an async section found ${value} in the record`)
  }
}

export function sleepable(combo: Combo): Combo {
  return { ...combo, options: { ...combo.options, sleepable: true } }
}

const ORDERS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
] as const

export function asyncScenarios(lib: Library): readonly Scenario<World>[] {
  const plain = sleepable(comboOf('default, fenced'))
  return [
    ...COMBOS.filter((each) => !each.turn)
      .map(sleepable)
      .map((combo) => overlap(lib, combo)),
    ...COMBOS.map(sleepable).map((combo) => besideSynchronous(lib, combo)),
    overlap(lib, plain, 'the same, pointers loaded plainly', PLAIN_HEAD),
    between(lib, plain),
    anyOrder(lib, plain),
    atTheGuard(lib, plain),
    names(lib, plain),
  ]
}

const memberOf =
  (lib: Library, combo: Combo) =>
  (name: string, body: (worker: Worker, choose: (n: number) => number) => void): Thread<World> =>
    thread({
      name,
      prepare: (memory: Memory, world: World) => hire(lib, memory, world, combo),
      body: (_memory, control, worker: Worker) => body(worker, (n) => control.choose(n)),
    })

export function scene(
  lib: Library,
  combo: Combo,
  name: string,
  threads: readonly Thread<World>[],
  more: Partial<Scenario<World>> = {},
): Scenario<World> {
  return scenario<World>({
    ...SETTING,
    name: `async, ${combo.name}: ${name}`,
    setup: (memory) => build(lib, memory, combo),
    threads,
    final: (memory, _results, { world }) => assertNobodyInside(memory, world),
    rules: { bound: 2 },
    ...more,
  })
}

/** Two tasks: the first one's section ends while the second one's is open; then a third begins. */
function overlap(
  lib: Library,
  combo: Combo,
  name = 'overlapping sections',
  more: Partial<Scenario<World>> = {},
): Scenario<World> {
  const member = memberOf(lib, combo)
  const reader = member('reader', (worker) => {
    const first = begin(worker)
    const second = begin(worker)
    end(worker, first)
    const third = begin(worker)
    end(worker, second)
    end(worker, third)
  })
  const writer = member('writer', (worker) => {
    if (combo.clock === 'lazy') tick(worker.memory, 2)
    replace(worker, combo)
  })
  return scene(lib, combo, name, [reader, writer], more)
}

/** A synchronous section beside an async one: it begins and ends first or last. */
function besideSynchronous(lib: Library, combo: Combo): Scenario<World> {
  const member = memberOf(lib, combo)
  const reader = member('reader', (worker, choose) => {
    const { memory, smr } = worker
    const inside = (action: () => void): void => {
      smr.enter()
      look(memory)
      action()
      look(memory)
      smr.exit()
      endTurn(worker)
    }
    const order = choose(3)
    if (order === 0) {
      const open = begin(worker)
      inside(() => end(worker, open))
    } else {
      let open: Open | undefined
      if (order === 1) open = begin(worker)
      inside(() => {
        open ??= begin(worker)
      })
      if (open !== undefined) end(worker, open)
    }
  })
  const writer = member('writer', (worker) => {
    if (combo.clock === 'lazy') tick(worker.memory, 2)
    replace(worker, combo)
  })
  return scene(lib, combo, 'beside a synchronous section', [reader, writer])
}

/** The hand moves while there are three of them: each has a sequence of its own. */
function between(lib: Library, combo: Combo): Scenario<World> {
  const member = memberOf(lib, combo)
  const reader = member('reader', (worker) => {
    const open = [0, 1, 2].map(() => begin(worker))
    for (const each of open) end(worker, each)
  })
  const writer = member('writer', (worker) => {
    worker.smr.advance()
    replace(worker, combo)
  })
  return scene(lib, combo, 'the hand moves between', [reader, writer], { rules: { bound: 3 } })
}

/** Three sections, two writers: the hand moves between their beginnings, and any leaves first. */
function anyOrder(lib: Library, combo: Combo): Scenario<World> {
  const member = memberOf(lib, combo)
  const reader = member('reader', (worker, choose) => {
    const open = [0, 1, 2].map(() => begin(worker, [ONE, OTHER]))
    for (const leaves of ORDERS[choose(ORDERS.length)] as readonly number[]) {
      end(worker, open[leaves] as Open)
    }
  })
  const one = member('one', (worker) => replace(worker, combo))
  const other = member('other', (worker) => replace(worker, combo, OTHER))
  return scene(lib, combo, 'closed in any order', [reader, one, other])
}

/** The hands are as far apart as they may get when the second section begins. */
function atTheGuard(lib: Library, combo: Combo): Scenario<World> {
  const member = memberOf(lib, combo)
  const reader = member('reader', (worker) => {
    const first = begin(worker)
    const second = begin(worker, [ONE, OTHER])
    end(worker, first)
    const third = begin(worker, [ONE, OTHER])
    end(worker, second)
    end(worker, third)
  })
  const writer = member('writer', (worker) => {
    for (let i = 0; i < GUARD; i++) worker.smr.poll(worker.smr.advance())
    replace(worker, combo)
    replace(worker, combo, OTHER)
  })
  return scene(lib, combo, 'at the wrap guard', [reader, writer], {
    setup: (memory) => build(lib, memory, combo, WIDE),
  })
}

const LABELS = ['aaaaaaaa', 'bbbbbbbb', 'c'] as const

/** Names come and go while somebody asks who stalls: of one sequence, then of a later one. */
function names(lib: Library, combo: Combo): Scenario<World> {
  const reader: Thread<World> = thread({
    name: 'reader',
    prepare(memory: Memory, world: World) {
      const worker = hire(lib, memory, world, combo)
      const first = begin(worker, [], LABELS[0])
      const second = begin(worker, [], LABELS[1])
      worker.smr.advance() // What follows has another sequence.
      return { worker, first, second }
    },
    body(_memory, _control, { worker, first, second }) {
      end(worker, first)
      const third = begin(worker, [], LABELS[2])
      end(worker, second)
      end(worker, third)
    },
  })
  const asking: Thread<World> = thread({
    name: 'asking',
    prepare: (memory: Memory, world: World) => hire(lib, memory, world, combo),
    body(_memory, _control, { smr }) {
      const { first } = SMALL.sequence
      smr.advance()
      for (const { label, seq } of smr.stalled(0)) {
        const own: readonly string[] = seq === first ? LABELS.slice(0, 2) : LABELS.slice(2)
        if (label === '' || own.includes(label)) continue
        throw new Error(`the section of sequence ${seq} is called ${JSON.stringify(label)}`)
      }
    },
  })
  return scene(lib, combo, 'names', [reader, asking])
}

export function assertNobodyInside(memory: Memory, { domain }: World): void {
  for (let slot = 0; slot < WORKERS; slot++) {
    const reader = domain + DomainWords.WORDS + slot * ReaderWords.WORDS
    const seq = memory.load(reader + ReaderWords.asyncSeq)
    if (seq !== 0) throw new Error(`an async section of worker ${slot} is still open: ${seq}`)
  }
}

// ---- death ------------------------------------------------------------------------------------

export const ASYNC_VICTIM = 'victim'

/** Death in async sections; the heir reaps, and writes what the dead one may have been reading. */
export function asyncDeaths(lib: Library): Readonly<Record<'alone' | 'beside', Scenario<World>>> {
  const combo = sleepable(comboOf('default, fenced'))
  const member = memberOf(lib, combo)
  const victim = member(ASYNC_VICTIM, (worker) => {
    const first = begin(worker, [ONE], 'first')
    const second = begin(worker, [ONE, OTHER], 'second')
    worker.smr.advance()
    end(worker, first)
    end(worker, second)
  })
  const heir: Thread<World> = {
    ...member('heir', (worker) => {
      reap(lib, worker.arena, 0)
      replace(worker, combo)
      const stalls = worker.smr.stalled(0)
      if (stalls.length > 0) throw new Error('the dead are said to stall')
    }),
    after: ASYNC_VICTIM,
  }
  const waiting = member('waiting', (worker) => replace(worker, combo, OTHER))
  return {
    alone: scene(lib, combo, 'death', [victim, heir], { rules: { bound: 0 } }),
    beside: scene(lib, combo, 'death beside a writer', [victim, heir, waiting], {
      rules: { bound: 1 },
    }),
  }
}

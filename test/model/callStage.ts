/**
 * What the scenarios of callbacks share: workers whose turns end when a scenario says so, callbacks
 * whose work can be seen, barriers by hand, and the count of what has become of all of them.
 */

import { DomainWords, ReaderWords } from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import { Readers } from '#src/smr/poll.ts'
import { build, type Combo, hire, rest, SETTING, type Worker, type World } from './paceStage.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import type { Library } from './stage.ts'
import { boardAt } from './world.ts'

const WORKERS = 3
/** What a worker's callback leaves behind, and its word that it has queued it. */
export const doneAt = (worker: number): number => boardAt(8 + worker)
const saidAt = (worker: number): number => boardAt(12 + worker)
/** How many callbacks have run, of whomever. */
export const RAN = boardAt(16)

/** A worker whose turns end when we say so. */
export interface Turning extends Worker {
  readonly due: (() => void)[]
}

export function turning(lib: Library, memory: Memory, world: World, combo: Combo): Turning {
  return withLoop(hire(lib, memory, world, combo))
}

export function withLoop(worker: Worker): Turning {
  const due: (() => void)[] = []
  worker.arena.space.turn.later = (action) => {
    due.push(action)
  }
  return { ...worker, due }
}

/** The turn ends. */
export function endTurn({ due }: Turning): void {
  for (const action of due.splice(0)) action()
}

/** Turns until nothing is left to do. */
export function idle(worker: Turning, combo: Combo): void {
  while (worker.due.length > 0) {
    endTurn(worker)
    if (worker.due.length > 0) rest(worker.memory, combo)
  }
}

/** Queues a callback whose work can be seen, and says so. */
export function queue({ memory, smr }: Worker, number: number): void {
  smr.call(() => finish(memory, number))
  promise(memory, number)
}

/** What such a callback does. */
export function finish(memory: Memory, number: number): void {
  memory.poke(doneAt(number), 1)
  memory.add(RAN, 1)
}

/** Says that it is queued. */
export function promise(memory: Memory, number: number): void {
  memory.store(saidAt(number), 1)
}

export function scene(
  lib: Library,
  combo: Combo,
  name: string,
  threads: readonly Thread<World>[],
  more: Partial<Scenario<World>> = {},
): Scenario<World> {
  return scenario<World>({
    ...SETTING,
    name: `calls, ${combo.name}: ${name}`,
    setup: (memory) => build(lib, memory, combo),
    threads,
    final: (memory, _results, { world, dead }) => assertCounted(memory, world, dead.length),
    rules: { bound: 2 },
    ...more,
  })
}

export const memberOf =
  (lib: Library, combo: Combo) =>
  (
    name: string,
    body: (worker: Turning) => void,
    before: (worker: Turning) => void = () => {},
  ): Thread<World> =>
    thread({
      name,
      prepare(memory: Memory, world: World) {
        const worker = turning(lib, memory, world, combo)
        before(worker)
        return worker
      },
      body: (_memory, _control, worker: Turning) => body(worker),
    })

/** What others have said that they had queued is done when the barrier is over. */
export function assertDone({ memory }: Worker, said: readonly boolean[]): void {
  said.forEach((was, number) => {
    if (was && memory.peek(doneAt(number)) !== 1) {
      throw new Error(`the callback of worker ${number} had not run`)
    }
  })
}

export function mark(lib: Library, { arena, domain }: Worker): { areCompleted(): boolean } {
  const readers = new Readers(arena.memory, domain + DomainWords.WORDS, WORKERS, false)
  return new lib.Queued(arena.space, readers)
}

/** A barrier by hand; the worker's own turns go on meanwhile. */
export function outlast(lib: Library, worker: Turning, combo: Combo): void {
  const said = [0, 1, 2].map((number) => worker.memory.load(saidAt(number)) === 1)
  const queued = mark(lib, worker)
  while (!queued.areCompleted()) {
    endTurn(worker)
    rest(worker.memory, combo)
  }
  assertDone(worker, said)
}

function readerOf(domain: number, slot: number): number {
  return domain + DomainWords.WORDS + slot * ReaderWords.WORDS
}

export function pendingIn(memory: Memory, domain: number, slot: number): number {
  const reader = readerOf(domain, slot)
  return memory.load(reader + ReaderWords.queued) - memory.load(reader + ReaderWords.completed)
}

/** Of what was queued, all is run or lost but what nobody's turn has come for; none is both. */
export function assertCounted(memory: Memory, { domain }: World, dead: number): void {
  let pending = 0
  let run = 0
  let calls = 0
  for (let slot = 0; slot < WORKERS; slot++) {
    const reader = readerOf(domain, slot)
    const waits = pendingIn(memory, domain, slot)
    if (waits < 0) throw new Error(`worker ${slot} has completed ${-waits} that it had not queued`)
    pending += waits
    run += memory.tallied(reader + ReaderWords.callsRun)
    calls += memory.tallied(reader + ReaderWords.calls)
  }
  // One that the dead have run may wait until they are reaped.
  if (calls - pending - run < -dead) {
    throw new Error(`${calls} calls, ${run} run, ${pending} wait`)
  }
}

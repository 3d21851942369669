/**
 * Sections, advances and polls of the shipped `Smr`, against a record that is unlinked and reused.
 *
 * The record holds FRESH until a poll has said that nobody can see it, and is then written with a
 * plain store, as reuse does. A reader that still looks is detected twice over: by the value, and
 * by the race that its plain read then is.
 */

import type { Smr } from '#src/index.ts'
import type { Memory } from '#src/memory/memory.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { GIANT, join, type Library, raise, SMALL, type Stage } from './stage.ts'

const FRESH = 7
const REUSED = 99

interface Place {
  /** Points to the record, or is null. */
  readonly head: number
  readonly record: number
}

interface World extends Place {
  /** A second writer's. */
  readonly other: Place
}

interface Worker extends World {
  readonly smr: Smr
}

/** All scenarios of this file, on the shipped library or on a mutant of it. */
export function smrScenarios(lib: Library): readonly Scenario<World>[] {
  const build = (memory: Memory, stage: Stage): World =>
    raise(lib, memory, stage, (arena) => {
      arena.smr('domain')
      const zone = arena.zone('words', { bytes: 8 })
      const place = (): Place => {
        const head = zone.zalloc()
        const record = zone.zalloc()
        memory.poke(record, FRESH)
        memory.store(head, record)
        return { head, record }
      }
      return { ...place(), other: place() }
    })

  const prepare = (memory: Memory, world: World): Worker => ({
    ...world,
    smr: join(lib, memory).smr('domain'),
  })

  /** `times` sections, one after the other. */
  const reader = (name: string, times = 1): Thread<World> =>
    thread({
      name,
      prepare,
      body(memory, _control, worker: Worker) {
        for (let i = 0; i < times; i++) worker.smr.read(() => look(memory, worker))
      },
    })
  /** Looks at both records in one section, in the order in which they were made. */
  const surveyor: Thread<World> = thread({
    name: 'surveyor',
    prepare,
    body(memory, _control, worker: Worker) {
      worker.smr.read(() => {
        look(memory, worker)
        look(memory, worker.other)
      })
    },
  })

  /** Unlinks, advances, polls until nobody can look, and uses the record again. */
  const writerOf = (name: string, which: (world: World) => Place, before = 0): Thread<World> =>
    thread({
      name,
      prepare,
      body(memory, _control, worker: Worker) {
        const { smr } = worker
        const { head, record } = which(worker)
        for (let i = 0; i < before; i++) smr.advance()
        memory.store(head, 0)
        const goal = smr.advance()
        while (!smr.poll(goal)) memory.pause()
        memory.poke(record, REUSED)
      },
    })
  const writer = writerOf('writer', (world) => world)
  /** Has advanced before: its goal is not the first one after the other's. */
  const second = writerOf('second', (world) => world.other, 1)
  const third = writerOf('third', (world) => world, 2)
  /** Only moves the write hand. */
  const advancer: Thread<World> = thread({
    name: 'advancer',
    prepare,
    body(_memory, _control, { smr }: Worker) {
      smr.advance()
    },
  })

  /** Waits as a program does, that has nothing else to do. */
  const waiter: Thread<World> = thread({
    name: 'waiter',
    prepare,
    body(memory, _control, { head, record, smr }: Worker) {
      memory.store(head, 0)
      smr.synchronize()
      memory.poke(record, REUSED)
    },
  })

  /** Another poller, who moves the read hand for goals of his own. */
  const poller: Thread<World> = thread({
    name: 'poller',
    prepare,
    body(_memory, _control, { smr }: Worker) {
      const goal = smr.advance()
      for (let i = 0; i < 2; i++) if (smr.poll(goal)) return
    },
  })

  /** Moves the clock on, so that sequences published before lie far behind. */
  const mover = (steps: number): Thread<World> =>
    thread({
      name: 'mover',
      prepare,
      body(_memory, _control, { smr }: Worker) {
        for (let i = 0; i < steps; i++) smr.poll(smr.advance())
      },
    })

  /** Attaches while a writer polls, and looks at once. */
  const newcomer: Thread<World> = thread({
    name: 'newcomer',
    body(memory, _control, world: World) {
      const arena = join(lib, memory)
      arena.smr('domain').read(() => look(memory, world))
      arena.detach()
    },
  })

  const scene = (
    name: string,
    threads: readonly Thread<World>[],
    more: Partial<Scenario<World>> = {},
  ): Scenario<World> =>
    scenario<World>({
      name,
      words: SMALL.words,
      setup: (memory) => build(memory, SMALL),
      threads,
      rules: { bound: 2 },
      ...more,
    })

  const giant = { setup: (memory: Memory): World => build(memory, GIANT) }
  /** Plain loads of the head suffice in a section: that is what the second load in enter is for. */
  const plainHead = { weakenLoad: (at: number, { head }: World): boolean => at === head }

  return [
    scene('section against unlink and reuse', [reader('reader', 2), writer]),
    scene('the same, pointers loaded plainly', [reader('reader', 2), writer], plainHead),
    scene('two readers', [reader('one'), reader('two'), writer]),
    scene('two pollers', [reader('reader'), poller, writer]),
    scene('two writers stamp', [surveyor, writer, second]),
    scene('an advance beside a writer', [reader('reader'), advancer, third], {
      rules: { bound: 3 },
    }),
    scene('a writer waits', [reader('reader', 2), waiter]),
    scene('advance against poll near the wrap', [reader('reader'), mover(2), writer], giant),
    scene('attach and detach against poll', [newcomer, writer]),
  ]
}

function look(memory: Memory, { head }: Place): void {
  const record = memory.load(head)
  if (record === 0) return
  const value = memory.peek(record)
  if (value !== FRESH) throw new Error(`a reader found ${value} in the record`)
}

/**
 * Who plays in the scenarios of the clocks and sections, on a domain of any one combination.
 */

import type { Memory } from '#src/memory/memory.ts'
import {
  build,
  type Combo,
  endTurn,
  hire,
  look,
  ONE,
  OTHER,
  replace,
  SETTING,
  tick,
  WIDE,
  type Worker,
  type World,
} from './paceStage.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import type { Library } from './stage.ts'

export class Cast {
  readonly combo: Combo
  private readonly lib: Library

  constructor(lib: Library, combo: Combo) {
    this.lib = lib
    this.combo = combo
  }

  scene(
    name: string,
    threads: readonly Thread<World>[],
    more: Partial<Scenario<World>> = {},
    wide = false,
  ): Scenario<World> {
    const { combo, lib } = this
    return scenario<World>({
      ...SETTING,
      name: `${combo.name}: ${name}`,
      setup: (memory) => build(lib, memory, combo, wide ? WIDE : undefined),
      threads,
      rules: { bound: 2 },
      ...more,
    })
  }

  member(name: string, body: (worker: Worker) => void, skew = 0): Thread<World> {
    return thread({
      name,
      prepare: (memory: Memory, world: World) => hire(this.lib, memory, world, this.combo, skew),
      body: (_memory, _control, worker: Worker) => body(worker),
    })
  }

  /** Comes prepared by something more than attaching. */
  veteran(
    name: string,
    before: (worker: Worker) => void,
    body: (worker: Worker) => void,
  ): Thread<World> {
    return thread({
      name,
      prepare: (memory: Memory, world: World) => {
        const worker = hire(this.lib, memory, world, this.combo)
        before(worker)
        return worker
      },
      body: (_memory, _control, worker: Worker) => body(worker),
    })
  }

  reader(name: string, times: number): Thread<World> {
    return this.member(name, (worker) => {
      for (let i = 0; i < times; i++) worker.smr.read(() => look(worker.memory))
      endTurn(worker)
    })
  }

  /** Looks at both records in one section, in the order in which they were made. */
  get surveyor(): Thread<World> {
    return this.member('surveyor', (worker) => {
      worker.smr.read(() => {
        look(worker.memory, ONE)
        look(worker.memory, OTHER)
      })
      endTurn(worker)
    })
  }

  writer(name = 'writer', place = ONE, before = 0, skew = 0): Thread<World> {
    const body = (worker: Worker): void => {
      for (let i = 0; i < before; i++) worker.smr.advance()
      replace(worker, this.combo, place)
    }
    return this.member(name, body, skew)
  }

  /** Moves the read hand for goals of its own. */
  poller(looks: number, skew = 0): Thread<World> {
    const body = ({ smr }: Worker): void => {
      const goal = smr.advance()
      for (let i = 0; i < looks; i++) if (smr.poll(goal)) return
    }
    return this.member('poller', body, skew)
  }

  /** Time, for a clock that lives by it; nobody for the others. */
  time(...ticks: number[]): Thread<World>[] {
    if (this.combo.clock !== 'lazy') return []
    return [
      thread({
        name: 'time',
        body: (memory: Memory) => {
          for (const each of ticks) tick(memory, each)
        },
      }),
    ]
  }
}

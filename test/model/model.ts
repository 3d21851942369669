/**
 * A scenario made ready to run.
 *
 * Memory is set up and threads are prepared once; what they leave is frozen as the point from which
 * every schedule starts. Preparation is logged like everything else a thread does, so a re-run finds
 * its first answers in the log: fresh handles, no effects. When a schedule has come to its end, the
 * scenario's final check sees the same memory, and what it throws is a failure like any other.
 */

import { Access, WEAK_LOAD, WEAK_STORE } from './access.ts'
import { Cells } from './cells.ts'
import { Engine } from './engine.ts'
import { FaultyMemory } from './faultyMemory.ts'
import { Control } from './history.ts'
import { ModelMemory } from './modelMemory.ts'
import { encode } from './replayString.ts'
import { type Fault, type FullRules, faultsOf, type Kill, killsOf } from './rules.ts'
import type { Ending, Scenario } from './scenario.ts'
import type { Strategy } from './schedule.ts'
import { StoreBuffers } from './storeBuffer.ts'
import { DEAD, MAX_THREADS, ModelThread } from './thread.ts'
import { Clocks } from './vectorClock.ts'

/** With the thread's number for its name. */
type Indexed<T> = Omit<T, 'thread'> & { readonly thread: number }

export class Model<W> {
  readonly engine: Engine
  private readonly kills: readonly Indexed<Kill>[]
  private readonly faults: readonly Indexed<Fault>[]
  private readonly scenario: Scenario<W>
  /** As bodies see it, and as the library does: its calls may fail. */
  private readonly memory: ModelMemory
  private readonly lent: ModelMemory
  private readonly world: W
  private readonly controls: readonly Control[]

  constructor(scenario: Scenario<W>, rules: FullRules, strategy: Strategy) {
    const { threads: specs, words } = scenario
    if (specs.length > MAX_THREADS) throw new Error(`at most ${MAX_THREADS} threads`)
    this.scenario = scenario
    const index = (name: string): number => {
      const found = specs.findIndex((each) => each.name === name)
      if (found < 0) throw new Error(`scenario "${scenario.name}": no thread is named "${name}"`)
      return found
    }
    const threads = specs.map(
      (spec, i) => new ModelThread(i, spec.name, spec.after === undefined ? -1 : index(spec.after)),
    )
    const cells = new Cells(words)
    const clocks = new Clocks(threads.length, words)
    const buffers = new StoreBuffers(cells, threads.length)
    const program = (t: ModelThread): unknown => this.play(t)
    this.engine = new Engine(threads, cells, clocks, buffers, rules, strategy, program)
    const access = new Access(this.engine)
    this.memory = new ModelMemory(this.engine, access)
    this.kills = killsOf(rules).map((kill) => ({ ...kill, thread: index(kill.thread) }))
    for (const { thread, afterStep } of this.kills) {
      ;(threads[thread] as ModelThread).killAfter = afterStep
    }
    this.faults = faultsOf(rules).map((fault) => ({ ...fault, thread: index(fault.thread) }))
    for (const [i, fault] of faultsOf(rules).entries()) {
      ;(threads[this.faults[i]?.thread as number] as ModelThread).fault = fault
    }
    this.lent = this.faults.length === 0 ? this.memory : new FaultyMemory(this.engine, access)
    this.controls = threads.map((t) => new Control(this.engine, t, this.lent.asMemory()))

    const memory = this.memory.asMemory()
    this.world = scenario.setup(memory)
    for (const t of threads) {
      this.engine.prepare(t, () => specs[t.index]?.prepare?.(this.lent.asMemory(), this.world))
    }
    access.describe = (at) => this.describe(at)
    for (let at = 0; at < words; at++) {
      const store = scenario.weakenStore?.(at, this.world) === true ? WEAK_STORE : 0
      const load = scenario.weakenLoad?.(at, this.world) === true ? WEAK_LOAD : 0
      access.weak[at] = store | load
    }
    cells.stale = rules.stale || scenario.weakenLoad !== undefined
    cells.freeze()
  }

  /** Runs one schedule and judges its end. */
  runSchedule(): void {
    const { engine, scenario } = this
    engine.runSchedule()
    if (engine.failure !== undefined || engine.pruned || scenario.final === undefined) return
    const ending = this.ending()
    try {
      scenario.final(this.memory.asMemory(), ending.results, ending)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      engine.failure = { message: `in the end: ${message}`, error }
    }
  }

  /** What the scenario calls this word. */
  describe(at: number): string | undefined {
    return this.scenario.describe?.(at, this.world)
  }

  /** Whether in the last schedule all have died that were to die, and every fault has struck. */
  get hasHappened(): boolean {
    const { kills, faults } = this
    const { threads } = this.engine
    return (
      kills.length + faults.length > 0 &&
      kills.every(({ thread }) => threads[thread]?.status === DEAD) &&
      faults.every(({ thread }) => threads[thread]?.struck === true)
    )
  }

  /** The last schedule, as a string. */
  replayString(): string {
    return encode(this.engine.rules, this.kills, this.faults, this.engine.choices)
  }

  private ending(): Ending<W> {
    const { threads, history } = this.engine
    return {
      world: this.world,
      results: threads.map((t) => t.result),
      dead: threads.filter((t) => t.status === DEAD).map((t) => t.name),
      remarks: history.remarks,
      operations: history.operations,
    }
  }

  private play(t: ModelThread): unknown {
    const spec = this.scenario.threads[t.index]
    const control = this.controls[t.index] as Control
    const memory = this.memory.asMemory()
    const prepared =
      spec?.prepare === undefined ? this.world : spec.prepare(this.lent.asMemory(), this.world)
    t.handles = prepared
    const result = spec?.body(memory, control, prepared)
    if (result instanceof Promise) throw new Error('a body must be synchronous')
    return result
  }
}

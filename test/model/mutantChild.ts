/**
 * Runs scenarios on a copy of the library that has a mutant in it: machineMutants.ts starts it in a
 * process of its own.
 *
 *   node mutantChild.js            a task on each line of its input, in JSON: which entries of the
 *                                  catalog, and how far
 *
 * Each task names the address of its catalog, and the number of the mutant that is on. A new address is a
 * new copy of scenarios and library, with another file mutated; the engine is the same for all, and so is
 * not compiled anew for each (mutantYard.ts).
 *
 * Says a line at each entry's begin, `caught` at the first that fails, and `alive` now and then: who
 * hears nothing for long knows that a thread goes round without a verb. Asked to `cover`, it says
 * for each entry how long it took and which of the given places of the library it has executed.
 */

import { exit } from 'node:process'
import { createInterface } from 'node:readline'
import type { Entry } from './catalog.ts'
import { Coverage, plain, type Reached, say as write } from './mutantCover.ts'
import type { Scenario, Thread } from './scenario.ts'
import { runEntry } from './table.ts'

/** An entry of the catalog: the n-th of its group. */
export interface Place {
  readonly group: string
  readonly index: number
}

export interface Task {
  /** Number of the mutant that is on, see mutantSchema.ts; none: the library as it is. */
  readonly mutant?: number
  /** Address of the catalog that is asked for. */
  readonly catalog: string
  readonly entries: readonly (Place & { readonly maxSchedules?: number })[]
  /** With the rules of `npm run model`, not those of the tests. */
  readonly deep?: boolean
  /** Offsets in the files of the library, by address: asks which of them each entry executes. */
  readonly cover?: Readonly<Record<string, readonly number[]>>
}

export type Message =
  | { readonly says: 'begin' | 'alive' | 'end' }
  /** Scenarios or library cannot be loaded. */
  | { readonly says: 'unloadable'; readonly as: string }
  | { readonly says: 'caught'; readonly by: Place; readonly name: string; readonly as: string }
  | {
      readonly says: 'covered'
      readonly place: Place
      readonly name: string
      readonly ms: number
      readonly schedules: number
      readonly good: boolean
      /** By address, what threads execute: places in the list of offsets. */
      readonly reached: Reached
      /** What only setup does. */
      readonly before: Reached
    }

const say: (message: Message) => void = write

const NO_MUTANT = -1
const SIGN_OF_LIFE_MS = 1000
const MICROSECONDS = 1000

let last = 0
function live(): void {
  const now = Date.now()
  if (now - last < SIGN_OF_LIFE_MS) return
  last = now
  say({ says: 'alive' })
}

/** The same scenario, whose threads show that schedules go on. */
function lively(scenario: Scenario): Scenario {
  const threads = scenario.threads.map(
    (each): Thread<unknown> => ({
      ...each,
      body(...of) {
        live()
        return each.body(...of)
      },
    }),
  )
  return { ...scenario, threads }
}

type Catalog = Pick<typeof import('./catalog.ts'), 'catalog' | 'quick'>

function find({ catalog }: Catalog, { group, index }: Place): Entry {
  const found = catalog[group]?.[index]
  if (found === undefined) throw new Error(`the catalog has no ${group} ${index}`)
  return { ...found, scenario: lively(found.scenario) }
}

function run(from: Catalog, { entries, deep = false }: Task): void {
  for (const { group, index, maxSchedules } of entries) {
    say({ says: 'begin' })
    const whole = find(from, { group, index })
    const entry = deep ? whole : from.quick(whole)
    const limits = maxSchedules === undefined ? {} : { maxSchedules }
    const by = { group, index }
    try {
      const { failure, name } = runEntry(entry, limits, entry.stride)
      if (failure === undefined) continue
      say({ says: 'caught', by, name, as: failure.message })
    } catch (error) {
      // Setup and preparation belong to no schedule.
      const as = `beforehand: ${error instanceof Error ? error.message : String(error)}`
      say({ says: 'caught', by, name: entry.scenario.name, as })
    }
    say({ says: 'end' })
    return
  }
  say({ says: 'end' })
}

// ---- coverage ---------------------------------------------------------------------------------

function cover(from: Catalog, { entries }: Task, wanted: NonNullable<Task['cover']>): void {
  const coverage = new Coverage(wanted)
  coverage.take()
  for (const { group, index } of entries) {
    const threads = new Map<string, Set<number>>()
    const setup = new Map<string, Set<number>>()
    const entry = from.quick(find(from, { group, index }))
    // A death is many explorations, each with its setup: too many to ask before and after each.
    const scenario = entry.victim === undefined ? told(entry.scenario, setup) : entry.scenario
    // Of the processor: others may keep it busy.
    const begin = process.cpuUsage()
    const { name, schedules, good } = runEntry({ ...entry, scenario }, {}, entry.stride)
    const { user, system } = process.cpuUsage(begin)
    coverage.note(threads)
    const ms = (user + system) / MICROSECONDS
    const [reached, all] = [plain(threads), plain(setup)]
    const before = Object.fromEntries(
      Object.entries(all).map(([url, list]) => [
        url,
        list.filter((i) => threads.get(url)?.has(i) !== true),
      ]),
    )
    say({ says: 'covered', place: { group, index }, name, ms, schedules, good, reached, before })
  }
  say({ says: 'end' })

  /** Setup is told from what follows. One exploration has one. */
  function told(scenario: Scenario, setup: Map<string, Set<number>>): Scenario {
    return {
      ...scenario,
      setup(memory) {
        const world = scenario.setup(memory)
        coverage.note(setup)
        return world
      },
    }
  }
}

async function serve(task: Task): Promise<void> {
  Object.assign(globalThis, { $mutant: task.mutant ?? NO_MUTANT })
  let from: Catalog
  try {
    from = (await import(/* @vite-ignore */ task.catalog)) as Catalog
  } catch (error) {
    say({ says: 'unloadable', as: String(error) })
    return
  }
  if (task.cover === undefined) run(from, task)
  else cover(from, task, task.cover)
}

for await (const line of createInterface({ input: process.stdin })) {
  await serve(JSON.parse(line) as Task)
}
exit(0)

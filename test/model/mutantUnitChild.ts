/**
 * Runs unit tests on a copy of the library that has a mutant in it, with vitest's runner and nothing
 * else of vitest: no transformation and no process for each mutant. mutantUnits.ts starts it.
 *
 *   node mutantUnitChild.js        a task on each line of its input, in JSON
 *
 * Each task names the folder of a copy. A new address is a new copy of tests and library. Says `test`
 * before each test, `caught` at the first that fails. Asked to `cover`, it runs whole files and says for
 * each test how long it took and which of the given places of the library it has executed.
 */

import { exit } from 'node:process'
import { createInterface } from 'node:readline'
import { startTests } from 'vitest/internal/browser'
import { Coverage, plain, type Reached, say as write } from './mutantCover.ts'

/** Tests of a file, by their place in it. */
export interface UnitFile {
  readonly file: string
  readonly tests?: readonly number[]
}

export interface UnitTask {
  /** Folder of the compiled tests. */
  readonly folder: string
  readonly files: readonly UnitFile[]
  /** Number of the mutant that is on, see mutantSchema.ts; none: the library as it is. */
  readonly mutant?: number
  /** Offsets in the files of the library, by address: asks which of them each test executes. */
  readonly cover?: Readonly<Record<string, readonly number[]>>
}

export interface CoveredTest {
  readonly file: string
  readonly index: number
  readonly name: string
  readonly ms: number
  readonly good: boolean
  /** By address: places in the list of offsets. */
  readonly reached: Reached
}

export type UnitMessage =
  | { readonly says: 'end' }
  | { readonly says: 'test'; readonly file: string }
  | {
      readonly says: 'caught'
      readonly file: string
      readonly index: number
      readonly name: string
      readonly as: string
    }
  | ({ readonly says: 'covered' } & CoveredTest)

const say: (message: UnitMessage) => void = write

const NO_MUTANT = -1

type Runner = Parameters<typeof startTests>[1]
type Files = Parameters<NonNullable<Runner['onCollected']>>[0]
type Task = Files[number]['tasks'][number]
type Test = Extract<Task, { type: 'test' }>

/** What waits for ever fails by this; tests that take over a second are not asked at all. */
const TEST_MS = 6000

const config: Runner['config'] = {
  root: import.meta.dirname,
  setupFiles: [],
  passWithNoTests: true,
  allowOnly: true,
  sequence: { shuffle: false, concurrent: false, seed: 1, hooks: 'stack', setupFiles: 'list' },
  maxConcurrency: 1,
  testTimeout: TEST_MS,
  hookTimeout: TEST_MS,
  retry: 0,
  includeTaskLocation: false,
  chaiConfig: undefined,
  diffOptions: undefined,
  tags: [],
  tagsFilter: undefined,
  strictTags: false,
} as unknown as Runner['config']
// What `vi` asks for, of the process that vitest would have made.
Object.assign(globalThis, { __vitest_worker__: { config } })

function testsOf(tasks: readonly Task[]): Test[] {
  return tasks.flatMap((task) => (task.type === 'test' ? [task] : testsOf(task.tasks)))
}

/** A failure of a test, a suite's hook or the file itself. */
function failureIn(tasks: readonly Task[]): string | undefined {
  for (const task of tasks) {
    if (task.result?.state !== 'fail') continue
    const below = task.type === 'test' ? undefined : failureIn(task.tasks)
    return below ?? `${task.name}: ${task.result.errors?.[0]?.message ?? 'fails'}`
  }
  return undefined
}

/** Errors that reach nobody: in vitest, too, they fail the run. */
const astray: string[] = []
/** A file of tests is loaded anew for each run of it, the library is not. */
let loads = 0
for (const kind of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(kind, (error: unknown) => void astray.push(String(error)))
}

async function runFile(
  { folder }: UnitTask,
  { file, tests }: UnitFile,
  after: (test: Test, index: number, ms: number) => void,
): Promise<string | undefined> {
  let all: Test[] = []
  let begin = 0
  let failed = false
  const runner: Runner = {
    config,
    pool: 'forks',
    importFile: (path) => import(/* @vite-ignore */ `${path}?${++loads}`),
    onCollected(files) {
      all = testsOf(files)
      const wanted = tests && new Set(tests)
      for (const [i, test] of all.entries()) if (wanted?.has(i) === false) test.mode = 'skip'
    },
    onBeforeRunTask(test) {
      // One failure is enough.
      if (failed && test.mode === 'run') test.mode = 'skip'
      if (test.mode !== 'run') return
      say({ says: 'test', file })
      begin = performance.now()
    },
    onAfterRunTask(test) {
      if (tests !== undefined) failed ||= test.result?.state === 'fail'
      after(test, all.indexOf(test), performance.now() - begin)
    },
  }
  const files = await startTests([new URL(`${file}.js`, folder).href], runner)
  return failureIn(files)
}

async function ask(task: UnitTask): Promise<void> {
  for (const each of task.files) {
    let index = -1
    astray.length = 0
    const failure = await runFile(task, each, (test, at) => {
      if (test.result?.state === 'fail') index = at
    })
    const as = failure ?? astray[0]
    if (as === undefined) continue
    const name = as.split(': ')[0] ?? ''
    say({ says: 'caught', file: each.file, index, name, as })
    return
  }
}

async function cover(task: UnitTask, wanted: NonNullable<UnitTask['cover']>): Promise<void> {
  const coverage = new Coverage(wanted)
  for (const { file } of task.files) {
    // What a file does before its first test counts as that one's.
    coverage.take()
    await runFile(task, { file }, (test, index, ms) => {
      const reached = new Map<string, Set<number>>()
      coverage.note(reached)
      const good = test.result?.state === 'pass'
      say({ says: 'covered', file, index, name: test.name, ms, good, reached: plain(reached) })
    })
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const task = JSON.parse(line) as UnitTask
  Object.assign(globalThis, { $mutant: task.mutant ?? NO_MUTANT })
  if (task.cover === undefined) await ask(task)
  else await cover(task, task.cover)
  say({ says: 'end' })
}
exit(0)

/**
 * Mutants before the unit tests: which tests execute a place of the library, and whether one of them
 * notices a mutant there.
 *
 * A mutant is shown to those that execute its line, the ones that mirror its file first, up to a
 * budget; tests that take over a second, or fail without a mutant (what starts workers does, here),
 * are not asked. Who failed is run once more in the same process without the mutant: what others have
 * left behind there is no verdict.
 *
 * What is found is kept in build/machine/ under a hash of the library; a verdict of a file of tests
 * holds as long as that file is the same.
 */

import { createHash } from 'node:crypto'
import { appendFile, readFile } from 'node:fs/promises'
import type { Reached } from './mutantCover.ts'
import type { Outcome } from './mutantServer.ts'
import type { CoveredTest, UnitFile, UnitMessage } from './mutantUnitChild.ts'
import { ROOT, type Slot, scripts, UNIT, YARD } from './mutantYard.ts'
import type { MachineMutant } from './mutate.ts'

type Keyed = MachineMutant & { readonly key: string; readonly number: number }

/** Look at texts, types and packages, not at what the library does. */
const NOT_OURS = /^(?:docs|docstrings|house|package|readme|types)\.test$/
const SLOWEST_MS = 1000
const QUICK_MS = 20
/** Files under coverage in one process. */
const AT_ONCE = 4
/** What a mutant gets in each round: ms of tests, and files, for to load one takes longer than most of its tests. */
export const UNIT_ROUNDS: readonly UnitRound[] = [
  { ms: 100, files: 2 },
  { ms: 1000, files: 5 },
  { ms: 10_000, files: Number.POSITIVE_INFINITY },
]
interface UnitRound {
  readonly ms: number
  readonly files: number
}
/** Of one process, beyond what its tests take by themselves. */
const TIME = 15_000
const TIMES_LONGER = 10

interface CoveredFile {
  readonly file: string
  readonly hash: string
  readonly tests: readonly CoveredTest[]
}

interface Unit extends Omit<CoveredTest, 'reached'> {
  readonly reaches: ReadonlySet<string>
}

/** What the unit tests have said of a mutant. */
export interface UnitResult {
  readonly key: string
  /** Tests that execute its line and could be asked. */
  readonly reaching: number
  /** Those that were, by file, with its hash: places in it. */
  readonly asked: Readonly<Record<string, { readonly hash: string; readonly tests: number[] }>>
  readonly by?: { readonly file: string; readonly hash: string; readonly name: string }
  readonly as?: string
}

export class Units {
  private readonly slot: Slot
  private readonly schemas: ReadonlyMap<string, string>
  private readonly kept: { readonly cover: URL; readonly results: URL }
  private readonly hashes = new Map<string, string>()
  private readonly results = new Map<string, UnitResult>()
  private units: readonly Unit[] = []
  /** The test that caught the last mutant of a function or file. */
  private readonly killers = new Map<string, string>()

  constructor(slot: Slot, schemas: ReadonlyMap<string, string>, world: string) {
    this.slot = slot
    this.schemas = schemas
    this.kept = {
      cover: new URL(`units-cover-${world}.jsonl`, YARD),
      results: new URL(`units-${world}.jsonl`, YARD),
    }
  }

  /** Finds who executes what. */
  async prepare(all: readonly Keyed[]): Promise<void> {
    for (const [file, text] of await scripts(new URL(UNIT, ROOT))) {
      if (!file.endsWith('.test') || NOT_OURS.test(file)) continue
      this.hashes.set(file, createHash('sha256').update(text).digest('hex').slice(0, 16))
    }
    const known = (await loadLines<CoveredFile>(this.kept.cover)).filter((each) =>
      this.isSame(each),
    )
    const done = new Set(known.map(({ file }) => file))
    const left = [...this.hashes.keys()].filter((file) => !done.has(file))
    const measured = await this.measure(left, all)
    const byFile = grouped(all)
    this.units = [...known, ...measured].flatMap(({ tests }) =>
      tests
        .filter(({ good, ms }) => good && ms <= SLOWEST_MS)
        .map(({ reached, ...test }) => ({
          ...test,
          reaches: new Set(
            Object.entries(reached).flatMap(([file, places]) =>
              places.map((i) => byFile.get(file)?.[i]?.key ?? ''),
            ),
          ),
        })),
    )
    for (const each of await loadLines<UnitResult>(this.kept.results)) {
      if (each.by === undefined || this.isSame(each.by)) this.results.set(each.key, each)
      else this.results.delete(each.key)
    }
    console.log(`${this.units.length} unit tests of ${this.hashes.size} files`)
  }

  resultOf(key: string): UnitResult | undefined {
    return this.results.get(key)
  }

  /** Whether a test notices; so many of them have been asked afterwards. */
  async ask(mutant: Keyed, { ms, files }: UnitRound): Promise<UnitResult> {
    const { key, file, inside } = mutant
    const before = this.results.get(key)
    if (before?.by !== undefined) return before
    const order = this.inOrder(mutant)
    const had = new Map(
      Object.entries(before?.asked ?? {})
        .filter(([file, { hash }]) => this.hashes.get(file) === hash)
        .map(([file, { tests }]) => [file, new Set(tests)] as const),
    )
    const isKnown = (each: Unit): boolean => had.get(each.file)?.has(each.index) === true
    let spent = order.reduce((sum, each) => sum + (isKnown(each) ? each.ms : 0), 0)
    const loaded = new Set<string>()
    // Whatever the budget: quick tests of the file itself, and those that have changed since they were asked.
    const isDue = (each: Unit): boolean => {
      const asked = before?.asked[each.file]
      const isNear = each.ms <= QUICK_MS && each.file.startsWith(mirrorOf(file))
      return isNear || (asked !== undefined && !had.has(each.file))
    }
    const next = order.filter((each) => {
      if (isKnown(each)) return false
      if (
        !isDue(each) &&
        (spent + each.ms > ms || (!loaded.has(each.file) && loaded.size >= files))
      ) {
        return false
      }
      loaded.add(each.file)
      spent += each.ms
      return true
    })
    if (next.length === 0 && before !== undefined) return before
    const found = next.length === 0 ? undefined : await this.run(mutant, next)
    for (const each of next) had.set(each.file, (had.get(each.file) ?? new Set()).add(each.index))
    const asked = Object.fromEntries(
      [...had].map(([file, tests]) => [
        file,
        { hash: this.hashes.get(file) as string, tests: [...tests] },
      ]),
    )
    const result: UnitResult = { key, reaching: order.length, asked, ...found }
    if (found !== undefined) {
      for (const about of [`${file} | ${inside}`, file]) this.killers.set(about, found.by.name)
    }
    this.results.set(key, result)
    await appendFile(this.kept.results, `${JSON.stringify(result)}\n`)
    return result
  }

  // ---- who executes what -------------------------------------------------------------------

  private async measure(
    files: readonly string[],
    all: readonly Keyed[],
  ): Promise<readonly CoveredFile[]> {
    const { slot } = this
    const names = [...grouped(all)]
    const cover = Object.fromEntries(
      names.map(([file, list]) => [slot.address(file), list.map(({ offset }) => offset)]),
    )
    const named = new Map(names.map(([file]) => [slot.address(file), file]))
    const found: CoveredFile[] = []
    for (let i = 0; i < files.length; i += AT_ONCE) {
      const few = files.slice(i, i + AT_ONCE)
      const task = { files: few.map((file) => ({ file })), cover }
      const { messages, broken, error } = await slot.runUnits(task, Number.POSITIVE_INFINITY, true)
      if (broken !== undefined) console.log(`${few.join(' ')}: ${broken} ${error}`)
      for (const file of few) {
        const tests = messages.flatMap((each) =>
          each.says === 'covered' && each.file === file
            ? [{ ...each, reached: renamed(each.reached, named) }]
            : [],
        )
        const one = { file, hash: this.hashes.get(file) as string, tests }
        found.push(one)
        await appendFile(this.kept.cover, `${JSON.stringify(one)}\n`)
      }
      console.log(`${found.length} files of unit tests, ${files.length - found.length} to come`)
    }
    return found
  }

  private isSame({ file, hash }: { readonly file: string; readonly hash: string }): boolean {
    return this.hashes.get(file) === hash
  }

  // ---- who notices -------------------------------------------------------------------------

  /** Who has caught its like; then those that mirror its file, its folder, and all others; the cheap ones first. */
  private inOrder({ key, file, inside }: Keyed): readonly Unit[] {
    const [near, far] = [this.killers.get(`${file} | ${inside}`), this.killers.get(file)]
    const mirror = mirrorOf(file)
    const folder = file.slice(0, file.lastIndexOf('/') + 1)
    const rank = (unit: Unit): number => {
      const name = nameOf(unit)
      if (name === near) return 0
      if (name === far) return 1
      if (unit.file.startsWith(mirror)) return 2
      return unit.file.startsWith(folder) ? 3 : 4
    }
    return this.units
      .filter(({ reaches }) => reaches.has(key))
      .map((unit) => ({ unit, rank: rank(unit) }))
      .sort((one, other) => one.rank - other.rank || one.unit.ms - other.unit.ms)
      .map(({ unit }) => unit)
  }

  private async run(
    { file, number }: Keyed,
    tests: readonly Unit[],
  ): Promise<Required<Pick<UnitResult, 'by' | 'as'>> | undefined> {
    const { slot } = this
    const ms = TIME + TIMES_LONGER * tests.reduce((sum, each) => sum + each.ms, 0)
    await slot.put(file, this.schemas.get(file) as string)
    const files = filesOf(tests)
    for (const isAlone of [false, true]) {
      const outcome = await slot.runUnits({ mutant: number, files }, ms, isAlone)
      const found = this.found(outcome, tests)
      if (found === undefined) return undefined
      if (outcome.broken !== undefined) {
        if (outcome.isFirst) return found
        continue
      }
      const few = tests.filter((each) => nameOf(each) === found.by.name)
      const again = { files: few.length === 0 ? files : filesOf(few) }
      if (this.found(await slot.runUnits(again, ms), tests) === undefined) return found
    }
    // It fails without a mutant as well.
    return undefined
  }

  private found(
    { messages, broken, error }: Outcome<UnitMessage>,
    tests: readonly Unit[],
  ): Required<Pick<UnitResult, 'by' | 'as'>> | undefined {
    const caught = messages.find((each) => each.says === 'caught')
    if (caught?.says === 'caught') {
      const { file, index, as } = caught
      const unit = tests.find((each) => each.file === file && each.index === index)
      const name = unit === undefined ? file : nameOf(unit)
      return { by: { file, hash: this.hashes.get(file) as string, name }, as: firstLine(as) }
    }
    if (broken === undefined || broken === 'late') return undefined
    const last = messages.findLast((each) => each.says === 'test')
    const file = last?.says === 'test' ? last.file : (tests[0]?.file ?? '')
    const as = broken === 'crashed' ? `crashes: ${firstLine(error)}` : 'does not end'
    return { by: { file, hash: this.hashes.get(file) as string, name: file }, as }
  }
}

/** How the tests of a file begin: `zone/depot` for zone/depotLists. */
function mirrorOf(file: string): string {
  return file.replace(/[A-Z][^/]*$/, '')
}

function nameOf({ file, index, name }: Pick<Unit, 'file' | 'index' | 'name'>): string {
  return `${file} ${index} ${name}`
}

function filesOf(tests: readonly Unit[]): UnitFile[] {
  const files = new Map<string, number[]>()
  for (const { file, index } of tests) files.set(file, [...(files.get(file) ?? []), index])
  return [...files].map(([file, tests]) => ({ file, tests }))
}

function grouped(all: readonly Keyed[]): ReadonlyMap<string, readonly Keyed[]> {
  const files = new Map<string, Keyed[]>()
  for (const mutant of all) files.set(mutant.file, [...(files.get(mutant.file) ?? []), mutant])
  return files
}

function renamed(reached: Reached, names: ReadonlyMap<string, string>): Reached {
  return Object.fromEntries(
    Object.entries(reached).map(([at, list]) => [names.get(at) ?? '', list]),
  )
}

export function firstLine(text: string): string {
  return (text.split('\n').find((line) => line.trim() !== '') ?? '').slice(0, 120)
}

export async function loadLines<T>(from: URL): Promise<T[]> {
  const text = await readFile(from, 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}

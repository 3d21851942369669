/**
 * Mutants made by machine of every protocol file, and who catches them. `npm run mutants`; it takes
 * hours.
 *
 *   node build/test/model/machineMutants.js                    everything
 *   ... zone/depot "smr/goals | Goals.seal"                    mutants whose key begins so, in this order
 *   ... --list                                                 their keys, and nothing else
 *   ... --jobs 1                                               so many processes at a time (2)
 *   ... --budget 2000                                          scenarios of so many ms for each mutant, at most;
 *                                                              a third of that, for coverage makes them slow
 *   ... --deep                                                 survivors also with the rules of npm run model
 *   ... --only units                                           or `explorer`; or `score`: nobody is asked
 *   ... --again                                                forget what the last run has found
 *   ... --no-cover                                             only explorations whose coverage is known already
 *
 * Each mutant is shown to the unit tests that execute its line (mutantUnits.ts): they are cheap. Who
 * survives them runs through the scenarios that reach its line (found by the host's coverage), with the
 * rules of the tests; the first that fails has caught it. All mutants get a little time first, then those
 * that are left more, then all that there is. A mutant with which nothing ends, or that cannot be loaded,
 * is caught as well. What survives those too must stand in equivalents.ts, with the reason why it is no
 * bug: status 1 otherwise.
 *
 * Results are kept in build/machine/ under a hash of the library and the scenarios, so that a run that
 * was stopped goes on; and who caught what is kept for good: it is asked first the next time.
 */

import { createHash } from 'node:crypto'
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { parseArgs } from 'node:util'
import { catalog } from './catalog.ts'
import { Effects } from './effects.ts'
import { reasonFor, unused } from './equivalents.ts'
import type { Message, Place, Task } from './mutantChild.ts'
import type { Reached } from './mutantCover.ts'
import { schemaOf } from './mutantSchema.ts'
import { type Found, formatScore, formatSurvivors, type Result } from './mutantScore.ts'
import type { Outcome } from './mutantServer.ts'
import { firstLine, loadLines, UNIT_ROUNDS, Units } from './mutantUnits.ts'
import { ROOT, Slot, scripts, YARD } from './mutantYard.ts'
import { keyOf, type MachineMutant, mutantsOf, type Operator } from './mutate.ts'
import { parse } from './syntax.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    budget: { type: 'string', default: 'Infinity' },
    jobs: { type: 'string', default: '2' },
    list: { type: 'boolean', default: false },
    deep: { type: 'boolean', default: false },
    only: { type: 'string' },
    again: { type: 'boolean', default: false },
    'no-cover': { type: 'boolean', default: false },
  },
})

/** Protocol files. The porthole itself is the explorer's to replace; what inspects is not protocol. */
const MUTATED = /^(?:smr|lists|zone|table|memory|space)\/|^arena\/(?:arena|reap)$/
const LEFT_OUT = /^memory\/(?:memory|wasm|intrinsics)|\/(?:stats|audit|errors|stall)$/
/** Scenarios that do not run the library; and those that run it once more on a module that is not mutated. */
const NOT_OURS = /^(?:litmus|grace period)$|^wasm/

const DIST = new URL('dist/', ROOT)
/** A mutant may make an exploration that much longer before it is given up. */
const LONGER = 4
const MORE_SCHEDULES = 200
const DEEP_SCHEDULES = 200_000
/** Explorations under coverage in one process. */
const AT_ONCE = 6
/** How many ms of scenarios a mutant gets in each round. */
const ROUNDS: readonly number[] = [30, 150, 600, 2400, Number.POSITIVE_INFINITY]
/** Scenarios whose setup alone reaches a mutant differ little: so many of them are enough. */
const SETUPS = 6
const DEATH = /death|exceptions/
/** What is likely to catch a kind of mutant, and is looked at sooner. */
const SUITED: Readonly<Record<Operator, RegExp>> = {
  exchange: DEATH,
  plain: /late stores|stale racyPeeks/,
  stale: /stale racyPeeks/,
  split: /^(?:smr|lists|zone|table|memory|space) /,
  drop: DEATH,
  'skip check': DEATH,
  negate: DEATH,
  boundary: DEATH,
  'off by one': DEATH,
}
const SUITED_PRICE = 0.2
/** Of what has caught a mutant in the same function or file. */
const KNOWN_PRICE = 0.05
/** Of one process, beyond what its entries take by themselves, in ms of the processor. */
const TIME = 4000
const TIMES_LONGER = 4
/** So many explorations that take too long, one mutant may have in one round. */
const MOST_LATE = 2
/** The score is written anew after so many verdicts. */
const SCORE_EVERY = 25

interface Numbered extends MachineMutant {
  readonly key: string
  readonly line: number
  /** Its place among those of its file. */
  readonly number: number
}

type Covering = Extract<Message, { says: 'covered' }>

interface Covered extends Place {
  readonly name: string
  readonly ms: number
  readonly schedules: number
  /** Keys of mutants whose place is executed by a thread. */
  readonly reaches: ReadonlySet<string>
  /** Of those whose place only setup executes. */
  readonly before: ReadonlySet<string>
  /** How many of them are in a file. */
  readonly inFile: ReadonlyMap<string, number>
}

const isAsked = (who: string): boolean => values.only === undefined || values.only === who

async function main(): Promise<boolean> {
  const library = await scripts(DIST)
  const { all, schemas } = await makeMutants(library)
  const chosen =
    positionals.length === 0
      ? all
      : [...new Set(positionals.flatMap((from) => all.filter(({ key }) => key.startsWith(from))))]
  if (values.list) {
    for (const { key, line } of chosen) console.log(`${key}  (line ${line})`)
    return true
  }
  await mkdir(YARD, { recursive: true })
  const slots = Array.from({ length: Number(values.jobs) }, (_, i) => new Slot(i))
  await Promise.all(slots.map((slot) => slot.prepare()))
  const world = await fingerprint(library)
  console.log(
    `${chosen.length} mutants of ${all.length}, world ${world.whole}; looking who reaches them`,
  )
  const units = new Units(slots[0] as Slot, schemas, world.library)
  await units.prepare(all)
  const covered = await coverage(slots, all, world.whole)
  if (isAsked('units')) await askUnits(units, chosen)
  const results = await judge(slots, chosen, covered, schemas, world.whole, units)
  for (const slot of slots) slot.end()
  console.log(await writeScore(results))
  const keys = new Set(all.map(({ key }) => key))
  const gone = unused(keys)
  for (const key of gone) console.log(`listed as equivalent, but there is no such mutant: ${key}`)
  const caught = results.filter(({ by, reason }) => by !== undefined && reason !== undefined)
  for (const { key, by } of caught)
    console.log(`listed as equivalent, but ${by} catches it: ${key}`)
  const open = results.filter(({ by, reason }) => by === undefined && reason === undefined)
  console.log(`${open.length} survivors without a reason`)
  return open.length === 0 && gone.length === 0 && caught.length === 0
}

async function writeScore(results: readonly Result[]): Promise<string> {
  const text = `${formatScore(results)}\n\n${formatSurvivors(results)}\n`
  await writeFile(new URL('score.md', YARD), text)
  return text
}

// ---- making them ------------------------------------------------------------------------------

interface Made {
  readonly all: readonly Numbered[]
  /** By file, all its mutants in one text. */
  readonly schemas: ReadonlyMap<string, string>
}

async function makeMutants(library: ReadonlyMap<string, string>): Promise<Made> {
  const programs = new Map([...library].map(([file, text]) => [file, parse(`${file}.js`, text)]))
  const effects = new Effects(programs)
  const all: Numbered[] = []
  const schemas = new Map<string, string>()
  for (const [file, program] of programs) {
    if (!MUTATED.test(file) || LEFT_OUT.test(file)) continue
    const text = library.get(file) as string
    const map = JSON.parse(
      await readFile(new URL(`${file}.js.map`, DIST), 'utf8'),
    ) as SourceMapPayload
    const source = new SourceMap(map)
    const mutants = mutantsOf(file, text, program, effects.in(file))
    schemas.set(file, schemaOf(text, program, mutants))
    for (const [number, mutant] of mutants.entries()) {
      const before = text.slice(0, mutant.offset).split('\n')
      const found = source.findEntry(before.length - 1, before.at(-1)?.length ?? 0)
      const line = 'originalLine' in found ? found.originalLine + 1 : 0
      all.push({ ...mutant, key: keyOf(mutant), line, number })
    }
  }
  return { all, schemas }
}

/** Of the code of the library, and of the scenarios too: results are those of this code. Comments change nothing. */
async function fingerprint(
  library: ReadonlyMap<string, string>,
): Promise<{ readonly library: string; readonly whole: string }> {
  const hash = createHash('sha256')
  const add = ([file, text]: readonly [string, string]): void => {
    hash.update(`${file}\n${text.replace(COMMENTS, '')}\n`)
  }
  for (const each of library) add(each)
  const ofLibrary = hash.copy().digest('hex')
  for (const each of await scripts(new URL('build/test/model/', ROOT))) {
    if (!NO_SCENARIO.test(each[0])) add(each)
  }
  return { library: ofLibrary.slice(0, 16), whole: hash.digest('hex').slice(0, 16) }
}
const COMMENTS = /^\s*(?:\/\*[\s\S]*?\*\/|\/\/.*)\n/gm
const NO_SCENARIO =
  /^(?:machineMutants|equivalents|cover|run|mutant(?:s|Yard|Child|Score|Server|Cover|Units|UnitChild|Schema))$|\.test$/

// ---- who reaches them -------------------------------------------------------------------------

async function coverage(
  slots: readonly Slot[],
  all: readonly Numbered[],
  world: string,
): Promise<readonly Covered[]> {
  const kept = new URL(`cover-${world}.jsonl`, YARD)
  const files = new Map<string, Numbered[]>()
  for (const mutant of all) files.set(mutant.file, [...(files.get(mutant.file) ?? []), mutant])
  const known = await loadLines<Covering>(kept)
  const messages = values['no-cover'] ? known : await measure(slots, files, known, kept)
  return messages
    .filter(({ place }) => expectsNothing(place))
    .map(({ place, name, ms, schedules, reached, before }) => {
      const keys = (of: Reached): ReadonlySet<string> =>
        new Set(
          Object.entries(of).flatMap(([file, offsets]) =>
            offsets.map((i) => files.get(file)?.[i]?.key ?? ''),
          ),
        )
      const inFile = Object.entries(reached).map(
        ([file, offsets]) => [file, offsets.length] as const,
      )
      const covered = { reaches: keys(reached), before: keys(before), inFile: new Map(inFile) }
      return { ...place, name, ms, schedules, ...covered }
    })
}

const placeOf = ({ group, index }: Place): string => `${group} ${index}`

/** A scenario with a bug on purpose fails with and without a mutant. */
function expectsNothing({ group, index }: Place): boolean {
  return catalog[group]?.[index]?.scenario.expect !== 'fails'
}

/**
 * Few entries for each process: under coverage the engine keeps something of every function that was
 * ever made. What is found is kept at once.
 */
async function measure(
  slots: readonly Slot[],
  files: ReadonlyMap<string, readonly Numbered[]>,
  known: readonly Covering[],
  kept: URL,
): Promise<readonly Covering[]> {
  const done = new Set(known.map(({ place }) => placeOf(place)))
  const entries = Object.entries(catalog)
    .filter(([group]) => !NOT_OURS.test(group))
    .flatMap(([group, list]) => list.map((_, index) => ({ group, index })))
    .filter((each) => expectsNothing(each) && !done.has(placeOf(each)))
  const found = [...known]
  const work = async (slot: Slot): Promise<void> => {
    const cover = Object.fromEntries(
      [...files].map(([file, list]) => [slot.address(file), list.map(({ offset }) => offset)]),
    )
    const names = new Map([...files.keys()].map((file) => [slot.address(file), file]))
    const named = (of: Reached): Reached =>
      Object.fromEntries(Object.entries(of).map(([at, list]) => [names.get(at) ?? '', list]))
    while (entries.length > 0) {
      const few = { entries: entries.splice(0, AT_ONCE), cover }
      const outcome = await slot.run(few, Number.POSITIVE_INFINITY, true)
      if (outcome.broken !== undefined) throw new Error(`${outcome.broken}: ${outcome.error}`)
      for (const message of outcome.messages) {
        if (message.says !== 'covered') continue
        if (!message.good) throw new Error(`${message.name} fails without a mutant`)
        const { reached, before } = message
        const each = { ...message, reached: named(reached), before: named(before) }
        found.push(each)
        await appendFile(kept, `${JSON.stringify(each)}\n`)
      }
      console.log(`${found.length} explorations, ${entries.length} to come`)
    }
  }
  await Promise.all(slots.map(work))
  return found
}

// ---- who catches them -------------------------------------------------------------------------

/** Who caught a mutant, and the last of those that caught one in its function or its file. */
class Memories {
  private readonly by = new Map<string, string[]>()

  note({ key, file, inside }: Numbered, name: string): void {
    for (const about of [key, `${file} | ${inside}`, file]) {
      const known = (this.by.get(about) ?? []).filter((each) => each !== name)
      this.by.set(about, [name, ...known].slice(0, MOST_REMEMBERED))
    }
  }

  /** Who caught this very mutant last. */
  killerOf(key: string): string | undefined {
    return this.by.get(key)?.[0]
  }

  /** Sooner than others. */
  first({ key, file, inside }: Pick<Numbered, 'key' | 'file' | 'inside'>): readonly string[] {
    const [itself = [], near = [], far = []] = [key, `${file} | ${inside}`, file].map((about) =>
      this.by.get(about),
    )
    return [...new Set([...itself, ...near, ...far])]
  }
}
const MOST_REMEMBERED = 4

/** What one thread by itself cannot tell from the original. */
const UNSEEN_ALONE: ReadonlySet<Operator> = new Set(['plain', 'stale', 'split'])

/** All get a little first. */
async function askUnits(units: Units, chosen: readonly Numbered[]): Promise<void> {
  const asked = chosen.filter(({ operator }) => !UNSEEN_ALONE.has(operator))
  for (const round of UNIT_ROUNDS) {
    let [left, caught] = [asked.length, 0]
    for (const mutant of asked) {
      const { by } = await units.ask(mutant, round)
      if (by !== undefined) caught++
      if (--left % SCORE_EVERY === 0) {
        console.log(`${round.ms} ms of units: ${left} left, ${caught} caught`)
      }
    }
  }
}

async function judge(
  slots: readonly Slot[],
  chosen: readonly Numbered[],
  covered: readonly Covered[],
  schemas: ReadonlyMap<string, string>,
  world: string,
  units: Units,
): Promise<readonly Result[]> {
  const kept = new URL(`results-${world}.jsonl`, YARD)
  const killers = new URL('killers.jsonl', YARD)
  const known = new Map<string, Found>()
  if (!values.again) {
    for (const each of await loadLines<Found>(kept)) known.set(each.key, each)
  }
  const memories = new Memories()
  const byKey = new Map(chosen.map((mutant) => [mutant.key, mutant]))
  for (const { key, by } of await loadLines<{ key: string; by: string }>(killers)) {
    const mutant = byKey.get(key)
    if (mutant !== undefined) memories.note(mutant, by)
  }
  const reachable = new Map(
    chosen.map((mutant) => [mutant.key, inOrder(mutant, covered, memories).length]),
  )
  let verdicts = 0
  const results = (): readonly Result[] => resultsOf(chosen, known, reachable, units)
  if (!isAsked('explorer')) return results()
  const budget = Number(values.budget)
  const rounds = ROUNDS.filter((ms, i) => ms <= budget || (ROUNDS[i - 1] ?? 0) < budget)
  for (const [i, round] of rounds.entries()) {
    const ms = Math.min(round, budget)
    const isLast = i === rounds.length - 1
    const reaching = (key: string): number => reachable.get(key) ?? 0
    const waiting = inAnyOrder(chosen).filter(
      ({ key }) =>
        units.resultOf(key)?.by === undefined && !isEnough(known.get(key), reaching(key), isLast),
    )
    const count = waiting.length
    const work = async (slot: Slot): Promise<void> => {
      for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
        const { key } = mutant
        const order = inOrder(mutant, covered, memories)
        const result = await tryOut(slot, mutant, schemas, order, { ms, isLast }, known.get(key))
        known.set(key, result)
        await appendFile(kept, `${JSON.stringify(result)}\n`)
        if (result.by === 'explorer' && result.name !== undefined) {
          memories.note(mutant, result.name)
          await appendFile(killers, `${JSON.stringify({ key, by: result.name })}\n`)
        }
        verdicts++
        if (verdicts % SCORE_EVERY === 0) await writeScore(results())
        if (result.by !== undefined || isLast) {
          console.log(`${ms} ms, ${waiting.length} of ${count} left: ${describe(result)} ${key}`)
        }
      }
    }
    await Promise.all(slots.map(work))
  }
  return results()
}

/** What is known of these by now; of those that nobody was shown to yet, who reaches them. */
function resultsOf(
  chosen: readonly Numbered[],
  known: ReadonlyMap<string, Found>,
  reachable: ReadonlyMap<string, number>,
  units: Units,
): readonly Result[] {
  return chosen
    .map(({ key, file, inside, operator, line }): Result => {
      const reaching = reachable.get(key) ?? 0
      const result = known.get(key) ?? { key, reaching, tried: [], deep: false }
      const { reaching: ofUnits = 0, asked = {}, by, as = '' } = units.resultOf(key) ?? {}
      const count = Object.values(asked).reduce((sum, { tests }) => sum + tests.length, 0)
      const tests = { reaching: ofUnits, asked: count }
      const caught = by && result.by === undefined && { by: 'units' as const, name: by.name, as }
      const reason = reasonFor(key)
      const place = { file, inside, operator, line, tests }
      return { ...result, ...caught, ...place, ...(reason === undefined ? {} : { reason }) }
    })
    .sort((a, b) => (a.key < b.key ? -1 : 1))
}

/** Whether a mutant has been shown to all that are asked now. */
function isEnough(result: Found | undefined, reaching: number, isLast: boolean): boolean {
  if (result === undefined) return false
  if (result.by !== undefined) return true
  const all = result.tried.length >= reaching
  if (!isLast) return all
  return all && (result.deep || !values.deep)
}

/** File by file, in an order that says nothing of them: what a run that is stopped has tried is a sample. */
function inAnyOrder(mutants: readonly Numbered[]): readonly Numbered[] {
  const ranks = new Map<string, string>()
  for (const { file } of mutants) {
    ranks.set(file, createHash('sha256').update(file).digest('hex'))
  }
  const rank = ({ file }: Numbered): string => ranks.get(file) as string
  return mutants.toSorted((one, other) => (rank(one) < rank(other) ? -1 : 1))
}

interface Round {
  /** Ms of scenarios that a mutant has had after this round. */
  readonly ms: number
  readonly isLast: boolean
}

async function tryOut(
  slot: Slot,
  { file, key, number }: Numbered,
  schemas: ReadonlyMap<string, string>,
  order: readonly Covered[],
  { ms, isLast }: Round,
  before: Found | undefined,
): Promise<Found> {
  const had = new Set(before?.tried)
  let spent = order.reduce((sum, each) => sum + (had.has(placeOf(each)) ? each.ms : 0), 0)
  // One at least, or what only long explorations reach would be shown to none.
  let isFirst = had.size === 0
  const next = order.filter((each) => {
    if (had.has(placeOf(each)) || (spent + each.ms > ms && !isFirst)) return false
    spent += each.ms
    isFirst = false
    return true
  })
  const reaching = order.length
  const { deep = false, late: lateBefore = 0 } = before ?? {}
  await slot.put(file, schemas.get(file) as string)
  let { found, ran, late } = await explore(slot, number, next, false)
  const tried = [...had, ...next.slice(0, ran).map(placeOf)]
  const base = { key, reaching, tried, late: late + lateBefore }
  const goDeep = isLast && values.deep && !deep
  if (found === undefined && goDeep) found = (await explore(slot, number, order, true)).found
  if (found !== undefined) return { ...base, by: 'explorer', ...found, deep }
  return { ...base, deep: deep || goDeep }
}

/**
 * Some whose setup executes it. Then who has caught its like. Then those that are cheap for what they do in this file, one of each
 * group before the second of one.
 */
function inOrder(
  { key, file, inside, operator }: Numbered,
  covered: readonly Covered[],
  memories: Memories,
): readonly Covered[] {
  const first = memories.first({ key, file, inside })
  const itself = memories.killerOf(key)
  const cheaper = ({ group, name }: Covered): number =>
    SUITED[operator].test(`${group} ${name}`) ? SUITED_PRICE : 1
  const ranked = covered
    .filter(({ reaches }) => reaches.has(key))
    .map((each) => ({
      each,
      price: (each.ms * each.reaches.size * cheaper(each)) / (each.inFile.get(file) ?? 1) ** 2,
    }))
    .sort((one, other) => one.price - other.price)
  const ofGroup = new Map<string, number>()
  const ordered = ranked
    .map(({ each, price }) => {
      const before = (ofGroup.get(each.group) ?? 0) + 1
      ofGroup.set(each.group, before)
      const place = first.indexOf(each.name)
      if (each.name === itself) return { each, rank: -1 }
      return { each, rank: place < 0 ? price * before : price * KNOWN_PRICE }
    })
    .sort((one, other) => one.rank - other.rank)
    .map(({ each }) => each)
  const setups = covered
    .filter(({ before }) => before.has(key))
    .sort((one, other) => one.ms - other.ms)
    .slice(0, SETUPS)
  return [...setups, ...ordered]
}

interface Explored {
  readonly found: { readonly name: string; readonly as: string } | undefined
  /** How many of them were begun, and how many of those took too long for a verdict. */
  readonly ran: number
  readonly late: number
}

async function explore(
  slot: Slot,
  mutant: number,
  reaching: readonly Covered[],
  deep: boolean,
): Promise<Explored> {
  const limit = ({ schedules }: Covered): number =>
    deep ? DEEP_SCHEDULES : schedules * LONGER + MORE_SCHEDULES
  let [ran, late] = [0, 0]
  while (ran < reaching.length && late < MOST_LATE) {
    const left = reaching.slice(ran)
    const ms = left.reduce((sum, each) => sum + each.ms, 0)
    const most = deep ? Number.POSITIVE_INFINITY : TIME + ms * TIMES_LONGER
    const entries = left.map((each) => {
      const { group, index } = each
      return { group, index, maxSchedules: limit(each) }
    })
    let outcome = await slot.run({ mutant, entries, deep }, most)
    // What others have left behind in that process is no verdict about this one.
    if (!outcome.isFirst && (await isDoubtful(slot, outcome, entries, most))) {
      outcome = await slot.run({ mutant, entries, deep }, most, true)
    }
    const { messages, broken, error } = outcome
    const unloadable = messages.find(({ says }) => says === 'unloadable')
    if (unloadable?.says === 'unloadable') {
      const found = { name: 'the first look', as: `crashes: ${firstLine(unloadable.as)}` }
      return { found, ran: ran + 1, late }
    }
    const begun = messages.filter(({ says }) => says === 'begin').length
    const caught = messages.find((message) => message.says === 'caught')
    if (caught?.says === 'caught') {
      const found = { name: caught.name, as: firstLine(caught.as) }
      return { found, ran: ran + begun, late }
    }
    if (broken === undefined) return { found: undefined, ran: reaching.length, late }
    const name = left[begun - 1]?.name ?? 'the first look'
    if (broken !== 'late') {
      const as = broken === 'crashed' ? `crashes: ${firstLine(error)}` : 'does not end'
      return { found: { name, as }, ran: ran + begun, late }
    }
    // It only takes long: that is no verdict.
    ran += Math.max(begun, 1)
    late++
  }
  return { found: undefined, ran, late }
}

/** Whether the process broke, or what failed in it fails without a mutant as well. */
async function isDoubtful(
  slot: Slot,
  { broken, messages }: Outcome<Message>,
  entries: Task['entries'],
  most: number,
): Promise<boolean> {
  if (broken !== undefined) return broken !== 'late'
  const caught = messages.find((each) => each.says === 'caught')
  if (caught?.says !== 'caught') return false
  const few = entries.filter((each) => placeOf(each) === placeOf(caught.by))
  const { messages: said } = await slot.run({ entries: few }, most)
  return !said.some((each) => each.says === 'end') || said.some((each) => each.says === 'caught')
}

// ---- odds and ends ----------------------------------------------------------------------------

function describe({ by, name, as, reaching }: Found): string {
  if (by !== undefined) return `caught by ${name} (${as})`
  return reaching === 0 ? 'NOT REACHED' : 'SURVIVES'
}

process.exitCode = (await main()) ? 0 : 1

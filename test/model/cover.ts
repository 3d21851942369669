/**
 * How much of each file of the protocols the catalog executes: nothing is explored that never runs.
 *
 *   npm run model:cover              the tests' cut of the catalog; a table; status 1 below a floor
 *   npm run model:cover -- --write   the same, and its figures become the floors
 *
 * The floors are coverage.json: percent of the lines that hold code. A file without a floor fails too,
 * so that new code is either explored or said not to be. Lines are those of the built file, which has
 * the statements of its source, and the branches of each, one by one.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type Profiler, Session } from 'node:inspector'
import { dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const BUILT = dirname(fileURLToPath(import.meta.url))
const ROOT = join(BUILT, '../../..')
const DIST = join(ROOT, 'dist')
const FLOORS = join(ROOT, 'test/model/coverage.json')
/** Where shared memory is changed under somebody's eyes. */
const PROTOCOLS =
  /^(?:(?:smr|lists|zone|memory|space|table)\/.*|arena\/(?:arena|reap|sweep|namedLock))\.js$/
/** Not run by the explorer, by their nature. */
const OTHERS: readonly string[] = [
  'memory/memory.js', // The model stands in for it.
  'memory/wasm.js',
  'memory/intrinsics.generated.js',
]
/** A floor may be missed by so much: samples move a little when code does. */
const SLACK = 1
const PERCENT = 100

interface Lines {
  readonly total: number
  readonly run: number
  /** Numbers of those that never ran, in the built file. */
  readonly missed: readonly number[]
}

async function main(): Promise<number> {
  const session = new Session()
  session.connect()
  const post = <T>(method: string, params: object = {}): Promise<T> =>
    new Promise((resolve, reject) => {
      session.post(method, params, (error, result) => {
        if (error === null) resolve(result as T)
        else reject(new Error(error.message))
      })
    })
  await post('Profiler.enable')
  await post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  await runCatalog()
  const taken = await post<Profiler.TakePreciseCoverageReturnType>('Profiler.takePreciseCoverage')
  const found = new Map<string, Lines>()
  for (const name of protocolFiles()) {
    const script = taken.result.find(({ url }) => url.endsWith(`/dist/${name}`))
    found.set(name.replace(/\.js$/, ''), linesOf(join(DIST, name), script))
  }
  return judge(found)
}

/** The library is loaded here, and not before: coverage counts from the start. */
async function runCatalog(): Promise<void> {
  const { catalog, quick } = await import('./catalog.ts')
  const { runEntry } = await import('./table.ts')
  for (const each of Object.values(catalog).flat()) {
    const { good, name, verdict } = runEntry(quick(each), {}, each.stride)
    if (!good) console.log(`${name}: ${verdict}`)
    await setImmediate() // Or the host keeps what it has put off.
  }
}

function protocolFiles(): string[] {
  return readdirSync(DIST, { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => PROTOCOLS.test(name) && !OTHERS.includes(name))
    .sort()
}

function linesOf(path: string, script: Profiler.ScriptCoverage | undefined): Lines {
  const text = readFileSync(path, 'utf8')
  const counts = countsOf(text.length, script)
  // Comments become blanks, so that places stay.
  const code = text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, (comment) =>
    comment.replaceAll(/[^\n]/g, ' '),
  )
  let place = 0
  let total = 0
  const missed: number[] = []
  for (const [i, line] of code.split('\n').entries()) {
    if (isCode(line)) {
      total++
      if (counts[place + line.search(/\S/)] === 0) missed.push(i + 1)
    }
    place += line.length + 1
  }
  return { total, run: total - missed.length, missed }
}

function isCode(line: string): boolean {
  return /\w/.test(line) && !/^\s*(?:import|export \{|export \*)/.test(line)
}

/** How often each character has run: inner ranges overrule outer ones, and come after them. */
function countsOf(length: number, script: Profiler.ScriptCoverage | undefined): Uint32Array {
  const counts = new Uint32Array(length)
  const ranges = (script?.functions ?? []).flatMap((each) => each.ranges)
  ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset)
  for (const { startOffset, endOffset, count } of ranges) counts.fill(count, startOffset, endOffset)
  return counts
}

function judge(found: ReadonlyMap<string, Lines>): number {
  const floors = readFloors()
  const now: Record<string, number> = {}
  const complaints: string[] = []
  console.log('| file | lines | run | floor |\n|---|---|---|---|')
  let total = 0
  let run = 0
  for (const [name, lines] of found) {
    const percent = Math.floor((PERCENT * lines.run) / Math.max(1, lines.total))
    const floor = floors[name]
    now[name] = percent
    total += lines.total
    run += lines.run
    console.log(`| ${name} | ${lines.total} | ${percent} % | ${floor ?? 'none'} |`)
    if (floor === undefined) complaints.push(`${name} has no floor`)
    else if (percent < floor - SLACK) {
      complaints.push(
        `${name}: ${percent} % of its lines run, ${floor} % are wanted; never run: ${lines.missed.join(' ')}`,
      )
    }
  }
  console.log(`\n${Math.round((PERCENT * run) / total)} % of ${total} lines`)
  if (process.argv.includes('--write')) {
    writeFileSync(FLOORS, `${JSON.stringify(now, undefined, 2)}\n`)
    return 0
  }
  for (const each of complaints) console.log(each)
  return complaints.length === 0 ? 0 : 1
}

function readFloors(): Readonly<Record<string, number>> {
  try {
    return JSON.parse(readFileSync(FLOORS, 'utf8')) as Record<string, number>
  } catch {
    return {}
  }
}

process.exitCode = await main()

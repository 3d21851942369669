/**
 * The benchmarks' front door: `npm run bench`, `npm run bench -- NAME...`.
 *
 * Asks every question or the named ones: provides the heavy rivals they need, runs each variant in
 * processes of its own and prints a table per group. The command never judges a figure; it fails
 * only when a variant fails. What was printed is kept in bench/results.md, unless the run was a
 * quick or partial one, whose figures nobody should quote.
 */
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { type Engine, provideEngine } from './harness/engine.ts'
import { provideHeavy } from './harness/heavy.ts'
import { describeMachine, machineWarnings } from './harness/machine.ts'
import { runGroup } from './harness/processes.ts'
import type { Heavy, Question, Result, Settings } from './harness/question.ts'
import { tableOf } from './harness/report.ts'
import { loadQuestion, questionNames } from './questions/index.ts'

const USAGE = `npm run bench -- [NAME...] [options]
  --list            the questions
  --quick           short runs in one process each: to see that all works, not to quote
  --only TEXT       only variants whose name contains TEXT, and the baselines
  --processes N     processes per variant (default 3)
  --engine WHAT     another Node: its path, or a version that npm has (24, 26 ...)
  --help            this text`

const FULL: Settings = { timeMs: 700, warmupMs: 300 }
const QUICK: Settings = { timeMs: 150, warmupMs: 100 }

interface Wish {
  readonly settings: Settings
  readonly processes: number
  readonly only: string
  readonly engine: string
  readonly quick: boolean
  readonly absent: ReadonlyMap<Heavy, string>
}

const said: string[] = []
const say = (line: string) => {
  said.push(line)
  console.log(line)
}

/** The whole report, as it was printed; one file for each engine that is not ours. */
function keep({ path, version }: Engine): void {
  const suffix = path === process.execPath ? '' : `-node-${version.replace(/^v(\d+).*/, '$1')}`
  const file = new URL(`../../bench/results${suffix}.md`, import.meta.url)
  writeFileSync(file, `# What \`npm run bench\` said\n\n\`\`\`text\n${said.join('\n')}\n\`\`\`\n`)
  console.log(`\nkept in bench/results${suffix}.md`)
}

function readArguments() {
  return parseArgs({
    allowPositionals: true,
    options: {
      list: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      processes: { type: 'string' },
      engine: { type: 'string', default: process.execPath },
      help: { type: 'boolean', default: false },
    },
  })
}

async function main(): Promise<boolean> {
  const { values, positionals } = readArguments()
  if (values.help) return tell(USAGE)
  const unknown = positionals.filter((name) => !questionNames.includes(name))
  if (unknown.length > 0) {
    throw new RangeError(`no question ${unknown.join(', ')}; there are ${questionNames.join(', ')}`)
  }
  const names = positionals.length > 0 ? positionals : questionNames
  const questions = await Promise.all(names.map(loadQuestion))
  if (values.list) {
    for (const { name, asks } of questions) say(`${name.padEnd(20)} ${asks}`)
    return true
  }
  const processes = Number(values.processes ?? (values.quick ? 1 : 3))
  if (!(Number.isInteger(processes) && processes > 0)) {
    throw new RangeError(`--processes wants a whole number above 0, not ${values.processes}`)
  }
  const engine = provideEngine(values.engine, say)
  for (const line of describeMachine(engine)) say(line)
  for (const warning of machineWarnings()) say(`warning   ${warning}`)
  const wish = {
    settings: values.quick ? QUICK : FULL,
    processes,
    only: values.only,
    engine: engine.path,
    quick: values.quick,
    absent: provideHeavy(needsOf(questions), say),
  }
  let allWell = true
  for (const question of questions) allWell = (await ask(question, wish)) && allWell
  if (!values.quick && values.only === '' && positionals.length === 0) keep(engine)
  return allWell
}

async function ask(question: Question, wish: Wish): Promise<boolean> {
  say(`\n${question.name}: ${question.asks}`)
  let allWell = true
  const found = new Map<string, readonly Result[]>()
  for (const whole of question.groups) {
    const variants = whole.variants.filter(({ name, rare }) => {
      return name === whole.baseline || (name.includes(wish.only) && !(wish.quick && rare === true))
    })
    const group = { ...whole, variants }
    const processes = question.exact ? 1 : (question.processes ?? wish.processes)
    const results = await runGroup({
      question: question.name,
      group,
      processes,
      settings: wish.settings,
      engine: wish.engine,
      absent: wish.absent,
      progress: (variant, round) => {
        showProgress(`  ${group.name}: ${variant} (${round} of ${processes})`)
      },
    })
    showProgress('')
    found.set(group.name, results)
    say('')
    for (const line of tableOf(group, results)) say(line)
    allWell &&= results.every((r) => r.note === undefined || r.note.startsWith('skipped'))
  }
  if (!wish.quick && wish.only === '') hang(question.pictures?.(found))
  return allWell
}

/** Pictures belong to the documentation, not to the build. */
function hang(pictures: ReadonlyMap<string, string> | undefined): void {
  for (const [name, svg] of pictures ?? []) {
    writeFileSync(new URL(`../../docs/${name}.svg`, import.meta.url), svg)
    say(`  drawn: docs/${name}.svg`)
  }
}

function needsOf(questions: readonly Question[]): Set<Heavy> {
  const variants = questions.flatMap((q) => q.groups).flatMap((g) => g.variants)
  return new Set(variants.flatMap((v) => v.needs ?? []))
}

/** One line that overwrites itself; nothing where nobody watches. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[2K${text}`)
}

function tell(text: string): true {
  say(text)
  return true
}

try {
  process.exitCode = (await main()) ? 0 : 1
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
}

/**
 * Copies of the built project, each with room for one mutant, and the processes that run scenarios
 * and unit tests on it.
 */

import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { execPath } from 'node:process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Message, Task } from './mutantChild.ts'

const HERE = new URL('../../', import.meta.url)
/** This file runs from build/test/model. */
export const ROOT = HERE.pathname.endsWith('/build/') ? new URL('../', HERE) : HERE
export const YARD = new URL('build/machine/', ROOT)
const MODEL = 'build/test/model/'

/** Nothing heard for so long: a thread goes round without a verb. In time of the processor, see `Watch`. */
const SILENCE_MS = 8000
/** The same by the clock, for what waits instead of working. */
const STILL_MS = 300_000
const LOOK_MS = 500
/** One tick of the processor's time, as Linux counts it. */
const TICK_MS = 10
const UNIT_MS = 240_000
const MEGABYTES = 1500

/** So many tasks for one process: what it has loaded for a task, it keeps. */
const MOST_TASKS = 40

/** How a task came to its end. */
export interface Outcome {
  readonly messages: readonly Message[]
  /** Why it did not come to its own end. */
  readonly broken: 'silent' | 'late' | 'crashed' | undefined
  readonly error: string
  /** Whether its process had run others before. */
  readonly isFirst: boolean
}

type Wish = Omit<Task, 'catalog'>

/**
 * A copy of library and scenarios. Each `put` gives it another address (a link to the same folder), so
 * that a process that has loaded it loads it anew. The engine is not copied: what imports nothing of
 * the library is the same module for all addresses.
 */
export class Slot {
  readonly root: URL
  readonly library: URL
  private readonly number: number
  private copy: URL
  private copies = 0
  private server: Server | undefined

  constructor(number: number) {
    this.number = number
    this.root = new URL(`slot-${number}/`, YARD)
    this.library = new URL('dist/', this.root)
    this.copy = this.root
  }

  /** A fresh copy of what was built. */
  async prepare(): Promise<void> {
    await rm(this.root, { recursive: true, force: true })
    await mkdir(new URL('copies/', this.root), { recursive: true })
    await copyScripts(new URL('dist/', ROOT), this.library)
    const [from, to] = [new URL(MODEL, ROOT), new URL(MODEL, this.root)]
    await copyScripts(from, to)
    for (const name of engineOf(await scripts(from))) {
      const link = `export * from ${JSON.stringify(new URL(`${name}.js`, from).href)}\n`
      await writeFile(new URL(`${name}.js`, to), link)
    }
    const { imports } = JSON.parse(await readFile(new URL('package.json', ROOT), 'utf8')) as {
      imports: unknown
    }
    await writeFile(new URL('package.json', this.root), JSON.stringify({ type: 'module', imports }))
  }

  async put(file: string, text: string): Promise<void> {
    await writeFile(new URL(`${file}.js`, this.library), text)
    this.copy = new URL(`copies/${++this.copies}/`, this.root)
    await symlink('..', fileURLToPath(this.copy).replace(/\/$/, ''))
  }

  /** Runs scenarios; at most for `ms`, where that is given; in a process of their own, where they want it. */
  async run(task: Wish, ms = Number.POSITIVE_INFINITY, isAlone = false): Promise<Outcome> {
    if (isAlone || this.server?.isWorn === true) this.server?.end()
    if (this.server?.isGone !== false) this.server = new Server()
    const catalog = new URL(`${MODEL}catalog.js`, this.copy).href
    const outcome = await this.server.run({ ...task, catalog }, ms)
    if (isAlone) this.server.end()
    return outcome
  }

  end(): void {
    this.server?.end()
  }

  /** Whether unit tests notice. That they take too long is no verdict: the machine may be busy. */
  async unitTests(paths: readonly string[]): Promise<boolean> {
    const vitest = new URL('node_modules/vitest/vitest.mjs', ROOT)
    const args = ['run', '--config', 'test/mutants.config.ts', ...paths]
    const child = spawn(execPath, [fileURLToPath(vitest), ...args], {
      cwd: fileURLToPath(ROOT),
      env: { ...process.env, UMA_SMR_LIBRARY: fileURLToPath(this.library).replace(/\/$/, '') },
      stdio: 'ignore',
    })
    const late = setTimeout(() => child.kill('SIGKILL'), UNIT_MS)
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
    clearTimeout(late)
    return code !== 0 && code !== null
  }

  /** The address of a file of the library, as the engine knows it. */
  address(file: string): string {
    return pathToFileURL(fileURLToPath(new URL(`dist/${file}.js`, this.copy))).href
  }

  toString(): string {
    return `slot ${this.number}`
  }
}

/** A process that does one task after the other. */
class Server {
  isGone = false
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  private readonly closed: Promise<unknown>
  private tasks = 0
  private error = ''
  private hear: (message: Message) => void = () => {}

  constructor() {
    const script = fileURLToPath(new URL(`${MODEL}mutantChild.js`, ROOT))
    const flags = [`--max-old-space-size=${MEGABYTES}`, '--preserve-symlinks']
    this.child = spawn(execPath, [...flags, script], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.error = (this.error + text).slice(-2000)
    })
    const lines = createInterface({ input: this.child.stdout })
    lines.on('line', (line) => this.hear(JSON.parse(line) as Message))
    const read = new Promise((resolve) => lines.on('close', resolve))
    this.closed = new Promise((resolve) => this.child.on('close', resolve)).then(() => read)
    void this.closed.then(() => {
      this.isGone = true
    })
    // It may be gone before it has heard its task; `closed` says so.
    this.child.stdin.on('error', () => {})
  }

  get isWorn(): boolean {
    return this.tasks >= MOST_TASKS
  }

  async run(task: Task, ms: number): Promise<Outcome> {
    const isFirst = this.tasks++ === 0
    const messages: Message[] = []
    let broken: Outcome['broken']
    const watch = new Watch(this.child, ms, (why) => {
      broken ??= why
      this.end()
    })
    const done = new Promise<boolean>((resolve) => {
      this.hear = (message) => {
        watch.heard()
        if (message.says !== 'alive') messages.push(message)
        if (message.says === 'end' || message.says === 'unloadable') resolve(true)
      }
    })
    this.child.stdin.write(`${JSON.stringify(task)}\n`)
    const isWhole = await Promise.race([done, this.closed.then(() => false)])
    watch.end()
    if (!isWhole) broken ??= 'crashed'
    return { messages, broken, error: this.error, isFirst }
  }

  end(): void {
    this.isGone = true
    this.child.kill('SIGKILL')
  }
}

/** Files of the model that import nothing of the library, directly or by others. */
function engineOf(texts: ReadonlyMap<string, string>): ReadonlySet<string> {
  const imports = (text: string): string[] =>
    [...text.matchAll(/\bfrom '([^']+)'/g)].map(([, from = '']) => from)
  const engine = new Set(
    [...texts]
      // What the memory takes from the library is only for those who lend it nothing else.
      .filter(([name, text]) => name === 'modelMemory' || !/'#src\//.test(text))
      .map(([name]) => name),
  )
  const isOurs = (from: string): boolean =>
    !from.startsWith('./') || engine.has(from.replace(/^\.\/(.*)\.js$/, '$1'))
  for (let size = 0; size !== engine.size; ) {
    size = engine.size
    for (const name of engine) {
      if (!imports(texts.get(name) ?? '').every(isOurs) && name !== 'modelMemory')
        engine.delete(name)
    }
  }
  return engine
}

/**
 * Ends a process that says nothing for long, or takes too long in all. Both are measured in time of the
 * processor where the system tells it, so that a busy machine makes no verdict.
 */
class Watch {
  private readonly child: ChildProcess
  private readonly most: number
  private readonly stop: (why: 'silent' | 'late') => void
  private readonly timer: NodeJS.Timeout
  private spent = 0
  private spentWhenHeard = 0
  private heardAt = Date.now()
  private isNews = true

  constructor(child: ChildProcess, most: number, stop: (why: 'silent' | 'late') => void) {
    this.child = child
    this.most = most
    this.stop = stop
    const begin = this.heardAt
    const before = spentBy(child.pid ?? 0) ?? 0
    this.timer = setInterval(() => {
      const spent = spentBy(this.child.pid ?? 0)
      this.spent = spent === undefined ? Date.now() - begin : spent - before
      if (this.isNews) this.spentWhenHeard = this.spent
      this.isNews = false
      const isSilent = this.spent - this.spentWhenHeard > SILENCE_MS
      if (isSilent || Date.now() - this.heardAt > STILL_MS) this.stop('silent')
      else if (this.spent > this.most) this.stop('late')
    }, LOOK_MS)
  }

  heard(): void {
    this.heardAt = Date.now()
    this.isNews = true
  }

  end(): void {
    clearInterval(this.timer)
  }
}

/** Time of the processor that a process has had, in ms; undefined where the system does not tell. */
function spentBy(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // Behind the command in parentheses; its own time and the system's for it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS
  } catch {
    return undefined
  }
}

async function copyScripts(from: URL, to: URL): Promise<void> {
  await mkdir(to, { recursive: true })
  await cp(from, to, { recursive: true, filter: (name) => !/\.(?:ts|map|tsbuildinfo)$/.test(name) })
}

/** Scripts of a folder, by name without ending. */
export async function scripts(folder: URL): Promise<Map<string, string>> {
  const names = (await readdir(folder, { recursive: true }))
    .filter((name) => name.endsWith('.js'))
    .map((name) => name.replaceAll('\\', '/').replace(/\.js$/, ''))
    .sort()
  const texts = await Promise.all(
    names.map((name) => readFile(new URL(`${name}.js`, folder), 'utf8')),
  )
  return new Map(names.map((name, i) => [name, texts[i] as string]))
}

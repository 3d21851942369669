/**
 * Copies of the built project, each with room for one mutant, and the processes that run scenarios
 * and unit tests on it.
 */

import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Message, Task } from './mutantChild.ts'
import { type Outcome, type Patience, Server } from './mutantServer.ts'
import type { UnitMessage, UnitTask } from './mutantUnitChild.ts'

const HERE = new URL('../../', import.meta.url)
/** This file runs from build/test/model. */
export const ROOT = HERE.pathname.endsWith('/build/') ? new URL('../', HERE) : HERE
export const YARD = new URL('build/machine/', ROOT)
const MODEL = 'build/test/model/'
export const UNIT = 'build/test/unit/'
const HELPERS = 'build/test/helpers/'
/** What the tests of the WebAssembly assemble it with. */
const ASSEMBLER = 'scripts/wat.js'

/** What tests import besides the library, and whether it has a default: linked, or each copy would have its own. */
const PACKAGES: Readonly<Record<string, boolean>> = {
  vitest: false,
  'fast-check': true,
  mnemonist: false,
  wabt: true,
}
const SCENARIOS: Patience = { silentMs: 8000, stillMs: 300_000 }
/** Tests that take over a second are not asked: these are far from it. */
const UNITS: Patience = { silentMs: 3000, stillMs: 8000 }

type Wish = Omit<Task, 'catalog'>
type UnitWish = Omit<UnitTask, 'folder'>

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
  private changed: string | undefined
  private server: Server<Task, Message> | undefined
  private unitServer: Server<UnitTask, UnitMessage> | undefined

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
    for (const folder of [UNIT, HELPERS]) {
      await copyScripts(new URL(folder, ROOT), new URL(folder, this.root))
    }
    for (const [name, hasDefault] of Object.entries(PACKAGES)) await this.link(name, hasDefault)
    await mkdir(new URL('scripts/', this.root))
    const assembler = JSON.stringify(new URL(ASSEMBLER, ROOT).href)
    await writeFile(new URL(ASSEMBLER, this.root), `export * from ${assembler}\n`)
    // The library by its name is the copy as well.
    const about: unknown = JSON.parse(await readFile(new URL('package.json', ROOT), 'utf8'))
    const { name, imports, exports } = about as Readonly<Record<string, unknown>>
    const own = JSON.stringify({ type: 'module', name, imports, exports })
    await writeFile(new URL('package.json', this.root), own)
  }

  private async link(name: string, hasDefault: boolean): Promise<void> {
    const folder = new URL(`node_modules/${name}/`, this.root)
    await mkdir(folder, { recursive: true })
    const from = JSON.stringify(import.meta.resolve(name))
    const lines = [`export * from ${from}`, hasDefault ? `export { default } from ${from}` : '']
    await writeFile(new URL('index.js', folder), `${lines.join('\n')}\n`)
    await writeFile(
      new URL('package.json', folder),
      '{ "type": "module", "exports": "./index.js" }',
    )
  }

  /** Puts `text` in the place of a file of the library, and all others back. */
  async put(file: string, text: string): Promise<void> {
    if (this.changed === file) return
    if (this.changed !== undefined) {
      const before = new URL(`dist/${this.changed}.js`, ROOT)
      await cp(before, new URL(`${this.changed}.js`, this.library))
    }
    await writeFile(new URL(`${file}.js`, this.library), text)
    this.changed = file
    this.copy = new URL(`copies/${++this.copies}/`, this.root)
    await symlink('..', fileURLToPath(this.copy).replace(/\/$/, ''))
  }

  /** Runs scenarios; at most for `ms`, where that is given; in a process of their own, where they want it. */
  async run(task: Wish, ms = Number.POSITIVE_INFINITY, isAlone = false): Promise<Outcome<Message>> {
    if (isAlone || this.server?.isWorn === true) this.server?.end()
    if (this.server?.isGone !== false) {
      this.server = new Server(new URL(`${MODEL}mutantChild.js`, ROOT), SCENARIOS)
    }
    const catalog = new URL(`${MODEL}catalog.js`, this.copy).href
    const outcome = await this.server.run({ ...task, catalog }, ms)
    if (isAlone) this.server.end()
    return outcome
  }

  /** The same for unit tests. */
  async runUnits(
    task: UnitWish,
    ms = Number.POSITIVE_INFINITY,
    isAlone = false,
  ): Promise<Outcome<UnitMessage>> {
    if (isAlone || this.unitServer?.isWorn === true) this.unitServer?.end()
    if (this.unitServer?.isGone !== false) {
      this.unitServer = new Server(new URL(`${MODEL}mutantUnitChild.js`, ROOT), UNITS)
    }
    const folder = new URL(UNIT, this.copy).href
    return await this.unitServer.run({ ...task, folder }, ms)
  }

  end(): void {
    this.server?.end()
    this.unitServer?.end()
  }

  /** The address of a file of the library, as the engine knows it. */
  address(file: string): string {
    return pathToFileURL(fileURLToPath(new URL(`dist/${file}.js`, this.copy))).href
  }

  toString(): string {
    return `slot ${this.number}`
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

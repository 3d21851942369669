/**
 * Copies of the built project, each with room for one mutant, and the processes that run scenarios
 * and unit tests on it.
 */

import { spawn } from 'node:child_process'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { execPath } from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Message, Task } from './mutantChild.ts'

const HERE = new URL('../../', import.meta.url)
/** This file runs from build/test/model. */
export const ROOT = HERE.pathname.endsWith('/build/') ? new URL('../', HERE) : HERE
export const YARD = new URL('build/machine/', ROOT)

/** Nothing heard for so long: a thread goes round without a verb. A machine may be busy. */
const SILENCE_MS = 45_000
const UNIT_MS = 240_000
const MEGABYTES = 1500

/** How a process came to its end. */
export interface Outcome {
  readonly messages: readonly Message[]
  /** Why it did not come to its own end. */
  readonly broken: 'silent' | 'late' | 'crashed' | undefined
  readonly error: string
}

export class Slot {
  readonly root: URL
  readonly library: URL
  private readonly number: number

  constructor(number: number) {
    this.number = number
    this.root = new URL(`slot-${number}/`, YARD)
    this.library = new URL('dist/', this.root)
  }

  /** A fresh copy of what was built. */
  async prepare(): Promise<void> {
    await rm(this.root, { recursive: true, force: true })
    await copyScripts(new URL('dist/', ROOT), this.library)
    await copyScripts(new URL('build/test/model/', ROOT), new URL('build/test/model/', this.root))
    const { imports } = JSON.parse(await readFile(new URL('package.json', ROOT), 'utf8')) as {
      imports: unknown
    }
    await writeFile(new URL('package.json', this.root), JSON.stringify({ type: 'module', imports }))
  }

  async put(file: string, text: string): Promise<void> {
    await writeFile(new URL(`${file}.js`, this.library), text)
  }

  /** Runs scenarios; at most for `ms`, where that is given. */
  async run(task: Task, ms = Number.POSITIVE_INFINITY): Promise<Outcome> {
    const file = new URL('task.json', this.root)
    await writeFile(file, JSON.stringify(task))
    const script = new URL('build/test/model/mutantChild.js', this.root)
    const child = spawn(
      execPath,
      [`--max-old-space-size=${MEGABYTES}`, fileURLToPath(script), fileURLToPath(file)],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    const messages: Message[] = []
    let broken: Outcome['broken']
    let error = ''
    const end = (why: 'silent' | 'late'): void => {
      broken ??= why
      child.kill('SIGKILL')
    }
    let silence = setTimeout(end, SILENCE_MS, 'silent')
    const most = ms < Number.POSITIVE_INFINITY ? setTimeout(end, ms, 'late') : undefined
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      error = (error + text).slice(-2000)
    })
    const lines = createInterface({ input: child.stdout })
    lines.on('line', (line) => {
      clearTimeout(silence)
      silence = setTimeout(end, SILENCE_MS, 'silent')
      const message = JSON.parse(line) as Message
      if (message.says !== 'alive') messages.push(message)
    })
    const read = new Promise((resolve) => lines.on('close', resolve))
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
    await read
    clearTimeout(silence)
    clearTimeout(most)
    if (code !== 0) broken ??= 'crashed'
    return { messages, broken, error }
  }

  /** Whether unit tests notice. */
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
    return code !== 0
  }

  /** The address of a file of the library, as the engine knows it. */
  address(file: string): string {
    return pathToFileURL(fileURLToPath(new URL(`${file}.js`, this.library))).href
  }

  toString(): string {
    return `slot ${this.number}`
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

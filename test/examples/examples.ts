/** Examples as a reader runs them: built, each in a process of its own, to its end. */

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const ROOT = new URL('../../', import.meta.url)
const TIMEOUT_MS = 30_000

export interface Ending {
  /** Exit code; -1 when it was killed because it did not end. */
  readonly code: number
  /** Standard output, line by line. */
  readonly lines: readonly string[]
  readonly stderr: string
}

/** Runs the example with this source below examples/, for example 'freebsd/main.ts'. */
export function run(source: string): Promise<Ending> {
  const built = fileURLToPath(new URL(`build/examples/${source.replace(/\.ts$/, '.js')}`, ROOT))
  return new Promise((resolve) => {
    execFile(process.execPath, [built], { timeout: TIMEOUT_MS }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, lines: stdout.trimEnd().split('\n'), stderr })
    })
  })
}

/** What it claims, and whether that was so: the lines that begin with yes or NO. */
export function claims({ lines }: Ending): { readonly yes: string[]; readonly no: string[] } {
  const of = (answer: string): string[] =>
    lines.filter((line) => line.trim().startsWith(`${answer} `)).map((line) => line.trim().slice(5))
  return { yes: of('yes'), no: of('NO') }
}

/** Source of an example, line by line. */
export async function sourceOf(path: string): Promise<string[]> {
  const text = await readFile(new URL(`examples/${path}`, ROOT), 'utf8')
  return text.split('\n')
}

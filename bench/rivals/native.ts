/**
 * C, compiled here and now: what the same work costs without an engine in between.
 *
 * The program is `native/native.c`. It is compiled once per checkout with the system's compiler,
 * `cc`; where there is none, its variants are skipped. mimalloc takes part where its shared library
 * is found: it replaces malloc when it is loaded first.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { type Outcome, type Settings, Skip } from '../harness/question.ts'

/** From build/bench/rivals to the source, which is not built, and to where the program goes. */
const source = fileURLToPath(new URL('../../../bench/rivals/native/native.c', import.meta.url))
const folder = fileURLToPath(new URL('../../native/', import.meta.url))
const program = `${folder}native`

const MIMALLOC = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib',
  '/usr/local/lib',
]

/** Runs one of the program's loops. */
export function runNative(settings: Settings, loop: 'section' | 'lookup'): Outcome {
  return run([loop, String(settings.timeMs)], {})
}

/** `batch` records out at a time. */
export function runMalloc(settings: Settings, batch: number): Outcome {
  return run(['malloc', String(settings.timeMs), String(batch)], {})
}

export function runMimalloc(settings: Settings, batch: number): Outcome {
  const library = MIMALLOC.map((place) => `${place}/libmimalloc.so`).find(existsSync)
  if (library === undefined) throw new Skip('mimalloc is not installed')
  const args = ['malloc', String(settings.timeMs), String(batch)]
  return run(args, { LD_PRELOAD: library })
}

function run(args: readonly string[], more: Record<string, string>): Outcome {
  provide()
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, ...more },
  })
  if (status !== 0) throw new Error(`native ${args.join(' ')} ended with ${status}: ${stderr}`)
  const [best = 0, median = 0, samples = 0] = stdout.trim().split(' ').map(Number)
  return { timing: { best, median, samples } }
}

function provide(): void {
  if (existsSync(program) && statSync(program).mtimeMs > statSync(source).mtimeMs) return
  mkdirSync(folder, { recursive: true })
  const { CC: cc = 'cc' } = process.env
  const { status, error, stderr } = spawnSync(cc, ['-O2', '-o', program, source], {
    encoding: 'utf8',
  })
  if (error !== undefined) throw new Skip(`no C compiler: ${error.message}`)
  if (status !== 0) throw new Skip(`${cc} did not compile it: ${stderr.split('\n')[0] ?? ''}`)
}

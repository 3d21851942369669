/**
 * Rivals that are too heavy to be anybody's dependency.
 *
 * lmdb carries native code and sharedmap carries a dictionary, and neither is needed to work on
 * this package. They have a package and a lock file of their own under `rivals/heavy`, and are
 * installed there by the bench when a question first asks for them. Where that fails (no network,
 * no binary for this platform), their variants are skipped and everything else runs.
 */
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Heavy } from './question.ts'

/** From build/bench/harness to the sources: the packages are not built. */
const owner = fileURLToPath(new URL('../../../bench/rivals/heavy/', import.meta.url))
const fromOwner = createRequire(new URL('../../../bench/rivals/heavy/', import.meta.url))

const INSTALL_LIMIT_MS = 180_000

/** Loads a heavy rival; its type is what the caller knows about it. */
export function loadHeavy(name: Heavy): unknown {
  return fromOwner(name)
}

/** Installs what is missing of `names`; tells what is still missing and why. */
export function provideHeavy(names: ReadonlySet<Heavy>, say: (line: string) => void) {
  const missing = () => [...names].filter((name) => !isInstalled(name))
  const absent = new Map<Heavy, string>()
  if (missing().length === 0) return absent
  say(`installing ${missing().join(' and ')} for the bench: npm ci --prefix bench/rivals/heavy`)
  const problem = install()
  if (problem !== undefined) say(`  did not work: ${problem}`)
  for (const name of missing()) absent.set(name, `${name} could not be installed`)
  return absent
}

function isInstalled(name: Heavy): boolean {
  try {
    fromOwner.resolve(name)
    return true
  } catch {
    return false
  }
}

/** Runs npm, without the packages' own scripts: their binaries come as packages. */
function install(): string | undefined {
  const args = ['ci', '--prefix', owner, '--ignore-scripts', '--no-audit', '--no-fund']
  const { npm_execpath: npm } = process.env
  const [command, ...rest] = npm === undefined ? ['npm', ...args] : [process.execPath, npm, ...args]
  const run = spawnSync(command, rest, {
    cwd: owner,
    timeout: INSTALL_LIMIT_MS,
    encoding: 'utf8',
    shell: npm === undefined && process.platform === 'win32',
  })
  if (run.error !== undefined) return run.error.message
  if (run.status !== 0) return complaint(run.stderr)
  return undefined
}

/** The first lines of what npm says is wrong. */
function complaint(stderr: string): string {
  const errors = stderr.split('\n').filter((line) => /^npm error \S/.test(line))
  return errors.slice(0, 2).join(', ') || 'npm gave no reason'
}

/**
 * The Node that the variants run on: the one that runs the bench, or another.
 *
 * npm has a package `node` that brings the binary; a version that is asked for is installed under
 * build/, once.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

export interface Engine {
  readonly path: string
  readonly version: string
  readonly v8: string
}

const owner = fileURLToPath(new URL('../../engines/', import.meta.url))

/** `wanted` is the path of a binary, or a version. */
export function provideEngine(wanted: string, say: (line: string) => void): Engine {
  const path = /^\d+(\.\d+)*$/.test(wanted) ? install(wanted, say) : wanted
  const ask = 'JSON.stringify([process.version, process.versions.v8])'
  const { status, stdout, error } = spawnSync(path, ['-p', ask], { encoding: 'utf8' })
  if (status !== 0)
    throw new Error(`${path} is no Node: ${error?.message ?? `it ended with ${status}`}`)
  const [version = '', v8 = ''] = JSON.parse(stdout) as string[]
  return { path, version, v8 }
}

function install(version: string, say: (line: string) => void): string {
  const prefix = `${owner}${version}`
  const binary = `${prefix}/node_modules/node/bin/node`
  if (existsSync(binary)) return binary
  say(`installing node@${version} for the bench`)
  mkdirSync(prefix, { recursive: true })
  // Without `--ignore-scripts`: it is the package's own script that puts the binary in its place.
  const args = [
    'install',
    '--prefix',
    prefix,
    '--no-audit',
    '--no-fund',
    '--no-save',
    `node@${version}`,
  ]
  const { npm_execpath: npm } = process.env
  const [command, ...rest] = npm === undefined ? ['npm', ...args] : [process.execPath, npm, ...args]
  const run = spawnSync(command, rest, { cwd: prefix, encoding: 'utf8' })
  if (run.status === 0 && existsSync(binary)) return binary
  throw new Error(`node@${version} could not be installed: ${run.stderr.split('\n')[0] ?? ''}`)
}

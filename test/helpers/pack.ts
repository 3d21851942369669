/** The package as `npm pack` makes it, from what has been built. */

import { execFile } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ROOT } from './programs.ts'

const run = promisify(execFile)

/** Packs it and unpacks it into this folder, which is emptied. The paths of its files. */
export async function pack(folder: URL): Promise<string[]> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const to = fileURLToPath(folder)
  const cwd = fileURLToPath(ROOT)
  // Without scripts: `npm test` has built it, and others run what was built.
  const { stdout } = await run(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--pack-destination', to],
    {
      cwd,
      maxBuffer: 2 ** 24,
    },
  )
  const [packed] = JSON.parse(stdout)
  await run('tar', ['-xzf', packed.filename, '--strip-components=1'], { cwd: to })
  await rm(new URL(packed.filename, folder))
  return packed.files.map((file: { path: string }) => file.path)
}

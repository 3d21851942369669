/** Docstrings of all public names say what scripts/docstrings.js asks for. */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { ROOT } from '../helpers/programs.ts'

it('every public name says what it is, how it fails, whether it blocks, where it is legal', async () => {
  const script = fileURLToPath(new URL('scripts/docstrings.js', ROOT))
  const run = promisify(execFile)(process.execPath, [script]).catch((error) => error)
  const { stdout } = await run
  expect(stdout).toMatch(/^\d{3,} public names say what they must\n$/)
})

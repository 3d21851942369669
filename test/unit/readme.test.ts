/**
 * README cannot rot: its programs run and print what it says, its counterexamples are refused or do
 * the damage that it says, its links lead somewhere, and its map names every source file. How blocks
 * are marked is told in helpers/programs.ts.
 */

import { readdir } from 'node:fs/promises'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { deadLinks, like, prepare, ROOT, readPage, run, unsaid } from '../helpers/programs.ts'

const page = await readPage('README.md', 'readme')
const { programs, text: readme } = page

beforeAll(() => prepare(page))

describe('README', () => {
  it('has programs, right and wrong ones', () => {
    expect(programs.some(({ prints }) => prints !== undefined)).toBe(true)
    expect(programs.some(({ throws }) => throws !== undefined)).toBe(true)
  })

  it('says of everything that is wrong what becomes of it', () => {
    expect(unsaid(page)).toEqual([])
  })

  it.each(programs)('line $line: $title', async (program) => {
    const { code, stdout, stderr } = await run(page, program)
    if (program.throws !== undefined) {
      expect(stderr).toMatch(like(program.throws))
      expect(code).toBe(1)
      return
    }
    expect(code, stderr).toBe(0)
    if (program.prints !== undefined) expect(stdout).toMatch(like(program.prints))
  })

  it('links to files that exist', () => {
    expect(deadLinks(page, 'README.md')).toEqual([])
  })

  it('links to every source file', async () => {
    const src = new URL('src/', ROOT)
    const entries = await readdir(src, { recursive: true, withFileTypes: true })
    const files = entries
      .filter((entry) => entry.isFile() && /(?<!\.generated)\.ts$|\.wat$/.test(entry.name))
      .map((entry) => relative(fileURLToPath(ROOT), `${entry.parentPath}/${entry.name}`))
    expect(files.filter((file) => !readme.includes(`](${file})`))).toEqual([])
  })
})

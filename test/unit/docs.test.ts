/**
 * The documents cannot rot: the programs of every page run, its counterexamples are refused or do the
 * damage that it says, its links and the headings that they name exist, and so do the mutants of the
 * orderings in docs/rules.md. No page names a test by its title. How blocks are marked is told in
 * helpers/programs.ts.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  deadLinks,
  like,
  linksOf,
  prepare,
  ROOT,
  readPage,
  run,
  unsaid,
} from '../helpers/programs.ts'

const pagesIn = (folder: string): string[] =>
  readdirSync(new URL(folder, ROOT), { recursive: folder === 'docs/', encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}${name}`)
const paths = ['./', 'docs/', 'examples/', 'bench/', 'test/', 'test/model/'].flatMap(pagesIn)
const pages = await Promise.all(
  paths.map(async (path) => {
    const name = path.replace('./', '')
    return { name, page: await readPage(name, name.replace(/\.md$/, '')) }
  }),
)

describe.each(pages)('$name', ({ name, page }) => {
  beforeAll(() => prepare(page))

  it('says of everything that is wrong what becomes of it', () => {
    expect(unsaid(page)).toEqual([])
  })

  if (page.programs.length > 0) {
    it.each(page.programs)('line $line: $title', async (program) => {
      const { code, stdout, stderr } = await run(page, program)
      if (program.throws !== undefined) {
        expect(stderr).toMatch(like(program.throws))
        expect(code).toBe(1)
        return
      }
      expect(code, stderr).toBe(0)
      if (program.prints !== undefined) expect(stdout).toMatch(like(program.prints))
    })
  }

  it('links to files and headings that exist', () => {
    expect(deadLinks(page, name)).toEqual([])
  })
})

it('docs/README.md leads to every other document there is', () => {
  const index = pages.find(({ name }) => name === 'docs/README.md')?.page.text ?? ''
  const linked = linksOf(index, 'docs/README.md').map(({ file }) => file?.href)
  const others = pages.map(({ name }) => name).filter((name) => name !== 'docs/README.md')
  expect(others.filter((name) => !linked.includes(new URL(name, ROOT).href))).toEqual([])
})

it('each label of the orderings in docs/rules.md is in the sources, and has mutants', () => {
  const rules = pages.find(({ name }) => name === 'docs/rules.md')?.page.text ?? ''
  const labels = [...new Set([...rules.matchAll(/\*\*\[(\w+)\]\*\*/g)].map(([, label]) => label))]
  const textOf = (folder: string, pattern: RegExp): string => {
    const files = readdirSync(new URL(folder, ROOT), { recursive: true, encoding: 'utf8' })
    const matching = files.filter((file) => pattern.test(file))
    return matching.map((file) => readFileSync(new URL(folder + file, ROOT), 'utf8')).join('\n')
  }
  const sources = textOf('src/', /\.ts$/)
  const mutants = textOf('test/model/', /mutantList\.ts$/i)
  expect(labels.length).toBeGreaterThan(10)
  expect(labels.filter((label) => !sources.includes(`[${label}]`))).toEqual([])
  expect(labels.filter((label) => !mutants.includes(`[${label}]`))).toEqual([])
})

describe('docs/conformance/', () => {
  const tables = pages.filter(({ name }) => name.startsWith('docs/conformance/'))
  const isRule = (line: string | undefined): boolean => /^\|[ |-]+\|$/.test(line ?? '')
  const rows = tables.flatMap(({ name, page }) => {
    const lines = page.text.split('\n').filter((line) => line.startsWith('|'))
    const told = lines.filter((line, i) => !isRule(line) && !isRule(lines[i + 1]))
    return told.map((row) => ({ name, row, cells: cellsOf(row) }))
  })

  it('has three cells in every row, and none is empty', () => {
    expect(rows.filter(({ cells }) => cells.length !== 3 || cells.includes(''))).toEqual([])
    expect(rows.length).toBeGreaterThan(400)
  })

  it('shows each promise by a file of tests, or says why not', () => {
    const silent = rows.filter(({ name, cells: [, , shown = ''] }) => {
      const tests = linksOf(shown, name).filter(({ file }) => file?.pathname.includes('/test/'))
      return tests.length === 0 && !/^(?:not tested|nothing to test): \S/.test(shown)
    })
    expect(silent).toEqual([])
  })

  it('calls tests by their files, never by titles', () => {
    const links = rows.flatMap(({ name, row }) => linksOf(row, name))
    const tests = links.filter(
      ({ file }) => file?.pathname.endsWith('.ts') && /\/test\//.test(file.pathname),
    )
    const path = (file: URL | undefined): string => file?.pathname.split('/test/').at(-1) ?? ''
    const wrong = tests.filter(
      ({ said, file }) => path(file).replace(/(?:\.test)?\.ts$/, '') !== said,
    )
    expect(wrong).toEqual([])
    expect(tests.length).toBeGreaterThan(rows.length)
  })

  it('calls functions by names that are in the file', () => {
    const links = rows.flatMap(({ name, row }) => linksOf(row, name))
    const names = links.filter(
      ({ said, file }) => file?.pathname.includes('/src/') && said.startsWith('`'),
    )
    const wrong = names.filter(({ said, file }) => {
      const name = /(\w+)`$/.exec(said)?.[1]
      if (name === undefined || file === undefined) return true
      return !new RegExp(`\\b${name}\\b`).test(readFileSync(file, 'utf8'))
    })
    expect(wrong).toEqual([])
    expect(names.length).toBeGreaterThan(rows.length / 2)
  })
})

it('links are read as they are written, and found out when they are wrong', () => {
  const text = '| [a [b] `c`](d.ts); [e](README.md#nowhere); [web](https://example.org/x) |'
  const found = linksOf(text, 'README.md')
  expect(found.map(({ said, heading }) => [said, heading])).toEqual([
    ['a [b] `c`', ''],
    ['e', 'nowhere'],
    ['web', ''],
  ])
  const page = { text, programs: [], out: ROOT }
  expect(deadLinks(page, 'README.md')).toEqual(['d.ts', 'README.md#nowhere'])
  expect(cellsOf('| one |  | three |')).toEqual(['one', '', 'three'])
})

function cellsOf(row: string): string[] {
  const cells = row.slice(1, -1).split('|')
  return cells.map((cell) => cell.trim())
}

/**
 * docs/ cannot rot either: the programs of its pages run, as README's do, its links and the headings
 * that they name exist, and so do the mutants that docs/rules.md calls as witnesses, and the tests and
 * names of which the tables of docs/seeds.md consist.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  deadLinks,
  like,
  type Page,
  prepare,
  ROOT,
  readPage,
  run,
  unsaid,
} from '../helpers/programs.ts'

const names = readdirSync(new URL('docs/', ROOT)).filter((name) => name.endsWith('.md'))
const pages = await Promise.all(
  names.map(async (name) => {
    const page = await readPage(`docs/${name}`, `docs/${name.slice(0, -'.md'.length)}`)
    return { name, page }
  }),
)

describe.each(pages)('docs/$name', ({ name, page }) => {
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
    expect(deadLinks(page, `docs/${name}`)).toEqual([])
    const anchors = [...page.text.matchAll(/\]\(#([^)]+)\)/g)].map(([, to = '']) => to)
    const known = anchorsOf(page)
    expect(anchors.filter((to) => !known.includes(to))).toEqual([])
  })
})

it('docs/rules.md calls only mutants that there are', () => {
  const rules = pages.find(({ name }) => name === 'rules.md')?.page.text ?? ''
  const model = new URL('test/model/', ROOT)
  const lists = readdirSync(model).filter(
    (file) => file.endsWith('MutantList.ts') || file === 'mutantList.ts',
  )
  const known = lists.map((file) => readFileSync(new URL(file, model), 'utf8')).join('\n')
  const called = [
    ...rules.matchAll(/`(\[\w+\] [^`]+|table: [^`]+|the stamp: [^`]+|pinning: [^`]+)`/g),
  ]
  const mutants = called.map(([, mutant = '']) => mutant)
  expect(mutants.length).toBeGreaterThan(0)
  expect(mutants.filter((mutant) => !known.includes(`'${mutant}'`))).toEqual([])
})

describe('the tables of docs/seeds.md', () => {
  const text = pages.find(({ name }) => name === 'seeds.md')?.page.text ?? ''
  const lines = text.split('\n').filter((line) => line.startsWith('|'))
  const isRule = (line: string | undefined): boolean => /^\|[ |-]+\|$/.test(line ?? '')
  const rows = lines.filter((line, i) => !isRule(line) && !isRule(lines[i + 1]))
  const links = linksOf(text)

  it('have three cells in every row, and none is empty', () => {
    const wrong = lines.filter((line) => cellsOf(line).length !== 3 || cellsOf(line).includes(''))
    expect(wrong).toEqual([])
    expect(rows.length).toBeGreaterThan(400)
  })

  it('show each promise by a test, or say why not', () => {
    const silent = rows.filter((row) => {
      const shown = cellsOf(row)[2] ?? ''
      return !shown.includes('](../test/') && !/^(?:not tested|nothing to test): \S/.test(shown)
    })
    expect(silent).toEqual([])
  })

  it('call tests, scenarios and mutants by titles that are in the file', () => {
    const titles = links.filter(({ to }) => to.startsWith('../test/') && to.endsWith('.ts'))
    expect(titles.filter(({ said, to }) => !hasTitle(fileOf(to), said))).toEqual([])
    expect(titles.length).toBeGreaterThan(rows.length)
  })

  it('call functions by names that are in the file', () => {
    const names = links.filter(({ said, to }) => to.startsWith('../src/') && said.startsWith('`'))
    const wrong = names.filter(({ said, to }) => {
      const name = /(\w+)`$/.exec(said)?.[1]
      return name === undefined || !new RegExp(`\\b${name}\\b`).test(fileOf(to))
    })
    expect(wrong).toEqual([])
    expect(names.length).toBeGreaterThan(rows.length / 2)
  })

  it('lead to headings of other pages that exist', () => {
    const wrong = links.filter(({ to }) => {
      const [, file = '', heading = ''] = /^([^#]+\.md)#(.+)$/.exec(to) ?? []
      return file !== '' && !anchorsOf({ text: fileOf(file) }).includes(heading)
    })
    expect(wrong).toEqual([])
  })

  it('are found out when they are wrong', () => {
    const seq = fileOf('../test/unit/seq.test.ts')
    const title = 'comes around to where it started'
    expect(hasTitle(seq, title)).toBe(true)
    for (const wrong of ['', 'comes around', `${title}s`, 'where it started', 'seq.test.ts']) {
      expect(hasTitle(seq, wrong), wrong).toBe(false)
    }
    expect(fileOf('../test/unit/nowhere.test.ts')).toBe('')
    expect(cellsOf('| one |  | three |')).toEqual(['one', '', 'three'])
    expect(linksOf('| [a [b] `c`](d.ts); [e](f.md#g) |')).toEqual([
      { said: 'a [b] `c`', to: 'd.ts' },
      { said: 'e', to: 'f.md#g' },
    ])
  })
})

function cellsOf(row: string): string[] {
  const cells = row.slice(1, -1).split('|')
  return cells.map((cell) => cell.trim())
}

/** What a page's links say, which may have brackets in it, and where they lead. */
function linksOf(text: string): { said: string; to: string }[] {
  const links = text.matchAll(/\[((?:[^[\]\n]|\[[^[\]\n]*\])*)\]\(([^)\s]+)\)/g)
  return [...links].map(([, said = '', to = '']) => ({ said, to }))
}

/** A file, by its path from docs/; nothing if there is none. */
function fileOf(path: string): string {
  const url = new URL(path, new URL('docs/', ROOT))
  return existsSync(url) ? readFileSync(url, 'utf8') : ''
}

/** Whether a string in the file is this title: all of it, but for what is filled in at either end. */
function hasTitle(text: string, title: string): boolean {
  const exact = title.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  return (
    title !== '' &&
    new RegExp(`(?:['"\`]|\\$\\{[^}]*\\} ?)${exact}(?:['"\`]|:? ?\\$\\{)`).test(text)
  )
}

/** Headings as links name them: lower case, hyphens for blanks, no other signs. */
function anchorsOf({ text }: Pick<Page, 'text'>): string[] {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading)
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replace(/ /g, '-'),
  )
}

/**
 * docs/ cannot rot either: the programs of its pages run, as README's do, its links and the headings
 * that they name exist, and so do the mutants that docs/rules.md calls as witnesses.
 */

import { readdirSync, readFileSync } from 'node:fs'
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

/** Headings as links name them: lower case, hyphens for blanks, no other signs. */
function anchorsOf({ text }: Page): string[] {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading)
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replace(/ /g, '-'),
  )
}

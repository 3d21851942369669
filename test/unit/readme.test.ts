/**
 * What README and ARCHITECTURE promise besides their programs and links, which docs.test.ts looks at:
 * README is short, in the order in which a user needs it, and its links lead somewhere from wherever it is
 * read; ARCHITECTURE leads to every folder of src.
 */

import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { linksOf, ROOT, readPage } from '../helpers/programs.ts'

const readme = await readPage('README.md', 'README')
const architecture = await readPage('ARCHITECTURE.md', 'ARCHITECTURE')

describe('README', () => {
  it('is short enough to be read', () => {
    expect(readme.text.length).toBeGreaterThan(8_000)
    expect(readme.text.length).toBeLessThan(12_000)
  })

  it('says on the first screen what this is, in words that need no explanation', () => {
    const screen = readme.text.split('\n').slice(0, 15).join('\n')
    expect(screen).toMatch(/memory that all worker threads share/)
    expect(screen).toMatch(/no lock/)
    expect(screen).toMatch(/death of any worker/)
    expect(screen.replaceAll('uma-smr', '')).not.toMatch(/\b(?:UMA|SMR|RCU|GUS|slab|epoch)\b/i)
  })

  it('is in the order in which a user needs it', () => {
    const headings = [...readme.text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)
    expect(headings).toEqual([
      'Install',
      'A first program',
      'Use it when',
      'Do not use it when',
      'The table',
      'Recipes',
      'Five rules',
      'Sizing',
      'Errors and debugging',
      'Costs',
      'More',
    ])
  })

  it('shows every verb of the table by a program', () => {
    const verbs = [
      'create',
      'open',
      'get',
      'getMany',
      'read',
      'has',
      'set',
      'update',
      'insert',
      'getOrInsert',
      'replace',
      'delete',
      'deleteIf',
      'entries',
      'size',
    ]
    const titles = readme.programs.map(({ title }) => title)
    const shown = [...verbs, 'resize', 'stats'].filter((verb) =>
      titles.some((title) => title.startsWith(`${verb}: `)),
    )
    expect(shown).toEqual([...verbs, 'resize', 'stats'])
  })

  it('has no link that leads nowhere on a page of the registry', () => {
    const relative = linksOf(readme.text, 'README.md').filter(({ to }) => !/^https:|^#/.test(to))
    expect(relative).toEqual([])
  })
})

it('ARCHITECTURE leads to every folder of src', () => {
  const src = new URL('src/', ROOT)
  const entries = readdirSync(src, { withFileTypes: true, recursive: true })
  const folders = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => new URL(`${entry.parentPath.replace(/\/?$/, '/')}${entry.name}/`, src).href)
  const files = linksOf(architecture.text, 'ARCHITECTURE.md').map(({ file }) => file?.href)
  expect(folders.length).toBeGreaterThan(3)
  expect(folders.filter((folder) => !files.includes(folder))).toEqual([])
})

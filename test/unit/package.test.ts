/** What `npm pack` makes: everything that its pages, its exports and its source maps lead to, and no more. */

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { pack } from '../helpers/pack.ts'
import { linksOf, ROOT, readPage } from '../helpers/programs.ts'

const OUT = new URL('build/package/', ROOT)
let files: string[] = []

beforeAll(async () => {
  files = await pack(OUT)
})

describe('the package', () => {
  it('has what a user needs, and nothing of the workshop', () => {
    const top = new Set(files.map((file) => file.split('/')[0]))
    const expected = [
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'dist',
      'package.json',
      'src',
      'types',
    ]
    expect([...top].sort()).toEqual(expected)
    // Two sets of declarations would be one too many: those in dist/ have what is internal.
    expect(files.filter((file) => /^dist\/.*\.d\.[cm]?ts/.test(file))).toEqual([])
  })

  it('has every file that its exports name', async () => {
    const { exports } = JSON.parse(await readFile(new URL('package.json', OUT), 'utf8'))
    const named = Object.values(exports).flatMap((each) =>
      typeof each === 'string' ? [each] : Object.values(each as Record<string, string>),
    )
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter((file) => !existsSync(new URL(file, OUT)))).toEqual([])
  })

  it('has no dead link', async () => {
    const pages = files.filter((file) => file.endsWith('.md'))
    expect(pages).toContain('README.md')
    for (const name of pages) {
      const links = linksOf((await readPage(name, name)).text, name)
      const dead = links.filter(({ to, file }) => {
        if (file === undefined) return false
        // A link to the repository: the file is there. Any other: it is packed.
        if (to.startsWith('https:')) return !existsSync(file)
        return !existsSync(new URL(to.split('#')[0] ?? '', new URL(name, OUT)))
      })
      expect(dead, name).toEqual([])
    }
  })

  it('has the sources that its maps lead to', async () => {
    const maps = files.filter((file) => file.endsWith('.map'))
    expect(maps.length).toBeGreaterThan(20)
    for (const name of maps) {
      const { sources } = JSON.parse(await readFile(new URL(name, OUT), 'utf8'))
      for (const source of sources) {
        expect(existsSync(new URL(source, new URL(name, OUT))), `${name}: ${source}`).toBe(true)
      }
    }
  })

  it('says where it lives', async () => {
    const told = JSON.parse(await readFile(new URL('package.json', OUT), 'utf8'))
    const { homepage, repository, bugs } = told
    for (const url of [homepage, repository.url, bugs.url]) {
      expect(url).toContain('github.com/uma-smr/uma-smr')
    }
  })
})

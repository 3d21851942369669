/**
 * Mutants: the shipped library with one line removed or changed, to prove that the alarm rings.
 *
 * A mutant is a text replacement in one file of the built library. `breed` copies the library to a
 * folder of its own, replaces the text - which must be there exactly once, so that a mutant cannot
 * silently become the original when the code moves on - and loads the copy beside the shipped one.
 *
 * What is looked for is code: words and signs, in this order. Spaces, line ends and comments between
 * them mean nothing, here and there.
 */

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import type { Library } from './stage.ts'

export interface Mutant {
  /** What is broken: the label of the line, as the essay in smr/domain.ts names it. */
  readonly name: string
  /** File of the library, without ending: `smr/domain`. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

const ROOT = new URL('../../', import.meta.url)

/** The mutated library, as scenarios take it. */
export async function breed({ name, file, find, replace }: Mutant): Promise<Library> {
  const root = projectRoot()
  const to = new URL(`build/mutants/${name.replaceAll(/[^a-z0-9]+/gi, '-')}/`, root)
  await copyScripts(new URL('dist/', root), to)
  const path = new URL(`${file}.js`, to)
  const text = await readFile(path, 'utf8')
  const found = timesIn(text, find)
  if (found !== 1) throw new Error(`mutant "${name}": its text stands ${found} times in ${file}`)
  await writeFile(
    path,
    text.replace(codeOf(find), () => replace),
  )
  return load(to)
}

/** How often the code of `find` stands in a script. */
export function timesIn(text: string, find: string): number {
  return [...text.matchAll(codeOf(find))].length
}

const GAP = String.raw`(?:\s|/\*(?:[^*]|\*(?!/))*\*/|//[^\n]*\n)*`
const TOKEN = /[\w$#]+|[^\s\w$#]/g

/** Finds the words and signs of `code`, whatever spaces and comments stand between them. */
function codeOf(code: string): RegExp {
  const tokens = code.match(TOKEN) ?? []
  const parts = tokens.map((token) => token.replace(/[^\w]/g, String.raw`\$&`))
  const begin = /^[\w$#]/.test(code.trimStart()) ? String.raw`(?<![\w$#])` : ''
  const end = /[\w$#]$/.test(code.trimEnd()) ? String.raw`(?![\w$#])` : ''
  return new RegExp(begin + parts.join(GAP) + end, 'g')
}

/** Scripts only, and without the line that names their source maps. */
async function copyScripts(from: URL, to: URL): Promise<void> {
  await rm(to, { recursive: true, force: true })
  const names = (await readdir(from, { recursive: true })).filter((name) => name.endsWith('.js'))
  await Promise.all(
    names.map(async (name) => {
      const text = await readFile(new URL(name, from), 'utf8')
      await mkdir(new URL('.', new URL(name, to)), { recursive: true })
      await writeFile(new URL(name, to), text.replace(/^\/\/# sourceMappingURL=.*$/m, ''))
    }),
  )
}

async function load(from: URL): Promise<Library> {
  const part = async (file: string): Promise<Record<string, unknown>> =>
    (await import(/* @vite-ignore */ new URL(file, from).href)) as Record<string, unknown>
  const [index, compound, layout, pages, space, reap, barrier, stats, ordered] = await Promise.all([
    part('index.js'),
    part('memory/compound.js'),
    part('memory/layout.js'),
    part('space/pages.js'),
    part('space/space.js'),
    part('arena/reap.js'),
    part('smr/call.js'),
    part('table/stats.js'),
    part('order/stats.js'),
  ])
  const parts = { ...layout, ...pages, ...space, ...reap, ...barrier, ...stats, ...ordered }
  const all = { ...index, ...parts, compound }
  return all as unknown as Library
}

/** This file runs from test/model or from build/test/model. */
function projectRoot(): URL {
  return ROOT.pathname.endsWith('/build/') ? new URL('../', ROOT) : ROOT
}

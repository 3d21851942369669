/**
 * Pages whose programs run: what a Markdown file says of itself, and what comes of it.
 *
 * Words behind a fence's language tell what becomes of a block:
 *
 *   runnable   a program; the `text` block right behind it is what it prints
 *   setup      how every snippet in the `rules` behind it begins
 *   rules      snippets, parted by empty lines, each a program of its own behind the setup; the
 *              comment that a snippet ends with is its outcome: `prints ...` or an error,
 *              `Name: message`
 *
 * In what is expected, `...` stands for whatever it stands for that day.
 */

import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

export const ROOT: URL = new URL('../../', import.meta.url)
const TIMEOUT_MS = 30_000

/** A page, its programs, and a folder to run them in. */
export interface Page {
  readonly text: string
  readonly programs: readonly Program[]
  readonly out: URL
}

/** The page at `path` in the repository; its programs are written to build/`folder`. */
export async function readPage(path: string, folder: string): Promise<Page> {
  const text = await readFile(new URL(path, ROOT), 'utf8')
  return { text, programs: programsOf(blocksOf(text)), out: new URL(`build/${folder}/`, ROOT) }
}

/** Makes the folder that `run` writes to, empty. */
export async function prepare({ out }: Page): Promise<void> {
  await rm(out, { recursive: true, force: true })
  await mkdir(out, { recursive: true })
}

/** Where the repository is on the web; links of packed pages begin so. */
const WEB = /^https:\/\/github\.com\/uma-smr\/uma-smr\/(?:blob|tree)\/main\//

/** A link of a page, the text in front of it, and where it leads in this repository, if it does. */
export interface Link {
  readonly said: string
  readonly to: string
  readonly file: URL | undefined
  /** The heading that it names, '' for none. */
  readonly heading: string
}

/** All links of the page at `path`, which may have brackets in their texts. */
export function linksOf(text: string, path: string): Link[] {
  const prose = text.replace(/^```[\s\S]*?^```/gm, '')
  const links = prose.matchAll(/\[((?:[^[\]\n]|\[[^[\]\n]*\])*)\]\(([^)\s]+)\)/g)
  return [...links].map(([, said = '', to = '']) => {
    const [where = '', heading = ''] = to.split('#')
    const from = new URL(path, ROOT)
    if (WEB.test(where)) return { said, to, heading, file: new URL(where.replace(WEB, ''), ROOT) }
    if (/^\w+:/.test(where)) return { said, to, heading, file: undefined }
    return { said, to, heading, file: where === '' ? from : new URL(where, from) }
  })
}

/** Links of the page at `path` to files of the repository, or headings in them, that are not there. */
export function deadLinks({ text }: Page, path: string): string[] {
  const dead = linksOf(text, path).filter(({ file, heading }) => {
    if (file === undefined) return false
    if (!existsSync(file)) return true
    return heading !== '' && !anchorsOf(readFileSync(file, 'utf8')).includes(heading)
  })
  return dead.map(({ to }) => to)
}

/** Headings as links name them: lower case, hyphens for blanks, no other signs. */
function anchorsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading)
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replace(/ /g, '-'),
  )
}

/** Snippets that are called wrong and do not say what becomes of them. */
export function unsaid({ programs }: Page): Program[] {
  const wrong = programs.filter(({ title }) => title.startsWith('wrong'))
  return wrong.filter(({ prints, throws }) => prints === undefined && throws === undefined)
}

// ---- what a page says ------------------------------------------------------------------------

interface Block {
  readonly language: string
  readonly marks: readonly string[]
  readonly code: string
  /** Line of its first fence. */
  readonly line: number
  readonly lastLine: number
}

/** A program to run, and how it is to end. */
export interface Program {
  readonly title: string
  readonly language: string
  readonly code: string
  readonly line: number
  /** `undefined`: it says nothing about that. */
  readonly prints: string | undefined
  readonly throws: string | undefined
}

function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = []
  let open: { head: string; line: number; code: string[] } | undefined
  for (const [index, text] of markdown.split('\n').entries()) {
    const fence = /^```(.*)$/.exec(text)?.[1]
    if (open === undefined) {
      if (fence !== undefined) open = { head: fence, line: index + 1, code: [] }
    } else if (fence === undefined) open.code.push(text)
    else {
      const [language = '', ...marks] = open.head.split(/\s+/)
      const { line, code } = open
      blocks.push({ language, marks, code: code.join('\n'), line, lastLine: index + 1 })
      open = undefined
    }
  }
  return blocks
}

function programsOf(blocks: readonly Block[]): Program[] {
  const programs: Program[] = []
  let setup = ''
  for (const [index, block] of blocks.entries()) {
    const { language, marks, code, line } = block
    if (language !== 'js' && language !== 'ts') continue
    if (marks.includes('setup')) setup = code
    if (marks.includes('runnable')) {
      const next = blocks[index + 1]
      const said = next?.language === 'text' && next.line - block.lastLine <= 2 ? next : undefined
      programs.push({
        title: 'a program',
        language,
        code,
        line,
        prints: said?.code,
        throws: undefined,
      })
    }
    if (marks.includes('rules')) programs.push(...snippetsOf(block, setup))
  }
  return programs
}

function snippetsOf({ code, language, line }: Block, setup: string): Program[] {
  let at = line + 1
  return code.split(/\n\n+/).map((snippet) => {
    const lines = snippet.split('\n')
    const last = lines.findLastIndex((each) => !each.startsWith('//'))
    const outcome = lines
      .slice(last + 1)
      .map((each) => each.replace(/^\/\/\s*/, ''))
      .join(' ')
    const program = {
      title: (lines[0] ?? '').replace(/^\/\/\s*/, ''),
      language,
      code: `${setup}\n${snippet}`,
      line: at,
      prints: /^prints (.*)$/.exec(outcome)?.[1],
      throws: /^\w+: .*$/.exec(outcome)?.[0],
    }
    at += lines.length + 1
    return program
  })
}

// ---- what happens ----------------------------------------------------------------------------

export interface Ending {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function node(args: readonly string[]): Promise<Ending> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: TIMEOUT_MS }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout: stdout.trimEnd(), stderr: stderr.trimEnd() })
    })
  })
}

/** An error that nobody catches is told in one line. */
const TELL = `process.on('uncaughtException', (error) => {
  console.error(\`\${error.name}: \${error.message}\`)
  process.exit(1)
})`

/** Writes the program below this package, so that it imports it by name as its users do. */
export async function run(page: Page, program: Program): Promise<Ending> {
  const { code, language, line, throws } = program
  const path = (extension: string): string =>
    fileURLToPath(new URL(`line-${line}.${extension}`, page.out))
  const source = path(language === 'ts' ? 'mts' : 'mjs')
  await writeFile(source, throws === undefined ? `${code}\n` : `${TELL}\n${code}\n`)
  if (language === 'js') return node([source])
  const compiled = await node([...TSC, source])
  return compiled.code === 0 ? node([path('mjs')]) : compiled
}

const TSC = [
  fileURLToPath(new URL('node_modules/typescript/bin/tsc', ROOT)),
  ...['--ignoreConfig', '--strict', '--target', 'es2023', '--module', 'nodenext'],
  ...['--types', 'node', '--skipLibCheck'],
]

/** A pattern in which `...` stands for anything. */
export function like(expected: string): RegExp {
  const parts = expected.split('...').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 's')
}

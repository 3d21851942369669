/**
 * The declarations that are packed, as programs of users meet them: compiled by the newest TypeScript and by
 * the oldest that can read them, strictly, with declarations of their own, and without `skipLibCheck`.
 */

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { pack } from '../helpers/pack.ts'
import { ROOT } from '../helpers/programs.ts'

const OUT = new URL('build/types/', ROOT)
const SOURCES = new URL('test/types/', ROOT)
const run = promisify(execFile)

const COMPILERS = [
  { name: 'newest', folder: new URL('node_modules/typescript/', ROOT) },
  { name: 'oldest', folder: new URL('test/types/node_modules/typescript/', ROOT) },
] as const

const CONSUMERS = [
  {
    name: 'nodenext',
    file: 'module.ts',
    out: 'module.d.ts',
    module: 'nodenext',
    resolution: 'nodenext',
  },
  {
    name: 'bundler',
    file: 'module.ts',
    out: 'module.d.ts',
    module: 'esnext',
    resolution: 'bundler',
  },
  {
    name: 'CommonJS',
    file: 'common.cts',
    out: 'common.d.cts',
    module: 'nodenext',
    resolution: 'nodenext',
  },
] as const

const CASES = COMPILERS.flatMap((compiler) =>
  CONSUMERS.map((consumer) => ({
    title: `${consumer.name}, ${compiler.name}`,
    compiler,
    ...consumer,
  })),
)

const folderOf = (title: string): URL => new URL(`${title.replace(/\W+/g, '-')}/`, OUT)

async function versionOf(folder: URL): Promise<string> {
  const { version } = JSON.parse(await readFile(new URL('package.json', folder), 'utf8'))
  return version
}

beforeAll(async () => {
  const missing = COMPILERS.filter(({ folder }) => !existsSync(folder)).map(({ name }) => name)
  expect(missing, 'compilers that are not installed; run npm install').toEqual([])
  await rm(OUT, { recursive: true, force: true })
  await mkdir(OUT, { recursive: true })
  // Found by every program below this folder.
  await pack(new URL('node_modules/uma-smr/', OUT))
})

describe('a program compiles against what is packed', () => {
  it.each(CASES)('$title', async ({ title, compiler, file, out, module, resolution }) => {
    const folder = folderOf(title)
    await mkdir(folder, { recursive: true })
    await cp(new URL(file, SOURCES), new URL(file, folder))
    await writeFile(new URL('package.json', folder), '{ "type": "module" }\n')
    const config = {
      compilerOptions: {
        target: 'es2022',
        lib: ['es2022', 'dom'],
        types: [],
        module,
        moduleResolution: resolution,
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        skipLibCheck: false,
        declaration: true,
        outDir: 'out',
      },
      files: [file],
    }
    await writeFile(new URL('tsconfig.json', folder), JSON.stringify(config))
    const tsc = fileURLToPath(new URL('bin/tsc', compiler.folder))
    const args = [tsc, '-p', fileURLToPath(folder)]
    const said = await run(process.execPath, args).catch(({ stdout }) => ({ stdout }))
    expect(said.stdout).toBe('')
    const declared = await readFile(new URL(`out/${out}`, folder), 'utf8')
    expect(declared).toContain('HashTable')
  })
})

it('the oldest TypeScript is the one that docs/README.md names', async () => {
  const [, oldest = COMPILERS[0]] = COMPILERS
  const [major, minor] = (await versionOf(oldest.folder)).split('.')
  const page = await readFile(new URL('docs/README.md', ROOT), 'utf8')
  expect(page).toContain(`TypeScript ${major}.${minor}`)
})

it('what is marked @internal is declared for this repository, and not for users', async () => {
  const inside = await readFile(new URL('dist/smr/domain.d.ts', ROOT), 'utf8')
  const packed = new URL('node_modules/uma-smr/', OUT)
  const { exports } = JSON.parse(await readFile(new URL('package.json', packed), 'utf8'))
  expect(exports['.'].types).toBe('./types/index.d.ts')
  const outside = await readFile(new URL('types/smr/domain.d.ts', packed), 'utf8')
  expect(inside).toContain('@internal')
  expect(outside).not.toContain('@internal')
})

it('runs when CommonJS requires it', async () => {
  if (!process.features.require_module) return
  const program =
    "const { Arena } = require('uma-smr'); console.log(Arena.create({ bytes: 2 ** 18 }).workerId)"
  const file = new URL('common.cjs', OUT)
  await writeFile(file, program)
  const { stdout } = await run(process.execPath, [fileURLToPath(file)])
  expect(stdout.trim()).toBe('0')
})

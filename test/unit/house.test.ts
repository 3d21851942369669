/**
 * The house rules, read from the sources: imports point down, shared memory is touched through one
 * porthole, sequences are compared on the circle only, and every file says what it is. Each
 * exception is listed with its reason, and must still be needed.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const SRC = fileURLToPath(new URL('../../src/', import.meta.url))
const ROOT = join(SRC, '..')

/** From the lowest floor to the highest. A folder is one floor; imports point down, types too. */
const FLOORS: readonly string[] = [
  'base/',
  'memory/',
  'space/',
  'smr/',
  'lists/',
  'record/',
  'zone/',
  'heap/',
  'arena/',
  'table/',
  'order/',
  'dialects/',
  'index.ts',
]

const PORTHOLE = ['Atomics', 'Int32Array', 'Float64Array', 'Uint8Array', 'SharedArrayBuffer']
const OUTSIDE: Readonly<Record<string, string>> = {
  'arena/arena.ts Int32Array': 'type of the words that the user gets',
  'arena/arena.ts Float64Array': 'type of the floats that the user gets',
  'arena/arena.ts SharedArrayBuffer': 'type of the buffer that the user gets',
  'space/directory.ts Uint8Array': 'private: a name as bytes, to compare',
  'space/space.ts SharedArrayBuffer': 'where the arena lies: made here, never read here',
  'record/types.ts Uint8Array': "a record's bytes, as the user has them",
  'order/key.ts Uint8Array': 'private: the key that a lookup asks for, and those of users',
  'record/key.ts Int32Array': 'private: the key that a lookup asks for',
  'record/key.ts Uint8Array': 'the same, as bytes',
  'heap/sizes.ts Uint8Array': 'private: sizes of blocks by their bytes',
  'record/unbounded.ts Uint8Array': "a record's bytes, as the user has them",
  'record/text.ts Uint8Array': 'private scratch that TextDecoder may read',
}

/** A hint, not a law: a longer file may still be one concept, but it wants a second look. */
const LONGEST = 600

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

interface Source {
  readonly name: string
  readonly text: string
  /** Without comments and quoted strings. */
  readonly code: string
  readonly imports: readonly Import[]
}

function parse(name: string, text: string): Source {
  const bare = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')
  const found = bare.matchAll(/^(?:import|export)\s+(type\s)?[^'"]*?from\s+'([^']+)'/gm)
  const direct = bare.matchAll(/\bimport\s*\(?\s*()'([^']+)'/g)
  const imports = [...found, ...direct].map(([, type, path = '']) => {
    const to = path.startsWith('.') ? normalize(join(dirname(name), path)) : path
    return { from: name, to, typeOnly: type !== undefined && type !== '' }
  })
  return { name, text, code: bare.replace(/'(?:[^'\\\n]|\\.)*'/g, "''"), imports }
}

function sourcesUnder(folder: string): Source[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.includes('node_modules'))
    .map((name) => name.replaceAll('\\', '/'))
    .sort()
    .map((name) => parse(name, readFileSync(join(folder, name), 'utf8')))
}

const SOURCES: readonly Source[] = sourcesUnder(SRC)

/** The imports that lead back to a file which they started from, as one path; [] for none. */
function cycleIn(sources: readonly Source[]): readonly string[] {
  const next = new Map(sources.map(({ name, imports }) => [name, imports.map(({ to }) => to)]))
  const done = new Set<string>()
  const visit = (name: string, path: readonly string[]): readonly string[] => {
    if (path.includes(name)) return [...path.slice(path.indexOf(name)), name]
    if (done.has(name)) return []
    for (const to of next.get(name) ?? []) {
      const cycle = visit(to, [...path, name])
      if (cycle.length > 0) return cycle
    }
    done.add(name)
    return []
  }
  for (const { name } of sources) {
    const cycle = visit(name, [])
    if (cycle.length > 0) return cycle
  }
  return []
}

/**
 * Suites about a whole folder. All others have the name of a file of src, in the folder of the same
 * name, and may say after it which part they are about: `queue`, `queueRefusals`.
 */
const WHOLE_FOLDER: Readonly<Record<string, string>> = {
  'smr/conformance': 'what all domains promise, whatever their clock and sections',
  'smr/conformanceRandom': 'the same, in random runs',
  'smr/conformanceZones': 'the same, with zones and tables on them',
  'order/damage': 'words that were overwritten, and every verb',
  'order/death': 'a worker that stops at any of its writes, in any verb',
  'order/oracle': 'all verbs against a sorted array, in random runs',
  'table/damage': 'words that were overwritten, and every verb',
  'table/death': 'a worker that stops at any of its writes, in any verb',
  'table/oracle': 'all verbs against a Map, in random runs',
  'table/timeOuts': 'locks that are not to be had, in any verb',
  'zone/batching': 'one step of the clock per bucket: cache, depot and clock together',
  'zone/conservation': 'every item in one place, in random runs of all verbs',
  'zone/damage': 'words that were overwritten, and every verb',
  'zone/timeOuts': 'locks that are not to be had, in any verb',
}

const floorOf = (name: string): number => FLOORS.findIndex((floor) => name.startsWith(floor))
const hits = (code: string, pattern: RegExp): string[] => code.match(pattern) ?? []

const pointsUp = (each: Import): boolean => floorOf(each.to) > floorOf(each.from)
/** Where sequences are at home; elsewhere these names mean other things. */
const KEEPS_TIME = /^(?:smr|lists|zone|heap|table)\//
const SEQ_COMPARED =
  /(?:\b(?:seq|goal|wr|rd|candidate|oldest|target|observed|again)(?:\(\))?|\bas (?:Seq|Goal)\))\s*[<>]=?\s*\w/g
const ANY = /(?:[:<,|&(]\s*|\bas\s+)any\b/g
const BANG = /[\w)\]]!(?![=\w])/g
/** Files that a text names, in comments and imports, and that are not there. */
const lost = (text: string): string[] =>
  hits(text, /[\w./-]*\w\.ts\b/g).filter((file) => {
    const end = `/${file.replace(/^(?:\.+\/)+/, '')}`
    return !SOURCES.some(({ name }) => `/${name}`.endsWith(end)) && !existsSync(join(ROOT, file))
  })

describe('the floors', () => {
  const all = SOURCES.flatMap((source) => source.imports)

  it('every file stands on one', () => {
    expect(SOURCES.filter(({ name }) => floorOf(name) < 0).map(({ name }) => name)).toEqual([])
    expect(SOURCES.length).toBeGreaterThan(30)
  })

  it('imports point down, types too', () => {
    expect(all.filter(pointsUp)).toEqual([])
  })

  it('imports have no cycle, types neither', () => {
    expect(cycleIn(SOURCES)).toEqual([])
  })

  it.each(['bench', 'test/helpers', 'examples'])('nor have those of %s', (folder) => {
    const sources = sourcesUnder(join(ROOT, folder))
    expect(sources.length).toBeGreaterThan(3)
    expect(cycleIn(sources)).toEqual([])
  })

  it('the core imports nothing from a host and nothing from a package', () => {
    expect(all.filter(({ to }) => floorOf(to) < 0)).toEqual([])
  })
})

it('shared memory is touched under src/memory/ only; every exception is listed, and needed', () => {
  const outside = SOURCES.filter(({ name }) => !name.startsWith('memory/')).flatMap((source) =>
    PORTHOLE.filter((word) => new RegExp(`\\b${word}\\b`).test(source.code)).map(
      (word) => `${source.name} ${word}`,
    ),
  )
  expect(outside.sort()).toEqual(Object.keys(OUTSIDE).sort())
  const atomics = SOURCES.filter(({ code }) => /\bAtomics\b/.test(code)).map(({ name }) => name)
  expect(atomics).toEqual(['memory/memory.ts'])
})

it('each test file has the name of a file of src, or is about its whole folder', () => {
  const tests = readdirSync(join(ROOT, 'test/unit'), { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name.includes('/') && name.endsWith('.test.ts'))
    .map((name) => name.slice(0, -'.test.ts'.length))
  const files = SOURCES.map(({ name }) => name.replace(/(?:\.generated)?\.ts$/, ''))
  const about = (test: string): boolean =>
    files.some((file) => test.startsWith(file) && /^(?:[A-Z]|$)/.test(test.slice(file.length)))
  expect(tests.filter((test) => !about(test)).sort()).toEqual(Object.keys(WHOLE_FOLDER).sort())
  expect(tests.length).toBeGreaterThan(70)
})

describe('every file', () => {
  it.each(SOURCES.map((source) => [source.name, source] as const))('%s', (name, { text, code }) => {
    expect(text.startsWith('/**'), 'opens with a comment').toBe(true)
    const lines = text.split('\n').length - 1
    expect(lines).toBeLessThanOrEqual(LONGEST)
    expect(hits(code, ANY), 'any').toEqual([])
    expect(hits(code, BANG), 'a non-null assertion').toEqual([])
    expect(lost(text), 'files that are not there').toEqual([])
    if (KEEPS_TIME.test(name)) expect(hits(code, SEQ_COMPARED), 'a sequence and <').toEqual([])
  })
})

it('the rules ring', () => {
  const bad = parse(
    'smr/bad.ts',
    `import { Zone } from '../zone/zone.ts'\nimport type { Arena } from '../arena/arena.ts'\nimport 'node:fs'`,
  )
  expect(bad.imports.filter(pointsUp).map(({ to, typeOnly }) => [to, typeOnly])).toEqual([
    ['zone/zone.ts', false],
    ['arena/arena.ts', true],
  ])
  expect(bad.imports.map(({ to }) => floorOf(to))).toContain(-1)
  const round = [
    parse('a.ts', `import { b } from './b/b.ts'`),
    parse('b/b.ts', `import type { c } from './c.ts'`),
    parse('b/c.ts', `const it = async () => (await import('./b.ts')).b`),
  ]
  expect(cycleIn(round)).toEqual(['b/b.ts', 'b/c.ts', 'b/b.ts'])
  expect(cycleIn(round.slice(0, 2))).toEqual([])
  for (const line of ['if (goal <= rd) x()', 'clock.wr() > 5', '(goal as Seq) < rd', 'seq<0']) {
    expect(hits(line, SEQ_COMPARED), line).toHaveLength(1)
  }
  const there = 'keg.ts and ../zone/keg.ts, or test/torture/knobTurns.ts'
  expect(lost(there)).toEqual([])
  expect(lost('lists.ts, smr/keg.ts, turns.ts')).toEqual(['lists.ts', 'smr/keg.ts', 'turns.ts'])
  for (const line of ['(x: any)', 'as any', 'Map<any>']) expect(hits(line, ANY)).toHaveLength(1)
  for (const line of ['x!.y', 'f()!)', 'a[0]!\n']) expect(hits(line, BANG)).toHaveLength(1)
  for (const line of ['x !== y', 'if (!x) y', 'x != y']) expect(hits(line, BANG)).toEqual([])
  for (const line of ['delta(wr, rd) < MAX', 'goal => x', 'wr === rd'])
    expect(hits(line, SEQ_COMPARED)).toEqual([])
})

/**
 * All mutants of a file in one: with none on it does what the file does, with one on what that mutant does.
 */

import { describe, expect, it } from 'vitest'
import { Effects } from './effects.ts'
import { schemaOf } from './mutantSchema.ts'
import { applied, keyOf, mutantsOf } from './mutate.ts'
import { parse } from './syntax.ts'

const FILE = `
function run(memory, item) {
  const { words: at } = memory;
  const head = memory.load(at);
  memory.poke(item, head);
  memory.store(at, item);
  if (memory.load(at + 1) > 3) return memory.calls.join();
  else memory.add(at + 1, -1);
  if (memory.cas(at + 2, 0, item) !== 0) memory.store(at + 3, 1);
  for (let i = 0; i < 2; i++) memory.store(at + i, memory.load(at + i) < 5 ? 7 : 8);
  while (memory.load(at) > 100) { memory.store(at, 1); }
  return memory.calls.join();
}
`
const program = parse('run.js', FILE)
const mutants = mutantsOf('run', FILE, program, new Effects(new Map([['run', program]])).in('run'))

/** Tells what it is asked. */
class Told {
  readonly words = 4
  readonly calls: string[] = []
  private readonly held = new Map<number, number>()
  private readonly first: number

  constructor(first: number) {
    this.first = first
  }

  private tell(verb: string, ...of: number[]): void {
    this.calls.push(`${verb} ${of}`)
    if (this.calls.length > 50) throw new Error('no end')
  }
  private at(at: number): number {
    return this.held.get(at) ?? this.first
  }
  load(at: number): number {
    this.tell('load', at)
    return this.at(at)
  }
  peek(at: number): number {
    this.tell('peek', at)
    return this.at(at)
  }
  peekRacy(at: number): number {
    this.tell('peekRacy', at)
    return this.at(at)
  }
  store(at: number, value: number): void {
    this.tell('store', at, value)
    this.held.set(at, value)
  }
  poke(at: number, value: number): void {
    this.tell('poke', at, value)
    this.held.set(at, value)
  }
  add(at: number, by: number): number {
    this.tell('add', at, by)
    const old = this.at(at)
    this.held.set(at, old + by)
    return old
  }
  cas(at: number, is: number, value: number): number {
    this.tell('cas', at, is, value)
    const old = this.at(at)
    if (old === is) this.held.set(at, value)
    return old
  }
}

function outcome(text: string, first: number): string {
  try {
    const run = new Function(`${text}; return run`)() as (memory: Told, item: number) => string
    return run(new Told(first), 9)
  } catch (error) {
    return String(error)
  }
}

const scope = globalThis as { $mutant?: number }
const schema = schemaOf(FILE, program, mutants)

describe('all mutants in one', () => {
  it.each([0, 4, 200])('do with none on what the file does, from %d', (first) => {
    scope.$mutant = -1
    expect(outcome(schema, first)).toBe(outcome(FILE, first))
  })

  it.each(mutants.map((each, i) => [keyOf(each), i] as const))('%s', (_, i) => {
    const alone = applied(FILE, mutants[i]?.edits ?? [])
    for (const first of [0, 4, 200]) {
      scope.$mutant = i
      expect(outcome(schema, first)).toBe(outcome(alone, first))
    }
    scope.$mutant = -1
  })
})

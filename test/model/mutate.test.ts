/**
 * The machine that makes mutants, on a small file: what each operator makes, and that two mutants
 * never have one key.
 */

import { describe, expect, it } from 'vitest'
import { Effects } from './effects.ts'
import { applied, keyOf, type MachineMutant, mutantsOf } from './mutate.ts'
import { parse } from './syntax.ts'

const FILE = `
export class Stack {
  get first() {
    return this.memory.load(this.at) // a comment
  }
  push(item) {
    const head = this.memory.load(this.at)
    this.memory.poke(item, head)
    this.memory.store(this.at, item)
    this.count(1)
    if (this.first !== item) return
    if (item > 3) this.memory.add(this.at + 1, -1)
  }
  count(by) {
    this.memory.tally(this.at + 2, by)
  }
  name() {
    if (this.text < 3) throw new Error('a refusal')
    return this.text
  }
}
`

function made(text: string): readonly MachineMutant[] {
  const program = parse('stack.js', text)
  return mutantsOf('stack', text, program, new Effects(new Map([['stack', program]])).in('stack'))
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim()

describe('operators', () => {
  const CASES: readonly (readonly [key: string, becomes: string])[] = [
    [
      'Stack.push | exchange | this.memory.poke(item, head) this.memory.store(this.at, item)',
      'this.memory.store(this.at, item) this.memory.poke(item, head)',
    ],
    [
      'Stack.push | plain | this.memory.store(this.at, item)',
      'this.memory.poke(item, head) this.memory.poke(this.at, item)',
    ],
    ['Stack.push | plain | this.memory.load(this.at)', 'const head = this.memory.peek(this.at)'],
    ['Stack.first | stale | this.memory.load(this.at)', 'return this.memory.peekRacy(this.at)'],
    [
      'Stack.push | split | this.memory.add(this.at + 1, -1)',
      'add$(this.memory, this.at + 1, -1) } count(by)',
    ],
    ['Stack.push | drop | this.count(1)', 'this.memory.store(this.at, item) ; if (this.first'],
    ['Stack.push | skip check | this.first !== item', 'if (this.first !== item) ; if (item > 3)'],
    ['Stack.push | negate | this.first !== item', 'if (!(this.first !== item)) return'],
    ['Stack.push | boundary | item > 3', 'if (item >= 3)'],
    ['Stack.push | off by one | this.count(1)', 'this.count((1) + 1)'],
  ]
  it.each(CASES)('%s', (key, becomes) => {
    const mutant = made(FILE).find((each) => keyOf(each) === `stack | ${key}`)
    expect(mutant, 'is made').toBeDefined()
    expect(oneLine(applied(FILE, mutant?.edits ?? []))).toContain(becomes)
  })

  it('exchange no declaration with what uses it', () => {
    const keys = made(FILE).map(keyOf)
    expect(keys.filter((key) => key.includes('exchange | const head'))).toEqual([])
  })

  it('leave alone what has nothing to do with shared memory, and refusals', () => {
    expect(made(FILE).filter(({ inside }) => inside === 'Stack.name')).toEqual([])
  })
})

describe('keys', () => {
  it('depend neither on lines nor on comments', () => {
    const other = FILE.replaceAll('\n    ', '\n\n  /* here */ ').replace('// a comment', '')
    expect(made(other).map(keyOf)).toEqual(made(FILE).map(keyOf))
  })

  it('are different, also for the same text in the same function', () => {
    const twice = FILE.replace('this.count(1)', 'this.count(1)\n    this.count(1)')
    const keys = made(twice).map(keyOf)
    expect(new Set(keys).size).toBe(keys.length)
    expect(keys).toContain('stack | Stack.push | drop | this.count(1) #2')
  })

  it('every mutant is JavaScript', () => {
    for (const { edits } of made(FILE)) parse('mutant.js', applied(FILE, edits))
  })
})

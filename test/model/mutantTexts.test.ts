/**
 * Every mutant's text stands where it is looked for, once: said here in a moment, for all of them,
 * and not only where a mutant is run.
 */

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CONCURRENT_TRIALS } from './asyncMutantList.ts'
import { COUNT_TRIALS } from './countMutantList.ts'
import { HAND_TRIALS } from './handMutantList.ts'
import { HEAP_TRIALS } from './heapMutantList.ts'
import { HOLD_TRIALS } from './holdMutantList.ts'
import { TRIALS } from './mutantList.ts'
import { timesIn } from './mutants.ts'
import { NEAR_TRIALS } from './nearMutantList.ts'
import { ORDER_TRIALS } from './orderMutantList.ts'
import { PACE_TRIALS } from './paceMutantList.ts'
import { QUEUE_TRIALS } from './queueMutantList.ts'
import { TABLE_TRIALS } from './tableMutantList.ts'

const ALL = [
  ...TRIALS,
  ...CONCURRENT_TRIALS,
  ...COUNT_TRIALS,
  ...HEAP_TRIALS,
  ...HOLD_TRIALS,
  ...PACE_TRIALS,
  ...QUEUE_TRIALS,
  ...TABLE_TRIALS,
  ...NEAR_TRIALS,
  ...HAND_TRIALS,
  ...ORDER_TRIALS,
]

/** Of a step that an ordering argument names. */
const LABEL = /\/\/ \[\w+\]/g

describe('the text of a mutant', () => {
  it('stands once in its file of the built library, and is changed', () => {
    const lost = ALL.filter(({ file, find, replace }) => {
      const text = readFileSync(new URL(`../../dist/${file}.js`, import.meta.url), 'utf8')
      return timesIn(text, find) !== 1 || find === replace
    })
    expect(lost.map(({ name, file }) => `${file}: ${name}`)).toEqual([])
  })

  it('is code, and of comments nothing but a label', () => {
    const prose = ALL.filter(({ find }) => /\/\/|\/\*/.test(find.replace(LABEL, '')))
    expect(prose.map(({ name, find }) => `${name}: ${find}`)).toEqual([])
  })

  it('is found whatever spaces and comments stand in it, and only as whole words', () => {
    for (const text of ['a.load( b, 1 )', 'a . load(b, // why\n 1)', 'a.load(/* c */ b,\n1)'])
      expect(timesIn(text, 'a.load(b, 1)'), text).toBe(1)
    for (const text of ['aa.load(b, 1)', 'a.load(b, 12)', 'a.load(1, b)'])
      expect(timesIn(text, 'a.load(b, 1'), text).toBe(0)
  })
})

/**
 * Every mutant's text stands where it is looked for, once: said here in a moment, for all of them,
 * and not only where a mutant is run.
 */

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CONCURRENT_TRIALS } from './asyncMutantList.ts'
import { TRIALS } from './mutantList.ts'
import { PACE_TRIALS } from './paceMutantList.ts'
import { QUEUE_TRIALS } from './queueMutantList.ts'
import { TABLE_TRIALS } from './tableMutantList.ts'

const ALL = [...TRIALS, ...CONCURRENT_TRIALS, ...PACE_TRIALS, ...QUEUE_TRIALS, ...TABLE_TRIALS]

describe('the text of a mutant', () => {
  it('stands once in its file of the built library, and is changed', () => {
    const lost = ALL.filter(({ file, find, replace }) => {
      const text = readFileSync(new URL(`../../dist/${file}.js`, import.meta.url), 'utf8')
      return text.split(find).length !== 2 || find === replace
    })
    expect(lost.map(({ name }) => name)).toEqual([])
  })
})

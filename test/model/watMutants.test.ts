/**
 * The alarm rings for the module that ships: every line of intrinsics.wat that safety rests on is
 * changed, and somebody must notice. As mutants.test.ts.
 */

import { describe, expect, it } from 'vitest'
import { flat } from '../helpers/watMutant.ts'
import { runWatTrial, WAT_TRIALS } from './watMutantList.ts'

describe('mutants of the intrinsics', () => {
  it.each(WAT_TRIALS.map((trial) => [trial.name, trial] as const))('%s', async (_name, trial) => {
    const { name, scenario, schedules, failure, replays } = await runWatTrial(trial)
    console.log(`${name}: caught by "${scenario}" after ${schedules} schedules`)
    expect(failure, 'the mutant survives').toBeDefined()
    expect(replays, failure?.replay).toBe(true)
  })

  it('have names of their own', () => {
    expect(new Set(WAT_TRIALS.map(({ name }) => name)).size).toBe(WAT_TRIALS.length)
  })
})

it('layout and comments do not matter', () => {
  const one = '(func $f ;; what it is for\n    (drop\n      (i32.const 1) ) (; no ;) )'
  expect(flat(one)).toBe('(func $f (drop (i32.const 1)))')
})

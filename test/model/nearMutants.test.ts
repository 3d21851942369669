/**
 * The alarm rings for near copies: every line that they rest on is changed, and somebody must notice. As
 * mutants.test.ts.
 */

import { describe, expect, it } from 'vitest'
import { runTrial } from './mutantRuns.ts'
import { NEAR_TRIALS } from './nearMutantList.ts'

describe('mutants of near copies', () => {
  it.each(NEAR_TRIALS.map((trial) => [trial.name, trial] as const))('%s', async (_name, trial) => {
    const { name, scenario, schedules, failure, replays } = await runTrial(trial)
    console.log(`${name}: caught by "${scenario}" after ${schedules} schedules, ${failure?.replay}`)
    expect(failure, 'the mutant survives').toBeDefined()
    expect(replays, failure?.replay).toBe(true)
  })

  it('have names of their own', () => {
    expect(new Set(NEAR_TRIALS.map(({ name }) => name)).size).toBe(NEAR_TRIALS.length)
  })
})

/**
 * The alarm rings for the clocks and the turn sections: every line that they rest on is changed, and
 * somebody must notice. As mutants.test.ts.
 */

import { describe, expect, it } from 'vitest'
import { runTrial } from './mutantRuns.ts'
import { PACE_TRIALS } from './paceMutantList.ts'

describe('mutants of clocks and turns', () => {
  it.each(PACE_TRIALS.map((trial) => [trial.name, trial] as const))('%s', async (_name, trial) => {
    const { name, scenario, schedules, failure, replays } = await runTrial(trial)
    console.log(`${name}: caught by "${scenario}" after ${schedules} schedules`)
    expect(failure, 'the mutant survives').toBeDefined()
    expect(replays, failure?.replay).toBe(true)
  })

  it('have names of their own', () => {
    expect(new Set(PACE_TRIALS.map(({ name }) => name)).size).toBe(PACE_TRIALS.length)
  })
})

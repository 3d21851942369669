/**
 * The alarm rings for additions to atomic fields: every line that safety rests on is changed, and somebody must
 * notice. As mutants.test.ts.
 */

import { describe, expect, it } from 'vitest'
import { COUNT_TRIALS } from './countMutantList.ts'
import { runTrial } from './mutantRuns.ts'

describe('mutants of additions', () => {
  it.each(COUNT_TRIALS.map((trial) => [trial.name, trial] as const))('%s', async (_name, trial) => {
    const { name, scenario, schedules, failure, replays } = await runTrial(trial)
    console.log(`${name}: caught by "${scenario}" after ${schedules} schedules, ${failure?.replay}`)
    expect(failure, 'the mutant survives').toBeDefined()
    expect(replays, failure?.replay).toBe(true)
  })

  it('have names of their own', () => {
    expect(new Set(COUNT_TRIALS.map(({ name }) => name)).size).toBe(COUNT_TRIALS.length)
  })
})

/**
 * The alarm rings for async sections, callbacks and barriers: every line that they rest on is
 * changed, and somebody must notice. As mutants.test.ts.
 */

import { describe, expect, it } from 'vitest'
import { CONCURRENT_TRIALS } from './asyncMutantList.ts'
import { runTrial } from './mutantRuns.ts'

describe('mutants of async sections and callbacks', () => {
  it.each(CONCURRENT_TRIALS.map((trial) => [trial.name, trial] as const))(
    '%s',
    async (_name, trial) => {
      const { name, scenario, schedules, failure, replays } = await runTrial(trial)
      console.log(`${name}: caught by "${scenario}" after ${schedules} schedules`)
      expect(failure, 'the mutant survives').toBeDefined()
      expect(replays, failure?.replay).toBe(true)
    },
  )

  it('have names of their own', () => {
    expect(new Set(CONCURRENT_TRIALS.map(({ name }) => name)).size).toBe(CONCURRENT_TRIALS.length)
  })
})

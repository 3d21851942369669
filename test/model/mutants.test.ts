/**
 * The alarm rings: every line that safety rests on is removed, and somebody must notice.
 */

import { describe, expect, it } from 'vitest'
import { TRIALS } from './mutantList.ts'
import { runTrial } from './mutantRuns.ts'

describe('mutants', () => {
  it.each(TRIALS.map((trial) => [trial.name, trial] as const))('%s', async (_name, trial) => {
    const { name, scenario, schedules, failure, replays } = await runTrial(trial)
    console.log(`${name}: caught by "${scenario}" after ${schedules} schedules`)
    expect(failure, 'the mutant survives').toBeDefined()
    expect(replays, failure?.replay).toBe(true)
  })

  it('have names of their own', () => {
    expect(new Set(TRIALS.map(({ name }) => name)).size).toBe(TRIALS.length)
  })
})

/**
 * The alarm rings for records that are held: every line that safety rests on is changed, and somebody
 * must notice. As mutants.test.ts.
 */

import { describe, expect, it } from 'vitest'
import { HOLD_TRIALS } from './holdMutantList.ts'
import { runTrial } from './mutantRuns.ts'

describe('mutants of holds', () => {
  it.each(HOLD_TRIALS.map((trial) => [trial.name, trial] as const))('%s', async (_name, trial) => {
    const { name, scenario, schedules, failure, replays } = await runTrial(trial)
    console.log(`${name}: caught by "${scenario}" after ${schedules} schedules, ${failure?.replay}`)
    expect(failure, 'the mutant survives').toBeDefined()
    expect(replays, failure?.replay).toBe(true)
  })

  it('have names of their own', () => {
    expect(new Set(HOLD_TRIALS.map(({ name }) => name)).size).toBe(HOLD_TRIALS.length)
  })
})

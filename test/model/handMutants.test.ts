/**
 * The alarm rings for what a worker has in its hands: every ordering is broken, and a death must lose an
 * item, or free one twice. As mutants.test.ts.
 */

import { describe, expect, it } from 'vitest'
import { HAND_TRIALS } from './handMutantList.ts'
import { runTrial } from './mutantRuns.ts'

describe('mutants of hands', () => {
  it.each(HAND_TRIALS.map((trial) => [trial.name, trial] as const))('%s', async (_name, trial) => {
    const { name, scenario, schedules, failure, replays } = await runTrial(trial)
    console.log(`${name}: caught by "${scenario}" after ${schedules} schedules, ${failure?.replay}`)
    expect(failure, 'the mutant survives').toBeDefined()
    expect(replays, failure?.replay).toBe(true)
  })

  it('have names of their own', () => {
    expect(new Set(HAND_TRIALS.map(({ name }) => name)).size).toBe(HAND_TRIALS.length)
  })
})

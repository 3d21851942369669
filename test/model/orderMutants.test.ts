/**
 * The alarm rings for the ordered table: every line that safety rests on is changed, and somebody must
 * notice. As mutants.test.ts.
 */

import { describe, expect, it } from 'vitest'
import { runTrial } from './mutantRuns.ts'
import { ORDER_TRIALS } from './orderMutantList.ts'

describe('mutants of the ordered table', () => {
  it.each(ORDER_TRIALS.map((trial) => [trial.name, trial] as const))('%s', async (_name, trial) => {
    const { name, scenario, schedules, failure, replays } = await runTrial(trial)
    console.log(`${name}: caught by "${scenario}" after ${schedules} schedules, ${failure?.replay}`)
    expect(failure, 'the mutant survives').toBeDefined()
    expect(replays, failure?.replay).toBe(true)
  })

  it('have names of their own', () => {
    expect(new Set(ORDER_TRIALS.map(({ name }) => name)).size).toBe(ORDER_TRIALS.length)
  })
})

/**
 * The alarm rings for the hash table: every line that safety rests on is changed, and somebody must
 * notice. As mutants.test.ts.
 */

import { describe, expect, it } from 'vitest'
import { runTrial } from './mutantRuns.ts'
import { TABLE_TRIALS } from './tableMutantList.ts'

describe('mutants of the table', () => {
  it.each(TABLE_TRIALS.map((trial) => [trial.name, trial] as const))('%s', async (_name, trial) => {
    const { name, scenario, schedules, failure, replays } = await runTrial(trial)
    console.log(`${name}: caught by "${scenario}" after ${schedules} schedules, ${failure?.replay}`)
    expect(failure, 'the mutant survives').toBeDefined()
    expect(replays, failure?.replay).toBe(true)
  })

  it('have names of their own', () => {
    expect(new Set(TABLE_TRIALS.map(({ name }) => name)).size).toBe(TABLE_TRIALS.length)
  })
})

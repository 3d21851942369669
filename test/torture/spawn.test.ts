/**
 * The harness of the tortures, tortured: members that throw, leave and hang must fail the run, by
 * name and in time, and must not outlive it.
 */

import { describe, expect, it } from 'vitest'
import { type Service, spawn } from '../helpers/spawn.ts'

const LONG_MS = 20_000
const SHORT_MS = 1500

function team(roles: readonly string[], seconds: number, timeoutMs: number): Promise<Service> {
  const members = roles.map((role) => ({ role, task: undefined }))
  const script = 'torture/unruly.worker.ts'
  return spawn({ script, members, seed: 1, seconds, timeoutMs, stopAtFirst: true })
}

describe('a team', () => {
  it('runs for as long as it was told, and reports', async () => {
    const { reports, seconds, violations } = await team(['good', 'good'], 0.5, LONG_MS)
    expect(reports.map((each) => each.counts)).toEqual([{ turns: 1 }, { turns: 1 }])
    expect(seconds).toBeGreaterThanOrEqual(0.49)
    expect(violations).toBe(0)
  })

  it('ends at the first violation, and tells who saw what', async () => {
    const { reports, violations } = await team(['good', 'alarmed'], LONG_MS / 1000, LONG_MS)
    expect(violations).toBe(1)
    expect(reports[1]?.notes).toEqual(['alarmed 1: seen'])
  })

  it.each([
    ['throws', LONG_MS, /throws 1: Error: on purpose/],
    ['leaves', LONG_MS, /leaves 1: ended \(3\) while running/],
    ['never begins', SHORT_MS, /not done after 1500 ms: .*never begins 1 \(starting\)/],
    ['never stops', SHORT_MS, /not done after 1500 ms: .*never stops 1 \(running\)/],
  ])('fails with a member that %s', async (role, timeoutMs, message) => {
    await expect(team(['good', role], 0.2, timeoutMs)).rejects.toThrow(message)
  })
})

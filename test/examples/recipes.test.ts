/** The recipes of README run, end by themselves, and are what they say of themselves. */

import { readdirSync } from 'node:fs'
import { expect, it } from 'vitest'
import { ROOT } from '../helpers/programs.ts'
import { claims, run } from './examples.ts'

/** Claims of each, and what its first line says. */
const RECIPES: Readonly<Record<string, readonly [claims: number, says: RegExp]>> = {
  'featureFlags.ts': [4, /^a worker read the flag [\d,]+ times$/],
  'hitCounts.ts': [2, /^2 workers counted 2000000 hits on 5 pages$/],
  'httpWorkers.ts': [3, /^120 orders confirmed, 6 workers died and were replaced$/],
  'ipToCountry.ts': [4, /^8\.8\.8\.8 is in US, and 2001:4860:4860::8888 in US$/],
  'rateLimiter.ts': [3, /^3 workers asked 18000 times for 3 clients$/],
  'sessions.ts': [4, /^20000 logins in 4 workers; 4000 have ended; 16000 values take [\d.]+ MiB$/],
  'templates.ts': [3, /^800 responses by 3 workers, one of which died$/],
}

it('every recipe is run', () => {
  expect(readdirSync(new URL('examples/recipes/', ROOT)).sort()).toEqual(Object.keys(RECIPES))
})

it.each(Object.entries(RECIPES))('%s', async (name, [count, says]) => {
  const ending = await run(`recipes/${name}`)
  expect(ending.code, ending.stderr).toBe(0)
  expect(claims(ending).no).toEqual([])
  expect(claims(ending).yes).toHaveLength(count)
  expect(ending.lines[0]).toMatch(says)
})

/**
 * Damaged arenas, a few of them: no verb hangs, none throws what is not ours, none leaves a section or
 * a lock. What is too subtle to be noticed gives wrong answers; they are counted, and told.
 *
 *   DAMAGE_TRIALS=10000 DAMAGE_SEED=7 npx vitest run --config test/vitest.config.ts torture/damage
 */

import { env } from 'node:process'
import { expect, it } from 'vitest'
import { built } from '../helpers/built.ts'
import { damage, tell } from './damage.ts'

const { DAMAGE_TRIALS = 300, DAMAGE_SEED = 1 } = env
const TRIALS = Number(DAMAGE_TRIALS)
/** A verb that takes so long hangs, on any machine. */
const PATIENCE_MS = 30_000
const TEST_MS = 60_000 + 500 * TRIALS

it(
  `${TRIALS} damaged arenas end in typed errors, in bounded time`,
  async () => {
    const script = built('torture/damage.worker.ts')
    const result = await damage(script, Number(DAMAGE_SEED), TRIALS, PATIENCE_MS)
    console.log(tell(result))
    const { outcomes, hangs, deaths } = result
    const violations = outcomes.flatMap((each) => each.violations)
    expect([hangs, deaths, violations]).toEqual([[], [], []])
    expect(outcomes.length).toBe(TRIALS)
    // The flips do reach what is used: most of them are noticed, or change an answer.
    const noticed = outcomes.filter(({ errors, wrong }) => errors.length + wrong.length > 0)
    expect(noticed.length).toBeGreaterThan(TRIALS / 4)
  },
  TEST_MS,
)

/**
 * Every public function with absurd arguments: see api.ts.
 *
 *   API_CALLS=200 API_SEED=7 npx vitest run --config test/vitest.config.ts torture/api
 */

import { env } from 'node:process'
import { expect, it } from 'vitest'
import { Random } from '../helpers/random.ts'
import { call, stage, targets, tidy } from './api.ts'

const { API_CALLS = 8, API_SEED = 1 } = env
const CALLS = Number(API_CALLS)
const SEED = Number(API_SEED)
/** What waits between turns has this long to end. */
const TIMEOUT_MS = 600_000

it(
  `all that is public, ${CALLS} times each, from seed ${SEED}`,
  async () => {
    const names = targets(stage()).map(({ name }) => name)
    const wrong = new Set<string>()
    const pending: (string | Promise<string>)[] = []
    for (const [index, name] of names.entries()) {
      const random = new Random(SEED, index)
      const here = stage()
      const target = targets(here).find((each) => each.name === name)
      if (target === undefined) continue
      for (let n = 0; n < CALLS; n++) {
        pending.push(call(target, here, random))
        try {
          const left = tidy(here)
          if (left !== '') wrong.add(`${name}: ${left}`)
        } catch (error) {
          wrong.add(`${name}: afterwards ${(error as Error).stack}`)
          break
        }
      }
    }
    for (const each of await Promise.all(pending)) if (each !== '') wrong.add(each)
    expect(names.length).toBeGreaterThan(450)
    expect([...wrong]).toEqual([])
  },
  TIMEOUT_MS,
)

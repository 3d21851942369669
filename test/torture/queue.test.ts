/**
 * Torture of the four queue types: writers by turns, readers at any time. The workers and what they
 * look for are in queue.worker.ts. Afterwards every word of every queue is right, and what is live is
 * what is linked.
 */

import { Arena, type Item, SmrList, type SmrQueue, SmrSList, SmrStailQ, SmrTailQ } from 'uma-smr'
import { describe, expect, it } from 'vitest'
import { CANARY_WORDS, writeCanary } from './canary.ts'
import type { Task } from './queue.worker.ts'
import {
  expectNoViolations,
  honestRuns,
  type Outcome,
  type Run,
  sabotagedRuns,
  tell,
  torture,
} from './torture.ts'

const WORD_BYTES = 4
/** A canary, a key, `next` and `prev`. */
const BYTES = (CANARY_WORDS + 3) * WORD_BYTES
const KEY = CANARY_WORDS
const link = KEY + 1
const LIMIT = 96
const BUCKET = 2
const HEAD_BYTES = 8
const KINDS = [SmrSList, SmrList, SmrStailQ, SmrTailQ]
const FOUR = 4
/** Shorter than the others: what can go wrong here goes wrong soon. */
const PART = 0.5

interface Fought extends Outcome {
  readonly arena: Arena
  readonly queues: readonly SmrQueue[]
}

async function fight(run: Run, reckless = false): Promise<Fought> {
  const arena = Arena.create({ bytes: 2 ** 20, maxWorkers: 8, sequence: run.config.sequence })
  const smr = arena.smr('queues')
  const elements = arena.zone('elements', { bytes: BYTES, smr, limit: LIMIT, bucket: BUCKET })
  const zone = arena.zone('heads', { bytes: HEAD_BYTES })
  const heads = KINDS.map(() => zone.zalloc())
  const queues = KINDS.map((Kind, i) => new Kind(arena, { head: heads[i] as Item, link }))
  for (const queue of queues) {
    const item = elements.zallocSmr()
    writeCanary(arena.words, item, 0)
    arena.words[item + KEY] = 0
    queue.init()
    queue.insertHead(item)
  }
  const members = Array.from({ length: run.threads }, (_, i) => {
    const own = zone.zalloc()
    const task: Task = { handle: arena.handle, sabotage: run.sabotage, reckless, heads, own }
    return { role: i % 2 === 0 ? 'writer' : 'reader', task }
  })
  const outcome = await torture('queue', run, members)
  const { advances, pollHits } = elements.stats()
  tell('queues', run, outcome, { advances, reuses: pollHits })
  return { ...outcome, arena, queues }
}

describe('queues', () => {
  for (const run of honestRuns((threads) => threads).filter(({ threads }) => threads === FOUR)) {
    it(`keep every walk whole: ${run.name}`, { timeout: run.testMs }, async () => {
      const outcome = await fight({ ...run, seconds: run.seconds * PART })
      const { arena, counts, queues } = outcome
      expectNoViolations(outcome)
      for (const count of ['walks', 'inserts', 'removals', 'replacements', 'appends']) {
        expect(counts[count], count).toBeGreaterThan(0)
      }
      for (const queue of queues) expect(queue.check()).toBe([...queue.serialized()].length)
      const linked = queues.flatMap((queue) => [...queue.serialized()])
      const zone = arena.zone('elements')
      zone.check()
      expect(zone.audit(linked)).toEqual({ leaked: [] })
      expect(zone.stats().live).toBe(linked.length)
      arena.detach()
    })
  }
})

describe('the alarm rings', () => {
  const [run] = sabotagedRuns(['bucket leaves unstamped']).filter(({ threads }) => threads === FOUR)
  if (run === undefined) throw new Error('no run to sabotage')
  it(run.name, { timeout: run.testMs }, async () => {
    const { arena, violations } = await fight(run)
    expect(violations).toBeGreaterThan(0)
    arena.detach()
  })

  const reckless = { ...run, name: `${FOUR} threads, readers outside of sections`, seconds: PART }
  it(reckless.name, { timeout: run.testMs }, async () => {
    const { arena, violations } = await fight({ ...reckless, sabotage: undefined }, true)
    expect(violations).toBeGreaterThan(0)
    arena.detach()
  })
})

/**
 * Ten thousand async sections at once, over timers, while a writer churns: no record is used again
 * under a task that has it, what waits stays within the zone's limit, and all of it comes back. The
 * workers are in async.worker.ts.
 */

import { Arena, type Item, type SmrOptions } from 'uma-smr'
import { expect, it } from 'vitest'
import { casesOf, SLEEPABLE } from '../helpers/combos.ts'
import { spawn } from '../helpers/spawn.ts'
import { CONFIGS } from '../helpers/tiny.ts'
import type { Task } from './async.worker.ts'
import { CANARY_WORDS, writeCanary } from './canary.ts'
import { expectNoViolations, SEED } from './torture.ts'

const SECTIONS = 10_000
/** Under the other clocks, and near the wrap. */
const FEWER = 1000
const SLOTS = 32
const LIMIT = 4096
const WORD_BYTES = 4
const TIMEOUT_MS = 60_000

interface Reader {
  readonly sections: number
  readonly looks: number
  /** Most sections at once: of those that come and go, and of those that wait for each other. */
  readonly apart: number
  readonly most: number
}

interface Writer {
  readonly writes: number
  /** How often no record was to be had. */
  readonly full: number
  readonly peakPending: number
}

type Sequence = (typeof CONFIGS)[number]['sequence']

async function visits(
  name: string,
  sequence: Sequence,
  options: SmrOptions,
  sections: number,
  sabotage = false,
): Promise<void> {
  const arena = Arena.create({ bytes: 2 ** 22, maxWorkers: 4, sequence })
  const smr = arena.smr('async', options)
  const zone = arena.zone('records', { bytes: CANARY_WORDS * WORD_BYTES, smr, limit: LIMIT })
  const table = arena.zone('table', { bytes: SLOTS * WORD_BYTES }).zalloc()
  const { words } = arena
  for (let at = table; at < table + SLOTS; at++) {
    const item = zone.zallocSmr()
    writeCanary(words, item, 0)
    words[at] = item
  }
  const task: Task = { handle: arena.handle, table, slots: SLOTS, sections, sabotage }
  const service = await spawn({
    script: 'torture/async.worker.ts',
    members: ['reader', 'writer'].map((role) => ({ role, task })),
    seed: SEED,
    seconds: TIMEOUT_MS / 1000,
    timeoutMs: TIMEOUT_MS,
  })
  const { reports, seconds, violations } = service
  const [reader, writer] = reports.map(({ counts, extra }) => ({
    ...counts,
    ...(extra as Record<string, number>),
  })) as unknown as [Reader, Writer]
  const notes = reports.flatMap((each) => each.notes.map((note) => `\n    ${note}`))
  const { created } = zone.stats()
  console.log(
    `torture async: ${name}, ${seconds.toFixed(1)} s, seed ${SEED}: ${reader.sections} sections, ${reader.apart} at once, then ${reader.most}; ${reader.looks} looks, ${writer.writes} writes, ${writer.full} times full, most pending ${writer.peakPending} of ${created} records, ${violations} violations${notes.join('')}`,
  )
  if (sabotage) {
    expect(violations).toBeGreaterThan(0)
    return
  }
  expectNoViolations(service)
  expect(reader.most).toBe(sections)
  expect(writer.writes).toBeGreaterThan(0)
  // Not what there is now: slabs may have gone back since.
  expect(writer.peakPending).toBeLessThanOrEqual(LIMIT)
  const standing = [...words.subarray(table, table + SLOTS)] as Item[]
  expect(zone.audit(standing)).toEqual({ leaked: [] })
  for (const item of standing) zone.zfreeSmr(item)
  expect(zone.reclaim('all').remaining).toBe(0)
  expect(smr.stalled(0)).toEqual([])
  zone.check()
  arena.detach()
}

const FIRST = 'default, fenced, sleepable; from 1'

it.each(
  casesOf(SLEEPABLE).filter(({ combo }) => combo.sections === 'fenced' || combo.clock === 'lazy'),
)(
  'no record is used again under a task: $name',
  { timeout: TIMEOUT_MS + 10_000 },
  async ({ combo, config, name }) => {
    const sections = name === FIRST ? SECTIONS : FEWER
    await visits(name, config.sequence, combo.options, sections)
  },
)

it('the alarm rings', { timeout: TIMEOUT_MS + 10_000 }, async () => {
  const [{ sequence }] = CONFIGS as [(typeof CONFIGS)[number]]
  await visits('sabotaged', sequence, { sleepable: true }, FEWER, true)
})

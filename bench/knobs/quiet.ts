/**
 * A zone that goes quiet: a burst, then nothing but turns of the event loop. What does it keep?
 *
 * Two workers would do the same; one shows it without waiting for the other's timers.
 */
import type { Item, PresetName } from 'uma-smr'
import type { Outcome } from '../harness/question.ts'
import { RECORD_BYTES } from './point.ts'

/** `balanced` trims every 5 s; the whole story is told sooner with a period of a quarter second. */
export const TRIM_MS = 250
export const LOOKS_MS = [0, 250, 500, 750, 1000, 1500, 2000]
const BURST = 100_000
const STAYS = 1000

export async function goQuiet(preset: PresetName, trims: boolean): Promise<Outcome> {
  const { Arena } = await import('uma-smr')
  const arena = Arena.create({ bytes: 2 ** 28, maxWorkers: 8 })
  const smr = arena.smr('bench')
  const trimEveryMs = trims ? TRIM_MS : 0
  const zone = arena.zone('bench', { bytes: RECORD_BYTES, smr, preset, trimEveryMs })
  const items: Item[] = Array.from({ length: BURST }, () => zone.zallocSmr())
  for (const item of items.splice(STAYS)) zone.zfreeSmr(item)
  const facts: Record<string, number> = {}
  const start = performance.now()
  for (const at of LOOKS_MS) {
    // A little after the timers of that moment.
    const left = start + at + (at > 0 ? TRIM_MS / 4 : 0) - performance.now()
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, left))
    facts[`KiB at ${at} ms`] = zone.stats().bytes / 1024
  }
  facts['live KiB'] = (STAYS * RECORD_BYTES) / 1024
  return { facts }
}

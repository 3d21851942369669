/**
 * Two workers that meet at one depot: do their buckets grow, and does it help?
 */
import { Worker } from 'node:worker_threads'
import type { ZoneOptions } from 'uma-smr'
import type { Outcome, Settings, Variant } from '../harness/question.ts'
import { HOLDS, READY, type ReaderPlan, STOP } from '../peers/knobOrder.ts'
import { BATCH, churn } from './churn.ts'
import { RECORD_BYTES } from './point.ts'

const STILL = { sealAfterMs: 0, trimEveryMs: 0 } as const
const TRIMS = 10

async function meet(settings: Settings, options: ZoneOptions): Promise<Outcome> {
  const { Arena } = await import('uma-smr')
  const arena = Arena.create({ bytes: 2 ** 26, maxWorkers: 8 })
  const zone = arena.zone('bench', {
    bytes: RECORD_BYTES,
    smr: arena.smr('bench'),
    ...STILL,
    ...options,
  })
  const control = new Int32Array(new SharedArrayBuffer(16))
  const plan: ReaderPlan = { handle: arena.handle, control, holdMs: 0 }
  const other = new Worker(new URL('../peers/knobChurner.js', import.meta.url), {
    workerData: plan,
  })
  const ended = new Promise((resolve, reject) => {
    other.once('exit', resolve)
    other.once('error', reject)
  })
  while (Atomics.load(control, READY) === 0) await new Promise((r) => setImmediate(r))
  const run = (ms: number): { pairs: number; ms: number } => {
    const start = performance.now()
    const theirs = Atomics.load(control, HOLDS)
    let mine = 0
    while (performance.now() - start < ms) {
      churn(zone)
      mine++
    }
    const pairs = (mine + Atomics.load(control, HOLDS) - theirs) * BATCH
    return { pairs, ms: performance.now() - start }
  }
  run(settings.warmupMs)
  const before = zone.stats()
  const { pairs, ms } = run(settings.timeMs)
  const after = zone.stats()
  Atomics.store(control, STOP, 1)
  await ended
  for (let i = 0; i < TRIMS; i++) zone.reclaim('trim')
  return {
    facts: {
      'M pairs/s of both': pairs / ms / 1000,
      'meetings/M frees': ((after.contended - before.contended) / pairs) * 1e6,
      'bucket at the end': after.bucket,
      'bucket after trims': zone.stats().bucket,
      'zone KiB': after.bytes / 1024,
    },
  }
}

export const MEETINGS: readonly Variant[] = [
  { name: '8', run: (settings) => meet(settings, { bucket: 8 }) },
  { name: '8 to 249', run: (settings) => meet(settings, { bucket: { min: 8, max: 249 } }) },
  { name: '249', run: (settings) => meet(settings, { bucket: 249 }) },
  {
    name: '249 to 996',
    run: (settings) => meet(settings, { bucket: { min: 249, max: 996 } }),
  },
]

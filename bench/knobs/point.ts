/**
 * One point of the grid: a zone under load with its knobs set, and what it did.
 *
 * The load is the one that batching is for. One thread, this one, keeps `LIVE` records and replaces
 * them in turn, at full speed or at a trickle; a worker on the other core holds read sections of a
 * given length, one after the other. A record that is freed carries the time in its own words, and
 * whoever allocates it again reads how long that took: from free to reuse.
 *
 * The bound on what may be pending is worked out from what was measured - the fastest stretch of
 * frees, the longest section that really was, descheduled readers included - and set beside the peak.
 */
import { Worker } from 'node:worker_threads'
import type { ClockName, Item, SectionName, ZoneOptions } from 'uma-smr'
import type { Outcome, Settings } from '../harness/question.ts'
import { HOLDS, LONGEST_US, READY, type ReaderPlan, STOP } from '../peers/knobOrder.ts'

/** What is turned. */
export interface Point {
  readonly clock: ClockName
  readonly sections: SectionName
  /** How long the reader stays inside, or with turn sections how long its turns are. */
  readonly holdMs: number
  readonly zone: ZoneOptions
  /** Frees per second; full speed without it. */
  readonly trickle?: number
}

export const RECORD_BYTES = 64
const RECORD_FLOATS = RECORD_BYTES / 8
const LIVE = 1000
/** Replacements between two looks at the clock. */
const STRETCH = 64
const WINDOW_MS = 5
const DEFERRED_LIMIT = 8
const TICK_MS = 1
const LAZY_TICKS = 3
const MAX_SAMPLES = 400_000

export async function runPoint(point: Point, settings: Settings): Promise<Outcome> {
  const { Arena } = await import('uma-smr')
  const arena = Arena.create({ bytes: 2 ** 28, maxWorkers: 8 })
  const smr = arena.smr('bench', { clock: point.clock, sections: point.sections })
  const zone = arena.zone('bench', { bytes: RECORD_BYTES, smr, ...point.zone })
  const control = new Int32Array(new SharedArrayBuffer(16))
  const plan: ReaderPlan = { handle: arena.handle, control, holdMs: point.holdMs }
  const reader = new Worker(new URL('../peers/knobReader.js', import.meta.url), {
    workerData: plan,
  })
  const ended = new Promise((resolve, reject) => {
    reader.once('exit', resolve)
    reader.once('error', reject)
  })
  while (Atomics.load(control, READY) === 0) await turn()

  const { floats } = arena
  const held: Item[] = Array.from({ length: LIVE }, () => zone.zallocSmr())
  const latencies: number[] = []
  let at = 0
  let fastest = 0
  let windowStart = performance.now()
  let windowFrees = 0
  const replace = (many: number, now: number, sampling: boolean): void => {
    for (let i = 0; i < many; i++) {
      const old = held[at] as Item
      floats[(old >> 1) + RECORD_FLOATS - 1] = now
      zone.zfreeSmr(old)
      const item = zone.zallocSmr()
      const word = (item >> 1) + RECORD_FLOATS - 1
      const freedAt = floats[word] as number
      if (sampling && freedAt !== 0 && latencies.length < MAX_SAMPLES) latencies.push(now - freedAt)
      floats[word] = 0
      held[at] = item
      at = at + 1 === LIVE ? 0 : at + 1
    }
    windowFrees += many
    if (now - windowStart < WINDOW_MS) return
    fastest = Math.max(fastest, windowFrees / (now - windowStart))
    windowStart = now
    windowFrees = 0
  }
  const load = async (ms: number, sampling: boolean): Promise<number> => {
    const start = performance.now()
    const end = start + ms
    let done = 0
    let stretch = 0
    for (let now = start; now < end; now = performance.now()) {
      if (point.trickle === undefined) {
        // One record in some stretches is enough to know how long reuse takes.
        replace(STRETCH, now, sampling && stretch++ % 4 === 0)
        done += STRETCH
        if (stretch % 256 === 0) await turn()
      } else {
        const due = Math.floor(((now - start) / 1000) * point.trickle) - done
        replace(due, now, sampling)
        done += due
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    }
    return done / (performance.now() - start)
  }
  await load(settings.warmupMs, false)
  const before = { ...zone.stats(), ...smr.stats() }
  const perMs = await load(settings.timeMs, true)
  const after = { ...zone.stats(), ...smr.stats() }
  Atomics.store(control, STOP, 1)
  await ended
  const frees = after.frees - before.frees
  const millions = frees / 1e6
  const sectionMs = (control[LONGEST_US] ?? 0) / 1000
  const slackMs = point.clock === 'lazy' ? LAZY_TICKS * TICK_MS : 0
  const pace = after.knobs.advanceEvery * (point.clock === 'deferred' ? DEFERRED_LIMIT : 1)
  const batch = after.knobs.bucketMax * (1 + pace)
  const bound = fastest * (sectionMs + slackMs) + 1 * batch
  latencies.sort((a, b) => a - b)
  const quantile = (q: number): number =>
    (latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? 0) * 1000
  return {
    facts: {
      'M pairs/s': perMs / 1000,
      'reuse p50 us': quantile(0.5),
      'reuse p99 us': quantile(0.99),
      'peak pending KiB': (after.peakPending * RECORD_BYTES) / 1024,
      'bound KiB': (bound * RECORD_BYTES) / 1024,
      'of bound': after.peakPending / bound,
      'advances/M frees': (after.advances - before.advances) / millions,
      'polls/M frees': (after.polls - before.polls) / millions,
      'scans/M frees': (after.pollScans - before.pollScans) / millions,
      'fails/M frees': (after.pollFails - before.pollFails) / millions,
      'zone KiB': after.bytes / 1024,
      'longest section ms': sectionMs,
      sections: Atomics.load(control, HOLDS),
    },
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

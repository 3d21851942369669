/**
 * The stop-watch.
 *
 * tinybench times one call of a function per sample. The operations asked about here take between
 * one nanosecond and some microseconds, less than reading the clock, so one sample is a loop of a
 * fixed number of operations and the harness divides. The loop belongs to the variant: it is
 * ordinary code around one kind of object, with its keys laid out beforehand, and it returns a
 * number that depends on every operation. That number is kept, so that no compiler may find the
 * loop without effect.
 */
import { Bench, type FnOptions } from 'tinybench'
import type { Outcome, Settings } from './question.ts'

/** Where results of measured loops go to be of use to somebody. */
export const sink = { value: 0 }

const NS_PER_MS = 1e6

/** Times `loop`, which does `operations` operations per call. */
export function time(settings: Settings, operations: number, loop: () => number): Outcome {
  const { bench, warnings } = stopWatch(settings)
  const body = () => {
    sink.value += loop()
  }
  bench.add('variant', body, { async: false })
  bench.runSync()
  return outcome(bench, operations, warnings)
}

/** The same for operations that are promises; the loop awaits them one by one. */
export async function timeAsync(
  settings: Settings,
  operations: number,
  loop: () => Promise<number>,
): Promise<Outcome> {
  const { bench, warnings } = stopWatch(settings)
  const body = async () => {
    sink.value += await loop()
  }
  const options: FnOptions = { async: true }
  bench.add('variant', body, options)
  await bench.run()
  return outcome(bench, operations, warnings)
}

function stopWatch(settings: Settings) {
  const bench = new Bench({
    time: settings.timeMs,
    warmupTime: settings.warmupMs,
    iterations: 5,
    warmupIterations: 2,
    throws: true,
  })
  const warnings: string[] = []
  bench.addEventListener('warning', (event) => {
    warnings.push(`timer: ${event.reason ?? 'saturated'}`)
  })
  return { bench, warnings }
}

function outcome(bench: Bench, operations: number, warnings: readonly string[]): Outcome {
  const result = bench.tasks[0]?.result
  if (result?.state !== 'completed') throw new Error(`the run ended as ${result?.state}`)
  const perOperation = NS_PER_MS / operations
  const timing = {
    best: result.latency.min * perOperation,
    median: result.latency.p50 * perOperation,
    samples: result.latency.samplesCount,
  }
  return warnings.length === 0 ? { timing } : { timing, warning: warnings.join(', ') }
}

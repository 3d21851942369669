/**
 * What the figures were measured on.
 *
 * A nanosecond without a machine is no figure. The banner names the processor, the engine and the
 * day; and it says beforehand what makes a run worth little: a coarse clock, or a machine that has
 * other work to do.
 */
import { arch, availableParallelism, cpus, loadavg, platform, totalmem } from 'node:os'
import { performance } from 'node:perf_hooks'
import type { Engine } from './engine.ts'

const COARSE_TIMER_MS = 0.002

/** Lines for the head of a report. */
export function describeMachine(engine: Engine): string[] {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor'
  const gib = (totalmem() / 2 ** 30).toFixed(1)
  return [
    `machine   ${model}, ${availableParallelism()} cores, ${gib} GiB, ${platform()} ${arch()}`,
    `engine    Node ${engine.version}, V8 ${engine.v8}`,
    `date      ${new Date().toISOString()}`,
  ]
}

/** What a reader of the figures should know before trusting them. */
export function machineWarnings(): string[] {
  const warnings: string[] = []
  const step = timerStepMs()
  if (step > COARSE_TIMER_MS) {
    warnings.push(
      `the clock moves in steps of ${(step * 1e3).toFixed(1)} µs: samples will be coarse`,
    )
  }
  const load = loadavg()[0] ?? 0
  if (load > availableParallelism() / 2) {
    warnings.push(
      `the machine is busy (load ${load.toFixed(1)}): trust ratios and bests, not medians`,
    )
  }
  if (availableParallelism() < 2) {
    warnings.push('one core only: a reader and a writer take turns here, they do not run together')
  }
  return warnings
}

/** The smallest step that the clock was seen to make. */
function timerStepMs(): number {
  let smallest = Number.POSITIVE_INFINITY
  for (let i = 0; i < 100; i++) {
    const start = performance.now()
    let now = start
    while (now === start) now = performance.now()
    smallest = Math.min(smallest, now - start)
  }
  return smallest
}

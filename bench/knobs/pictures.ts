/**
 * What the grid looks like.
 */
import type { Result } from '../harness/question.ts'
import { draw, type Series } from '../harness/svg.ts'
import {
  AGES_MS,
  BUCKETS,
  COMMON_HOLD_MS,
  HOLDS_MS,
  PACES,
  PRESETS,
  pointName,
  TRICKLE,
} from './grid.ts'
import { LOOKS_MS } from './quiet.ts'

export type Found = ReadonlyMap<string, readonly Result[]>
type Facts = Readonly<Record<string, number>>

export const GROUPS = {
  grid: 'grid',
  frontier: 'presets among the grid',
  ages: 'sealAfterMs, at a trickle',
  meetings: 'bucket size where workers meet',
  quiet: 'going quiet',
} as const

const NOTE = `one writer at full speed, one reader, two busy cores; records of 64 bytes`
const CYCLE = 'ns per replacement (free + allocate)'

/** Pictures by file name; points that were not measured are left out. */
export function picturesOf(found: Found): ReadonlyMap<string, string> {
  const factsOf = (group: string, name: string): Facts | undefined =>
    found.get(group)?.find((each) => each.variant === name)?.outcome?.facts
  const point = (
    bucket: number,
    pace: number,
    holdMs: number,
    [clock, sections]: readonly [string, string] = ['default', 'fenced'],
  ): Facts | undefined => factsOf(GROUPS.grid, pointName(bucket, pace, clock, sections, holdMs))
  const beside = (bucket: number, pace: number): Facts | undefined =>
    factsOf(GROUPS.frontier, pointName(bucket, pace, 'default', 'fenced', COMMON_HOLD_MS))
  const preset = (name: string): Facts | undefined => factsOf(GROUPS.frontier, name)
  const presets = (x: (f: Facts) => number, y: (f: Facts) => number): Series => ({
    name: 'presets',
    points: PRESETS.flatMap((name) => pair(preset(name), x, y)),
    labels: PRESETS.filter((name) => preset(name) !== undefined),
  })
  const pending = (facts: Facts): number => facts['peak pending KiB'] ?? 0
  const speed = (facts: Facts): number => facts['M pairs/s'] ?? 0
  const cost = (facts: Facts): number => 1000 / speed(facts)
  // Points that are joined by a line were measured side by side.
  const byBucket = (y: (facts: Facts) => number): Series[] =>
    PACES.map((pace) => ({
      name: `advanceEvery ${pace}`,
      line: true,
      points: BUCKETS.flatMap((bucket) => pair(beside(bucket, pace), () => bucket, y)),
    }))
  const size = { title: 'items in a bucket', log: true }
  return new Map([
    [
      'knobs-latency',
      draw({
        title: 'From free to reuse, against what is pending',
        x: { title: 'most that was ever pending, KiB', log: true },
        y: { title: 'free to reuse, microseconds', log: true },
        series: [
          ...HOLDS_MS.flatMap((holdMs) =>
            (['p50', 'p99'] as const).map((q) => ({
              name: `${q}, sections of ${holdMs} ms`,
              points: BUCKETS.flatMap((bucket) =>
                PACES.flatMap((pace) =>
                  pair(point(bucket, pace, holdMs), pending, (f) => f[`reuse ${q} us`] ?? 0),
                ),
              ),
            })),
          ),
        ],
        note: NOTE,
      }),
    ],
    [
      'knobs-throughput',
      draw({
        title: 'Replacements per second, by bucket size',
        x: size,
        y: { title: 'million replacements per second', zero: true },
        series: byBucket(speed),
        note: `${NOTE}; sections of ${COMMON_HOLD_MS} ms`,
      }),
    ],
    [
      'knobs-advances',
      draw({
        title: 'Steps of the clock per million frees, by bucket size',
        x: size,
        y: { title: 'steps per million frees', log: true },
        series: byBucket((facts) => facts['advances/M frees'] ?? 0),
        note: 'exactly 1,000,000 / (bucket x advanceEvery)',
      }),
    ],
    [
      'knobs-frontier',
      draw({
        title: 'What speed costs in memory',
        x: { title: CYCLE },
        y: { title: 'memory of the zone, KiB', log: true },
        series: [
          ...PACES.map((pace) => ({
            name: `advanceEvery ${pace}`,
            line: true,
            points: BUCKETS.flatMap((bucket) =>
              pair(beside(bucket, pace), cost, (f) => f['zone KiB'] ?? 0),
            ),
            ...(pace === 1 ? { labels: BUCKETS.map((size) => `${size}`), labelsLeft: true } : {}),
          })),
          presets(cost, (f) => f['zone KiB'] ?? 0),
        ],
        note: `${NOTE}; sections of ${COMMON_HOLD_MS} ms; lower left is better`,
      }),
    ],
    [
      'knobs-age',
      draw({
        title: `sealAfterMs, at ${TRICKLE} frees per second`,
        x: { title: 'sealAfterMs', log: true },
        y: { title: 'free to reuse, milliseconds', log: true },
        series: (['p50', 'p99'] as const).map((q) => ({
          name: q,
          line: true,
          points: AGES_MS.filter((ms) => ms > 0).flatMap((ms) =>
            pair(
              factsOf(GROUPS.ages, `${ms} ms`),
              () => ms,
              (f) => (f[`reuse ${q} us`] ?? 0) / 1000,
            ),
          ),
        })),
      }),
    ],
    [
      'knobs-quiet',
      draw({
        title: 'A burst of 100,000 records, then quiet',
        x: { title: 'milliseconds after the burst' },
        y: { title: 'memory of the zone, KiB', zero: true },
        series: (found.get(GROUPS.quiet) ?? []).map(({ variant, outcome }) => ({
          name: variant,
          line: true,
          points: LOOKS_MS.flatMap((ms) =>
            pair(
              outcome?.facts,
              () => ms,
              (f) => f[`KiB at ${ms} ms`] ?? 0,
            ),
          ),
        })),
      }),
    ],
  ])
}

function pair(
  facts: Facts | undefined,
  x: (facts: Facts) => number,
  y: (facts: Facts) => number,
): (readonly [number, number])[] {
  return facts === undefined ? [] : [[x(facts), y(facts)]]
}

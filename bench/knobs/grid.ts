/**
 * The points of the grid, each under a name that tells its knobs.
 */
import type { ClockName, PresetName, SectionName, ZoneOptions } from 'uma-smr'
import type { Variant } from '../harness/question.ts'
import { type Point, runPoint } from './point.ts'

export const BUCKETS = [16, 64, 249, 1024]
export const PACES = [1, 4, 16]
export const CLOCKS: readonly (readonly [ClockName, SectionName])[] = [
  ['default', 'fenced'],
  ['default', 'turn'],
  ['deferred', 'fenced'],
  ['lazy', 'turn'],
]
export const HOLDS_MS = [0.05, 1, 10]
export const PRESETS: readonly PresetName[] = ['latency', 'balanced', 'memory']
export const TRICKLE = 5000

/** Where everything else is turned from. */
export const COMMON_HOLD_MS = 1

export interface GridPoint {
  readonly name: string
  readonly point: Point
  /** Also in a quick run. */
  readonly few: boolean
}

export const pointName = (
  bucket: number,
  pace: number,
  clock: string,
  sections: string,
  holdMs: number,
): string => `bucket ${bucket}, every ${pace}, ${clock}/${sections}, ${holdMs} ms`

/** Nothing but the knob in question acts: no age, no trim. */
const STILL: ZoneOptions = { sealAfterMs: 0, trimEveryMs: 0 }

export const GRID: readonly GridPoint[] = BUCKETS.flatMap((bucket) =>
  PACES.flatMap((advanceEvery) =>
    CLOCKS.flatMap(([clock, sections]) =>
      HOLDS_MS.map((holdMs) => ({
        name: pointName(bucket, advanceEvery, clock, sections, holdMs),
        point: { clock, sections, holdMs, zone: { ...STILL, bucket, advanceEvery } },
        few:
          [16, 249].includes(bucket) &&
          advanceEvery <= 4 &&
          holdMs === COMMON_HOLD_MS &&
          clock !== 'deferred',
      })),
    ),
  ),
)

const fenced = { clock: 'default', sections: 'fenced' } as const

/** Presets, and the middle of the grid once more: what is compared is measured side by side. */
export const FRONTIER: readonly GridPoint[] = [
  ...PRESETS.map((preset) => ({
    name: preset,
    point: { ...fenced, holdMs: COMMON_HOLD_MS, zone: { preset } },
    few: true,
  })),
  ...GRID.filter(({ point }) => {
    const { clock, sections, holdMs } = point
    return clock === fenced.clock && sections === fenced.sections && holdMs === COMMON_HOLD_MS
  }).map((each) => ({ ...each, few: false })),
]

export const AGES_MS = [0, 100, 20, 5, 1]

/** Few frees, so that buckets do not fill: here the age is the knob. */
export const AGE_POINTS: readonly GridPoint[] = AGES_MS.map((sealAfterMs) => ({
  name: sealAfterMs === 0 ? 'never' : `${sealAfterMs} ms`,
  point: {
    ...fenced,
    holdMs: COMMON_HOLD_MS,
    trickle: TRICKLE,
    zone: { sealAfterMs, trimEveryMs: 0 },
  },
  few: sealAfterMs === 0 || sealAfterMs === 5,
}))

export const variantsOf = (points: readonly GridPoint[]): Variant[] =>
  points.map(({ name, point, few }) => ({
    name,
    ...(few ? {} : { rare: true }),
    run: (settings) => runPoint(point, settings),
  }))

/**
 * Figures for the eye: one table per group, aligned, with the ratio to the baseline.
 *
 * `ratio` divides medians, `best/best` divides best samples; where the two disagree the machine was
 * busy. A ratio of 0.50 means half the baseline's time.
 */
import type { Group, Result, Timing } from './question.ts'

const NS_PER_S = 1e9

/** The lines of a group's table, then the notes. */
export function tableOf(group: Group, results: readonly Result[]): string[] {
  const timed = results.some((r) => r.outcome?.timing !== undefined)
  const factNames = [...new Set(results.flatMap((r) => Object.keys(r.outcome?.facts ?? {})))]
  const base = results.find((r) => r.variant === group.baseline)?.outcome?.timing
  const head = [
    group.name,
    ...(timed ? ['best ns', 'median ns', 'ops/s', 'ratio', 'best/best'] : []),
    ...factNames,
  ]
  const rows = results
    .filter((r) => r.outcome !== undefined)
    .map(({ variant, outcome }) => [
      variant,
      ...(timed ? timingCells(outcome?.timing, base) : []),
      ...factNames.map((name) => number(outcome?.facts?.[name])),
    ])
  const ratios = timed ? `; ratios to "${group.baseline}"` : ''
  return [
    `  one operation: ${group.operation}${ratios}`,
    ...align([head, ...rows]),
    ...results.flatMap((r) => (r.note === undefined ? [] : [`    ${r.variant} - ${r.note}`])),
    ...results.flatMap((r) => {
      const warning = r.outcome?.warning
      return warning === undefined ? [] : [`    ${r.variant} - warning: ${warning}`]
    }),
  ]
}

function timingCells(timing: Timing | undefined, base: Timing | undefined): string[] {
  if (timing === undefined) return ['', '', '', '', '']
  return [
    number(timing.best),
    number(timing.median),
    rate(NS_PER_S / timing.median),
    base === undefined ? '' : (timing.median / base.median).toFixed(2),
    base === undefined ? '' : (timing.best / base.best).toFixed(2),
  ]
}

/** Three digits that count, and none that do not. */
function number(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return ''
  if (Number.isInteger(value)) return value.toLocaleString('en-US')
  if (value < 10) return value.toFixed(2)
  if (value < 100) return value.toFixed(1)
  return Math.round(value).toLocaleString('en-US')
}

function rate(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(1)} M`
  if (perSecond >= 1e3) return `${(perSecond / 1e3).toFixed(1)} k`
  return perSecond.toFixed(0)
}

/** Pads the columns: names to the left, figures to the right. */
function align(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => {
    return Math.max(...rows.map((row) => row[column]?.length ?? 0))
  })
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return column === 0 ? cell.padEnd(width) : cell.padStart(width)
      })
      .join('   ')
      .trimEnd()
  const rule = widths.map((width) => '-'.repeat(width))
  const [head = [], ...body] = rows
  return [head, rule, ...body].map((row) => `    ${line(row)}`)
}

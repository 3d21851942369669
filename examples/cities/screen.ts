/**
 * How numbers look. Colour and a live line only where a person watches: not in a pipe, not in a
 * build log, and no colour where NO_COLOR asks for none (no-color.org).
 */

const { CI, NO_COLOR, TERM } = process.env
const isSet = (value: string | undefined): boolean => value !== undefined && value !== ''

export const isLive: boolean = process.stdout.isTTY === true && !isSet(CI) && TERM !== 'dumb'
const hasColour = isLive && !isSet(NO_COLOR)

const style = (code: number) => (text: string) =>
  hasColour && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text
export const bold: (text: string) => string = style(1)
export const dim: (text: string) => string = style(2)
export const red: (text: string) => string = style(31)
export const green: (text: string) => string = style(32)

/** Ends a line of which a longer earlier version may still be on the screen. */
export const CLEAR_TO_END = '\x1b[K'

const MIB = 2 ** 20
const MS_PER_S = 1000

/** 1,234,567 */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

export function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`
}

export function seconds(ms: number): string {
  return `${(ms / MS_PER_S).toFixed(1)} s`
}

export function perSecond(events: number, ms: number): number {
  return ms > 0 ? (events * MS_PER_S) / ms : 0
}

/** The part of one number in another, also of nothing. */
export function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}

export function heading(text: string, note = ''): void {
  console.log(`\n${bold(text)}${note === '' ? '' : dim(`  ${note}`)}`)
}

const INDENT = '  '
const LABEL_WIDTH = 27
const VALUE_WIDTH = 13

/** One number with its name and, where it needs one, an explanation. */
export function fact(label: string, value: string, note = ''): void {
  const line = `${INDENT}${label.padEnd(LABEL_WIDTH)}${value.padStart(VALUE_WIDTH)}`
  console.log(note === '' ? line : `${line}${INDENT}${dim(note)}`)
}

/** Rows under a head: the first column is names, the others are numbers. */
export function grid(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const all = [head, ...rows]
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)))
  for (const row of all) {
    const cells = widths.map((width, i) => {
      const cell = row[i] ?? ''
      return i === 0 ? cell.padEnd(width) : cell.padStart(width)
    })
    const line = INDENT + cells.join(INDENT)
    console.log(row === head ? dim(line) : line)
  }
}

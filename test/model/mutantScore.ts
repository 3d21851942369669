/**
 * What became of the machine-made mutants, as tables.
 */

/** What the explorer has found. */
export interface Found {
  readonly key: string
  /** How many explorations execute the place. */
  readonly reaching: number
  /** Which of them it was shown to, by group and place there. */
  readonly tried: readonly string[]
  /** How many of those took too long for a verdict. */
  readonly late?: number
  /** Undefined: it has survived. */
  readonly by?: 'explorer'
  /** The exploration that did, and what it said. */
  readonly name?: string
  readonly as?: string
  readonly deep: boolean
}

export interface Result extends Omit<Found, 'by'> {
  readonly file: string
  /** The function. */
  readonly inside: string
  readonly operator: string
  readonly line: number
  /** Who has caught it. */
  readonly by?: 'explorer' | 'units'
  /** How many unit tests execute the place, and how many of them were asked. */
  readonly tests: { readonly reaching: number; readonly asked: number }
  /** Why it is no bug, as equivalents.ts has it. */
  readonly reason?: string
}

const PERCENT = 100

/** A row for each file: made, caught by whom, and what is left. */
export function formatScore(results: readonly Result[]): string {
  const files = [...new Set(results.map(({ file }) => file))].sort()
  const operators = [...new Set(results.map(({ operator }) => operator))].sort()
  return [
    table('file', [
      ...files.map((file) =>
        row(
          file,
          results.filter((each) => each.file === file),
        ),
      ),
      row('**all**', results),
    ]),
    table('operator', [
      ...operators.map((name) =>
        row(
          name,
          results.filter((each) => each.operator === name),
        ),
      ),
    ]),
  ].join('\n\n')
}

function table(of: string, rows: readonly string[]): string {
  const columns = [
    'made',
    'caught by the explorer',
    'by unit tests',
    'equivalent',
    'survive all',
    'survive so far',
    'not reached',
    'not tried',
    'caught of those tried',
  ]
  return [
    `| ${[of, ...columns].join(' | ')} |`,
    `|---|${'---|'.repeat(columns.length)}`,
    ...rows,
  ].join('\n')
}

function row(name: string, results: readonly Result[]): string {
  const counts = new Map<Fate, number>()
  for (const result of results) counts.set(fateOf(result), (counts.get(fateOf(result)) ?? 0) + 1)
  const each = FATES.map((fate) => counts.get(fate) ?? 0)
  const [explorer = 0, units = 0, equivalent = 0, , , , untried = 0] = each
  const real = results.length - equivalent - untried
  const caught = real === 0 ? '-' : `${Math.floor(((explorer + units) / real) * PERCENT)} %`
  return `| ${[name, results.length, ...each, caught].join(' | ')} |`
}

const FATES = ['explorer', 'units', 'equivalent', 'all', 'some', 'unreached', 'untried'] as const
type Fate = (typeof FATES)[number]

function fateOf({ by, reason, reaching, tried, tests }: Result): Fate {
  if (by !== undefined) return by
  if (reason !== undefined) return 'equivalent'
  if (reaching + tests.reaching === 0) return 'unreached'
  if (tried.length + tests.asked === 0) return 'untried'
  return tried.length < reaching || tests.asked < tests.reaching ? 'some' : 'all'
}

/**
 * Survivors that nobody has given a reason for, by file and function: operator, line, and to how many of
 * the explorations and unit tests that reach it they have been shown.
 */
export function formatSurvivors(results: readonly Result[]): string {
  const open = results.filter(({ by, reason }) => by === undefined && reason === undefined)
  const lines: string[] = []
  for (const file of [...new Set(open.map((each) => each.file))]) {
    lines.push('', `**${file}**`, '')
    const here = open.filter((each) => each.file === file)
    for (const inside of [...new Set(here.map((each) => each.inside))]) {
      const places = here.filter((each) => each.inside === inside).map(placeOf)
      lines.push(`- ${inside}: ${places.join(', ')}`)
    }
  }
  return lines.join('\n').trim()
}

function placeOf({ operator, line, reaching, tried, tests }: Result): string {
  const shown = reaching === 0 ? 'no exploration' : `${tried.length}/${reaching}`
  const units = tests.reaching === 0 ? 'no unit test' : `units ${tests.asked}/${tests.reaching}`
  return `${operator} ${line} (${shown}, ${units})`
}

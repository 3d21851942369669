/**
 * What became of the machine-made mutants, as tables.
 */

export interface Result {
  readonly key: string
  readonly file: string
  readonly operator: string
  readonly line: number
  /** How many explorations execute the place. */
  readonly reaching: number
  /** Which of them it was shown to, by group and place there. */
  readonly tried: readonly string[]
  /** How many of those took too long for a verdict. */
  readonly late?: number
  /** Who has caught it; undefined: it has survived. */
  readonly by?: 'explorer' | 'units'
  /** The exploration that did, and what it said. */
  readonly name?: string
  readonly as?: string
  /** Whether the unit tests were asked. */
  readonly units: boolean
  readonly deep: boolean
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
  return [
    `| ${of} | made | explorer | unit tests only | equivalent | survive all | survive so far | not reached | caught |`,
    '|---|---|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}

function row(name: string, results: readonly Result[]): string {
  const count = (is: (result: Result) => boolean): number => results.filter(is).length
  const open = results.filter(({ by, reason }) => by === undefined && reason === undefined)
  const explorer = count(({ by }) => by === 'explorer')
  const units = count(({ by }) => by === 'units')
  const equivalent = count(({ by, reason }) => by === undefined && reason !== undefined)
  const unreached = open.filter(({ reaching }) => reaching === 0).length
  const all = open.filter(({ reaching, tried }) => reaching > 0 && tried.length === reaching).length
  const real = results.length - equivalent
  const caught = real === 0 ? '-' : `${Math.floor(((explorer + units) / real) * PERCENT)} %`
  const cells = [
    results.length,
    explorer,
    units,
    equivalent,
    all,
    open.length - unreached - all,
    unreached,
  ]
  return `| ${name} | ${cells.join(' | ')} | ${caught} |`
}

/** Survivors that nobody has given a reason for. */
export function formatSurvivors(results: readonly Result[]): string {
  const lines = results
    .filter(({ by, reason }) => by === undefined && reason === undefined)
    .map(
      ({ key, line, reaching, tried, units }) =>
        `- ${tried.length} of ${reaching}${units ? ', units' : ''}, line ${line}: ${key}`,
    )
  return [
    'Survivors without a reason, and how many of the explorations that reach them they were shown to:',
    '',
    ...lines,
  ].join('\n')
}

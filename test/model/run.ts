/**
 * The explorer on the command line.
 *
 *   node build/test/model/run.js                          everything in the catalog
 *   node build/test/model/run.js "grace period"           one scenario, or one group
 *   node build/test/model/run.js <scenario> --replay S    one schedule, step by step
 *   ... --seed N --schedules M                            random schedules from that seed
 *   ... --bound B                                         another preemption bound
 *   ... --table                                           a table in Markdown
 *   ... --mutants                                         then the mutants, and who caught them
 *   ... --list                                            the names
 *
 * MODEL_REPLAY in the environment does what --replay does. Ends with status 1 when a verdict is not
 * the expected one.
 */

import { setImmediate } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { CONCURRENT_TRIALS } from './asyncMutantList.ts'
import { catalog, type Entry, entriesNamed } from './catalog.ts'
import { COUNT_TRIALS } from './countMutantList.ts'
import { replay } from './explorer.ts'
import { HAND_TRIALS } from './handMutantList.ts'
import { HEAP_TRIALS } from './heapMutantList.ts'
import { HOLD_TRIALS } from './holdMutantList.ts'
import { TRIALS } from './mutantList.ts'
import { formatVerdicts, runTrial, type Verdict } from './mutantRuns.ts'
import { NEAR_TRIALS } from './nearMutantList.ts'
import { ORDER_TRIALS } from './orderMutantList.ts'
import { PACE_TRIALS } from './paceMutantList.ts'
import { QUEUE_TRIALS } from './queueMutantList.ts'
import type { Rules } from './rules.ts'
import { formatRow, formatSum, HEADER, type Row, runEntry } from './table.ts'
import { TABLE_TRIALS } from './tableMutantList.ts'
import { runWatTrial, WAT_TRIALS } from './watMutantList.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    replay: { type: 'string' },
    seed: { type: 'string' },
    schedules: { type: 'string' },
    bound: { type: 'string' },
    table: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
  },
})
const DEFAULT_SCHEDULES = 10_000

async function main(): Promise<boolean> {
  const [name] = positionals
  const { MODEL_REPLAY } = process.env
  const text = values.replay ?? MODEL_REPLAY
  if (values.list) {
    for (const [group, entries] of Object.entries(catalog)) {
      console.log(group)
      for (const { scenario } of entries) console.log(`  ${scenario.name}`)
    }
    return true
  }
  const groups = chosen(name)
  if (text !== undefined) return replayOne(groups[0]?.[1][0] as Entry, name, text)
  const rows: Row[] = []
  for (const [group, entries] of groups) {
    if (values.table) console.log(`### ${group}\n\n${HEADER}`)
    for (const entry of entries) {
      const row = runEntry(entry, rulesGiven())
      rows.push(row)
      // What the host puts off for us (warnings, promises that were let go of) would be kept for ever.
      await setImmediate()
      if (values.table) console.log(formatRow(row))
      else report(row)
    }
    if (values.table) console.log()
  }
  console.log(formatSum(rows))
  for (const { name, failure } of rows.filter((row) => !row.good && values.table)) {
    console.log(`${name}: ${failure?.message} --replay ${failure?.replay}`)
  }
  const survivors = values.mutants ? await runMutants() : 0
  return rows.every((row) => row.good) && survivors === 0
}

/** The table of mutants; answers how many have survived. */
async function runMutants(): Promise<number> {
  const verdicts: Verdict[] = []
  for (const trial of [
    ...TRIALS,
    ...PACE_TRIALS,
    ...CONCURRENT_TRIALS,
    ...HEAP_TRIALS,
    ...QUEUE_TRIALS,
    ...TABLE_TRIALS,
    ...NEAR_TRIALS,
    ...COUNT_TRIALS,
    ...HAND_TRIALS,
    ...HOLD_TRIALS,
    ...ORDER_TRIALS,
  ])
    verdicts.push(await runTrial(trial))
  for (const trial of WAT_TRIALS) verdicts.push(await runWatTrial(trial))
  console.log(`\n${formatVerdicts(verdicts)}`)
  return verdicts.filter(({ failure, replays }) => failure === undefined || !replays).length
}

/** A table for each group: that of exceptions beside that of deaths. */
function chosen(name: string | undefined): readonly (readonly [string, readonly Entry[]])[] {
  if (name === undefined) return Object.entries(catalog)
  const byName = entriesNamed(name)
  const entries = byName.length > 0 ? byName : (catalog[name] ?? [])
  if (entries.length === 0) {
    throw new Error(`no scenario and no group is named "${name}"; --list names them`)
  }
  return [[name, entries]]
}

function replayOne({ scenario }: Entry, name: string | undefined, text: string): boolean {
  if (name !== scenario.name) throw new Error('name the scenario that the string belongs to')
  const { steps, failure } = replay(scenario, text)
  for (const step of steps) console.log(step)
  console.log(failure === undefined ? 'holds' : failure.message)
  return (failure !== undefined) === (scenario.expect === 'fails')
}

function rulesGiven(): Rules {
  const { seed, schedules, bound } = values
  const sample =
    seed === undefined && schedules === undefined
      ? {}
      : {
          sample: {
            seed: Number(seed ?? 1),
            schedules: Number(schedules ?? DEFAULT_SCHEDULES),
          },
        }
  return { ...sample, ...(bound === undefined ? {} : { bound: Number(bound) }) }
}

function report({ name, schedules, steps, search, verdict, good, failure }: Row): void {
  console.log(
    `${good ? 'ok' : 'NOT OK'}  ${name}: ${verdict} (${search}, ${schedules} schedules, ${steps} steps)`,
  )
  if (failure !== undefined)
    console.log(`      ${failure.message}\n      --replay ${failure.replay}`)
}

process.exitCode = (await main()) ? 0 : 1

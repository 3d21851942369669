/**
 * Is it so? What has to hold at the end, each line a claim that can fail.
 *
 * By now every worker has left the arena, so the walks are exact: they look at each record of the
 * zone, wherever it is, and at each record of the table.
 */

import type { Arena } from 'uma-smr'
import { type CityTable, seal } from './city.ts'
import type { ReaderReport, WriterReport } from './reports.ts'
import { count, green, heading, red } from './screen.ts'

/** Prints every claim. True if all of them hold. */
export function verdict(
  arena: Arena,
  table: CityTable,
  read: ReaderReport,
  wrote: WriterReport,
): boolean {
  heading('verdict')
  const { torn, recycled, outdated } = read
  const seen = whatIsThere(table)
  const { leaked } = table.zone.audit(table.items())
  const { retired, advances } = table.zone.stats()
  const holds = [
    claim(read.reads > 0, `${count(read.reads)} reads verified`),
    claim(torn + recycled === 0, `${count(torn + recycled)} torn or recycled reads`),
    claim(outdated === 0, `${count(outdated)} reads of a version older than one seen before`),
    claim(wrote.lost === 0, `${count(wrote.lost)} cities lost to the writer`),
    claim(
      table.size === wrote.present,
      `${count(table.size)} cities in the table, as the writer says`,
    ),
    claim(seen.whole === wrote.present, `${count(seen.whole)} of them whole, found by a walk`),
    claim(
      seen.versions === wrote.versions,
      `${count(seen.versions)} versions in them, as the writer says`,
    ),
    claim(isConserved(table), 'live + cached + pending + safe + free = created'),
    claim(leaked.length === 0, `${count(leaked.length)} records leaked`),
    claim(retired === advances, 'one advance per retired bucket'),
    claim(arena.stats().workers.attached.length === 1, 'every worker has left the arena'),
    claim(isDrained(table), 'nothing stays pending when nobody reads'),
  ]
  return holds.every((each) => each)
}

function claim(isSo: boolean, what: string): boolean {
  console.log(`  ${isSo ? green('yes') : red('NO ')}  ${what}`)
  return isSo
}

function whatIsThere(table: CityTable): { whole: number; versions: number } {
  let whole = 0
  let versions = 0
  for (const city of table.entries()) {
    if (seal(city).checksum === city.checksum) whole++
    versions += city.version
  }
  return { whole, versions }
}

/** The zone's own walk: each record in exactly one place. It throws where it finds another. */
function isConserved(table: CityTable): boolean {
  try {
    table.zone.check()
    return true
  } catch (error) {
    console.error(error)
    return false
  }
}

function isDrained(table: CityTable): boolean {
  table.zone.reclaim('drain', { timeoutMs: 1000 })
  return table.zone.stats().pending === 0
}

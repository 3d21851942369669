/**
 * What happened, in tables: who did how much, where the records are, what the clock did.
 *
 * The table of zones has the columns of `vmstat -z`, the clock those of `sysctl debug.smr`, from
 * the systems whose allocator this is made after.
 */

import { type Arena, formatZones } from 'uma-smr'
import type { CityTable } from './city.ts'
import type { ReaderReport, WriterReport } from './reports.ts'
import { count, dim, fact, grid, heading, mib, perSecond, ratio } from './screen.ts'

export function printReaders(readers: readonly (readonly [string, ReaderReport])[]): void {
  heading('readers', 'every read is verified in place: checksum, id, version')
  const rows = readers.map(([name, report]) =>
    row(name, report, perSecond(report.reads, report.ms)),
  )
  const all = sum(readers.map(([, report]) => report))
  const rate = readers.reduce((total, [, { reads, ms }]) => total + perSecond(reads, ms), 0)
  const head = ['', 'reads', 'reads/s', 'absent', 'torn', 'recycled', 'outdated']
  grid(head, [...rows, row('all', all, rate)])
}

function row(name: string, report: ReaderReport, rate: number): string[] {
  const { reads, absent, torn, recycled, outdated } = report
  return [name, ...[reads, rate, absent, torn, recycled, outdated].map(count)]
}

/** The counts of all readers together. */
export function sum(reports: readonly ReaderReport[]): ReaderReport {
  const total = (of: (report: ReaderReport) => number): number =>
    reports.reduce((so, report) => so + of(report), 0)
  return {
    last: true,
    ms: Math.max(0, ...reports.map((report) => report.ms)),
    reads: total((report) => report.reads),
    absent: total((report) => report.absent),
    torn: total((report) => report.torn),
    recycled: total((report) => report.recycled),
    outdated: total((report) => report.outdated),
  }
}

export function printWriter({ updates, deletes, inserts, waits, ms }: WriterReport): void {
  heading('writer', 'an update links a new record where the old one was, and frees that')
  const head = ['', 'updates', 'deletes', 'inserts', 'writes/s', 'put off']
  const rate = perSecond(updates + deletes + inserts, ms)
  grid(head, [['writer', ...[updates, deletes, inserts, rate, waits].map(count)]])
}

export function printZones(arena: Arena): void {
  heading('zones', 'records, by where they are')
  const [head = '', ...lines] = formatZones(arena.stats().zones).split('\n')
  console.log(dim(`  ${head}`))
  for (const line of lines) console.log(`  ${line}`)
}

export function printClock(table: CityTable): void {
  const { zone, smr } = table.stats()
  const hits = smr.polls - smr.pollScans
  heading('clock', 'when may freed memory be used again?')
  fact('advances', count(smr.advances), 'steps of the write hand')
  fact('retired buckets', count(zone.retired), `one step for each; ${zone.bucket} records at most`)
  fact('frees per advance', ratio(zone.frees, smr.advances).toFixed(1))
  fact('poll hits', count(hits), 'the read hand had passed the goal')
  fact('poll scans', count(smr.pollScans), 'had to look at every worker')
  fact('poll fails', count(smr.pollFails), 'a reader was still there; nobody waited')
  const most = mib(zone.peakPending * zone.itemBytes)
  fact(
    'most records ever pending',
    count(zone.peakPending),
    `${most}, freed in the longest section`,
  )
}

export function printMemory(arena: Arena, table: CityTable): void {
  const { bytes, pages } = arena.stats()
  const zone = table.zone.stats()
  const share = (part: number): string => mib((bytes * part) / pages.total)
  heading('memory', 'the size of the arena is a limit, not a cost')
  fact('arena', mib(bytes))
  fact('in use', share(pages.total - pages.untouched - pages.free))
  fact('of it, records', mib(zone.bytes), `${zone.slabs} slabs`)
  fact('free again', share(pages.free))
  fact('never touched', share(pages.untouched))
}

export function printLoading(records: number, parseMs: number, storeMs: number): void {
  const [all, rate] = [count(records), count(perSecond(records, storeMs))]
  const [unpacked, stored] = [count(parseMs), count(storeMs)]
  console.log(`  ${all} cities: unpacked in ${unpacked} ms, stored in ${stored} ms (${rate}/s)\n`)
}

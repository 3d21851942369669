/**
 * Statistics: numbers for programs, and tables for people in the manner of `vmstat -z` and `sysctl
 * debug.smr`.
 *
 * Everything here only reads, and stops no worker: numbers of other workers may be a moment old.
 */

import { assertObject, Misuse, show } from '../base/errors.ts'
import { type HeapStats, heapStats } from '../heap/stats.ts'
import { Named } from '../memory/layout.ts'
import { BYTES_PER_WORD, type IntrinsicsKind } from '../memory/memory.ts'
import { type SmrStats, smrStats } from '../smr/stats.ts'
import type { Space } from '../space/space.ts'
import { type ZoneStats, zoneStats } from '../zone/stats.ts'

/** What `arena.stats()` returns. */
export interface ArenaStats {
  /** Size of the arena. */
  readonly bytes: number
  /** Whether it was created with `checks: true`. */
  readonly checks: boolean
  /** How this worker accesses memory: see docs/performance.md. */
  readonly intrinsics: IntrinsicsKind
  /** Pages of 4 KiB: in all; never used; used before and free again. */
  readonly pages: { readonly total: number; readonly untouched: number; readonly free: number }
  /** Worker slots, and which of them are taken. */
  readonly workers: { readonly max: number; readonly attached: readonly number[] }
  /** Every zone of the arena. */
  readonly zones: readonly ZoneStats[]
  /** Every heap of the arena; each size that it uses is one of `zones`, too. */
  readonly heaps: readonly HeapStats[]
  /** Every domain of the arena. */
  readonly domains: readonly SmrStats[]
}

export function arenaStats(space: Space): ArenaStats {
  const { memory, pages, workers, directory } = space
  const names = directory.list()
  return {
    bytes: memory.words.length * BYTES_PER_WORD,
    checks: space.checks,
    intrinsics: memory.intrinsics,
    pages: { total: pages.count, ...pages.room() },
    workers: {
      max: space.maxWorkers,
      attached: workers.attached().map((slot) => workers.idOf(slot)),
    },
    zones: names
      .filter((each) => each.kind === Named.zone)
      .map((each) => zoneStats(space, each.address, each.name)),
    heaps: names
      .filter((each) => each.kind === Named.heap)
      .map((each) => heapStats(space, each.address, each.name, names)),
    domains: names
      .filter((each) => each.kind === Named.domain)
      .map((each) => smrStats(space, each.address, each.name)),
  }
}

/**
 * Tables of all zones and clocks, for a terminal. Misuse for anything else. Never blocks; legal
 * anywhere.
 */
export function formatStats(stats: ArenaStats): string {
  assertObject('formatStats', stats)
  return `${formatZones(stats.zones)}\n\n${formatDomains(stats.domains)}`
}

/**
 * One line per zone: the columns of `vmstat -z`, and where each item is. Misuse for anything
 * else. Never blocks; legal anywhere.
 */
export function formatZones(zones: readonly ZoneStats[]): string {
  assertRows('formatZones', 'zones', zones)
  return table(
    [
      'ZONE',
      'SIZE',
      'LIMIT',
      'LIVE',
      'CACHED',
      'PENDING',
      'SAFE',
      'FREE',
      'ALLOCS',
      'FREES',
      'FAIL',
    ],
    zones.map((z) => [
      z.name,
      z.itemBytes,
      z.limit,
      z.live,
      z.cached,
      z.pending,
      z.safe,
      z.inSlabs,
      z.allocs,
      z.frees,
      z.fails,
    ]),
  )
}

/**
 * One line per domain: the counters of `sysctl debug.smr`, per domain. Misuse for anything
 * else. Never blocks; legal anywhere.
 */
export function formatDomains(domains: readonly SmrStats[]): string {
  assertRows('formatDomains', 'domains', domains)
  return table(
    ['DOMAIN', 'WR', 'RD', 'LAG', 'ADVANCES', 'WAITS', 'POLLS', 'HITS', 'SCANS', 'FAILS'],
    domains.map((d) => [
      d.name,
      d.wr,
      d.rd,
      d.lag,
      d.advances,
      d.advanceWaits,
      d.polls,
      d.polls - d.pollScans,
      d.pollScans,
      d.pollFails,
    ]),
  )
}

/** Misuse unless these are rows of `arena.stats()`. */
function assertRows(call: string, what: string, rows: unknown): void {
  const isRow = (row: unknown): boolean => typeof row === 'object' && row !== null
  if (Array.isArray(rows) && Array.from(rows).every(isRow)) return
  throw new Misuse(`${call}: ${what} are ${show(rows)}; give those of arena.stats()`)
}

/** Names to the left, numbers to the right. */
function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [head, ...rows.map((row) => row.map(said))]
  const widths = head.map((_, i) => Math.max(...cells.map((row) => (row[i] ?? '').length)))
  return cells
    .map((row) =>
      row
        .map((cell, i) => pad(cell, widths[i] ?? 0, i === 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function said(cell: unknown): string {
  if (typeof cell === 'number') return cell.toLocaleString('en-US')
  return typeof cell === 'string' ? cell : show(cell)
}

function pad(cell: string, width: number, left: boolean): string {
  return left ? cell.padEnd(width) : cell.padStart(width)
}

/**
 * Looking from outside: statistics are plain data that any worker can ask for, of things it never
 * opened, and asking changes nothing; the tables put each number under its heading.
 */

import { beforeEach, describe, expect, it } from 'vitest'
import {
  Arena,
  type ArenaStats,
  formatDomains,
  formatStats,
  formatZones,
  type SmrStats,
  type ZoneStats,
} from '#src/index.ts'
import { pair } from '../../helpers/company.ts'
import { differences } from '../../helpers/refusals.ts'

let a: Arena
let b: Arena

beforeEach(() => {
  ;[a, b] = pair({ checks: true })
})

describe('arena.stats', () => {
  it('of an empty arena says how large it is and who is there', () => {
    expect(a.stats()).toEqual({
      bytes: 2 ** 18,
      checks: true,
      intrinsics: 'wasm',
      pages: { total: a.space.pages.count, untouched: a.space.pages.count, free: 0 },
      workers: { max: 4, attached: [0, 1] },
      zones: [],
      heaps: [],
      domains: [],
    })
  })

  it('tells everything that has a name, also to a worker that never opened it', () => {
    const smr = a.smr('domain')
    const zone = a.zone('records', { bytes: 16, smr })
    a.zone('plain', { bytes: 8 })
    a.lock('no statistics')
    zone.zallocSmr()
    const goal = smr.advance()
    smr.poll(goal)
    const stats = b.stats()
    expect(stats.zones.map(({ name, live }) => [name, live])).toEqual([
      ['records', 1],
      ['plain', 0],
    ])
    expect(stats.domains).toEqual([smr.stats()])
    expect(stats.zones).toEqual([zone.stats(), a.zone('plain').stats()])
    expect(stats.pages.untouched).toBeLessThan(stats.pages.total)
  })

  it('counts what was given back', () => {
    const before = a.stats().pages
    a.zone('z', { bytes: 16 }).destroy()
    const { total, untouched, free } = a.stats().pages
    expect(total).toBe(before.total)
    expect(untouched + free).toBe(total)
    expect(a.stats().zones).toEqual([])
  })

  it('is plain JSON', () => {
    a.zone('z', { bytes: 16, smr: a.smr('d') }).zallocSmr()
    const stats = a.stats()
    expect(JSON.parse(JSON.stringify(stats))).toEqual(stats)
  })

  it('only looks', () => {
    a.zone('z', { bytes: 16, smr: a.smr('d') }).zallocSmr()
    const before = a.words.slice()
    b.stats()
    expect(differences(before, a.words)).toEqual([])
  })
})

describe('tables', () => {
  const zone = (name: string, numbers: Partial<ZoneStats>): ZoneStats => {
    const stats = a.zone('template', { bytes: 16 }).stats()
    return { ...stats, name, ...numbers }
  }

  /** A table as rows of cells. */
  const cells = (text: string): string[][] => text.split('\n').map((row) => row.split(/ {2,}/))

  it('of zones have a line each, in the columns of vmstat -z', () => {
    const text = formatZones([
      zone('cities', {
        itemBytes: 104,
        limit: 1_000_000,
        live: 135_233,
        cached: 12,
        pending: 345,
        safe: 67,
        inSlabs: 89,
        allocs: 2_000_001,
        frees: 1_864_768,
        fails: 4,
      }),
      zone('z', { itemBytes: 8 }),
    ])
    expect(cells(text).map((row) => row.map((cell) => cell.trim()))).toEqual([
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
      [
        'cities',
        '104',
        '1,000,000',
        '135,233',
        '12',
        '345',
        '67',
        '89',
        '2,000,001',
        '1,864,768',
        '4',
      ],
      ['z', '8', '0', '0', '0', '0', '0', '0', '0', '0', '0'],
    ])
  })

  it('set names to the left and numbers to the right, under their headings', () => {
    const [head = '', row = ''] = formatZones([zone('a long name', { live: 1_234_567 })]).split(
      '\n',
    )
    expect(row.startsWith('a long name  ')).toBe(true)
    expect(head.startsWith('ZONE         ')).toBe(true)
    expect(head.indexOf('LIVE') + 'LIVE'.length).toBe(row.indexOf('1,234,567') + '1,234,567'.length)
  })

  it('of domains tell hits from scans', () => {
    const domain: SmrStats = {
      ...a.smr('d').stats(),
      wr: -5,
      rd: -101,
      lag: 48,
      advances: 1000,
      advanceWaits: 2,
      polls: 500,
      pollScans: 120,
      pollFails: 30,
    }
    const [head, row] = cells(formatDomains([domain]))
    const said = Object.fromEntries((head ?? []).map((key, i) => [key, row?.[i]]))
    expect(said).toMatchObject({
      DOMAIN: 'd',
      WR: '-5',
      RD: '-101',
      LAG: '48',
      ADVANCES: '1,000',
      WAITS: '2',
      POLLS: '500',
      HITS: '380',
      SCANS: '120',
      FAILS: '30',
    })
  })

  it('formatStats is both, and needs nothing that JSON loses', () => {
    a.zone('z', { bytes: 16, smr: a.smr('d') })
    const stats: ArenaStats = JSON.parse(JSON.stringify(a.stats()))
    expect(formatStats(stats)).toBe(
      `${formatZones(stats.zones)}\n\n${formatDomains(stats.domains)}`,
    )
  })

  it('of nothing have a head', () => {
    expect(formatZones([])).toMatch(/^ZONE {2}SIZE/)
    expect(formatStats(Arena.create({ bytes: 2 ** 18, maxWorkers: 1 }).stats())).toContain('DOMAIN')
  })
})

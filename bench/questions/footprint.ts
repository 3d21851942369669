/**
 * What does it cost to have many: records, worker slots, entries in a table?
 *
 * Memory is counted from the arena's own page table and zones, so it is the same everywhere; polls
 * and lookups are timed. A slot that no worker has claimed should cost a poll nothing: what is
 * scanned is a bit set of those that are taken.
 */
import type { Arena } from 'uma-smr'
import { sink, time } from '../harness/measure.ts'
import type { Question, Settings } from '../harness/question.ts'

const PAGE_BYTES = 4096
const RECORD_BYTES = 64
const SIZES = [1e3, 1e5, 1e6, 1e7]
const RARE = 1e7
const SLOTS = [4, 16, 64, 256]
const OPS = 20_000
const PROBES = 2 ** 16
/** A table's record: 64 bytes of payload. */
const FIELDS = 8

const usedBytes = (arena: Arena): number => {
  const { total, untouched, free } = arena.stats().pages
  return (total - untouched - free) * PAGE_BYTES
}
const bytesFor = (records: number, each: number): number =>
  Math.min(2 ** 32 - 2 ** 16, Math.max(2 ** 22, 2 ** Math.ceil(Math.log2(records * each))))

async function zoneOf(records: number) {
  const { Arena } = await import('uma-smr')
  const arena = Arena.create({ bytes: bytesFor(records, 2 * RECORD_BYTES), maxWorkers: 8 })
  const zone = arena.zone('bench', { bytes: RECORD_BYTES, smr: arena.smr('bench') })
  for (let i = 0; i < records; i++) sink.value += zone.zallocSmr() === 0 ? 1 : 0
  const payload = records * RECORD_BYTES
  const { bytes } = zone.stats()
  const { total } = arena.stats().pages
  return {
    facts: {
      'payload KiB': payload / 1024,
      'zone KiB': bytes / 1024,
      'beyond payload %': (bytes / payload - 1) * 100,
      'bytes beyond, per record': (bytes - payload) / records,
      'all pages beyond %': (usedBytes(arena) / payload - 1) * 100,
      'arena header %': (1 - (total * PAGE_BYTES) / arena.buffer.byteLength) * 100,
    },
  }
}

async function tableOf(records: number) {
  const { Arena, HashTable, f64, record, u32 } = await import('uma-smr')
  const arena = Arena.create({ bytes: bytesFor(records, 3 * RECORD_BYTES), maxWorkers: 8 })
  const rest = Object.fromEntries(Array.from({ length: FIELDS - 1 }, (_, i) => [`f${i}`, f64]))
  const shape = record({ ...rest, id: u32, more: u32 })
  const table = HashTable.create(arena, 'bench', { record: shape, key: 'id', capacity: records })
  const zeros = Object.fromEntries(Array.from({ length: FIELDS - 1 }, (_, i) => [`f${i}`, 0]))
  for (let id = 1; id <= records; id++) table.set({ ...zeros, id, more: 0 } as never)
  return { arena, table }
}

async function tableMemory(records: number) {
  const { arena } = await tableOf(records)
  const payload = records * RECORD_BYTES
  const used = usedBytes(arena)
  return {
    facts: {
      'payload KiB': payload / 1024,
      'in all KiB': used / 1024,
      'beyond payload %': (used / payload - 1) * 100,
      'bytes beyond, per record': (used - payload) / records,
    },
  }
}

async function lookups(settings: Settings, records: number) {
  const { table } = await tableOf(records)
  let seed = 1
  const probes = Uint32Array.from({ length: PROBES }, () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0
    return 1 + ((seed >>> 4) % records)
  })
  return time(settings, PROBES, () => {
    let found = 0
    for (const key of probes) if (table.has(key as never)) found++
    if (found !== PROBES) throw new Error(`${PROBES - found} keys were not found`)
    return found
  })
}

/** An advance and a poll that has to look: nobody else moves the read hand. */
async function polls(settings: Settings, slots: number, attached: number) {
  const { Arena } = await import('uma-smr')
  const arena = Arena.create({ bytes: 2 ** 24, maxWorkers: slots })
  const smr = arena.smr('bench')
  for (let i = 1; i < attached; i++) Arena.attach(arena.handle).smr('bench')
  return time(settings, OPS, () => {
    let met = 0
    for (let i = 0; i < OPS; i++) if (smr.poll(smr.advance())) met++
    return met
  })
}

const countName = (n: number): string => n.toLocaleString('en-US')
const rare = (n: number): { rare?: true } => (n >= RARE ? { rare: true } : {})

const question: Question = {
  name: 'footprint',
  asks: 'what do many records cost in memory, many worker slots in polls, many entries in lookups?',
  processes: 1,
  groups: [
    {
      name: 'records in a zone',
      operation: `${RECORD_BYTES} bytes each (counted, not timed)`,
      baseline: '',
      variants: SIZES.map((n) => ({ name: countName(n), ...rare(n), run: () => zoneOf(n) })),
    },
    {
      name: 'records in a table',
      operation: `${RECORD_BYTES} bytes each, with links, hash, and array of chains`,
      baseline: '',
      variants: SIZES.map((n) => ({ name: countName(n), ...rare(n), run: () => tableMemory(n) })),
    },
    {
      name: 'worker slots',
      operation: 'an advance, and a poll that looks at the readers',
      baseline: '4 slots, 1 taken',
      variants: SLOTS.flatMap((slots) =>
        [...new Set([1, 4, slots])].map((attached) => ({
          name: `${slots} slots, ${attached} taken`,
          run: (settings: Settings) => polls(settings, slots, attached),
        })),
      ),
    },
    {
      name: 'entries in a table',
      operation: 'has() of a random key that is there',
      baseline: '1,000',
      variants: SIZES.map((n) => ({
        name: countName(n),
        ...rare(n),
        run: (settings: Settings) => lookups(settings, n),
      })),
    },
  ],
}

export default question

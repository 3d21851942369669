/** What an error says when memory has run out: wanted, free, who has some, who holds it back. */

import { afterEach, expect, it, vi } from 'vitest'
import {
  Arena,
  Exhausted,
  HashTable,
  OrderedTable,
  record,
  u32,
  utf8,
  type Zone,
} from '#src/index.ts'
import { Header } from '#src/memory/layout.ts'
import { allocAll, allocMany, freeMany, thrown } from './stage.ts'

const BYTES = 2 ** 19
const KNOBS = { sealAfterMs: 0, trimEveryMs: 0 }

afterEach(() => {
  vi.restoreAllMocks()
})

/** `old` has freed everything, and a reader may still see it. */
function stage(): { arena: Arena; reader: Arena; asking: Zone; freed: number } {
  const arena = Arena.create({ bytes: BYTES, maxWorkers: 4 })
  arena.space.watch.every = () => {}
  const reader = Arena.attach(arena.handle)
  const smr = arena.smr('clock')
  const asking = arena.zone('asking', { bytes: 128, ...KNOBS })
  const old = { arena, zone: arena.zone('old', { bytes: 64, smr, ...KNOBS }) }
  const items = allocMany(old, 5000)
  reader.smr('clock').enter()
  freeMany(old, items)
  old.zone.seal()
  return { arena, reader, asking, freed: items.length * 64 }
}

it('names the zones, their bytes, and the reader', () => {
  const { arena, asking, freed, reader } = stage()
  allocAll({ arena, zone: asking })
  const { facts, message } = thrown(Exhausted, () => asking.zalloc(), 'zone.zalloc: zone "asking"')
  expect(facts).toMatchObject({
    zone: 'asking',
    wanted: expect.any(Number),
    free: expect.any(Number),
    heldBy: reader.workerId,
    heldIn: 'clock',
  })
  expect(facts['wanted']).toBeGreaterThan(facts['free'] as number)
  expect(facts['reclaimable']).toBeGreaterThanOrEqual(freed)
  expect(message).toContain(`${Number(facts['wanted']).toLocaleString('en-US')} bytes are wanted`)
  expect(message).toContain(`bytes in zone "old", ${freed.toLocaleString('en-US')} of them pending`)
  expect(message).toMatch(/held back by worker 1 for \d+ ms in a section of domain "clock"$/)
  // It was true: when the reader has left, the same call succeeds.
  reader.smr('clock').exit()
  expect(asking.zalloc()).not.toBe(0)
})

it('without readers in the way names none', () => {
  const { arena, asking, reader } = stage()
  reader.smr('clock').exit()
  allocAll({ arena, zone: asking })
  const { facts, message } = thrown(Exhausted, () => asking.zalloc())
  expect(facts).not.toHaveProperty('heldBy')
  expect(message).not.toContain('held back')
})

it('of a zone at its limit says no other zone has anything to do with it', () => {
  const { arena, reader } = stage()
  reader.smr('clock').exit()
  arena.zone('old').reclaim('all')
  const zone = arena.zone('few', { bytes: 16, limit: 3, bucket: 1 })
  allocMany({ arena, zone }, 3)
  const { message } = thrown(Exhausted, () => zone.zalloc(), 'its limit of 3 is reached')
  expect(message).not.toContain('"old"')
})

const Row = record({ id: u32, note: utf8(4000) })

it.each<[string, number, (arena: Arena) => unknown]>([
  ['heap.alloc', 1, (arena) => arena.heap('h').alloc(2 ** 19)],
  ['HashTable.create', 65, (arena) => create(arena, { capacity: 2 ** 16 })],
  [
    'OrderedTable.create',
    1,
    (arena) => OrderedTable.create(arena, 'o', { record: Row, key: 'id' }),
  ],
  ['table.resize', 64, (arena) => create(arena, { capacity: 16 }).resize(2 ** 16)],
])('%s says where the memory is', (call, pieces, make) => {
  const { arena, reader } = stage()
  if (call === 'OrderedTable.create') while (arena.space.pages.reserve(1) !== 0);
  const { facts, message } = thrown(Exhausted, () => make(arena), call)
  expect(facts).toMatchObject({ heldBy: reader.workerId, wanted: expect.any(Number) })
  expect(message).toContain(pieces === 1 ? 'in one piece' : `in ${pieces} pieces`)
  expect(message).toContain('bytes in zone "old"')
})

function create(arena: Arena, { capacity }: { capacity: number }) {
  return HashTable.create(arena, 't', { record: Row, key: 'id', capacity, stripes: 64, bucket: 1 })
}

it('names the three zones that have most', () => {
  const arena = Arena.create({ bytes: BYTES, maxWorkers: 4 })
  const names = ['a', 'b', 'c', 'd', 'e']
  names.forEach((name, i) => {
    const actor = { arena, zone: arena.zone(name, { bytes: 64, noFree: true, ...KNOBS }) }
    freeMany(actor, allocMany(actor, 300 * (i + 1)))
  })
  const zone = arena.zone('asking', { bytes: 4096 })
  allocAll({ arena, zone })
  const { facts } = thrown(Exhausted, () => zone.zalloc())
  expect(String(facts['zones'])).toMatch(/^[\d,]+ bytes in zone "e"; .*"d"; .*"c"; and in 2 more/)
})

it('says less, and is no other error, while the names are locked', () => {
  const { arena, asking, reader } = stage()
  reader.smr('clock').exit()
  allocAll({ arena, zone: asking })
  const other = Arena.attach(arena.handle)
  other.space.locks.acquire(Header.directoryLock, 'test')
  arena.space.locks.patienceMs = 0
  const { facts } = thrown(Exhausted, () => asking.zalloc(), 'nothing is left', 'are wanted')
  expect(facts).toMatchObject({ zone: 'asking', zones: '' })
})

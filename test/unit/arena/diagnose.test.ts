/** `arena.diagnose()`: each trouble is made, and its sentence found; and what is well is not spoken of. */

import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { reapSlot } from '#src/arena/reap.ts'
import { Arena, HashTable, type Item, Misuse, record, u32, type Zone } from '#src/index.ts'
import { CacheWords, DepotWords, zoneParts } from '#src/memory/layout.ts'

const BYTES = 2 ** 20
const KNOBS = { sealAfterMs: 0, trimEveryMs: 0 }
const Row = record({ id: u32, n: u32 })

let arena: Arena
let other: Arena
let time: number

beforeEach(() => {
  arena = Arena.create({ bytes: BYTES, maxWorkers: 4, label: 'main' })
  other = Arena.attach(arena.handle, { label: 'slow one' })
  time = 1_000_000
  for (const each of [arena, other]) {
    each.space.watch.every = () => {}
    each.space.turn.later = () => {}
    vi.spyOn(each.memory, 'now').mockImplementation(() => time)
  }
})
afterEach(() => {
  vi.restoreAllMocks()
})

const lines = (): string[] => arena.diagnose().split('\n')
/** The one line that says this. */
const line = (...words: string[]): string => {
  const found = lines().filter((each) => words.every((word) => each.includes(word)))
  expect(found, `a line with ${words.join(', ')} in\n${lines().join('\n')}`).toHaveLength(1)
  return found[0] as string
}
const wait = (ms: number): void => {
  time += ms
}

it('says so when nothing is wrong', () => {
  const zone = arena.zone('z', { bytes: 64, smr: arena.smr('d') })
  const items = Array.from({ length: 100 }, () => zone.zallocSmr())
  for (const item of items) zone.zfreeSmr(item)
  expect(lines()).toHaveLength(1)
  expect(lines()[0]).toMatch(
    /^Nothing is wrong: [\d,]+ of 1,048,576 bytes are free, zones: 1, workers: 2/,
  )
})

it('a reader that does not leave, from the first second on', () => {
  const smr = arena.smr('d')
  const zone = arena.zone('z', { bytes: 64, smr, ...KNOBS })
  const reader = other.smr('d')
  reader.enter()
  zone.zfreeSmr(zone.zallocSmr())
  zone.seal()
  smr.poll(smr.advance())
  wait(999)
  expect(arena.diagnose()).toContain('Nothing is wrong')
  wait(1)
  line(
    'Worker 1 ("slow one") has been in a section of domain "d" for 1,000 ms',
    '64 freed bytes wait',
    'reap it',
  )
  reader.exit()
  expect(arena.diagnose()).toContain('Nothing is wrong')
})

it('a worker with turn sections whose turn does not end', () => {
  const smr = arena.smr('d', { sections: 'turn' })
  other.smr('d').read(() => 0)
  smr.poll(smr.advance())
  wait(5000)
  line(
    'Worker 1 ("slow one") has not ended its turn',
    'domain "d"',
    'for 5,000 ms',
    'smr.offline()',
  )
})

it('an async section that does not end, by its label', () => {
  const smr = arena.smr('d', { sleepable: true })
  const tracker = other.smr('d').enterSleepable('a slow query')
  smr.poll(smr.advance())
  wait(5000)
  line('the async section "a slow query" of domain "d" open for 5,000 ms')
  other.smr('d').exitSleepable(tracker)
})

it('a dead worker that nobody has reaped', () => {
  const { slot, workers } = other.space
  const id = other.workerId
  workers.bury({ slot, generation: workers.generation(slot) })
  line(`Worker ${id} is dead and not reaped`, `arena.reap(${id})`)
  reapSlot(arena.space, slot)
  expect(arena.diagnose()).toContain('Nothing is wrong')
})

it('an arena that is nearly full, and who has what nobody uses', () => {
  const fill = (zone: Zone): Item[] => {
    const items: Item[] = []
    for (let item = zone.tryZalloc(); item !== 0; item = zone.tryZalloc()) items.push(item)
    return items
  }
  const zone = arena.zone('big', { bytes: 200, ...KNOBS })
  for (const item of fill(zone).slice(500)) zone.zfree(item)
  line('nearly full', 'most of them in zone "big"', "arena.reclaim('all')")
  arena.reclaim('all')
  expect(arena.diagnose()).toContain('Nothing is wrong')
})

it('a zone at its limit, and one that has too much pending', () => {
  const few = arena.zone('few', { bytes: 64, limit: 3, bucket: 1 })
  for (let i = 0; i < 3; i++) few.zalloc()
  line('Zone "few" is at its limit of 3 items: 3 live', 'zone.tune({ limit })')
  few.tune({ limit: 4 })
  expect(arena.diagnose()).toContain('Nothing is wrong')
  const smr = arena.smr('d')
  const zone = arena.zone('z', { bytes: 64, smr, bucket: 1, pendingBytes: 128, ...KNOBS })
  other.smr('d').enter()
  for (const item of [zone.zallocSmr(), zone.zallocSmr(), zone.zallocSmr()]) zone.zfreeSmr(item)
  line('Zone "z" has reached its pendingBytes', 'zone.tune({ pendingBytes })')
})

it('more pending than live, with a reader in the way or without', () => {
  const smr = arena.smr('d')
  const zone = arena.zone('z', { bytes: 1000, smr, ...KNOBS })
  other.smr('d').enter()
  const items = Array.from({ length: 200 }, () => zone.zallocSmr())
  for (const item of items) zone.zfreeSmr(item)
  zone.seal()
  line('Zone "z" has more pending than live: 200 items, 200,000 bytes', 'No reader keeps them')
  smr.poll(smr.advance())
  wait(2000)
  line('Zone "z" has more pending than live', 'The reader named above keeps them')
  other.smr('d').exit()
  zone.reclaim('drain')
  expect(arena.diagnose()).toContain('Nothing is wrong')
})

it('callbacks that wait, and those that will never run', () => {
  const smr = arena.smr('d')
  other.smr('d').enter()
  smr.call(() => {})
  expect(arena.diagnose()).toContain('Nothing is wrong')
  smr.poll(smr.advance())
  wait(2000)
  line('1 callbacks of domain "d" wait')
  other.smr('d').exit()
  for (let i = 0; i < 1000; i++) smr.call(() => {})
  line('callbacks of domain "d" wait')
  const dead = Arena.attach(arena.handle)
  dead.space.turn.later = () => {}
  dead.smr('d').call(() => {})
  reapSlot(arena.space, dead.space.slot)
  line('1 callbacks of domain "d" will never run', 'smr.flush()')
})

it('items of a table that are no records', () => {
  const rows = HashTable.create(arena, 'rows', { record: Row, key: 'id', capacity: 100 })
  for (let id = 0; id < 50; id++) rows.set({ id, n: 1 })
  expect(arena.diagnose()).toContain('Nothing is wrong')
  const lost = Array.from({ length: 17 }, () => rows.zone.zallocSmr())
  line(
    'Table "rows" has 50 records, and its zone 67 live items: 17 are lost',
    'zone.audit(reachable)',
  )
  for (const item of lost) rows.zone.zfreeSmr(item)
  expect(arena.diagnose()).toContain('Nothing is wrong')
})

it('a table with long chains', () => {
  const stats = { size: 400, chains: 16, load: 25, zone: { live: 400, name: 'rows' } }
  const rows = HashTable.create(arena, 'rows', { record: Row, key: 'id', capacity: 16 })
  vi.spyOn(rows, 'stats').mockReturnValue(stats as never)
  line('Table "rows" has 400 records in 16 chains: a lookup meets 12.5 others', 'table.resize(400)')
})

it('workers that meet at a depot', () => {
  const zone = arena.zone('z', { bytes: 64, bucket: 1 })
  const { at } = zone.parts
  const { caches, depot } = zoneParts(at, arena.space.maxWorkers)
  arena.memory.tally(caches + CacheWords.refills, 300)
  arena.memory.tally(depot + DepotWords.contended, 74)
  expect(arena.diagnose()).toContain('Nothing is wrong')
  arena.memory.tally(depot + DepotWords.contended, 1)
  line('Workers have met at the depot of zone "z" in 75 of 300 visits', "preset: 'latency'")
})

it('is legal in a section, and changes no statistics', () => {
  const smr = arena.smr('d')
  const before = arena.stats()
  smr.read(() => void arena.diagnose())
  expect(arena.stats()).toEqual(before)
  arena.detach()
  expect(() => arena.diagnose()).toThrow(Misuse)
})
